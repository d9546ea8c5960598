"""All dashboards, as texts."""

import json

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from . import events, gateway, llm, overview, quotas, route, upstream

ALL = {
    "overview.json": overview,
    "route.json": route,
    "upstream.json": upstream,
    "llm.json": llm,
    "quotas.json": quotas,
    "events.json": events,
    "gateway.json": gateway,
}


def texts():
    """The files: JSON as Grafana imports it, with keys in order so that changes are small."""
    encoded = {name: json.loads(json.dumps(module.BOARD, cls=JSONEncoder)) for name, module in ALL.items()}
    for document in encoded.values():
        for number, panel in enumerate(document["panels"], 1):
            panel["id"] = number
        # The SDK has no word for what a mark says.
        for mark in document["annotations"]["list"]:
            mark |= {"titleFormat": mark["name"], "textFormat": "{{instance}}"}
    return {
        name: json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        for name, document in encoded.items()
    }
