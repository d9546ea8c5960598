//! The end of a stream for which no more could be reserved: in its caller's dialect, and clean.

use std::sync::Arc;

use weir_protocols::llm::{Event, Finish, Usage};
use weir_protocols::openai::completion;
use weir_telemetry::Code;

use super::meter::Meter;
use crate::action::llm::events::Sink;
use crate::action::llm::note;
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
    pub(super) async fn tell(
        &self,
        request: &mut Request,
        down: &mut Downstream,
        meter: &mut Meter<'_, '_>,
        sink: &mut Sink,
    ) -> Result<(), GatewayError> {
        quota::cut(request, &self.quota);
        let (input, output) = meter.settle(request).await;
        if let Some(llm) = &mut request.record.llm {
            llm.finish_reason = Some("length".to_owned());
        }
        let mut out = Vec::new();
        for choice in meter.unended() {
            note::cut(request, choice);
            match sink {
                Sink::Chat(writer) => {
                    let cut = completion::Cut {
                        code: self.code.slug(),
                        quota: &self.quota,
                    };
                    writer.cut(choice, cut, &mut out);
                }
                _ => sink.write(
                    &Event::Finish {
                        choice,
                        reason: Finish::Length,
                        stopped_at: None,
                    },
                    &mut out,
                ),
            }
        }
        sink.write(&Event::Usage(Usage::new(input, output)), &mut out);
        sink.write(&Event::End, &mut out);
        down.write_event(out.into()).await?;
        down.write_end(None).await
    }
}
