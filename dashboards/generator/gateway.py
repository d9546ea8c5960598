"""The gateway itself: what it costs, what it holds, whether it is told the truth about and tells it."""

from .board import board
from .panels import q, stat, states, table, timeseries
from .words import rate

JOB = 'job="weir", instance=~"$instance"'
WHERE = 'instance=~"$instance"'
UP = (("red", None), ("green", 1))

GLANCE = [
    stat("Gateways up", "none", "Healthy: all you run.", q(f"sum(up{{{JOB}}})", "up"), runbooks=["gateway_absent"], steps=UP),
    stat("Configuration", "none", "Healthy: 1; 0 once one refused a reload.", q("min(weir_config_last_reload_successful)", "reload"), runbooks=["config_reload_failed"], steps=UP),
    stat("On the way out", "none", "Gateways that drain.", q(f"sum(weir_draining{{{WHERE}}})", "draining"), runbooks=["draining"]),
    stat("Reloads in an hour", "none", "By result.", q("sum by (result) (increase(weir_config_reloads_total[1h]))", "{{result}}"), runbooks=["config_reload_failed"]),
    table("Versions", "none", "Healthy: one, but during a deploy.", "count by (version, instance) (weir_build_info)", {"Value": "processes"}, w=8, h=4),
]

COST = [
    timeseries("CPU cores in use", "none", "Healthy: below 80 % of the cores it has.", q(f"sum by (instance) (rate(process_cpu_seconds_total{{{JOB}}}[$__rate_interval]))", "{{instance}}"), runbooks=["latency"]),
    timeseries("CPU per 1,000 requests", "s", "All of its CPU by all requests finished. A jump without a deploy: other traffic.", q("instance:weir_cpu_seconds_per_request:rate5m * 1000", "{{instance}}")),
    timeseries("Memory", "bytes", "Healthy: level. Resident.", q(f"process_resident_memory_bytes{{{JOB}}}", "{{instance}}"), runbooks=["gateway_absent"]),
    timeseries("Open files", "none", "Beside how many may be.", q(f"process_open_fds{{{JOB}}}", "{{instance}} open"), q(f"process_max_fds{{{JOB}}}", "{{instance}} at most"), runbooks=["connection_limit"]),
    timeseries("Threads", "none", "Workers, and those that may block. Healthy: level.", q(f"process_threads{{{JOB}}}", "{{instance}}")),
    timeseries("Up for", "s", "A saw-tooth is a crash loop.", q(f"time() - process_start_time_seconds{{{JOB}}}", "{{instance}}"), runbooks=["gateway_absent"]),
]

CONNECTIONS = [
    timeseries("Connections", "none", "By listener.", q(f"sum by (instance, listener) (weir_connections_active{{{WHERE}}})", "{{instance}} {{listener}}"), runbooks=["connection_limit"], w=6),
    timeseries("New connections", "ops", "By listener and protocol.", q(rate("weir_connections_total", "listener, protocol", WHERE), "{{listener}} {{protocol}}"), w=6),
    timeseries("Requests in flight", "none", "All routes.", q(f"sum by (instance) (weir_requests_active{{{WHERE}}})", "{{instance}}"), runbooks=["latency"], w=6),
    timeseries("Refused before a route was found", "reqps", "By code.", q(rate("weir_requests_refused_total", "listener, error_type", WHERE), "{{listener}}: {{error_type}}"), runbooks=["connection_limit", "request_head_malformed"], w=6),
    timeseries(
        "Certificates expire in", "s", "Until the first of them does. Healthy: above three weeks.",
        q(f"min by (listener, certificate) (weir_tls_certificate_expiry_timestamp_seconds{{{WHERE}}}) - time()", "{{listener}} {{certificate}}"),
        runbooks=["certificate_expiring"], steps=(("red", None), ("orange", 604800), ("green", 1814400)), w=12,
    ),
    states("Reloads", "Red while a gateway serves an older configuration than its files hold.", q(f"min by (instance) (weir_config_last_reload_successful{{{WHERE}}})", "{{instance}}"), runbooks=["config_reload_failed"], w=12),
]

TELEMETRY = [
    timeseries("Telemetry lost", "ops", "Lines, spans and more that nobody had room for. Healthy: none.", q(rate("weir_telemetry_dropped_total", "instance, signal", WHERE), "{{instance}} {{signal}}"), runbooks=["telemetry_dropping"], steps=(("green", None), ("orange", 0.01))),
    timeseries("Spans exported", "ops", "To the collector.", q(rate("weir_spans_exported_total", "instance", WHERE), "{{instance}}"), runbooks=["telemetry_dropping"]),
    timeseries("Series without room", "ops", "Label values that are counted together, as overflow. Healthy: none.", q(rate("weir_series_overflow_total", "instance, metric", WHERE), "{{instance}} {{metric}}"), runbooks=["series_budget_reached"]),
]

BOARD = board(
    "weir-gateway", "The process: what it costs, what it holds, and what it could not tell.", ["instance"],
    [("At a glance", GLANCE), ("What it costs", COST), ("Connections, certificates, configuration", CONNECTIONS), ("Telemetry", TELEMETRY)],
)
