"""The metrics there are, as the gateway's catalogue says."""

import json
import re
from pathlib import Path

METRICS = {
    metric["name"]: metric
    for metric in json.loads((Path(__file__).parent / "catalogue.json").read_text())
}

NAME = re.compile(r"\b(?:weir|http|rpc|gen_ai|messaging)_[a-z0-9_]+\b(?=\{|\[|\)| |$)")


def helps(expression):
    """What the metrics of an expression measure: the sentences of the catalogue, each once."""
    found = []
    for name in NAME.findall(expression):
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        metric = METRICS.get(name) or METRICS.get(base)
        if metric and metric["help"] not in found:
            found.append(metric["help"])
    return found
