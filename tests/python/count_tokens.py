"""Counts the corpus with OpenAI's tiktoken and by OpenAI's published sums, and prints the counts.

It reads two variables: CORPUS, the directory with `texts` and `chats`, and VOCABULARIES, one with
tiktoken's files. These are put where tiktoken looks before it downloads them, and it checks that
they are the ones it would have downloaded.
"""

import base64
import hashlib
import json
import math
import os
import pathlib
import shutil
import struct

ENCODINGS = ("o200k_base", "cl100k_base")
ORIGIN = "https://openaipublic.blob.core.windows.net/encodings/"


def provide_vocabularies():
    source = pathlib.Path(os.environ["VOCABULARIES"])
    cache = pathlib.Path(os.environ["TIKTOKEN_CACHE_DIR"])
    for encoding in ENCODINGS:
        name = f"{encoding}.tiktoken"
        key = hashlib.sha1((ORIGIN + name).encode()).hexdigest()
        shutil.copyfile(source / name, cache / key)


provide_vocabularies()
import tiktoken  # noqa: E402


def tokens(encoding, text):
    return len(encoding.encode_ordinary(text))


def tool(encoding, model, function):
    """Section 7 of the cookbook's "How to count tokens with tiktoken"."""
    def line(*words):
        *rest, last = words
        return tokens(encoding, ":".join([*rest, last.removesuffix(".")]))

    count = 7 if model.startswith("gpt-4o") else 10
    count += line(function["name"], function["description"])
    properties = function["parameters"]["properties"]
    if properties:
        count += 3
    for name, schema in properties.items():
        count += 3 + line(name, schema["type"], schema["description"])
        if "enum" in schema:
            count += -3 + sum(3 + tokens(encoding, choice) for choice in schema["enum"])
    return count


TILES = {"gpt-4o": (85, 170), "gpt-4o-mini": (2833, 5667), "o1": (75, 150), "gpt-5": (70, 140)}
# The longest side, the most patches and the price of a patch, at detail high and auto.
PATCHES = {
    "gpt-5.4": (2048, 2500, 1.2),
    "gpt-4.1-mini": (2048, 6144, 1.62),
    "o4-mini-2025-04-16": (2048, 1536, 1.72),
}


def fit(width, height, side):
    shrink = min(1, side / max(width, height))
    return round(width * shrink), round(height * shrink)


def image(model, width, height, detail):
    """The guide "Images and vision"."""
    if model in TILES:
        base, tile = TILES[model]
        if detail == "low":
            return base
        short, long = sorted(fit(width, height, 2048))
        if short > 768:
            short, long = 768, long * 768 // short
        return base + tile * math.ceil(short / 512) * math.ceil(long / 512)
    side, budget, price = PATCHES[model]
    width, height = fit(width, height, side)
    if math.ceil(width / 32) * math.ceil(height / 32) > budget:
        factor = math.sqrt(32 * 32 * budget / (width * height))
        columns, rows = width * factor / 32, height * factor / 32
        factor *= min(math.floor(columns) / columns, math.floor(rows) / rows)
        width, height = math.floor(width * factor), math.floor(height * factor)
    return math.ceil(math.ceil(width / 32) * math.ceil(height / 32) * price)


def part(encoding, model, content):
    if content["type"] == "text":
        return tokens(encoding, content["text"])
    url = content["image_url"]
    png = base64.b64decode(url["url"].partition(",")[2])
    width, height = struct.unpack(">II", png[16:24])
    return image(model, width, height, url.get("detail", "auto"))


def chat(request):
    """Section 6 of the cookbook, with tools and images."""
    model = request["model"]
    encoding = tiktoken.encoding_for_model(model)
    count = 3
    for message in request["messages"]:
        count += 3 + ("name" in message)
        for value in message.values():
            if isinstance(value, str):
                count += tokens(encoding, value)
            else:
                count += sum(part(encoding, model, content) for content in value)
    tools = request.get("tools", [])
    count += sum(tool(encoding, model, tool_["function"]) for tool_ in tools)
    return count + (12 if tools else 0)


def main():
    corpus = pathlib.Path(os.environ["CORPUS"])
    encodings = [tiktoken.get_encoding(name) for name in ENCODINGS]
    texts = {
        path.name: {
            encoding.name: tokens(encoding, path.read_bytes().decode()) for encoding in encodings
        }
        for path in sorted(corpus.joinpath("texts").iterdir())
    }
    chats = {
        path.name: chat(json.loads(path.read_bytes()))
        for path in sorted(corpus.joinpath("chats").iterdir())
    }
    print(json.dumps({"texts": texts, "chats": chats}, indent=2))


main()
