"""One upstream, or some: endpoints, connections, attempts."""

from .board import board
from .panels import alarms, failures, q, states, timeseries
from .words import quantile, rate

WHERE = 'weir_upstream=~"$upstream", instance=~"$instance"'
ATTEMPTS = "http_client_request_duration_seconds"

STANDING = [
    states(
        "Endpoints that take traffic", "Red while an endpoint is out, by its health check or by an ejection.",
        q(f"min by (weir_upstream, endpoint) (weir_upstream_endpoint_healthy{{{WHERE}}})", "{{weir_upstream}} {{endpoint}}"),
        runbooks=["destination_unavailable"],
    ),
    alarms(
        "Breakers", "Red while open: nothing is asked.",
        q(f"max by (weir_upstream) (weir_upstream_breaker_open{{{WHERE}}})", "{{weir_upstream}}"), runbooks=["breaker_open"],
    ),
    timeseries(
        "In flight", "none", "Beside `breaker.max_requests`. Growing: it has become slow.",
        q(f"sum by (weir_upstream) (weir_upstream_requests_active{{{WHERE}}})", "{{weir_upstream}}"),
        runbooks=["connection_limit_reached"],
    ),
]

ATTEMPTED = [
    timeseries(
        "Attempts by outcome", "reqps", "Status class, or the error code. Healthy: 2xx and what callers got wrong.",
        q(rate(f"{ATTEMPTS}_count", "outcome", WHERE), "{{outcome}}"), runbooks=["502-503"], stacked=True,
    ),
    timeseries(
        "Attempts that failed", "reqps", "By upstream and code; retries heal some of them. Healthy: nothing.",
        q(rate(f"{ATTEMPTS}_count", "weir_upstream, outcome", WHERE + ', outcome!~"[1-4]xx"'), "{{weir_upstream}}: {{outcome}}"),
        runbooks=["502-503"],
    ),
    timeseries(
        "Retries and ejections", "ops", "Attempts that were followed by another, by the reason. Healthy: below 1 % of attempts.",
        q(rate("weir_upstream_retries_total", "weir_upstream, reason", WHERE), "{{weir_upstream}}: {{reason}}"),
        q(rate("weir_upstream_ejections_total", "weir_upstream", WHERE), "{{weir_upstream}}: ejected"),
        runbooks=["connection_terminated", "destination_unavailable"],
    ),
]

TIME = [
    timeseries(
        title, "s", text,
        q(quantile(0.5, metric, "weir_upstream", WHERE), "{{weir_upstream}} p50"),
        q(quantile(0.99, metric, "weir_upstream", WHERE), "{{weir_upstream}} p99"), runbooks=["latency", page], w=6,
    )
    for title, metric, text, page in (
        ("Whole attempts", ATTEMPTS, "Connect, wait and body.", "http_response_timeout"),
        ("Connect", "weir_upstream_connect_duration_seconds", "New connections only, TLS included. Healthy: a round trip or two.", "connection_timeout"),
        ("First byte", "weir_upstream_first_byte_duration_seconds", "What the service itself takes to begin.", "http_response_timeout"),
        ("Body", "weir_upstream_body_duration_seconds", "From the first byte to the last; streams count whole.", "response_stalled"),
    )
]

CONNECTIONS = [
    timeseries(
        "Connections, new and reused", "ops", "Attempts by whether their connection had served before. Healthy: most are reused.",
        q(rate("weir_upstream_connections_total", "reused", WHERE), "reused: {{reused}}"),
        runbooks=["connection_terminated", "connection_timeout"], stacked=True,
    ),
    timeseries(
        "Idle connections ended", "ops",
        "By the endpoint, by the gateway before the endpoint would, or amid the race of both. Healthy: no race.",
        q(rate("weir_upstream_idle_connections_ended_total", "weir_upstream, by", WHERE), "{{weir_upstream}}: {{by}}"),
        runbooks=["connection_terminated"],
    ),
    timeseries(
        "Idle timeouts known", "s", "For how long endpoints leave idle connections open, as they say or as was learnt.",
        q(f"min by (weir_upstream, endpoint) (weir_upstream_idle_timeout_seconds{{{WHERE}}})", "{{weir_upstream}} {{endpoint}}"),
        runbooks=["connection_terminated"],
    ),
]

BOARD = board(
    "weir-upstream", "One upstream: who is in traffic, what attempts end with, where the time goes.",
    ["instance", "upstream"],
    [
        ("Who takes traffic", STANDING),
        ("Attempts", ATTEMPTED),
        ("Where the time goes", TIME),
        ("Connections", CONNECTIONS),
        ("The latest failures, from the access log", [failures(
            "Failures", "Needs the access log in Loki. A line's `trace_id` opens its trace.", "|~ `$upstream`",
        )]),
    ],
)
