//! The end of a stream for which no more could be reserved: in its own dialect, and clean.

use std::sync::Arc;

use bytes::Bytes;
use weir_protocols::openai::ending::{DONE, Reason};
use weir_telemetry::Code;

use super::meter::Meter;
use crate::error::GatewayError;
use crate::policy::quota;
use crate::proxy::{Downstream, Request};
use crate::quota::Refused;

/// Why a stream is ended.
#[derive(Debug, Clone)]
pub(in crate::action::llm) struct Cut {
    code: Code,
    quota: Arc<str>,
}

impl Cut {
    pub(super) fn new(refused: &Refused) -> Self {
        let (code, quota) = match refused {
            Refused::Exhausted(refusal) => (Code::QuotaExhausted, &refusal.quota),
            Refused::Unavailable(unavailable) => (Code::QuotaStoreUnavailable, &unavailable.quota),
        };
        Self {
            code,
            quota: quota.name.clone(),
        }
    }

    /// Ends the stream: every choice that has not ended, the usage for whom asked for it, and all.
    /// Nothing more is to be read from the provider by then.
    pub(in crate::action::llm) async fn tell(
        &self,
        request: &mut Request,
        down: &mut Downstream,
        meter: &mut Meter<'_>,
        usage: bool,
    ) -> Result<(), GatewayError> {
        quota::cut(request, &self.quota);
        let (prompt, output) = meter.settle(request).await;
        if let Some(llm) = &mut request.record.llm {
            llm.finish_reason = Some("length".to_owned());
        }
        let frame = meter.frame();
        let reason = Reason {
            code: self.code.slug(),
            quota: &self.quota,
        };
        for choice in meter.unended() {
            down.write_event(frame.last(choice, reason).into()).await?;
        }
        if usage {
            down.write_event(frame.usage(prompt, output).into()).await?;
        }
        down.write_event(Bytes::from_static(DONE)).await?;
        down.write_end(None).await
    }
}
