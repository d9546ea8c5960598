"""Autobahn's cases of WebSocket, against what is at URL.

CASES (identifiers, or patterns of them) is a JSON list. Prints one line of JSON of each case: how it was
taken, and how the connection was closed.
"""

import asyncio
import json
import os

from kosoku import FailureError, run_fuzzingclient
from kosoku.cases import CASES


async def run(url, patterns):
    try:
        return await run_fuzzingclient(url, patterns, concurrency=4)
    except FailureError as failure:
        return failure.results


async def main():
    for result in await run(os.environ["URL"], json.loads(os.environ["CASES"])):
        said = {
            "case": result.case_id,
            "behavior": result.behavior.value,
            "close": result.behavior_close.value,
            "passed": result.passed,
            "why": f"{result.result} {result.result_close}",
        }
        print(json.dumps(said))


asyncio.run(main())
