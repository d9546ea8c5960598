//! `request_reply` as written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Name;
use crate::config::units::{Duration, Size};

/// Makes the request a Kafka record, and answers with the record that replies to it.
///
/// Topic, key, partition, timestamp and headers are templates, as in `publish`. The reply is the first record
/// of `reply_topic` with the correlation id of the request. Who does not wait for it is given a status URL: the
/// path of the request and a token below it, for which the route has to have a match, as `/jobs/{token}`
/// beside `/jobs`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestReply {
    /// The name of an entry of `kafka_clusters`.
    pub cluster: Name,
    /// The topic of requests, as `jobs` or `{path.topic}`.
    pub topic: String,
    /// The record's key, as `{header.x-key}`. Without it, or when it is
    /// empty, the record has none.
    #[serde(default)]
    pub key: Option<String>,
    /// The record's partition, a number. Without it, or when it is empty,
    /// the key decides.
    #[serde(default)]
    pub partition: Option<String>,
    /// The record's timestamp: a moment of RFC 3339, or milliseconds since
    /// 1970. Without it, or when it is empty, it is when the record is sent.
    #[serde(default)]
    pub timestamp: Option<String>,
    /// Further headers of the record.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The topic that replies are read from.
    pub reply_topic: String,
    /// By which headers a request and its reply name each other.
    #[serde(default)]
    pub correlation: Correlation,
    /// Whether callers wait for the reply.
    #[serde(default)]
    pub respond: Respond,
    /// How long a caller waits in all: for the broker, and then for the reply.
    #[serde(default = "RequestReply::default_timeout")]
    pub timeout: Duration,
    /// How long a status URL is answered. The topic of replies has to keep them at least so long.
    #[serde(default = "RequestReply::default_keep")]
    pub keep: Duration,
    /// How long a caller of a status URL may wait.
    #[serde(default = "RequestReply::default_max_wait")]
    pub max_wait: Duration,
    /// How many callers may wait at a time.
    #[serde(default = "RequestReply::default_max_waiting")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_waiting: usize,
    /// The largest body of a request.
    #[serde(default = "RequestReply::default_max_body")]
    pub max_body: Size,
    /// What of a reply is answered beside its value and its `content-type`.
    #[serde(default)]
    pub reply: Reply,
}

impl RequestReply {
    fn default_timeout() -> Duration {
        Duration::from_secs(30)
    }

    fn default_keep() -> Duration {
        Duration::from_secs(3600)
    }

    fn default_max_wait() -> Duration {
        Duration::from_secs(60)
    }

    fn default_max_waiting() -> usize {
        1000
    }

    fn default_max_body() -> Size {
        Size::kib(1000)
    }
}

/// Headers by which a request and its reply name each other.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Correlation {
    /// That of the correlation id: a UUID of the gateway's, which the reply has to carry, too.
    #[serde(default = "Correlation::default_header")]
    pub header: String,
    /// That of the topic which the reply is wanted in.
    #[serde(default = "Correlation::default_reply_to")]
    pub reply_to: String,
}

impl Correlation {
    fn default_header() -> String {
        "correlation-id".to_owned()
    }

    fn default_reply_to() -> String {
        "reply-to".to_owned()
    }
}

impl Default for Correlation {
    fn default() -> Self {
        Self {
            header: Self::default_header(),
            reply_to: Self::default_reply_to(),
        }
    }
}

/// Whether callers wait for the reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Respond {
    /// They do.
    #[default]
    Sync,
    /// They are answered 202 and a status URL once the broker has the request.
    Async,
    /// They do, but for those that say `Prefer: respond-async` (RFC 7240), or as long as `wait=N` says.
    Prefer,
}

/// What of a reply is answered.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// The header of the reply that says the status of the answer, 200 to 599; it is 200 without one.
    #[serde(default = "Reply::default_status_header")]
    pub status_header: String,
    /// Headers of the reply whose names begin with this are fields of the answer, without it.
    #[serde(default)]
    pub header_prefix: Option<String>,
}

impl Reply {
    fn default_status_header() -> String {
        "status".to_owned()
    }
}

impl Default for Reply {
    fn default() -> Self {
        Self {
            status_header: Self::default_status_header(),
            header_prefix: None,
        }
    }
}
