// Chats, streams, has a tool called and fails, by responses.

import OpenAI from "openai";

const { BASE_URL, KEY, MODELS } = process.env;
const client = new OpenAI({ baseURL: `${BASE_URL}/v1`, apiKey: KEY, maxRetries: 0 });
const models = MODELS.split(" ");
const parameters = { type: "object", properties: { place: { type: "string" } } };
const tools = [{ type: "function", name: "look_up", parameters, strict: false }];
const question = [{ role: "user", content: "Does the weir hold?" }];

const called = (response) => response.output.find((item) => item.type === "function_call");

function show(how, response) {
  const call = called(response);
  const given = JSON.stringify(JSON.parse(call.arguments));
  console.log(how, response.output_text, call.name, given, response.usage.total_tokens);
}

// Says how a call failed, if it did so by the SDK's own exception of that kind.
async function fails(how, kind, call, why = (error) => error.code) {
  try {
    await call();
  } catch (error) {
    if (!(error instanceof kind)) throw error;
    console.log(how, why(error));
  }
}

for (const model of models) {
  const ask = { model, max_output_tokens: 300, tools, instructions: "Be brief." };
  const whole = await client.responses.create({ input: question, ...ask });
  show("whole", whole);

  show("stream", await client.responses.stream({ input: question, ...ask }).finalResponse());

  const call_id = called(whole).call_id;
  const result = { type: "function_call_output", call_id, output: "It does." };
  const again = await client.responses.create({
    input: [...question, ...whole.output, result],
    ...ask,
  });
  console.log("again", called(again).name);
}

const create = (model, options = {}) =>
  client.responses.create({ model, input: "Hm?", ...options });
for (const model of models) {
  await fails("rate limit", OpenAI.RateLimitError, () => create(`limited-${model}`));
  await fails(
    "bad request",
    OpenAI.BadRequestError,
    () => create(`refused-${model}`),
    (error) => error.error.message,
  );
  await fails("broken", OpenAI.APIError, async () => {
    const stream = await create(`breaks-${model}`, { stream: true });
    for await (const _ of stream);
  });
  await fails("overloaded", OpenAI.APIError, async () => {
    const stream = await create(`overloaded-${model}`, { stream: true });
    for await (const _ of stream);
  });
}
await fails("not found", OpenAI.NotFoundError, () => create("nobody"));
await fails("authentication", OpenAI.AuthenticationError, () =>
  client.withOptions({ apiKey: "wrong" }).models.list(),
);
