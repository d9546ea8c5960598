//! A client of an OTLP collector for log records and metrics: the SDK's own takes only what the SDK has
//! recorded itself, and here the Prometheus registry is the one recorder.
//!
//! What may work the next time is tried again, with back-off, until the timeout. It knows nothing of what
//! it sends.

use super::outlet::Outlet;
use super::{Header, SettingsError, StartError, check_endpoint, headers};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use std::time::Duration;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

/// The first wait before another try; it doubles each time.
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// How often an export is tried again.
const RETRIES: u32 = 5;

pub(super) struct Client {
    channel: Channel,
    headers: Vec<Header>,
    timeout: Duration,
    gzip: bool,
}

impl Client {
    /// Connects when it is first used. To be made inside the runtime that uses it.
    pub(super) fn new(outlet: &Outlet) -> Result<Self, StartError> {
        check_endpoint(&outlet.endpoint)?;
        let endpoint = Endpoint::from_shared(outlet.endpoint.clone()).map_err(|error| {
            SettingsError::new("endpoint", format!("{:?}: {error}", outlet.endpoint))
        })?;
        Ok(Self {
            channel: endpoint.connect_lazy(),
            headers: headers(&outlet.headers)?,
            timeout: outlet.timeout,
            gzip: outlet.gzip,
        })
    }

    /// Sends log records; how many of them the collector refused.
    pub(super) async fn logs(&self, message: ExportLogsServiceRequest) -> Result<u64, Status> {
        let client = LogsServiceClient::new(self.channel.clone());
        let client = match self.gzip {
            true => client.send_compressed(Gzip),
            false => client,
        };
        let send = async || {
            let answer = client.clone().export(self.request(message.clone())).await?;
            let refused = answer.into_inner().partial_success;
            Ok(refused.map_or(0, |refused| refused.rejected_log_records))
        };
        self.persist(send).await
    }

    /// Sends metrics; how many of their points the collector refused.
    pub(super) async fn metrics(
        &self,
        message: ExportMetricsServiceRequest,
    ) -> Result<u64, Status> {
        let client = MetricsServiceClient::new(self.channel.clone());
        let client = match self.gzip {
            true => client.send_compressed(Gzip),
            false => client,
        };
        let send = async || {
            let answer = client.clone().export(self.request(message.clone())).await?;
            let refused = answer.into_inner().partial_success;
            Ok(refused.map_or(0, |refused| refused.rejected_data_points))
        };
        self.persist(send).await
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        for (key, value) in &self.headers {
            request.metadata_mut().insert(key.clone(), value.clone());
        }
        request
    }

    async fn persist(&self, send: impl AsyncFn() -> Result<i64, Status>) -> Result<u64, Status> {
        let tried = async {
            let mut wait = FIRST_WAIT;
            for _ in 0..RETRIES {
                match send().await {
                    Err(status) if may_work_later(status.code()) => tokio::time::sleep(wait).await,
                    done => return done,
                }
                wait *= 2;
            }
            send().await
        };
        let late = |_| Status::deadline_exceeded("the collector took too long");
        let refused = tokio::time::timeout(self.timeout, tried)
            .await
            .map_err(late)??;
        Ok(u64::try_from(refused).unwrap_or(0))
    }
}

/// By the protocol's list; RESOURCE_EXHAUSTED asks for a delay of its own, which is not waited for.
const fn may_work_later(code: Code) -> bool {
    matches!(
        code,
        Code::Cancelled
            | Code::DeadlineExceeded
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unavailable
            | Code::DataLoss
    )
}
