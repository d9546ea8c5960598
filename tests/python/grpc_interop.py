"""gRPC's interoperability cases by gRPC's own Python client.

PROTOS is where the .proto lie, WAYS is a JSON list of {name, address, authority}; authority is PEM, and
null in the clear. Of each way and case it prints one line, that ends in "ok" or in what went wrong.
"""

import json
import os
import sys
import threading

import grpc

sys.path.insert(0, os.environ["PROTOS"])
# The package of the .proto and gRPC's own for Python begin with the same name.
grpc.__path__.append(os.path.join(os.environ["PROTOS"], "grpc"))
messages = grpc.protos("grpc/testing/messages.proto")
empty = grpc.protos("grpc/testing/empty.proto")
services = grpc.services("grpc/testing/test.proto")

REQUESTS = [27182, 8, 1828, 45904]
RESPONSES = [31415, 9, 2653, 58979]
SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"
INITIAL = "x-grpc-test-echo-initial"
TRAILING = "x-grpc-test-echo-trailing-bin"
HOUR = 2**31 - 1
# Far beyond what a loaded machine needs: only so that what hangs fails.
DEADLINE = 60


def payload(size):
    return messages.Payload(body=bytes(size))


def asking(size, responses, interval=0, status=None):
    parameters = [messages.ResponseParameters(size=one, interval_us=interval) for one in responses]
    return messages.StreamingOutputCallRequest(
        payload=payload(size), response_parameters=parameters, response_status=status
    )


class Requests:
    """Requests given one by one."""

    def __init__(self):
        self.condition = threading.Condition()
        self.waiting = []
        self.ended = False

    def give(self, request):
        with self.condition:
            self.waiting.append(request)
            self.condition.notify()

    def end(self):
        with self.condition:
            self.ended = True
            self.condition.notify()

    def __iter__(self):
        return self

    def __next__(self):
        with self.condition:
            while not self.waiting and not self.ended:
                self.condition.wait()
            if self.waiting:
                return self.waiting.pop(0)
            raise StopIteration


def is_equal(found, wanted):
    if found != wanted:
        raise AssertionError(f"{found!r}, not {wanted!r}")


def fails(call, code, message=None):
    try:
        found = call()
    except grpc.RpcError as error:
        is_equal(error.code(), code)
        if message is not None:
            is_equal(error.details(), message)
    else:
        raise AssertionError(f"no error, but {found!r}")


def sizes(answers):
    return [len(answer.payload.body) for answer in answers]


def empty_unary(stub, _):
    is_equal(stub.EmptyCall(empty.Empty(), timeout=DEADLINE), empty.Empty())


def large_unary(stub, _):
    request = messages.SimpleRequest(response_size=314159, payload=payload(271828))
    answer = stub.UnaryCall(request, timeout=DEADLINE)
    is_equal(answer.payload.body, bytes(314159))


def client_streaming(stub, _):
    requests = (messages.StreamingInputCallRequest(payload=payload(size)) for size in REQUESTS)
    answer = stub.StreamingInputCall(requests, timeout=DEADLINE)
    is_equal(answer.aggregated_payload_size, 74922)


def server_streaming(stub, _):
    answers = stub.StreamingOutputCall(asking(0, RESPONSES), timeout=DEADLINE)
    is_equal(sizes(answers), RESPONSES)


def ping_pong(stub, _):
    requests = Requests()
    answers = stub.FullDuplexCall(requests, timeout=DEADLINE)
    for size, wanted in zip(REQUESTS, RESPONSES):
        requests.give(asking(size, [wanted]))
        is_equal(len(next(answers).payload.body), wanted)
    requests.end()
    is_equal(sizes(answers), [])


def half_duplex(stub, _):
    requests = [asking(size, [wanted]) for size, wanted in zip(REQUESTS, RESPONSES)]
    is_equal(sizes(stub.HalfDuplexCall(iter(requests), timeout=DEADLINE)), RESPONSES)


def empty_stream(stub, _):
    is_equal(sizes(stub.FullDuplexCall(iter([]), timeout=DEADLINE)), [])


def cancel_after_begin(stub, _):
    requests = Requests()
    call = stub.StreamingInputCall.future(requests, timeout=DEADLINE)
    call.cancel()
    is_equal(call.cancelled(), True)
    is_equal(call.code(), grpc.StatusCode.CANCELLED)
    requests.end()


def cancel_after_first_response(stub, _):
    requests = Requests()
    answers = stub.FullDuplexCall(requests, timeout=DEADLINE)
    requests.give(asking(27182, [31415]))
    is_equal(len(next(answers).payload.body), 31415)
    answers.cancel()
    fails(lambda: next(answers), grpc.StatusCode.CANCELLED)
    requests.end()


def timeout_on_sleeping_server(stub, _):
    requests = Requests()
    answers = stub.FullDuplexCall(requests, timeout=0.2)
    requests.give(asking(27182, [31415], interval=HOUR))
    fails(lambda: next(answers), grpc.StatusCode.DEADLINE_EXCEEDED)
    requests.end()


def ends_with(stub, message):
    status = messages.EchoStatus(code=grpc.StatusCode.UNKNOWN.value[0], message=message)
    request = messages.SimpleRequest(response_status=status)
    fails(lambda: stub.UnaryCall(request, timeout=DEADLINE), grpc.StatusCode.UNKNOWN, message)
    for responses in [], [7]:
        request = asking(1, responses, status=status)
        answers = stub.FullDuplexCall(iter([request]), timeout=DEADLINE)
        for size in responses:
            is_equal(len(next(answers).payload.body), size)
        fails(lambda: next(answers), grpc.StatusCode.UNKNOWN, message)


def status_code_and_message(stub, _):
    ends_with(stub, "test status message")


def special_status_message(stub, _):
    ends_with(stub, SPECIAL)


def unimplemented_method(stub, _):
    call = lambda: stub.UnimplementedCall(empty.Empty(), timeout=DEADLINE)
    fails(call, grpc.StatusCode.UNIMPLEMENTED)


def unimplemented_service(_, channel):
    stub = services.UnimplementedServiceStub(channel)
    call = lambda: stub.UnimplementedCall(empty.Empty(), timeout=DEADLINE)
    fails(call, grpc.StatusCode.UNIMPLEMENTED)


def custom_metadata(stub, _):
    text, data = "test_initial_metadata_value", b"\xab\x00\xff\n\xcd\x01"
    metadata = [(INITIAL, text), (TRAILING, data)]
    request = messages.SimpleRequest(response_size=314159, payload=payload(271828))
    _, call = stub.UnaryCall.with_call(request, metadata=metadata, timeout=DEADLINE)
    is_equal(dict(call.initial_metadata()).get(INITIAL), text)
    is_equal(dict(call.trailing_metadata()).get(TRAILING), data)
    requests = iter([asking(27182, [31415])])
    answers = stub.FullDuplexCall(requests, metadata=metadata, timeout=DEADLINE)
    is_equal(dict(answers.initial_metadata()).get(INITIAL), text)
    is_equal(sizes(answers), [31415])
    is_equal(dict(answers.trailing_metadata()).get(TRAILING), data)


CASES = [
    empty_unary,
    large_unary,
    client_streaming,
    server_streaming,
    ping_pong,
    half_duplex,
    empty_stream,
    cancel_after_begin,
    cancel_after_first_response,
    timeout_on_sleeping_server,
    status_code_and_message,
    special_status_message,
    unimplemented_method,
    unimplemented_service,
    custom_metadata,
]


def connect(way):
    if way["authority"] is None:
        return grpc.insecure_channel(way["address"])
    credentials = grpc.ssl_channel_credentials(way["authority"].encode())
    return grpc.secure_channel(way["address"], credentials)


for way in json.loads(os.environ["WAYS"]):
    with connect(way) as channel:
        grpc.channel_ready_future(channel).result(timeout=DEADLINE)
        stub = services.TestServiceStub(channel)
        for case in CASES:
            try:
                case(stub, channel)
                said = "ok"
            except Exception as error:
                said = f"{type(error).__name__}: {error}".replace("\n", " ")
            print(f"{way['name']}: {case.__name__}: {said}", flush=True)
