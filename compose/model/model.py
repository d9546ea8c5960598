"""Stands in for a provider of language models: OpenAI's chat completions, whole or streamed.

It says the same to everybody, counts words as tokens, takes its time between pieces as a model does, and is
overloaded once in fifty times, so that dashboards have something to show. It costs nothing and asks for no key.
"""

import http.server
import itertools
import json
import time

WORDS = "A weir is a dam that measures what flows over it .".split()
CALLS = itertools.count(1)


def chunk(choices, usage=None):
    """One event of a stream."""
    data = {"id": "stand-in", "object": "chat.completion.chunk", "created": int(time.time()), "model": "stand-in", "choices": choices, "usage": usage}
    return f"data: {json.dumps(data)}\n\n".encode()


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers calls."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        """Tells that it is well."""
        self.answer(200, {"status": "ok"})

    def do_POST(self):
        """Completes a chat."""
        asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        if next(CALLS) % 50 == 0:
            self.answer(503, {"error": {"message": "overloaded", "type": "server_error"}})
            return
        prompt = sum(len(str(message.get("content", "")).split()) for message in asked.get("messages", []))
        usage = {"prompt_tokens": prompt, "completion_tokens": len(WORDS), "total_tokens": prompt + len(WORDS)}
        time.sleep(0.1)
        if asked.get("stream"):
            self.stream(usage)
            return
        message = {"role": "assistant", "content": " ".join(WORDS)}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        self.answer(200, {"id": "stand-in", "object": "chat.completion", "created": int(time.time()), "model": "stand-in", "choices": choices, "usage": usage})

    def stream(self, usage):
        """Writes a piece for each word, and what was used."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for word in WORDS:
            self.wfile.write(chunk([{"index": 0, "delta": {"content": word + " "}, "finish_reason": None}]))
            time.sleep(0.02)
        self.wfile.write(chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}]))
        self.wfile.write(chunk([], usage))
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def answer(self, status, document):
        """Writes an answer of JSON."""
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Says nothing: the gateway's log says it all."""


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
