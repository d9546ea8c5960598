"""One route, or some: everything that is counted by route."""

from .board import board
from .panels import failures, q, stat, table, timeseries
from .words import mean, quantile, rate

WHERE = 'weir_route=~"$route", instance=~"$instance"'
REQUESTS = "http_server_request_duration_seconds"
SLOW = (("transparent", None), ("orange", 1))

RED = [
    stat("Requests", "reqps", "Requests per second.", q(rate(f"{REQUESTS}_count", where=WHERE), "requests"), h=8),
    timeseries(
        "By status", "reqps", "Requests per second by the status sent. 499: the client left before an answer.",
        q(rate(f"{REQUESTS}_count", "http_response_status_code", WHERE), "{{http_response_status_code}}"),
        runbooks=["502-503"], stacked=True, w=10,
    ),
    timeseries(
        "Failures by code", "reqps", "By error code, or the upstream's own status. Healthy: none of gateway or upstream.",
        q(rate("weir_errors_total", "error_type, fault", WHERE), "{{error_type}} ({{fault}})"),
        runbooks=["502-503", "README"], stacked=True, w=10,
    ),
]

TIME = [
    timeseries(
        "Whole requests", "s", "From the first byte read to the last written.",
        *(q(quantile(p, REQUESTS, where=WHERE), name) for p, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))),
        runbooks=["latency"], steps=SLOW,
    ),
    timeseries(
        "The gateway's own time", "s", "Waiting for nobody. Healthy: p99 below a millisecond.",
        *(q(quantile(p, "weir_gateway_duration_seconds", where=WHERE), name) for p, name in ((0.5, "p50"), (0.99, "p99"))),
        runbooks=["latency"], steps=(("transparent", None), ("orange", 0.01)),
    ),
    timeseries(
        "Waiting for upstreams", "s", "Over all attempts.",
        *(q(quantile(p, "weir_upstream_wait_duration_seconds", where=WHERE), name) for p, name in ((0.5, "p50"), (0.99, "p99"))),
        runbooks=["latency", "http_response_timeout"], steps=SLOW,
    ),
    timeseries(
        "Time in policies, mean", "s", "Request and response side together. Healthy: microseconds.",
        q(mean("weir_policy_duration_seconds", "policy", WHERE), "{{policy}}"), runbooks=["latency"], w=12,
    ),
    timeseries(
        "Error budget burn (5 min)", "none", "Times faster than allowed. 14.4 pages.",
        q('route_fault:weir_errors:ratio_rate5m{weir_route=~"$route", fault=~"gateway|upstream"} / 0.001',
          "{{weir_route}}: {{fault}}"),
        runbooks=["slo_burn"], steps=(("transparent", None), ("orange", 6), ("red", 14.4)), w=12,
    ),
]

TRAFFIC = [
    timeseries(
        "By team", "reqps", "Who calls.", q(rate(f"{REQUESTS}_count", "weir_team", WHERE), "{{weir_team}}"), stacked=True, w=6,
    ),
    timeseries("In flight", "none", "Requests that are not over.", q(f"sum by (weir_route) (weir_requests_active{{{WHERE}}})", "{{weir_route}}"), w=6),
    timeseries(
        "Bytes", "Bps", "Of bodies, from clients and to them.",
        q(rate("weir_request_body_bytes_total", where=WHERE), "requests"),
        q(rate("weir_response_body_bytes_total", where=WHERE), "responses"), w=6,
    ),
    table(
        "Failures in the last quarter of an hour", "short", "The code leads to its runbook.",
        f"topk(30, sum by (error_type, fault) (increase(weir_errors_total{{{WHERE}}}[15m])) > 0)",
        {"error_type": "code", "Value": "failures"},
        links=[("code", [("Runbook", "${runbooks}/${__value.text}.md")])], runbooks=["README"], w=6,
    ),
]

SPOKEN = [
    timeseries(
        "gRPC calls by status", "reqps", "What callers were told. Healthy: OK, and what callers got wrong.",
        q(rate("rpc_server_call_duration_seconds_count", "rpc_response_status_code", WHERE), "{{rpc_response_status_code}}"),
        stacked=True,
    ),
    timeseries(
        "gRPC messages", "ops", "Messages per second each way.",
        q(rate("weir_rpc_messages_total", "direction", WHERE), "{{direction}}"),
    ),
    timeseries(
        "gRPC calls, p99", "s", "From the first byte to the last, so streams count whole.",
        q(quantile(0.99, "rpc_server_call_duration_seconds", "weir_route", WHERE), "{{weir_route}}"), runbooks=["latency"],
    ),
    timeseries(
        "GraphQL operations", "ops", "By type and name; names beyond the series budget are one.",
        q(f"topk(10, {rate('weir_graphql_operations_total', 'graphql_operation_type, graphql_operation_name', WHERE)})",
          "{{graphql_operation_type}} {{graphql_operation_name}}"),
    ),
    timeseries(
        "GraphQL cost, p95", "none", "Beside `max_cost`.",
        q(quantile(0.95, "weir_graphql_operation_cost", "graphql_operation_type", WHERE), "{{graphql_operation_type}}"),
        runbooks=["graphql_limit_exceeded"],
    ),
    timeseries(
        "GraphQL documents", "ops", "Whether documents were known.",
        q(rate("weir_graphql_documents_total", "result", WHERE), "{{result}}"), runbooks=["graphql_document_not_trusted"],
    ),
    timeseries(
        "WebSockets open", "none", "Connections.", q(f"sum by (weir_route) (weir_websocket_connections_active{{{WHERE}}})", "{{weir_route}}"),
    ),
    timeseries(
        "WebSocket messages", "Bps", "Bytes per second each way; and how long connections live, at the median.",
        q(rate("weir_websocket_message_size_bytes_sum", "direction", WHERE), "{{direction}}"),
    ),
    timeseries(
        "WebSocket closes", "ops", "By who closed first and the code. Healthy: 1000 and 1001 by clients.",
        q(rate("weir_websocket_closes_total", "initiator, code", WHERE), "{{initiator}} {{code}}"),
        runbooks=["websocket_upstream_invalid", "websocket_frame_invalid"],
    ),
    timeseries(
        "WebSocket lifetimes, median", "s", "From handshake to end.",
        q(quantile(0.5, "weir_websocket_connection_duration_seconds", "weir_route", WHERE), "{{weir_route}}"),
    ),
    timeseries(
        "Idempotency keys", "ops", "Requests with a key: first, answered again, still in progress, refused.",
        q(rate("weir_idempotency_requests_total", "result", WHERE), "{{result}}"),
        runbooks=["idempotency_in_progress", "idempotency_store_unavailable"],
    ),
]

BOARD = board(
    "weir-route", "One route: how much, how well, how fast, and by whose fault not.", ["instance", "route"],
    [
        ("Rate and errors", RED),
        ("Duration: whose milliseconds", TIME),
        ("Traffic", TRAFFIC),
        ("gRPC, GraphQL, WebSocket", SPOKEN),
        ("The latest failures, from the access log", [failures(
            "Failures", "Needs the access log in Loki. A line's `trace_id` opens its trace.", "| weir_route=~`$route`",
        )]),
    ],
)
