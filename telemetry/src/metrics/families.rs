//! The collectors of all metrics, registered once.

use super::family::{Amounts, Counters, Figures, Gauges, Histograms, Overflow};
use super::worker;
use prometheus::{IntCounter, IntGauge, Registry};

/// One collector per row of the catalogue.
pub(super) struct Families {
    pub(super) server_duration: Histograms,
    pub(super) gateway_duration: Histograms,
    pub(super) upstream_wait: Histograms,
    pub(super) errors: Counters,
    pub(super) requests_active: Gauges,
    pub(super) request_bytes: Counters,
    pub(super) response_bytes: Counters,
    pub(super) policy_duration: Histograms,
    pub(super) websocket_connections: Gauges,
    pub(super) websocket_duration: Histograms,
    pub(super) websocket_messages: Histograms,
    pub(super) websocket_closes: Counters,
    pub(super) client_duration: Histograms,
    pub(super) connect_duration: Histograms,
    pub(super) first_byte_duration: Histograms,
    pub(super) body_duration: Histograms,
    pub(super) upstream_connections: Counters,
    pub(super) retries: Counters,
    pub(super) endpoint_healthy: Gauges,
    pub(super) ejections: Counters,
    pub(super) breaker_open: Gauges,
    pub(super) upstream_active: Gauges,
    pub(super) connections_active: Gauges,
    pub(super) connections: Counters,
    pub(super) refused: Counters,
    pub(super) quota_decisions: Counters,
    pub(super) quota_units: Counters,
    pub(super) quota_limit: Figures,
    pub(super) quota_enforced: Figures,
    pub(super) quota_keys: Figures,
    pub(super) quota_standing: Figures,
    pub(super) quota_fullest: Figures,
    pub(super) store_duration: Histograms,
    pub(super) store_failures: Counters,
    pub(super) store_decisions: Counters,
    pub(super) store_keeper: Figures,
    pub(super) store_faults: Figures,
    pub(super) admin_changes: Counters,
    pub(super) llm_tokens: Counters,
    pub(super) llm_parts: Counters,
    pub(super) llm_cost: Amounts,
    pub(super) llm_duration: Histograms,
    pub(super) llm_usage: Histograms,
    pub(super) llm_first_chunk: Histograms,
    pub(super) llm_between_chunks: Histograms,
    pub(super) consumer_tokens: Counters,
    pub(super) consumer_cost: Amounts,
    pub(super) cache_lookups: Counters,
    pub(super) cache_kept: Counters,
    pub(super) cache_evicted: Counters,
    pub(super) cache_failures: Counters,
    pub(super) guardrail_findings: Counters,
    pub(super) graphql_operations: Counters,
    pub(super) graphql_cost: Histograms,
    pub(super) graphql_documents: Counters,
    pub(super) target_set_aside: Gauges,
    pub(super) messaging_duration: Histograms,
    pub(super) rpc_duration: Histograms,
    pub(super) rpc_messages: Counters,
    pub(super) messaging_sent: Counters,
    pub(super) messaging_consumed: Counters,
    pub(super) subscribers: Gauges,
    pub(super) subscription_records: Counters,
    pub(super) subscription_delivery: Histograms,
    pub(super) subscription_lag: Histograms,
    pub(super) reply_waiting: Gauges,
    pub(super) reply_requests: Counters,
    pub(super) reply_duration: Histograms,
    pub(super) kafka_principals: Gauges,
    pub(super) spool_records: Figures,
    pub(super) spool_bytes: Figures,
    pub(super) spool_oldest: Figures,
    pub(super) spool_write: Histograms,
    pub(super) spool_appended: Counters,
    pub(super) spool_sent: Counters,
    pub(super) spool_rejected: Counters,
    pub(super) spool_lost: Counters,
    pub(super) spool_damaged: Counters,
    pub(super) webhooks: worker::Series,
    pub(super) llm_workers: worker::Series,
    pub(super) idempotency: Counters,
    pub(super) reloads: Counters,
    pub(super) reload_successful: IntGauge,
    pub(super) reload_timestamp: IntGauge,
    pub(super) draining: IntGauge,
    pub(super) dropped: Counters,
    pub(super) spans_exported: IntCounter,
}

impl Families {
    /// All of them; at most so many label sets each.
    pub(super) fn register(registry: &Registry, budget: usize) -> Self {
        use crate::catalogue as c;
        let overflow = Overflow::register(registry);
        let counters = |metric| Counters::register(registry, metric, budget, &overflow);
        let amounts = |metric| Amounts::register(registry, metric, budget, &overflow);
        let gauges = |metric| Gauges::register(registry, metric, budget, &overflow);
        let figures = |metric| Figures::register(registry, metric, budget, &overflow);
        let histograms = |metric| Histograms::register(registry, metric, budget, &overflow);
        let dropped = counters(&c::TELEMETRY_DROPPED);
        let reloads = counters(&c::CONFIG_RELOADS);
        // An alert on a counter's growth misses its first step unless the
        // series was there before, at zero.
        for signal in ["span", "access_log"] {
            dropped.with(&[signal]);
        }
        for result in ["ok", "failed"] {
            reloads.with(&[result]);
        }
        gauges(&c::BUILD_INFO)
            .with(&[env!("CARGO_PKG_VERSION")])
            .set(1);
        Self {
            server_duration: histograms(&c::HTTP_SERVER_REQUEST_DURATION),
            gateway_duration: histograms(&c::GATEWAY_DURATION),
            upstream_wait: histograms(&c::UPSTREAM_WAIT_DURATION),
            errors: counters(&c::ERRORS),
            requests_active: gauges(&c::REQUESTS_ACTIVE),
            request_bytes: counters(&c::REQUEST_BODY_BYTES),
            response_bytes: counters(&c::RESPONSE_BODY_BYTES),
            policy_duration: histograms(&c::POLICY_DURATION),
            websocket_connections: gauges(&c::WEBSOCKET_CONNECTIONS_ACTIVE),
            websocket_duration: histograms(&c::WEBSOCKET_CONNECTION_DURATION),
            websocket_messages: histograms(&c::WEBSOCKET_MESSAGE_SIZE),
            websocket_closes: counters(&c::WEBSOCKET_CLOSES),
            client_duration: histograms(&c::HTTP_CLIENT_REQUEST_DURATION),
            connect_duration: histograms(&c::UPSTREAM_CONNECT_DURATION),
            first_byte_duration: histograms(&c::UPSTREAM_FIRST_BYTE_DURATION),
            body_duration: histograms(&c::UPSTREAM_BODY_DURATION),
            upstream_connections: counters(&c::UPSTREAM_CONNECTIONS),
            retries: counters(&c::UPSTREAM_RETRIES),
            endpoint_healthy: gauges(&c::UPSTREAM_ENDPOINT_HEALTHY),
            ejections: counters(&c::UPSTREAM_EJECTIONS),
            breaker_open: gauges(&c::UPSTREAM_BREAKER_OPEN),
            upstream_active: gauges(&c::UPSTREAM_REQUESTS_ACTIVE),
            connections_active: gauges(&c::CONNECTIONS_ACTIVE),
            connections: counters(&c::CONNECTIONS),
            refused: counters(&c::REQUESTS_REFUSED),
            quota_decisions: counters(&c::QUOTA_DECISIONS),
            quota_units: counters(&c::QUOTA_UNITS),
            quota_limit: figures(&c::QUOTA_LIMIT),
            quota_enforced: figures(&c::QUOTA_ENFORCED),
            quota_keys: figures(&c::QUOTA_KEYS),
            quota_standing: figures(&c::QUOTA_STANDING),
            quota_fullest: figures(&c::QUOTA_FULLEST),
            store_duration: histograms(&c::QUOTA_STORE_DURATION),
            store_failures: counters(&c::QUOTA_STORE_FAILURES),
            store_decisions: counters(&c::QUOTA_STORE_DECISIONS),
            store_keeper: figures(&c::QUOTA_STORE_KEEPER),
            store_faults: figures(&c::QUOTA_STORE_FAULTS),
            admin_changes: counters(&c::ADMIN_CHANGES),
            llm_tokens: counters(&c::LLM_TOKENS),
            llm_parts: counters(&c::LLM_TOKEN_PARTS),
            llm_cost: amounts(&c::LLM_COST),
            llm_duration: histograms(&c::GEN_AI_OPERATION_DURATION),
            llm_usage: histograms(&c::GEN_AI_TOKEN_USAGE),
            llm_first_chunk: histograms(&c::GEN_AI_TIME_TO_FIRST_CHUNK),
            llm_between_chunks: histograms(&c::GEN_AI_TIME_PER_OUTPUT_CHUNK),
            consumer_tokens: counters(&c::LLM_CONSUMER_TOKENS),
            consumer_cost: amounts(&c::LLM_CONSUMER_COST),
            cache_lookups: counters(&c::LLM_CACHE_LOOKUPS),
            cache_kept: counters(&c::LLM_CACHE_KEPT),
            cache_evicted: counters(&c::LLM_CACHE_EVICTIONS),
            cache_failures: counters(&c::LLM_CACHE_FAILURES),
            guardrail_findings: counters(&c::GUARDRAIL_FINDINGS),
            graphql_operations: counters(&c::GRAPHQL_OPERATIONS),
            graphql_cost: histograms(&c::GRAPHQL_COST),
            graphql_documents: counters(&c::GRAPHQL_DOCUMENTS),
            target_set_aside: gauges(&c::LLM_TARGET_SET_ASIDE),
            messaging_duration: histograms(&c::MESSAGING_OPERATION_DURATION),
            rpc_duration: histograms(&c::RPC_SERVER_CALL_DURATION),
            rpc_messages: counters(&c::RPC_MESSAGES),
            messaging_sent: counters(&c::MESSAGING_SENT),
            messaging_consumed: counters(&c::MESSAGING_CONSUMED),
            subscribers: gauges(&c::SUBSCRIBERS),
            subscription_records: counters(&c::SUBSCRIPTION_RECORDS),
            subscription_delivery: histograms(&c::SUBSCRIPTION_DELIVERY_DURATION),
            subscription_lag: histograms(&c::SUBSCRIPTION_LAG),
            reply_waiting: gauges(&c::REPLY_WAITING),
            reply_requests: counters(&c::REPLY_REQUESTS),
            reply_duration: histograms(&c::REPLY_DURATION),
            kafka_principals: gauges(&c::KAFKA_PRINCIPALS),
            spool_records: figures(&c::SPOOL_RECORDS),
            spool_bytes: figures(&c::SPOOL_BYTES),
            spool_oldest: figures(&c::SPOOL_OLDEST_AGE),
            spool_write: histograms(&c::SPOOL_WRITE_DURATION),
            spool_appended: counters(&c::SPOOL_APPENDED),
            spool_sent: counters(&c::SPOOL_SENT),
            spool_rejected: counters(&c::SPOOL_REJECTED),
            spool_lost: counters(&c::SPOOL_LOST),
            spool_damaged: counters(&c::SPOOL_DAMAGED),
            webhooks: worker::Series::of(worker::Kind::Webhook, histograms, counters, gauges),
            llm_workers: worker::Series::of(worker::Kind::LlmWorker, histograms, counters, gauges),
            idempotency: counters(&c::IDEMPOTENCY_REQUESTS),
            reloads,
            reload_successful: gauges(&c::CONFIG_LAST_RELOAD_SUCCESSFUL).with(&[]),
            reload_timestamp: gauges(&c::CONFIG_LAST_RELOAD_TIMESTAMP).with(&[]),
            draining: gauges(&c::DRAINING).with(&[]),
            dropped,
            spans_exported: counters(&c::SPANS_EXPORTED).with(&[]),
        }
    }

    /// Those of what works on records.
    pub(super) const fn workers(&self, kind: worker::Kind) -> &worker::Series {
        match kind {
            worker::Kind::Webhook => &self.webhooks,
            worker::Kind::LlmWorker => &self.llm_workers,
        }
    }
}
