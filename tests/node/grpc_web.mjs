// Clients of gRPC for the Web, unmodified: Google's in text and in binary, and Connect's. DESCRIPTORS is
// google.protobuf.FileDescriptorSet in base64, and what answers at URL is called. Prints one line of each
// client and case, that ends in "ok" or in what went wrong.

import { create, createFileRegistry, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import XMLHttpRequest from "xhr2";

globalThis.XMLHttpRequest = XMLHttpRequest;
const grpcWeb = (await import("grpc-web")).default;

const { URL: url, DESCRIPTORS: descriptors } = process.env;
const set = fromBinary(FileDescriptorSetSchema, Buffer.from(descriptors, "base64"));
const registry = createFileRegistry(set);
const TestService = registry.getService("grpc.testing.TestService");
const UnimplementedService = registry.getService("grpc.testing.UnimplementedService");

const SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";
const RESPONSES = [31415, 9, 2653, 58979];
const INITIAL = "x-grpc-test-echo-initial";
const TRAILING = "x-grpc-test-echo-trailing-bin";
const BYTES = Buffer.from([0xab, 0, 0xff, 10, 0xcd, 1]).toString("base64");

// What a client is to the cases: a unary call and a stream, by service and method. Both throw an error with
// `code` and `message`, and hand metadata back by `onHeaders` and `onTrailers`.

function googles(format) {
  const client = new grpcWeb.GrpcWebClientBase({ format });
  const prepare = (service, name) => {
    const method = service.method[name];
    const path = `/${service.typeName}/${method.name}`;
    const type = method.methodKind === "unary" ? "unary" : "server_streaming";
    const descriptor = new grpcWeb.MethodDescriptor(
      path,
      type,
      Object,
      Object,
      (message) => toBinary(method.input, create(method.input, message)),
      (bytes) => fromBinary(method.output, bytes),
    );
    return [url + path, descriptor];
  };
  return {
    unary: (service, name, message, { headers = {}, onHeaders, onTrailers } = {}) =>
      new Promise((resolve, reject) => {
        const [at, descriptor] = prepare(service, name);
        let answer;
        const call = client.rpcCall(at, message, headers, descriptor, (error, response) => {
          if (error) reject(error);
          answer = response;
        });
        let trailers;
        call.on("metadata", (metadata) => onHeaders?.((name) => metadata[name]));
        call.on("status", (status) => {
          trailers = status.metadata ?? {};
          onTrailers?.((name) => trailers[name]);
        });
        call.on("end", () => resolve(answer));
      }),
    stream: (service, name, message) =>
      new Promise((resolve, reject) => {
        const [at, descriptor] = prepare(service, name);
        const answers = [];
        const call = client.serverStreaming(at, message, {}, descriptor);
        call.on("data", (answer) => answers.push(answer));
        call.on("error", reject);
        call.on("end", () => resolve(answers));
      }),
  };
}

function connects() {
  const transport = createGrpcWebTransport({ baseUrl: url });
  const plain = (error) => {
    const { code, rawMessage } = ConnectError.from(error);
    return Object.assign(new Error(rawMessage), { code });
  };
  return {
    async unary(service, name, message, { headers, onHeaders, onTrailers } = {}) {
      try {
        return await createClient(service, transport)[name](message, {
          headers,
          onHeader: (found) => onHeaders?.((name) => found.get(name)),
          onTrailer: (found) => onTrailers?.((name) => found.get(name)),
        });
      } catch (error) {
        throw plain(error);
      }
    },
    async stream(service, name, message) {
      const answers = [];
      try {
        for await (const answer of createClient(service, transport)[name](message)) {
          answers.push(answer);
        }
      } catch (error) {
        throw plain(error);
      }
      return answers;
    },
  };
}

function equal(found, wanted) {
  if (JSON.stringify(found) !== JSON.stringify(wanted)) {
    throw new Error(`${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`);
  }
}

async function fails(call, code, message) {
  const error = await call.then(
    () => undefined,
    (error) => error,
  );
  equal(error?.code, code);
  if (message !== undefined) equal(error.message, message);
}

const zeros = (size) => ({ body: new Uint8Array(size) });
const sizes = (answers) => answers.map((answer) => answer.payload.body.length);
const asking = (sizes) => ({ responseParameters: sizes.map((size) => ({ size })) });

async function ends(client, message) {
  const responseStatus = { code: Code.Unknown, message };
  await fails(client.unary(TestService, "unaryCall", { responseStatus }), Code.Unknown, message);
  const request = { ...asking([7]), responseStatus };
  await fails(client.stream(TestService, "streamingOutputCall", request), Code.Unknown, message);
}

const CASES = {
  async empty_unary(client) {
    await client.unary(TestService, "emptyCall", {});
  },
  async large_unary(client) {
    const request = { responseSize: 314159, payload: zeros(271828) };
    equal(sizes([await client.unary(TestService, "unaryCall", request)]), [314159]);
  },
  async server_streaming(client) {
    equal(sizes(await client.stream(TestService, "streamingOutputCall", asking(RESPONSES))), RESPONSES);
  },
  async empty_stream(client) {
    equal(await client.stream(TestService, "streamingOutputCall", asking([])), []);
  },
  async custom_metadata(client) {
    let initial, trailing;
    await client.unary(TestService, "unaryCall", { responseSize: 1 }, {
      headers: { [INITIAL]: "test_initial_metadata_value", [TRAILING]: BYTES },
      onHeaders: (get) => (initial = get(INITIAL)),
      onTrailers: (get) => (trailing = get(TRAILING)),
    });
    equal([initial, trailing], ["test_initial_metadata_value", BYTES]);
  },
  async status_code_and_message(client) {
    await ends(client, "test status message");
  },
  async special_status_message(client) {
    await ends(client, SPECIAL);
  },
  async unimplemented_method(client) {
    await fails(client.unary(TestService, "unimplementedCall", {}), Code.Unimplemented);
  },
  async unimplemented_service(client) {
    await fails(client.unary(UnimplementedService, "unimplementedCall", {}), Code.Unimplemented);
  },
};

const clients = { text: googles("text"), binary: googles("binary"), connect: connects() };
for (const [name, client] of Object.entries(clients)) {
  for (const [label, run] of Object.entries(CASES)) {
    const said = await run(client).then(
      () => "ok",
      (error) => `${error.code ?? ""} ${error.message}`.replaceAll("\n", " "),
    );
    console.log(`${name}: ${label}: ${said}`);
  }
}
