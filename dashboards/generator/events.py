"""Kafka: what is written, who is told, what waits on disk, tables, replies, webhooks and workers."""

from .board import board
from .panels import q, states, timeseries
from .words import quantile, rate

WHERE = 'weir_kafka_cluster=~"$cluster"'
TOPIC = "weir_kafka_cluster, messaging_destination_name"
NAMED = "{{messaging_destination_name}}"
SENT = "messaging_client_sent_messages_total"

PUBLISH = [
    timeseries("Records written", "ops", "Acknowledged by brokers.", q(rate(SENT, TOPIC, WHERE + ', error_type=""'), NAMED)),
    timeseries(
        "Records that failed", "ops", "By code. Healthy: none; kafka_outcome_unknown may have been written.",
        q(rate(SENT, TOPIC + ", error_type", WHERE + ', error_type!=""'), NAMED + " {{error_type}}"),
        runbooks=["kafka_delivery_failing", "kafka_outcome_unknown"],
    ),
    timeseries(
        "Until acknowledged", "s", "Healthy: below 100 ms.",
        *(q(quantile(p, "messaging_client_operation_duration_seconds", TOPIC, WHERE), NAMED + " " + name) for p, name in ((0.5, "p50"), (0.99, "p99"))),
        runbooks=["latency", "kafka_queue_full"],
    ),
    timeseries(
        "In the producer", "short", "Queued, and in flight to brokers.",
        q(f"sum by (weir_kafka_cluster, state) (weir_kafka_producer_records{{{WHERE}}})", "{{weir_kafka_cluster}} {{state}}"),
        runbooks=["kafka_queue_full"],
    ),
    timeseries(
        "How full the producer's queue is", "percentunit", "At 1 records are refused.",
        q(f"max by (weir_kafka_cluster) (weir_kafka_producer_queue_ratio{{{WHERE}}})", "{{weir_kafka_cluster}}"),
        runbooks=["kafka_queue_full"], steps=(("transparent", None), ("orange", 0.5), ("red", 0.9)),
    ),
    timeseries(
        "Principals connected", "none", "Each has connections of its own.",
        q(f"sum by (weir_kafka_cluster) (weir_kafka_principals{{{WHERE}}})", "{{weir_kafka_cluster}}"), runbooks=["kafka_principals_exhausted"],
    ),
]

SUBSCRIBE = [
    timeseries("Subscribers", "none", "Connected now.", q(f"sum by (weir_route, messaging_destination_name) (weir_subscribers{{{WHERE}}})", "{{weir_route}} " + NAMED), w=6),
    timeseries("Records told", "ops", "To all subscribers together; and read from brokers once for all.",
        q(rate("weir_subscription_records_total", "weir_route, messaging_destination_name", WHERE), "{{weir_route}} " + NAMED + " told"),
        q(rate("messaging_client_consumed_messages_total", TOPIC, WHERE), NAMED + " read"), w=6),
    timeseries(
        "Age when told, p99", "s", "From the record's timestamp. Healthy: below a second.",
        q(quantile(0.99, "weir_subscription_delivery_duration_seconds", "weir_route, messaging_destination_name", WHERE), "{{weir_route}} " + NAMED),
        runbooks=["subscriber_too_slow"], w=6,
    ),
    timeseries(
        "Records behind, p99", "short", "How far subscribers are behind. Healthy: near zero.",
        q(quantile(0.99, "weir_subscription_lag_records", "weir_route, messaging_destination_name", WHERE), "{{weir_route}} " + NAMED),
        runbooks=["subscriber_too_slow"], w=6,
    ),
]

SPOOL = [
    timeseries(
        "Waiting on disk", "short", "Records that were promised and are not written yet. Healthy: near zero, and never growing.",
        q(f"sum by (weir_kafka_cluster) (weir_spool_records{{{WHERE}}})", "{{weir_kafka_cluster}}"), runbooks=["spool_growing"], w=6,
    ),
    timeseries(
        "Bytes on disk", "bytes", "Beside the spool's `max_bytes`.",
        q(f"sum by (weir_kafka_cluster) (weir_spool_bytes{{{WHERE}}})", "{{weir_kafka_cluster}}"), runbooks=["spool_full"], w=6,
    ),
    timeseries(
        "The oldest has waited for", "s", "Healthy: seconds.",
        q(f"max by (weir_kafka_cluster) (weir_spool_oldest_age_seconds{{{WHERE}}})", "{{weir_kafka_cluster}}"),
        runbooks=["spool_growing"], steps=(("transparent", None), ("orange", 60), ("red", 600)), w=6,
    ),
    timeseries(
        "Time to be safe on disk, p99", "s", "What callers wait for.",
        q(quantile(0.99, "weir_spool_write_duration_seconds", "weir_kafka_cluster", WHERE), "{{weir_kafka_cluster}}"), runbooks=["latency"], w=6,
    ),
    timeseries(
        "In and out", "ops", "What comes in goes out; rejected ones are kept aside.",
        q(rate("weir_spool_appended_total", "weir_kafka_cluster", WHERE), "{{weir_kafka_cluster}} in"),
        q(rate("weir_spool_sent_total", "weir_kafka_cluster", WHERE), "{{weir_kafka_cluster}} out"),
        q(rate("weir_spool_rejected_total", "weir_kafka_cluster, error_type", WHERE), "{{weir_kafka_cluster}} rejected {{error_type}}"), w=12,
    ),
    timeseries(
        "Lost and damaged", "ops", "Healthy: nothing, ever.",
        q(rate("weir_spool_lost_total", "weir_kafka_cluster", WHERE), "{{weir_kafka_cluster}} records lost"),
        q(rate("weir_spool_damaged_bytes_total", "weir_kafka_cluster", WHERE), "{{weir_kafka_cluster}} bytes damaged"),
        runbooks=["spool_unavailable"], steps=(("green", None), ("red", 0.001)), w=12,
    ),
]

TABLES = [
    states("Tables served", "Red while a view is not served.", q(f"min by (messaging_destination_name) (weir_table_ready{{{WHERE}}})", NAMED), runbooks=["table_not_ready"], w=6),
    timeseries("Behind", "short", "Records; and for how long nothing was heard, in seconds.",
        q(f"max by (messaging_destination_name) (weir_table_lag_records{{{WHERE}}})", NAMED + " records"),
        q(f"max by (messaging_destination_name) (weir_table_age_seconds{{{WHERE}}})", NAMED + " seconds"), runbooks=["table_behind"], w=6),
    timeseries("Memory and keys", "short", "Of views.",
        q(f"max by (messaging_destination_name) (weir_table_bytes{{{WHERE}}})", NAMED + " bytes"),
        q(f"max by (messaging_destination_name) (weir_table_keys{{{WHERE}}})", NAMED + " keys"), runbooks=["table_too_large"], w=6),
    timeseries("Writes", "ops", "By outcome.", q(rate("weir_table_writes_total", "messaging_destination_name, outcome", WHERE), NAMED + " {{outcome}}"),
        runbooks=["table_precondition_failed"], w=6),
]

REPLIES = [
    timeseries("Waiting for replies", "none", "Requests now.", q(f"sum by (weir_route) (weir_reply_waiting{{{WHERE}}})", "{{weir_route}}"), runbooks=["kafka_reply_timeout"]),
    timeseries("What became of requests", "ops", "Healthy: replied.", q(rate("weir_reply_requests_total", "weir_route, outcome", WHERE), "{{weir_route}} {{outcome}}"), runbooks=["kafka_reply_timeout"]),
    timeseries("Until the reply", "s", "The responder's time, and the topics'.", q(quantile(0.99, "weir_reply_duration_seconds", "weir_route", WHERE), "{{weir_route}} p99"), runbooks=["latency"]),
]


def worked(what, label, duration, pages):
    """What webhooks and LLM workers have in common."""
    name = "{{" + label + "}}"
    behind, paused, dead = pages
    prefix = label
    return [
        timeseries(f"{what}: records", "ops", "By what became of them. Healthy: delivered.", q(rate(f"{prefix}_records_total", f"{label}, outcome"), name + " {{outcome}}"), runbooks=[dead], w=6),
        timeseries(f"{what}: behind", "short", "Records of topics still to be worked on. Healthy: near zero, and not growing.", q(f"sum by ({label}, messaging_destination_name) ({prefix}_lag_records)", name + " " + NAMED), runbooks=[behind], w=6),
        timeseries(f"{what}: paused partitions", "none", "By the reason. Healthy: none.", q(f"sum by ({label}, reason) ({prefix}_paused)", name + " {{reason}}"), runbooks=[paused], steps=(("green", None), ("orange", 1)), w=6),
        timeseries(f"{what}: time of a record, p99", "s", "From being handed over to being done.", q(quantile(0.99, duration, label), name), runbooks=["latency"], w=6),
        timeseries(f"{what}: in flight, and partitions", "none", "How many records at once, of how many partitions.", q(f"sum by ({label}) ({prefix}_in_flight)", name + " in flight"), q(f"sum by ({label}) ({prefix}_partitions)", name + " partitions"), w=24, h=6),
    ]


USAGE = [
    timeseries(
        "Usage told", "ops", "Records of what requests used; and those that are in no topic. Healthy: none lost.",
        q(rate("weir_usage_events_total"), "told"), q(rate("weir_usage_events_lost_total", "reason"), "lost: {{reason}}"),
        runbooks=["usage_events_lost"], w=24, h=6,
    ),
]

BOARD = board(
    "weir-events", "Kafka: written, told, waiting, worked on, lost.", ["cluster"],
    [
        ("Publish", PUBLISH), ("Subscribers", SUBSCRIBE), ("Spool", SPOOL), ("Tables", TABLES), ("Request and reply", REPLIES),
        ("Webhooks", worked("Webhooks", "weir_webhook", "messaging_process_duration_seconds", ("webhook_falling_behind", "webhook_paused", "webhook_dead_letters"))),
        ("LLM workers", worked("LLM workers", "weir_llm_worker", "weir_llm_worker_duration_seconds", ("llm_worker_falling_behind", "llm_worker_paused", "llm_worker_dead_letters"))),
        ("Usage events", USAGE),
    ],
)
