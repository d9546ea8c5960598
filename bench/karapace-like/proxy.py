"""A stand-in for Karapace's REST proxy, which could not be had: what it does to publish, with its libraries.

    python proxy.py least|like BOOTSTRAP PORT

One process, one event loop, one producer whose answers a thread of its own waits for. It takes
Confluent's REST v2 envelope, {"records": [{"key": ..., "value": ...}]}, as JSON, or in base64 where the
media type says so, and answers with the partition and the offset that the broker gave each record.

`least` does the least that such a proxy can. `like` takes the steps besides that Karapace's source shows for
each such request: it negotiates media types, looks the topic up under a lock, checks the envelope, waits
for each record in a task with a deadline, by a future of another thread's, and answers with an ETag, fields
for CORS, and a datagram for statsd. Neither knows schemas, consumers, authentication, tables of many
routes, or a log, which Karapace has as well.
"""

import asyncio
import base64
import concurrent.futures
import hashlib
import json
import re
import socket
import sys
import threading
import time

import ujson
from aiohttp import web
from confluent_kafka import Producer

BINARY = "application/vnd.kafka.binary.v2+json"
ANSWER = "application/vnd.kafka.v2+json"


def place(error, message):
    """What is said of a record."""
    if error is None:
        return {"partition": message.partition(), "offset": message.offset()}
    return {"error_code": 2, "error": str(error)}


def encode_json(value):
    return ujson.dumps(value).encode()


class Proxy:
    """The least."""

    def __init__(self, loop, bootstrap):
        self.loop = loop
        self.producer = Producer({"bootstrap.servers": bootstrap, "acks": "all"})
        threading.Thread(target=self.poll, daemon=True).start()

    def poll(self):
        while True:
            self.producer.poll(0.1)

    def send(self, topic, key, value):
        future = self.loop.create_future()

        def settle(said):
            # Who asked may have gone.
            if not future.done():
                future.set_result(said)

        def delivered(error, message):
            self.loop.call_soon_threadsafe(settle, place(error, message))

        self.producer.produce(topic, value=value, key=key, on_delivery=delivered)
        return future

    async def publish(self, request):
        encode = base64.b64decode if request.content_type == BINARY else encode_json
        records = ujson.loads(await request.read())["records"]
        sent = [
            self.send(
                request.match_info["topic"],
                None if record.get("key") is None else encode(record["key"]),
                encode(record["value"]),
            )
            for record in records
        ]
        offsets = await asyncio.gather(*sent)
        failed = any("error" in offset for offset in offsets)
        answer = {"offsets": offsets, "key_schema_id": None, "value_schema_id": None}
        return web.Response(
            status=422 if failed else 200, text=ujson.dumps(answer), content_type=ANSWER
        )


class Like(Proxy):
    """With the steps of Karapace's."""

    MEDIA = re.compile(
        r"application/(vnd\.kafka(\.(?P<format>avro|json|protobuf|binary|jsonschema))?"
        r"(\.(?P<version>v[12]))?\+json|(?P<general>json|octet-stream))"
    )
    ACCEPTED = re.compile(
        r"(application|\*)/(vnd\.kafka(\.(?P<format>avro|json|protobuf|binary|jsonschema))?"
        r"(\.(?P<version>v[12]))?\+json|(?P<general>json|\*))"
    )
    MEMBERS = {"records", "value_schema", "value_schema_id", "key_schema", "key_schema_id"}
    OF_RECORD = {"key", "value", "partition"}
    DEADLINE = 10
    TOPICS_FOR = 60

    def __init__(self, loop, bootstrap):
        super().__init__(loop, bootstrap)
        self.lock = asyncio.Lock()
        self.topics = {}
        self.statsd = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        # A statsd that takes all and keeps nothing, so that nobody is told of a closed port.
        self.sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sink.bind(("127.0.0.1", 0))

    async def publish(self, request):
        began = time.monotonic()
        status = 500
        try:
            status, body, media_type = await self.answer(request)
            return self.respond(status, body, media_type)
        finally:
            took = time.monotonic() - began
            said = f"rest_request,path=/topics/x,result={status},method={request.method}:{took}|ms"
            self.statsd.sendto(said.encode(), self.sink.getsockname())

    async def answer(self, request):
        text = (await request.read()).decode("utf-8")
        try:
            envelope = ujson.loads(text)
        except ValueError:
            return 400, {"error_code": 400, "message": "no JSON"}, ANSWER
        media = self.MEDIA.search(request.headers.get("Content-Type", BINARY))
        accepted = self.ACCEPTED.search(request.headers.get("Accept", "*/*"))
        if media is None:
            return 415, {"error_code": 415, "message": "unknown media type"}, ANSWER
        if accepted is None:
            return 406, {"error_code": 406, "message": "nothing acceptable"}, ANSWER
        topic = request.match_info["topic"]
        if not await self.is_known(topic):
            return 404, {"error_code": 40401, "message": "no such topic"}, ANSWER
        wrong = self.fault(envelope)
        if wrong is not None:
            return 422, {"error_code": 422, "message": wrong}, ANSWER
        encode = base64.b64decode if media.group("format") == "binary" else encode_json
        records = [await self.prepared(record, encode) for record in envelope["records"]]
        offsets = await self.produced(topic, records)
        failed = any("error" in offset for offset in offsets)
        answer = {
            "key_schema_id": envelope.get("key_schema_id"),
            "value_schema_id": envelope.get("value_schema_id"),
            "offsets": offsets,
        }
        return 422 if failed else 200, answer, ANSWER

    async def is_known(self, topic):
        async with self.lock:
            now = time.monotonic()
            asked = self.topics.get(topic)
            if asked is None or now - asked > self.TOPICS_FOR:
                found = self.producer.list_topics(topic, timeout=10).topics[topic]
                if found.error is not None:
                    return False
                self.topics[topic] = now
            return True

    def fault(self, envelope):
        if not isinstance(envelope, dict) or set(envelope) - self.MEMBERS:
            return "an envelope of records is wanted"
        records = envelope.get("records")
        if not isinstance(records, list) or not records:
            return "an array of records is wanted"
        for record in records:
            if not isinstance(record, dict) or set(record) - self.OF_RECORD:
                return "a record has a key, a value and a partition"
        return None

    async def prepared(self, record, encode):
        key = record.get("key")
        return (None if key is None else encode(key)), encode(record.get("value"))

    async def handed_over(self, topic, key, value):
        told = concurrent.futures.Future()

        def delivered(error, message):
            told.set_result(place(error, message))

        self.producer.produce(topic, value=value, key=key, on_delivery=delivered)
        return asyncio.wrap_future(told, loop=self.loop)

    async def produced(self, topic, records):
        sending = [
            asyncio.wait_for(self.handed_over(topic, key, value), self.DEADLINE)
            for key, value in records
        ]
        return await asyncio.gather(*await asyncio.gather(*sending))

    def respond(self, status, body, media_type):
        text = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
        fields = {
            "Content-Type": media_type,
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Allow-Methods": "DELETE, GET, OPTIONS, POST, PUT",
            "Access-Control-Allow-Headers": "Authorization, Content-Type",
            "Access-Control-Expose-Headers": "etag",
            "ETag": f'"{hashlib.md5(text).hexdigest()}"',
        }
        return web.Response(status=status, body=text, headers=fields)


async def serve(kind, bootstrap, port):
    proxy = kind(asyncio.get_running_loop(), bootstrap)
    app = web.Application()
    app.router.add_post("/topics/{topic:.+}", proxy.publish)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    kinds = {"least": Proxy, "like": Like}
    asyncio.run(serve(kinds[sys.argv[1]], sys.argv[2], int(sys.argv[3])))
