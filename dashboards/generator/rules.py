"""The rules of objectives, and all rules with their windows shortened.

Burn rates are alike but for what they judge, so they are made here; conditions are written by hand in
rules/alerts.yaml and rules/recording.yaml.
"""

import re
from dataclasses import dataclass
from pathlib import Path

RULES = Path(__file__).parent.parent / "rules"

# How fast the budget burns, over which windows, for how long, and how much traffic has to be there: a long
# window says that it matters, a short one that it still goes on.
SPEEDS = (
    ("Fast", "page", 14.4, "1h", "5m", "2m", 0.05, "the last hour"),
    ("Slow", "ticket", 6, "6h", "30m", "15m", 0.02, "the last six hours"),
)
WINDOWS = ("5m", "30m", "1h", "6h")
# What an answer may take, in seconds, and the share of answers that may take longer. Both are bounds of
# buckets, so that counting is exact.
SLOW, FIRST_CHUNK, LATENCY_BUDGET = "1", "5.12", 0.01


@dataclass
class Objective:
    """What is promised, by what its share of failures is recorded as."""

    name: str
    ratio: str
    matchers: str
    traffic: str
    on: str
    budget: float
    summary: str
    runbook: str
    dashboard: str


def objectives(objective):
    """All of them."""
    errors = round(1 - objective, 6)
    route = "/d/weir-route?var-route={{ $labels.weir_route }}"
    of = "Route {{ $labels.weir_route }}"
    share = "{{ $value | humanizePercentage }} over"
    return [
        Objective(
            "Gateway", "route_fault:weir_errors:ratio_rate", '{fault="gateway"}', "route:http_server_requests:rate",
            "weir_route", errors, f"{of} fails by the gateway''s fault: {share}", "slo_burn", route,
        ),
        Objective(
            "Upstream", "route_fault:weir_errors:ratio_rate", '{fault="upstream"}', "route:http_server_requests:rate",
            "weir_route", errors, f"{of} fails by its upstream''s fault: {share}", "slo_burn", route,
        ),
        Objective(
            "Latency", "route:weir_slow_requests:ratio_rate", "", "route:http_server_requests:rate",
            "weir_route", LATENCY_BUDGET, f"{of} takes more than a second: {share}", "latency", route,
        ),
        Objective(
            "FirstChunk", "route_model:gen_ai_late_first_chunks:ratio_rate", "",
            "route_model:gen_ai_first_chunks:rate", "weir_route, weir_model", LATENCY_BUDGET,
            "Streams of {{ $labels.weir_model }} on route {{ $labels.weir_route }} begin after more than five "
            f"seconds: {share}", "latency", "/d/weir-llm?var-model={{ $labels.weir_model }}",
        ),
    ]


def recorded(window):
    """The rates and shares of one window."""
    return f"""\
      - record: route:http_server_requests:rate{window}
        expr: sum by (weir_route) (rate(http_server_request_duration_seconds_count[{window}]))
      # Without a failure there is no series, not a zero.
      - record: route_fault:weir_errors:ratio_rate{window}
        expr: |
          sum by (weir_route, fault) (rate(weir_errors_total[{window}]))
            / on (weir_route) group_left route:http_server_requests:rate{window}
      # Answers of models, connections and subscriptions are as long as they are: they are judged by their first
      # chunk, or not at all.
      - record: route:weir_slow_requests:ratio_rate{window}
        expr: |
          1 - sum by (weir_route) (rate(http_server_request_duration_seconds_bucket{{le=~"{SLOW}|{SLOW}.0"}}[{window}]))
            / on (weir_route) (route:http_server_requests:rate{window} > 0)
            unless on (weir_route) sum by (weir_route) (gen_ai_client_operation_duration_seconds_count)
            unless on (weir_route) sum by (weir_route) (weir_websocket_connections_active)
            unless on (weir_route) sum by (weir_route) (weir_subscribers)
      - record: route_model:gen_ai_first_chunks:rate{window}
        expr: sum by (weir_route, weir_model) (rate(gen_ai_client_operation_time_to_first_chunk_seconds_count[{window}]))
      - record: route_model:gen_ai_late_first_chunks:ratio_rate{window}
        expr: |
          1 - sum by (weir_route, weir_model) (rate(gen_ai_client_operation_time_to_first_chunk_seconds_bucket{{le="{FIRST_CHUNK}"}}[{window}]))
            / on (weir_route, weir_model) (route_model:gen_ai_first_chunks:rate{window} > 0)
"""


def alert(objective, speed):
    """One alert."""
    name, severity, times, long, short, hold, least, words = speed
    o = objective
    return f"""\
      - alert: Weir{o.name}{"Error" if o.name in ("Gateway", "Upstream") else ""}BudgetBurn{name}
        expr: |
          {o.ratio}{long}{o.matchers} > {times} * {o.budget}
          and {o.ratio}{short}{o.matchers} > {times} * {o.budget}
          and on ({o.on}) {o.traffic}{long} > {least}
        for: {hold}
        labels: {{ severity: {severity}, budget: {name.lower()} }}
        annotations:
          summary: '{o.summary} {words}.'
          runbook: runbooks/{o.runbook}.md
          dashboard: '{o.dashboard}'
"""


def slo(objective):
    """rules/slo.yaml."""
    share = f"{objective * 100:g}"
    alerts = "".join(alert(o, speed) for o in objectives(objective) for speed in SPEEDS)
    return f"""\
# Made by `make dashboards` (dashboards/generator/rules.py): change that.
#
# The objective of every route is {share} % of requests without a failure of ours, and likewise of the upstream's;
# and that {100 - LATENCY_BUDGET * 100:g} % of answers take less than a second, or of a model's streams begin within
# {FIRST_CHUNK} s. Routes with little traffic do not alert: one failure among ten requests is a ratio without meaning.
groups:
  - name: weir-objectives
    interval: 30s
    rules:
{"".join(recorded(window) for window in WINDOWS)}
  - name: weir-slo
    rules:
{alerts}"""


UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
# A range, a subquery's range and step, `for`, `interval`, `keep_firing_for`, `offset`.
DURATION = re.compile(
    r"(?P<before>\[|(?<=\d[smhd]:)|\b(?:for|interval|keep_firing_for): |\boffset )(?P<n>\d+)(?P<unit>ms|s|m|h|d)\b"
)
# Prometheus needs a few scrapes in a window.
LEAST = 4


def shortened(text, by):
    """The rules with every duration divided. Names of records stay, though they say the windows they had."""
    if by == 1:
        return text

    def divided(match):
        seconds = int(match["n"]) * UNITS[match["unit"]] / by
        least = LEAST if match["before"].startswith("[") else 1
        return f"{match['before']}{max(least, round(seconds))}s"

    return DURATION.sub(divided, text)


def texts(shorten=1, objective=0.999):
    """rules/slo.yaml; and where windows are shortened, the rules that are written by hand as well."""
    made = {"slo.yaml": slo(objective)}
    if shorten != 1:
        made |= {name: (RULES / name).read_text() for name in ("alerts.yaml", "recording.yaml")}
    return {name: shortened(text, shorten) for name, text in made.items()}
