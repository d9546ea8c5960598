//! The catalogue: every metric of the gateway's own, once, with its name,
//! kind, unit, labels and help. The only place a metric is named; dashboards,
//! rules and documents may name only what stands here (and in [`PROCESS`]).
//!
//! Names follow OpenTelemetry's semantic conventions in their Prometheus form
//! where one exists; ours begin with `weir_`. Every label's values are bounded
//! by the configuration or by an enum, never by what callers send.

mod buckets;

use self::buckets::{COST, LAG, LATENCY, LIFETIME, MODEL, OWN, SIZE, TOKENS};

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, until the process ends.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations in buckets.
    Histogram,
}

/// One metric.
#[derive(Debug)]
pub struct Metric {
    /// The name as scraped; a histogram adds `_bucket`, `_sum` and `_count`.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// The unit, in UCUM as OpenTelemetry writes it.
    pub unit: &'static str,
    /// The labels, in the order their values are given.
    pub labels: &'static [&'static str],
    /// What it measures, for the `# HELP` line.
    pub help: &'static str,
    /// A histogram's upper bounds, in its unit; empty for the others.
    pub buckets: &'static [f64],
}

/// What the standard process collector adds on Linux.
pub const PROCESS: &[&str] = &[
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_threads",
    "process_virtual_memory_bytes",
];

macro_rules! metrics {
    ($($id:ident $name:literal $kind:ident $unit:literal [$($label:literal)*] $buckets:expr, $help:literal;)*) => {
        $(#[doc = $help]
        pub const $id: Metric = Metric {
            name: $name,
            kind: Kind::$kind,
            unit: $unit,
            labels: &[$($label),*],
            help: $help,
            buckets: $buckets,
        };)*

        /// Every metric, in the order of the table.
        pub const ALL: &[Metric] = &[$($id),*];
    };
}

metrics! {
    // Requests, per route.
    HTTP_SERVER_REQUEST_DURATION "http_server_request_duration_seconds" Histogram "s"
        ["weir_route" "weir_team" "http_response_status_code"] LATENCY,
        "Time from a request's first byte to its response's last, by route, team and status.";
    GATEWAY_DURATION "weir_gateway_duration_seconds" Histogram "s"
        ["weir_route" "weir_team"] OWN,
        "Time a request spent in the gateway itself, waiting neither for the client nor for an upstream.";
    UPSTREAM_WAIT_DURATION "weir_upstream_wait_duration_seconds" Histogram "s"
        ["weir_route" "weir_team"] LATENCY,
        "Time a request spent waiting for upstreams, over all attempts.";
    ERRORS "weir_errors_total" Counter "{request}"
        ["weir_route" "weir_team" "error_type" "fault"] &[],
        "Requests that failed, by error code (or an upstream's own 5xx status) and whose fault it was; and GraphQL operations refused on a WebSocket, which goes on.";
    REQUESTS_ACTIVE "weir_requests_active" Gauge "{request}"
        ["weir_route"] &[],
        "Requests in flight.";
    REQUEST_BODY_BYTES "weir_request_body_bytes_total" Counter "By"
        ["weir_route"] &[],
        "Bytes of request bodies read from clients.";
    RESPONSE_BODY_BYTES "weir_response_body_bytes_total" Counter "By"
        ["weir_route"] &[],
        "Bytes of response bodies written to clients.";
    RPC_SERVER_CALL_DURATION "rpc_server_call_duration_seconds" Histogram "s"
        ["weir_route" "weir_team" "rpc_response_status_code"] LATENCY,
        "Time of a gRPC call from its first byte to its last, by route, team and the status the caller was given.";
    RPC_MESSAGES "weir_rpc_messages_total" Counter "{message}"
        ["weir_route" "direction"] &[],
        "Messages of gRPC calls, from callers (request) and to them (response).";
    POLICY_DURATION "weir_policy_duration_seconds" Histogram "s"
        ["weir_route" "policy"] OWN,
        "Time spent in a policy, request and response side together.";

    // WebSocket connections, per route.
    WEBSOCKET_CONNECTIONS_ACTIVE "weir_websocket_connections_active" Gauge "{connection}"
        ["weir_route"] &[],
        "Open WebSocket connections.";
    WEBSOCKET_CONNECTION_DURATION "weir_websocket_connection_duration_seconds" Histogram "s"
        ["weir_route"] LIFETIME,
        "Time from a WebSocket connection's handshake to its end.";
    WEBSOCKET_MESSAGE_SIZE "weir_websocket_message_size_bytes" Histogram "By"
        ["weir_route" "direction"] SIZE,
        "Size of the messages of WebSocket connections, received from clients or sent to them, as they came.";
    WEBSOCKET_CLOSES "weir_websocket_closes_total" Counter "{connection}"
        ["weir_route" "initiator" "code"] &[],
        "WebSocket connections that ended, by who closed first (client, upstream, gateway; nobody, where it broke off) and the close code.";

    // Upstreams, per attempt.
    HTTP_CLIENT_REQUEST_DURATION "http_client_request_duration_seconds" Histogram "s"
        ["weir_upstream" "outcome"] LATENCY,
        "Time of one attempt at an upstream; the outcome is the status class (2xx) or the error code.";
    UPSTREAM_CONNECT_DURATION "weir_upstream_connect_duration_seconds" Histogram "s"
        ["weir_upstream"] LATENCY,
        "Time to open a new connection to an upstream, TLS included.";
    UPSTREAM_FIRST_BYTE_DURATION "weir_upstream_first_byte_duration_seconds" Histogram "s"
        ["weir_upstream"] LATENCY,
        "Time from a request being sent to the first byte of the upstream's response.";
    UPSTREAM_BODY_DURATION "weir_upstream_body_duration_seconds" Histogram "s"
        ["weir_upstream"] LATENCY,
        "Time from the first byte of an upstream's response to its last.";
    UPSTREAM_CONNECTIONS "weir_upstream_connections_total" Counter "{connection}"
        ["weir_upstream" "reused"] &[],
        "Connections an attempt was sent on, new or reused.";
    UPSTREAM_IDLE_ENDED "weir_upstream_idle_connections_ended_total" Counter "{connection}"
        ["weir_upstream" "by"] &[],
        "Idle connections that were not used again: the endpoint had closed them (endpoint), or would soon, as it says or was learnt, and the gateway did so before (gateway); or it closed them as a request was sent on them, and that failed (race).";
    UPSTREAM_IDLE_TIMEOUT "weir_upstream_idle_timeout_seconds" Gauge "s"
        ["weir_upstream" "endpoint"] &[],
        "For how long an endpoint leaves idle connections open, as it says in Keep-Alive or as was learnt; none as long as nothing is known.";
    UPSTREAM_RETRIES "weir_upstream_retries_total" Counter "{attempt}"
        ["weir_upstream" "reason"] &[],
        "Attempts that were followed by another, by the reason.";
    UPSTREAM_ENDPOINT_HEALTHY "weir_upstream_endpoint_healthy" Gauge "1"
        ["weir_upstream" "endpoint"] &[],
        "Whether an endpoint takes traffic (1) or is out by a health check or an ejection (0).";
    UPSTREAM_EJECTIONS "weir_upstream_ejections_total" Counter "{ejection}"
        ["weir_upstream"] &[],
        "Endpoints put out of traffic because their answers failed.";
    UPSTREAM_BREAKER_OPEN "weir_upstream_breaker_open" Gauge "1"
        ["weir_upstream"] &[],
        "Whether the upstream's circuit breaker is open (1) or closed (0).";
    UPSTREAM_REQUESTS_ACTIVE "weir_upstream_requests_active" Gauge "{request}"
        ["weir_upstream"] &[],
        "Attempts in flight at an upstream.";

    // Listeners.
    CONNECTIONS_ACTIVE "weir_connections_active" Gauge "{connection}"
        ["listener"] &[],
        "Open client connections.";
    CONNECTIONS "weir_connections_total" Counter "{connection}"
        ["listener" "protocol"] &[],
        "Client connections accepted, by the HTTP version they turned out to speak.";
    TLS_CERTIFICATE_EXPIRY "weir_tls_certificate_expiry_timestamp_seconds" Gauge "s"
        ["listener" "certificate"] &[],
        "When a certificate that a listener shows expires, in Unix time, by the file it came from.";
    REQUESTS_REFUSED "weir_requests_refused_total" Counter "{request}"
        ["listener" "error_type"] &[],
        "Requests refused before a route was found.";

    // Quotas.
    QUOTA_DECISIONS "weir_quota_decisions_total" Counter "{decision}"
        ["quota" "decision"] &[],
        "Decisions of a quota: allowed, refused, not_enforced (would be refused), cut (an answer, allowed before, that was ended for want of room), and while its store does not answer unseen (let through) or unavailable (refused).";
    QUOTA_UNITS "weir_quota_units_total" Counter "{unit}"
        ["quota" "weir_team" "state"] &[],
        "Units of a quota that were reserved, settled, refunded or became debt.";
    QUOTA_LIMIT "weir_quota_limit" Gauge "{unit}"
        ["quota"] &[],
        "What one key of a quota may use in a window, unless an override says otherwise.";
    QUOTA_ENFORCED "weir_quota_enforced" Gauge "1"
        ["quota"] &[],
        "Whether a quota refuses anything (1) or only tells what it would refuse (0).";
    QUOTA_KEYS "weir_quota_keys" Gauge "{key}"
        ["quota"] &[],
        "Keys of a quota that this process knows and that are in use.";
    QUOTA_STANDING "weir_quota_standing" Gauge "{unit}"
        ["quota" "state"] &[],
        "Units of a quota over the keys that this process knows: used, reserved (or kept to be), debt, and credit (given back by hand).";
    QUOTA_FULLEST "weir_quota_fullest_ratio" Gauge "1"
        ["quota"] &[],
        "The share of its limit that is used, reserved or owed in the fullest key of a quota; above 1 while more is owed than one window holds.";
    QUOTA_STORE_DURATION "weir_quota_store_duration_seconds" Histogram "s"
        ["store"] LATENCY,
        "Time a store took to enter what one or more keys used and ask for, failures included.";
    QUOTA_STORE_FAILURES "weir_quota_store_failures_total" Counter "{entry}"
        ["store"] &[],
        "Entries that a store failed to make.";
    QUOTA_STORE_DECISIONS "weir_quota_store_decisions_total" Counter "{decision}"
        ["store" "waited"] &[],
        "Decisions on quotas of a store: made at once from a lease (waited is false), or after the store was asked (true).";
    QUOTA_STORE_KEEPER "weir_quota_store_keeper" Gauge "1"
        ["store"] &[],
        "Whether this process keeps the file of a local store (1), or enters through another process or waits for it (0).";
    QUOTA_STORE_FAULTS "weir_quota_store_faults" Gauge "1"
        ["store" "fault"] &[],
        "Whether the servers of a redis store, as far as they could last be asked, may forget what is counted (1): because they evict keys (eviction) or do not append to a file (persistence).";

    // Language models. The first four are of the GenAI conventions; the model is the one that the
    // provider is asked for, and `weir_model` what callers ask for.
    GEN_AI_OPERATION_DURATION "gen_ai_client_operation_duration_seconds" Histogram "s"
        ["gen_ai_operation_name" "gen_ai_provider_name" "gen_ai_request_model"
            "weir_provider" "weir_model" "weir_route" "weir_team"
            "error_type"] MODEL,
        "Time of one try to have a provider answer, by how it ended; the error type is empty if it went well.";
    GEN_AI_TOKEN_USAGE "gen_ai_client_token_usage" Histogram "{token}"
        ["gen_ai_operation_name" "gen_ai_provider_name" "gen_ai_request_model"
            "weir_provider" "weir_model" "weir_route" "weir_team"
            "gen_ai_token_type"] TOKENS,
        "Tokens of a call's prompt (input) and answer (output), as reported by the provider or counted.";
    GEN_AI_TIME_TO_FIRST_CHUNK "gen_ai_client_operation_time_to_first_chunk_seconds" Histogram "s"
        ["gen_ai_operation_name" "gen_ai_provider_name" "gen_ai_request_model"
            "weir_provider" "weir_model" "weir_route" "weir_team"] MODEL,
        "Time from a provider being asked to the first piece of its streamed answer.";
    GEN_AI_TIME_PER_OUTPUT_CHUNK "gen_ai_client_operation_time_per_output_chunk_seconds" Histogram "s"
        ["gen_ai_operation_name" "gen_ai_provider_name" "gen_ai_request_model"
            "weir_provider" "weir_model" "weir_route" "weir_team"] MODEL,
        "Time between a piece of a streamed answer and the next, as they are received.";
    LLM_TOKENS "weir_llm_tokens_total" Counter "{token}"
        ["gen_ai_operation_name" "gen_ai_provider_name" "gen_ai_request_model"
            "weir_provider" "weir_model" "weir_route" "weir_team"
            "gen_ai_token_type" "provenance"] &[],
        "Tokens of prompts (input) and answers (output), by where the count comes from.";
    LLM_TOKEN_PARTS "weir_llm_token_parts_total" Counter "{token}"
        ["gen_ai_operation_name" "gen_ai_provider_name" "gen_ai_request_model"
            "weir_provider" "weir_model" "weir_route" "weir_team"
            "part"] &[],
        "Tokens that are among those of prompts (cache_read, cache_write) or answers (reasoning), as reported by the provider.";
    LLM_COST "weir_llm_cost_dollars_total" Counter "{USD}"
        ["gen_ai_operation_name" "gen_ai_provider_name" "gen_ai_request_model"
            "weir_provider" "weir_model" "weir_route" "weir_team"
            "provenance"] &[],
        "What calls cost at the prices known, in US dollars, by where the count of tokens comes from.";
    LLM_CONSUMER_TOKENS "weir_llm_consumer_tokens_total" Counter "{token}"
        ["weir_consumer" "weir_team" "weir_model" "gen_ai_token_type" "provenance"] &[],
        "Tokens of a consumer's prompts (input) and answers (output), by where the count comes from.";
    LLM_CONSUMER_COST "weir_llm_consumer_cost_dollars_total" Counter "{USD}"
        ["weir_consumer" "weir_team" "weir_model" "provenance"] &[],
        "What a consumer's calls cost at the prices known, in US dollars, by where the count of tokens comes from.";

    LLM_CACHE_LOOKUPS "weir_llm_cache_lookups_total" Counter "{lookup}"
        ["weir_route" "result"] &[],
        "Calls of routes that keep answers: answered from what was kept for the same call (hit) or for one that means the same (semantic_hit), asked of a provider (miss), or not looked up because the call or its caller does not allow it (bypass).";
    LLM_CACHE_KEPT "weir_llm_cache_kept_total" Counter "{answer}"
        ["weir_route"] &[],
        "Answers that were kept.";
    LLM_CACHE_EVICTIONS "weir_llm_cache_evictions_total" Counter "{answer}"
        ["weir_route"] &[],
        "Answers kept in memory that made room for others before their time.";
    LLM_CACHE_FAILURES "weir_llm_cache_failures_total" Counter "{failure}"
        ["weir_route" "cause"] &[],
        "What did not work when answers were looked up or kept, by what failed: the store, the provider of embeddings, or a quota without room for a vector. Calls go on as if nothing had been kept.";

    GUARDRAIL_FINDINGS "weir_guardrail_findings_total" Counter "{finding}"
        ["weir_route" "weir_policy" "rule" "direction"] &[],
        "What guardrails found in prompts (request) and answers (response): refusals by the rule of a prompt_guard, data by its kind of a pii, and of an external_guard what it decided (denied, replaced) or that it could not be asked (unavailable).";

    LLM_TARGET_SET_ASIDE "weir_llm_target_set_aside" Gauge "1"
        ["weir_provider" "gen_ai_request_model"] &[],
        "Whether a provider's model is asked last (1), because it keeps failing or all of the provider's keys are refused or limited for it, or in its turn (0).";

    // GraphQL.
    GRAPHQL_OPERATIONS "weir_graphql_operations_total" Counter "{operation}"
        ["weir_route" "graphql_operation_type" "graphql_operation_name"] &[],
        "GraphQL operations that were let through to an upstream; the name is that of an operation of the route's trusted documents, and empty for all others.";
    GRAPHQL_COST "weir_graphql_operation_cost" Histogram "1"
        ["weir_route" "graphql_operation_type"] COST,
        "What GraphQL operations cost that were let through, as the route counts that.";
    GRAPHQL_DOCUMENTS "weir_graphql_documents_total" Counter "{document}"
        ["weir_route" "result"] &[],
        "GraphQL documents of requests: known to the route's trusted documents (trusted), kept from an earlier request (kept), read anew (parsed), or named by a hash that nothing is known by (unknown).";

    // Kafka.
    MESSAGING_OPERATION_DURATION "messaging_client_operation_duration_seconds" Histogram "s"
        ["weir_kafka_cluster" "messaging_destination_name"] LATENCY,
        "Time from a record being queued to the broker's answer.";
    MESSAGING_SENT "messaging_client_sent_messages_total" Counter "{message}"
        ["weir_kafka_cluster" "messaging_destination_name" "error_type"] &[],
        "Records sent to Kafka; the error type is empty for those acknowledged.";
    MESSAGING_CONSUMED "messaging_client_consumed_messages_total" Counter "{message}"
        ["weir_kafka_cluster" "messaging_destination_name"] &[],
        "Records read from Kafka; once for all who follow a topic.";
    KAFKA_PRODUCER_RECORDS "weir_kafka_producer_records" Gauge "{message}"
        ["weir_kafka_cluster" "state"] &[],
        "Records that producers hold until brokers answer: to be sent, or to be sent again (queued), or sent (in_flight). Those of spools and transactions are not among them.";
    KAFKA_PRODUCER_QUEUE_RATIO "weir_kafka_producer_queue_ratio" Gauge "1"
        ["weir_kafka_cluster"] &[],
        "The share of its queue that is taken in the fullest producer of a cluster, by records or by bytes; at 1 records are refused.";
    SUBSCRIBERS "weir_subscribers" Gauge "{subscriber}"
        ["weir_route" "weir_kafka_cluster" "messaging_destination_name"] &[],
        "Subscribers that are given the records of a topic now.";
    SUBSCRIPTION_RECORDS "weir_subscription_records_total" Counter "{message}"
        ["weir_route" "weir_kafka_cluster" "messaging_destination_name"] &[],
        "Records given to subscribers, each counted.";
    SUBSCRIPTION_DELIVERY_DURATION "weir_subscription_delivery_duration_seconds" Histogram "s"
        ["weir_route" "weir_kafka_cluster" "messaging_destination_name"] LATENCY,
        "Time from a record's timestamp to a subscriber being given it: of the oldest of those given at once.";
    SUBSCRIPTION_LAG "weir_subscription_lag_records" Histogram "{message}"
        ["weir_route" "weir_kafka_cluster" "messaging_destination_name"] LAG,
        "Records that a subscriber was behind the end of the topic when it was given some.";

    REPLY_WAITING "weir_reply_waiting" Gauge "{request}"
        ["weir_route" "weir_kafka_cluster" "messaging_destination_name"] &[],
        "Callers that wait for a reply in a topic now.";
    REPLY_REQUESTS "weir_reply_requests_total" Counter "{request}"
        ["weir_route" "weir_kafka_cluster" "messaging_destination_name" "outcome"] &[],
        "Requests that were sent to be replied to, and questions for their replies, by what came of each: answered, accepted (202, nothing is waited for), pending (there is none yet), timed_out, gone (the topic may not hold it any more), or failed.";
    REPLY_DURATION "weir_reply_duration_seconds" Histogram "s"
        ["weir_route" "weir_kafka_cluster" "messaging_destination_name"] LATENCY,
        "Time from a request being handed to the producer to its reply being read, where a caller waited for it.";

    KAFKA_PRINCIPALS "weir_kafka_principals" Gauge "{principal}"
        ["weir_kafka_cluster"] &[],
        "Principals of callers that are connected to a Kafka cluster.";
    // Tables.
    TABLE_KEYS "weir_table_keys" Gauge "{key}"
        ["weir_kafka_cluster" "messaging_destination_name"] &[],
        "Keys that this gateway's view of a compacted topic holds.";
    TABLE_BYTES "weir_table_bytes" Gauge "By"
        ["weir_kafka_cluster" "messaging_destination_name"] &[],
        "Memory that this gateway's view of a compacted topic takes up, as max_bytes counts it.";
    TABLE_READY "weir_table_ready" Gauge "1"
        ["weir_kafka_cluster" "messaging_destination_name"] &[],
        "Whether the view is served: it has all that was written before it was begun, and holds no more than it may.";
    TABLE_LAG "weir_table_lag_records" Gauge "{record}"
        ["weir_kafka_cluster" "messaging_destination_name"] &[],
        "Records that the view is behind what is known of the topic's end, at most; what compaction left out is counted while it is filled.";
    TABLE_AGE "weir_table_age_seconds" Gauge "s"
        ["weir_kafka_cluster" "messaging_destination_name"] &[],
        "How old the view may be because no broker is to be reached; 0 while one is.";
    TABLE_WRITES "weir_table_writes_total" Counter "{write}"
        ["weir_kafka_cluster" "messaging_destination_name" "outcome"] &[],
        "Writes to a table, by what came of each: written, conflict (the value was not what it was to be; a patch that is merged again counts each time), absent (there was none to change), failed (not written) or unknown (perhaps written).";

    // Spools.
    SPOOL_RECORDS "weir_spool_records" Gauge "{record}"
        ["weir_kafka_cluster"] &[],
        "Records on disk that no broker is known to have yet; told by the process that sends them.";
    SPOOL_BYTES "weir_spool_bytes" Gauge "By"
        ["weir_kafka_cluster"] &[],
        "What a spool takes up on disk, records that brokers refused included; told by the process that sends.";
    SPOOL_OLDEST_AGE "weir_spool_oldest_age_seconds" Gauge "s"
        ["weir_kafka_cluster"] &[],
        "For how long the oldest record of a spool waits; 0 while none does.";
    SPOOL_WRITE_DURATION "weir_spool_write_duration_seconds" Histogram "s"
        ["weir_kafka_cluster"] LATENCY,
        "Time of one write to a spool until the disk has it, fsync included; one write holds the records of all who waited.";
    SPOOL_APPENDED "weir_spool_appended_total" Counter "{record}"
        ["weir_kafka_cluster"] &[],
        "Records that were put into a spool.";
    SPOOL_SENT "weir_spool_sent_total" Counter "{record}"
        ["weir_kafka_cluster"] &[],
        "Records of a spool that brokers acknowledged; twice, where one had to be sent again.";
    SPOOL_REJECTED "weir_spool_rejected_total" Counter "{record}"
        ["weir_kafka_cluster" "error_type"] &[],
        "Records of a spool that brokers refused for good, and that are kept aside.";
    SPOOL_LOST "weir_spool_lost_total" Counter "{record}"
        ["weir_kafka_cluster"] &[],
        "Records that brokers refused and that are no longer kept aside either: they made room for others, or could not be written.";
    SPOOL_DAMAGED "weir_spool_damaged_bytes_total" Counter "By"
        ["weir_kafka_cluster"] &[],
        "Bytes of a spool that were stepped over because they cannot be read any more.";
    // Usage as events.
    USAGE_EVENTS "weir_usage_events_total" Counter "{record}"
        [] &[],
        "Records of usage that are on disk, on their way to their topic.";
    USAGE_EVENTS_LOST "weir_usage_events_lost_total" Counter "{record}"
        ["reason"] &[],
        "Records of usage that never will be in their topic: the disk was slower than requests ended (queue_full), the spool or its disk was full (spool_full), or the spool could not be written (spool_failed).";
    // Webhooks.
    MESSAGING_PROCESS_DURATION "messaging_process_duration_seconds" Histogram "s"
        ["weir_webhook" "messaging_destination_name"] LATENCY,
        "Time from a record being handed over to be sent to what came of that, each time.";
    WEBHOOK_RECORDS "weir_webhook_records_total" Counter "{message}"
        ["weir_webhook" "outcome"] &[],
        "Times that records were handed over to be sent to a receiver, by what came of it: delivered, failed (to be tried again), held (nothing was sent) or dead_letter.";
    WEBHOOK_IN_FLIGHT "weir_webhook_in_flight" Gauge "{message}"
        ["weir_webhook"] &[],
        "Records that are being sent to a receiver now.";
    WEBHOOK_PARTITIONS "weir_webhook_partitions" Gauge "{partition}"
        ["weir_webhook"] &[],
        "Partitions that this gateway has of a webhook's topics.";
    WEBHOOK_LAG "weir_webhook_lag_records" Gauge "{message}"
        ["weir_webhook" "messaging_destination_name"] &[],
        "Records that a webhook is behind the ends of the partitions that this gateway has.";
    WEBHOOK_PAUSED "weir_webhook_paused" Gauge "{partition}"
        ["weir_webhook" "reason"] &[],
        "Partitions of which nothing is sent: by_hand, or because a quota is exhausted (quota), the breaker is open or no endpoint healthy (destination), the receiver asked for it (receiver), the registry that has a record's schema does not answer (schema), a record is given up and its dead-letter topic does not take it (dead_letter) or there is none (undeliverable), or its configuration is about to change (reload).";
    // LLM workers.
    LLM_WORKER_DURATION "weir_llm_worker_duration_seconds" Histogram "s"
        ["weir_llm_worker" "messaging_destination_name"] LATENCY,
        "Time from a prompt being handed over to what came of that, each time.";
    LLM_WORKER_RECORDS "weir_llm_worker_records_total" Counter "{message}"
        ["weir_llm_worker" "outcome"] &[],
        "Times that prompts of a topic were handed over, by what came of it: delivered (the completion is in its topic), refused (an error is, as somebody waits), failed (to be tried again), held (nothing was done) or dead_letter.";
    LLM_WORKER_IN_FLIGHT "weir_llm_worker_in_flight" Gauge "{message}"
        ["weir_llm_worker"] &[],
        "Prompts of topics that are under way now.";
    LLM_WORKER_PARTITIONS "weir_llm_worker_partitions" Gauge "{partition}"
        ["weir_llm_worker"] &[],
        "Partitions that this gateway has of an LLM worker's topics.";
    LLM_WORKER_LAG "weir_llm_worker_lag_records" Gauge "{message}"
        ["weir_llm_worker" "messaging_destination_name"] &[],
        "Prompts that an LLM worker is behind the ends of the partitions that this gateway has.";
    LLM_WORKER_PAUSED "weir_llm_worker_paused" Gauge "{partition}"
        ["weir_llm_worker" "reason"] &[],
        "Partitions whose prompts wait: by_hand, or because a quota is exhausted (quota), no target of the model can be asked (destination), one asked to wait (receiver), a prompt is given up and its dead-letter topic does not take it (dead_letter) or there is none (undeliverable), or its configuration is about to change (reload).";
    IDEMPOTENCY_REQUESTS "weir_idempotency_requests_total" Counter "{request}"
        ["weir_route" "result"] &[],
        "Requests with an Idempotency-Key: the first with it (first), one whose predecessor's outcome had to be looked up in the topic (resumed), answered as the first was (replayed), refused because the key was used for another request (reused), because it is not known yet what came of the first (in_progress), or because keys cannot be remembered (unavailable).";

    // The gateway itself.
    CONFIG_RELOADS "weir_config_reloads_total" Counter "{reload}"
        ["result"] &[],
        "Attempts to reload the configuration: ok or failed.";
    CONFIG_LAST_RELOAD_SUCCESSFUL "weir_config_last_reload_successful" Gauge "1"
        [] &[],
        "Whether the last attempt to load the configuration succeeded.";
    CONFIG_LAST_RELOAD_TIMESTAMP "weir_config_last_reload_timestamp_seconds" Gauge "s"
        [] &[],
        "When a configuration was last loaded successfully, in Unix time.";
    ADMIN_CHANGES "weir_admin_changes_total" Counter "{change}"
        ["action" "result"] &[],
        "Changes made by hand on the admin address (quota_grant, quota_reset, store_rebuild, webhook_pause, webhook_resume, llm_worker_pause, llm_worker_resume), and those that failed.";
    BUILD_INFO "weir_build_info" Gauge "1"
        ["version"] &[],
        "Always 1; the label says which version runs.";
    DRAINING "weir_draining" Gauge "1"
        [] &[],
        "Whether the gateway is shutting down.";
    TELEMETRY_DROPPED "weir_telemetry_dropped_total" Counter "{item}"
        ["signal"] &[],
        "Spans, log records, points of metrics and lines of the access log dropped because their writer did not keep up or failed.";
    SPANS_EXPORTED "weir_spans_exported_total" Counter "{span}"
        [] &[],
        "Spans the collector accepted.";
    SERIES_OVERFLOW "weir_series_overflow_total" Counter "{series}"
        ["metric"] &[],
        "Times a new label set found its metric's series budget spent and went under the label value overflow.";
}
