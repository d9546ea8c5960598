"""All routes: rate, errors, duration; whose fault, whose time, and what is near its limit."""

from .board import board
from .panels import failures, q, stat, states, table, timeseries
from .words import quantile, rate

WHERE = 'weir_route=~"$route", weir_team=~"$team", instance=~"$instance"'
REQUESTS = "http_server_request_duration_seconds"
COUNT = f"{REQUESTS}_count"


def failed(fault):
    """The share of requests that failed by somebody's fault."""
    of = WHERE + f', fault="{fault}"'
    return f"({rate('weir_errors_total', where=of)} or vector(0)) / {rate(COUNT, where=WHERE)}"


BUDGET = (("green", None), ("orange", 0.001), ("red", 0.0144))
UP = (("red", None), ("green", 1))

GLANCE = [
    stat("Requests", "reqps", "Requests per second over the routes chosen.", q(rate(COUNT, where=WHERE), "requests")),
    stat(
        "Failed: gateway's fault", "percentunit",
        "Share of requests that failed by the gateway's own fault. Healthy: below 0.1 %, the objective.",
        q(failed("gateway"), "gateway"), runbooks=["slo_burn", "502-503"], steps=BUDGET,
    ),
    stat(
        "Failed: upstream's fault", "percentunit",
        "Share of requests that failed by an upstream's fault, its own 5xx included. Healthy: below 0.1 %.",
        q(failed("upstream"), "upstream"), runbooks=["slo_burn", "502-503"], steps=BUDGET,
    ),
    stat(
        "p99", "s", "99 % of requests were answered within this time, everything included. Healthy: below a second.",
        q(quantile(0.99, REQUESTS, where=WHERE), "p99"), runbooks=["latency"],
        steps=(("green", None), ("orange", 1), ("red", 5)),
    ),
    stat(
        "Gateways up", "none", "Gateways that Prometheus gets metrics from. Healthy: all you run.",
        q('sum(up{job="weir"})', "up"), runbooks=["gateway_absent"], steps=UP,
    ),
    stat(
        "Configuration", "none", "Healthy: 1, every gateway serves what is in its files; 0 once one refused a reload.",
        q("min(weir_config_last_reload_successful)", "reload"), runbooks=["config_reload_failed"], steps=UP,
    ),
]

RED = [
    timeseries(
        "Rate by route", "reqps", "Requests per second. Healthy: as at this hour on other days.",
        q(rate(COUNT, "weir_route", WHERE), "{{weir_route}}"),
    ),
    timeseries(
        "By status", "reqps", "Requests per second by the status sent. 499: the client left before an answer.",
        q(rate(COUNT, "http_response_status_code", WHERE), "{{http_response_status_code}}"),
        runbooks=["502-503"], stacked=True,
    ),
    timeseries(
        "Duration", "s", "From a request's first byte to its answer's last, so the length of streams counts.",
        *(q(quantile(p, REQUESTS, where=WHERE), name) for p, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))),
        runbooks=["latency"], steps=(("transparent", None), ("orange", 1)),
    ),
]

TIME = [
    timeseries(
        "Gateway's own time, p99 by route", "s",
        "Waiting neither for the client nor for an upstream. Healthy: below a millisecond.",
        q(quantile(0.99, "weir_gateway_duration_seconds", "weir_route", WHERE), "{{weir_route}}"),
        runbooks=["latency"], steps=(("transparent", None), ("orange", 0.01)),
    ),
    timeseries(
        "Waiting for upstreams, p99 by route", "s",
        "Over all attempts. It stands beside the gateway's own; neither is ever computed from the other.",
        q(quantile(0.99, "weir_upstream_wait_duration_seconds", "weir_route", WHERE), "{{weir_route}}"),
        runbooks=["latency", "http_response_timeout"],
    ),
    timeseries(
        "Latency budget burn (5 min)", "none",
        "How many times faster than allowed slow answers, over a second, use up the budget of 1 %. 14.4 pages.",
        q('route:weir_slow_requests:ratio_rate5m{weir_route=~"$route"} / 0.01', "{{weir_route}}"),
        runbooks=["latency"], steps=(("transparent", None), ("orange", 6), ("red", 14.4)),
    ),
]

ERRORS = [
    timeseries(
        "By fault", "reqps", "Failures per second by who has to act. Healthy: nothing of gateway and upstream.",
        q(rate("weir_errors_total", "fault", WHERE), "{{fault}}"), runbooks=["502-503"], stacked=True,
    ),
    timeseries(
        "By code", "reqps",
        "Failures per second by error code; a number is an upstream's own answer passed through. Every code has a "
        "runbook of its name.",
        q(f"topk(12, {rate('weir_errors_total', 'error_type', WHERE)})", "{{error_type}}"),
        runbooks=["README"], stacked=True,
    ),
    table(
        "Failures in the last quarter of an hour", "short", "Route, code and fault; the code leads to its runbook.",
        f"topk(30, sum by (weir_route, error_type, fault) (increase(weir_errors_total{{{WHERE}}}[15m])) > 0)",
        {"weir_route": "route", "error_type": "code", "Value": "failures"},
        links=[
            ("code", [("Runbook", "${runbooks}/${__value.text}.md")]),
            ("route", [("Route", "/d/weir-route?var-route=${__value.text}")]),
        ],
        runbooks=["README"],
    ),
    timeseries(
        "Refused before a route was found", "reqps",
        "Broken or oversized heads, unknown paths, a full listener. Healthy: little, and steady.",
        q(f"topk(10, {rate('weir_requests_refused_total', 'listener, error_type')})", "{{listener}}: {{error_type}}"),
        runbooks=["route_not_found", "request_head_malformed", "connection_limit"], stacked=True, w=12,
    ),
    timeseries(
        "Error budget burn (5 min)", "none",
        "How many times faster than allowed the budget of 0.1 % is spent, by route. 14.4 pages.",
        q('route_fault:weir_errors:ratio_rate5m{weir_route=~"$route", fault=~"gateway|upstream"} / 0.001',
          "{{weir_route}}: {{fault}}"),
        runbooks=["slo_burn"], steps=(("transparent", None), ("orange", 6), ("red", 14.4)), w=12,
    ),
]

SATURATION = [
    timeseries(
        "CPU cores in use", "none", "Healthy: below 80 % of the cores it has.",
        q('sum by (instance) (rate(process_cpu_seconds_total{job="weir"}[$__rate_interval]))', "{{instance}}"),
        runbooks=["latency"], w=6,
    ),
    timeseries(
        "CPU per 1,000 requests", "s",
        "What a thousand requests cost the gateway. A jump without a deploy: other traffic, or an attack.",
        q("instance:weir_cpu_seconds_per_request:rate5m * 1000", "{{instance}}"), w=6,
    ),
    timeseries(
        "In flight", "none", "Requests and connections. Growing at the same rate: somebody became slow.",
        q("sum(weir_requests_active)", "requests"), q("sum by (listener) (weir_connections_active)", "{{listener}}"),
        runbooks=["connection_limit", "latency"], w=6,
    ),
    states(
        "Endpoints that take traffic", "Red while an endpoint is out, by its health check or by an ejection.",
        q("min by (weir_upstream, endpoint) (weir_upstream_endpoint_healthy)", "{{weir_upstream}} {{endpoint}}"),
        runbooks=["destination_unavailable"], w=6,
    ),
]

BOARD = board(
    "weir-overview",
    "Is something wrong, whose fault is it, and where to look.",
    ["instance", "route", "team"],
    [
        ("At a glance", GLANCE),
        ("Requests: rate, errors, duration", RED),
        ("Whose milliseconds", TIME),
        ("Errors: whose fault, and why", ERRORS),
        ("Saturation", SATURATION),
        ("The latest failures, from the access log", [failures(
            "Failures", "Needs the access log in Loki. A line's `trace_id` opens its trace, `weir explain` its story.",
            "| weir_route=~`$route`",
        )]),
    ],
)
