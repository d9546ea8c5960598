"""A REST proxy to Kafka that does the least such a proxy can, with the libraries of Karapace's.

One process, one event loop, one producer whose answers a thread of its own waits for. It takes
Confluent's REST v2 envelope, {"records": [{"key": ..., "value": ...}]}, as JSON, or in base64 where the
media type says so, and answers with the partition and the offset that the broker gave each record. It
knows no schemas, no consumers, no authentication, no metrics and no log.

    python proxy.py BOOTSTRAP PORT
"""

import asyncio
import base64
import sys
import threading

import ujson
from aiohttp import web
from confluent_kafka import Producer

BINARY = "application/vnd.kafka.binary.v2+json"
ANSWER = "application/vnd.kafka.v2+json"


def settle(future, error, message):
    """Tells who waits, unless it has gone."""
    if not future.done():
        if error is None:
            future.set_result({"partition": message.partition(), "offset": message.offset()})
        else:
            future.set_result({"error_code": 2, "error": str(error)})


class Proxy:
    def __init__(self, loop, bootstrap):
        self.loop = loop
        self.producer = Producer({"bootstrap.servers": bootstrap, "acks": "all"})
        threading.Thread(target=self.poll, daemon=True).start()

    def poll(self):
        while True:
            self.producer.poll(0.1)

    def send(self, topic, key, value):
        future = self.loop.create_future()

        def delivered(error, message):
            self.loop.call_soon_threadsafe(settle, future, error, message)

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
            status=500 if failed else 200, text=ujson.dumps(answer), content_type=ANSWER
        )


def encode_json(value):
    return ujson.dumps(value).encode()


async def serve(bootstrap, port):
    proxy = Proxy(asyncio.get_running_loop(), bootstrap)
    app = web.Application()
    app.router.add_post("/topics/{topic}", proxy.publish)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
