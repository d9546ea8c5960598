//! `table`: a compacted topic as a resource. Values are read from this gateway's view of the topic, and
//! written to the topic if what callers expect of them holds.
//!
//! | Module | Knows |
//! |---|---|
//! | `expect` | what a caller expects a value to be |
//! | `read` | what is said of one value, and of all |
//! | `write` | how one is written, and what is said of that |
//! | `merge` | what a merge patch makes of a value |

mod expect;
mod merge;
mod read;
mod write;

use std::sync::Arc;

use http::header::ALLOW;
use http::{HeaderValue, Method};
use weir_telemetry::{Code, Metrics};

use crate::action::template::Values as Known;
use crate::config::kafka_identity::Operation;
use crate::config::routes::table as config;
use crate::error::GatewayError;
use crate::kafka::Cluster;
use crate::policy::quota::{self, Bound};
use crate::proxy::{Downstream, Request};
use crate::schema::Values;
use crate::table::Table as View;

/// The action.
pub(crate) struct Table {
    /// What it does, as configured.
    pub(crate) config: config::Table,
    /// The cluster that the topic is in.
    pub(crate) cluster: Arc<Cluster>,
    /// The topic.
    pub(crate) view: Arc<View>,
    /// What values are; what callers see of them, if `None`.
    pub(crate) values: Option<Values>,
    /// Where the figures of topics go.
    pub(crate) metrics: Metrics,
}

impl Table {
    /// Reads or writes one value, or lists all.
    pub(crate) async fn run(
        &self,
        request: &mut Request,
        down: &mut Downstream,
    ) -> Result<(), GatewayError> {
        let access = self.cluster.of(request.consumer.as_ref())?;
        let key = self.key(request, down)?;
        let method = down.head().method.clone();
        if method == Method::GET || method == Method::HEAD {
            access.may(Operation::Read, &self.config.name)?;
            quota::charge(request, &down.head().headers, Bound::default()).await?;
            return match key {
                Some(key) => self.read(request, down, &key).await,
                None => self.list(request, down).await,
            };
        }
        let writes = [Method::PUT, Method::PATCH, Method::DELETE].contains(&method);
        match key.filter(|_| writes && self.config.write) {
            Some(key) => {
                access.may(Operation::Write, &self.config.name)?;
                self.change(request, down, &method, &key).await
            }
            None => {
                let is_item = self.is_item(request) && self.config.write;
                Err(self.refused(is_item))
            }
        }
    }

    /// Whether the path names one value.
    fn is_item(&self, request: &Request) -> bool {
        let mut wanted = self.config.captures();
        wanted.any(|name| request.captures.get(name).is_some())
    }

    /// The key that the path names; none, where all are listed.
    fn key(&self, request: &Request, down: &Downstream) -> Result<Option<String>, GatewayError> {
        if !self.is_item(request) {
            return Ok(None);
        }
        let rendered = Known::of(request, down.head()).render(&self.config.key);
        rendered.map(Some).map_err(|missing| {
            let public = format!("This route makes keys of {missing}, and the request has none.");
            GatewayError::public(Code::QueryInvalid, public)
        })
    }

    fn refused(&self, is_item: bool) -> GatewayError {
        let allow = match is_item {
            true => "GET, HEAD, PUT, PATCH, DELETE",
            false => "GET, HEAD",
        };
        let public = format!("Here is {allow}.");
        GatewayError::public(Code::MethodRefused, public)
            .header(ALLOW, HeaderValue::from_static(allow))
    }
}
