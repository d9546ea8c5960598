//! What to look at once a record has been read: commands and queries to paste.

use crate::code::{Code, Fault};
use crate::record::Record;

/// A few, the first the most telling; none where nothing failed.
pub fn next(record: &Record) -> Vec<String> {
    let Some(error) = record.error_type() else {
        return Vec::new();
    };
    let mut looks = Vec::new();
    let upstream = record.attempts.last().map(|attempt| &attempt.upstream);
    match (record.fault(), record.code) {
        (Some(Fault::Upstream), _) if record.kafka.is_some() => looks.push(
            "sum by (weir_kafka_cluster, messaging_destination_name, error_type) \
             (rate(messaging_client_sent_messages_total[5m]))"
                .to_owned(),
        ),
        (Some(Fault::Upstream), _) => {
            if let Some(upstream) = upstream {
                looks.push(format!("weir tail --upstream {upstream}"));
                looks.push(format!(
                    "sum by (outcome) (rate(http_client_request_duration_seconds_count\
                     {{weir_upstream=\"{upstream}\"}}[5m]))"
                ));
            }
            looks.push("curl -s \"$ADMIN/upstreams\"".to_owned());
        }
        (_, Some(Code::RouteNotFound | Code::MethodNotAllowed)) => looks.extend(dry_run(record)),
        (_, Some(Code::QuotaExhausted | Code::ModelLimitReached)) => {
            looks.push("weir quota show".to_owned());
        }
        (_, Some(Code::ClientDisconnected)) => {
            looks.push("route:weir_upstream_wait_duration_seconds:p99_rate5m".to_owned())
        }
        (Some(Fault::Gateway), _) => looks.push("curl -s \"$METRICS/readyz\"".to_owned()),
        _ => {}
    }
    if let Some(route) = &record.route {
        looks.push(format!(
            "sum(rate(weir_errors_total{{weir_route=\"{route}\", error_type=\"{error}\"}}[5m]))"
        ));
    }
    looks
}

/// What tells which route came near: only where what the caller sent may be pasted into a shell.
fn dry_run(record: &Record) -> Option<String> {
    let Record {
        method,
        path,
        host,
        listener,
        ..
    } = record;
    let harmless = |c: u8| c.is_ascii_alphanumeric() || b"-._~/%:@+,=[]".contains(&c);
    let is_harmless = [method.as_str(), host, path]
        .iter()
        .all(|text| !text.is_empty() && text.bytes().all(harmless));
    is_harmless.then(|| {
        format!("weir route {method} 'http://{host}{path}' --listener {listener} --config FILE")
    })
}
