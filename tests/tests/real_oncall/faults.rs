//! What can go wrong, what it is called, and who is to be told.

/// One fault, on a route of its own.
pub(crate) struct Fault {
    /// The name of its route, and of its upstream, provider and so on.
    pub(crate) name: &'static str,
    /// What requests fail with.
    pub(crate) code: &'static str,
    /// Whose fault that is.
    pub(crate) whose: &'static str,
    /// The alert that fires, and the label that names what is at fault.
    pub(crate) alert: Option<(&'static str, &'static str)>,
}

impl Fault {
    /// What the alert's label says.
    pub(crate) fn subject(&self) -> &'static str {
        self.name
    }

    /// How many failures are waited for.
    pub(crate) fn enough(&self) -> usize {
        match self.code {
            // Each of these takes a second and more.
            "kafka_unavailable" | "request_body_timeout" => 2,
            _ => 5,
        }
    }
}

const UPSTREAM: Option<(&str, &str)> = Some(("WeirUpstreamErrorBudgetBurnFast", "weir_route"));
const PROVIDER: Option<(&str, &str)> = Some(("WeirProviderFailing", "weir_provider"));

const fn fault(
    name: &'static str,
    code: &'static str,
    whose: &'static str,
    alert: Option<(&'static str, &'static str)>,
) -> Fault {
    Fault {
        name,
        code,
        whose,
        alert,
    }
}

/// All of them; a slow upstream has no code, and a bad reload no request.
pub(crate) const FAULTS: &[Fault] = &[
    fault("refused", "connection_refused", "upstream", UPSTREAM),
    fault("reset", "connection_terminated", "upstream", UPSTREAM),
    fault("cut", "http_response_incomplete", "upstream", UPSTREAM),
    fault("hang", "http_response_timeout", "upstream", UPSTREAM),
    fault("no-tls", "tls_protocol_error", "upstream", UPSTREAM),
    fault("expired", "tls_certificate_error", "upstream", UPSTREAM),
    fault("nameless", "dns_error", "upstream", UPSTREAM),
    fault(
        "ill",
        "destination_unavailable",
        "upstream",
        Some(("WeirNoHealthyEndpoint", "weir_upstream")),
    ),
    fault(
        "breaker",
        "breaker_open",
        "upstream",
        Some(("WeirBreakerOpen", "weir_upstream")),
    ),
    fault("full", "connection_limit_reached", "upstream", UPSTREAM),
    fault("slow-client", "request_body_timeout", "client", None),
    fault("gone", "client_disconnected", "client", None),
    fault("limited", "provider_rate_limited", "upstream", PROVIDER),
    fault("failing", "provider_error", "upstream", PROVIDER),
    fault(
        "counted",
        "quota_store_unavailable",
        "gateway",
        Some(("WeirQuotaStoreFailing", "store")),
    ),
    fault(
        "written",
        "kafka_unavailable",
        "upstream",
        Some(("WeirKafkaDeliveryFailing", "weir_kafka_cluster")),
    ),
];

/// The fault of a route.
pub(crate) fn of(route: &str) -> Option<&'static Fault> {
    FAULTS.iter().find(|fault| fault.name == route)
}
