//! A running gateway: the real `weir` process on a configuration, and what it shows outside.
//!
//! The contract it relies on: `weir run --config FILE` prints `listening name=NAME address=IP:PORT`
//! on standard error for every bound socket (the listeners' names, `metrics` and `admin`), then a
//! line `ready`.

mod builder;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::ExitStatus;
use std::sync::Arc;

use serde_json::Value;

use crate::child::{Child, Kind};
use crate::exposition::Exposition;
use crate::{wait, wire};

use builder::Home;
pub use builder::{Builder, Failed};

const RELOADS: &str = "weir_config_reloads_total";

/// A gateway that is ready; killed when dropped, its log printed if the test panics.
#[derive(Debug)]
pub struct Gateway {
    child: Child,
    home: Arc<Home>,
    addresses: BTreeMap<String, SocketAddr>,
}

impl Gateway {
    /// Starts one on this configuration and waits until it is ready.
    ///
    /// # Panics
    /// If it ends instead; the message holds its log.
    pub async fn start(yaml: &str) -> Gateway {
        Gateway::builder(yaml).start().await
    }

    /// A gateway to be, for environment variables, arguments or an expected failure.
    ///
    /// The process finds `${ACCESS_LOG}` (the file [`Gateway::access_log`] reads) and
    /// `${DATA_DIR}` in its environment, and its working directory is temporary.
    pub fn builder(yaml: &str) -> Builder {
        Builder::new(yaml)
    }

    /// Another process on the same files, as in a binary upgrade.
    pub fn successor(&self) -> Builder {
        Builder::beside(&self.home)
    }

    /// The address bound under that name.
    ///
    /// # Panics
    /// If nothing is.
    pub fn addr(&self, name: &str) -> SocketAddr {
        *self
            .addresses
            .get(name)
            .unwrap_or_else(|| panic!("no socket named {name:?}, only {:?}", self.addresses.keys()))
    }

    /// `http://` and the address of that listener, without a path.
    ///
    /// # Panics
    /// If nothing is bound under that name.
    pub fn url(&self, name: &str) -> String {
        format!("http://{}", self.addr(name))
    }

    /// The temporary directory it runs in.
    pub fn dir(&self) -> &std::path::Path {
        self.home.dir.path()
    }

    /// The text of GET /metrics.
    ///
    /// # Panics
    /// If that is not answered with 200.
    pub async fn metrics(&self) -> String {
        let response = wire::get(self.addr("metrics"), "/metrics").await;
        assert_eq!(response.status, 200, "GET /metrics: {}", response.text());
        response.text()
    }

    /// The sum of the samples of that name that carry these labels; 0 if there is none, as a
    /// counter that has not counted may be absent. For histograms, name `…_count` or `…_sum`.
    ///
    /// # Panics
    /// If the metrics cannot be read.
    pub async fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let scrape = Exposition::parse(&self.metrics().await);
        scrape.sum(name, labels).unwrap_or(0.0)
    }

    /// Waits until [`Gateway::metric`] is what `wanted` accepts, and returns it.
    ///
    /// # Panics
    /// If it never is.
    pub async fn wait_for_metric(
        &self,
        name: &str,
        labels: &[(&str, &str)],
        wanted: impl Fn(f64) -> bool,
    ) -> f64 {
        wait::until(format!("the metric {name} {labels:?}"), || async {
            let value = self.metric(name, labels).await;
            wanted(value).then_some(value)
        })
        .await
    }

    /// GET on the admin address.
    ///
    /// # Panics
    /// If there is no answer.
    pub async fn admin(&self, path: &str) -> wire::Response {
        wire::get(self.addr("admin"), path).await
    }

    /// The access log's whole lines so far; empty if it does not exist yet.
    ///
    /// # Panics
    /// If a line is no JSON.
    pub fn access_log(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.home.access_log()).unwrap_or_default();
        let parse = |line: &str| {
            serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("an access log line is no JSON ({error}): {line}"))
        };
        text.split_inclusive('\n')
            // The last line may be half written.
            .filter(|line| line.ends_with('\n'))
            .map(parse)
            .collect()
    }

    /// Waits for an access log line that `wanted` accepts, and returns it.
    ///
    /// # Panics
    /// If none is written.
    pub async fn wait_for_log(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        wait::until("an access log line", || async {
            self.access_log().into_iter().find(&wanted)
        })
        .await
    }

    /// As many lines of the access log as that, once there are.
    pub async fn wait_for_logs(&self, count: usize, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        wait::until(format!("{count} access log lines"), || async {
            let lines = self.access_log().into_iter();
            let found: Vec<Value> = lines.filter(|line| wanted(line)).collect();
            (found.len() >= count).then_some(found)
        })
        .await
    }

    /// Replaces the configuration and waits until the gateway has tried it; returns the `result`
    /// label of `weir_config_reloads_total` that grew.
    ///
    /// # Panics
    /// If none grows.
    pub async fn reload(&self, yaml: &str) -> String {
        let before = self.reloads().await;
        self.home.write_config(yaml);
        self.reload_after(&before).await
    }

    /// As [`Gateway::reload`] with the file unchanged, by SIGHUP.
    ///
    /// # Panics
    /// If no reload is counted.
    pub async fn reload_by_signal(&self) -> String {
        let before = self.reloads().await;
        self.signal(Kind::SIGHUP);
        self.reload_after(&before).await
    }

    async fn reload_after(&self, before: &BTreeMap<String, f64>) -> String {
        wait::until(format!("{RELOADS} to grow"), || async {
            let grew = |result: &String, count: f64| {
                count > before.get(result).copied().unwrap_or_default()
            };
            let now = self.reloads().await;
            now.into_iter()
                .find_map(|(result, count)| grew(&result, count).then_some(result))
        })
        .await
    }

    async fn reloads(&self) -> BTreeMap<String, f64> {
        let scrape = Exposition::parse(&self.metrics().await);
        let by_result = |sample: &crate::exposition::Sample| {
            let result = sample.labels.get("result").cloned().unwrap_or_default();
            (result, sample.value)
        };
        scrape.matching(RELOADS, &[]).map(by_result).collect()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Kind) {
        self.child.signal(signal);
    }

    /// Waits for the process to end.
    ///
    /// # Panics
    /// If it does not.
    pub async fn wait_exit(&self) -> ExitStatus {
        self.child.wait_exit().await
    }

    /// SIGTERM, then the end of the process.
    ///
    /// # Panics
    /// If it does not end.
    pub async fn stop(&self) -> ExitStatus {
        self.child.stop().await
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// What it printed so far, line by line (standard output and standard error).
    pub fn log(&self) -> Vec<String> {
        self.child.lines()
    }

    /// Waits for a printed line that contains `text`, and returns it.
    ///
    /// # Panics
    /// If none is printed.
    pub async fn wait_for_printed(&self, text: &str) -> String {
        wait::until(format!("{text:?} in the gateway's output"), || async {
            self.log().into_iter().find(|line| line.contains(text))
        })
        .await
    }
}
