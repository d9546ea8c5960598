//! `publish` with `async`: the caller is answered once the record is on disk, whatever the brokers do.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;
use weir_telemetry::Code;

use super::Publish;
use crate::action::record::written;
use crate::error::GatewayError;
use crate::kafka::Outgoing;
use crate::policy::quota::Usage;
use crate::proxy::{Downstream, Reply, Request, reply};
use crate::quota;
use crate::spool::{Refusal, Spool};

/// When to try again: brokers or a person have to make room first.
const RETRY_AFTER: Duration = Duration::from_secs(5);

impl Publish {
    /// Puts a record of so many bytes into the spool, and answers once it lasts.
    pub(super) async fn spool(
        &self,
        spool: &Arc<Spool>,
        request: &mut Request,
        down: &mut Downstream,
        outgoing: Outgoing,
        size: u64,
    ) -> Result<(), GatewayError> {
        // It counts among the topic's records when brokers have it.
        request.topic_metrics = None;
        let begun = Instant::now();
        let appended = spool.append(outgoing).await;
        request.waits.upstream += begun.elapsed();
        if let Some(kafka) = &mut request.record.kafka {
            kafka.took = begun.elapsed();
            kafka.spooled = appended.as_ref().ok().map(|id| id.to_string().into());
        }
        let id = appended.map_err(|refusal| {
            request.usage = Some(Usage::nothing());
            refused(&refusal)
        })?;
        request.usage = Some(written(size, quota::Provenance::Counted));
        let body = serde_json::json!({ "spooled": true, "id": id.to_string() });
        reply::answer(
            request,
            down,
            Reply::json(StatusCode::ACCEPTED, body.to_string()),
        )
        .await
    }
}

/// 503 and not 507, although that is the name of it: clients and proxies know the one as worth another try,
/// and few know the other at all.
fn refused(refusal: &Refusal) -> GatewayError {
    let code = match refusal {
        Refusal::Full(_) | Refusal::NoSpace(_) => Code::SpoolFull,
        Refusal::Failed(_) => Code::SpoolUnavailable,
    };
    GatewayError::new(code)
        .source(refusal)
        .retry_after(RETRY_AFTER)
}
