//! A gateway with a route for each fault, what stands behind them, who calls them, and who watches.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use tokio::task::{AbortHandle, JoinSet};
use weir_tests::kafka::Kafka;
use weir_tests::otlp::Collector;
use weir_tests::prometheus::Prometheus;
use weir_tests::redis::Redis;
use weir_tests::scratch::Scratch;
use weir_tests::tls::{Authority, Validity};
use weir_tests::upstream::When;
use weir_tests::wire::{self, Connection};
use weir_tests::{Behaviour, Gateway, Upstream, ports, wait};

use crate::expressions::Unanswered;
use crate::house::House;

/// What is written to a topic, and what is asked of models.
const JSON: &str = "Content-Type: application/json";

pub(crate) struct Scene {
    pub(crate) gateway: Gateway,
    pub(crate) prometheus: Prometheus,
    yaml: String,
    mended: String,
    /// Upstreams that are broken by what they do.
    behaving: Vec<(&'static str, Upstream)>,
    /// The one that is broken by not being there.
    refused: SocketAddr,
    back: Vec<Upstream>,
    redis: Redis,
    kafka: Kafka,
    held: Option<Connection>,
    pub(crate) house: House,
    rules: Scratch,
    _collector: Collector,
    _certified: Upstream,
}

fn well() -> Behaviour {
    Behaviour::answer(200, &[JSON], completion())
}

/// A model's answer, which is any other route's as well.
fn completion() -> String {
    let message = json!({ "role": "assistant", "content": "Goo goo g'joob." });
    json!({
        "id": "c-1", "object": "chat.completion", "model": "m",
        "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2 },
    })
    .to_string()
}

/// What an upstream of that name does once it is broken.
fn broken(name: &str) -> Behaviour {
    match name {
        "reset" => Behaviour::reset_before_head(),
        "cut" => Behaviour::short_body(),
        "hang" | "full" | "gone" => Behaviour::hang(),
        "breaker" | "failing" => Behaviour::answer(500, &[], "no"),
        "limited" => Behaviour::answer(429, &[JSON], "{}"),
        // It speaks no TLS.
        "no-tls" => Behaviour::garbage().at(When::Connected),
        "slow" => Behaviour::slow_head(Duration::from_millis(1_300)),
        other => unreachable!("{other} does nothing wrong"),
    }
}

impl Scene {
    pub(crate) async fn start() -> Self {
        let redis = Box::pin(Redis::with(&["--appendonly", "yes"])).await;
        let kafka = Box::pin(Kafka::start()).await;
        Box::pin(kafka.create_topic("orders", 1)).await;
        let mut behaving = Vec::new();
        for name in [
            "reset", "cut", "hang", "full", "gone", "breaker", "failing", "limited", "slow",
            "no-tls", "plain",
        ] {
            behaving.push((name, Box::pin(Upstream::start(well())).await));
        }
        let authority = Authority::new();
        let expired = authority.issue(&["expired.internal"], Validity::Expired);
        let certified = Box::pin(Upstream::tls(&expired, [well()])).await;
        let refused: SocketAddr = ([127, 0, 0, 1], ports::free()).into();
        let places = Places {
            behaving: &behaving,
            refused,
            certified: certified.addr(),
            redis: redis.addr(),
            bootstrap: kafka.bootstrap(),
        };
        let (yaml, mended) = (places.yaml(false), places.yaml(true));
        let gateway = Box::pin(
            Gateway::builder(&yaml)
                .file("ca.pem", authority.pem())
                .start(),
        )
        .await;
        let collector = Collector::start().await;
        let endpoint = collector.endpoint();
        let house = Box::pin(House::start(&kafka, redis.addr(), &endpoint)).await;
        let rules = shortened();
        let files = files(&rules);
        let files: Vec<_> = files.iter().map(PathBuf::as_path).collect();
        let scraped = [&gateway, &house.gateway, &house.many].map(|each| each.addr("metrics"));
        let prometheus = Box::pin(Prometheus::start(&scraped, &files)).await;
        Scene {
            gateway,
            prometheus,
            yaml,
            mended,
            behaving,
            refused,
            back: Vec::new(),
            redis,
            kafka,
            held: None,
            house,
            rules,
            _collector: collector,
            _certified: certified,
        }
    }

    /// What the dashboards and rules ask for.
    pub(crate) fn expressions(&self) -> Unanswered {
        let files = files(&self.rules);
        let files: Vec<_> = files.iter().map(PathBuf::as_path).collect();
        Unanswered::all(&files)
    }

    /// Every upstream, store and cluster fails from now on.
    pub(crate) async fn break_all(&mut self) {
        let public = self.gateway.addr("public");
        // What counts and what is written was well before, so that it is known to.
        for path in ["/counted", "/written", "/limited", "/failing"] {
            wait::until(format!("{path} to be well"), || async {
                let answer = wire::exchange(public, request(path)).await;
                (answer.status == 200).then_some(())
            })
            .await;
        }
        for (name, upstream) in &self.behaving {
            if *name != "plain" {
                upstream.set(broken(name));
            }
        }
        self.redis.stop().await;
        self.kafka.stop().await;
        // A request that stays takes the only place there is.
        let mut held = Connection::open(public).await;
        held.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
            .await
            .unwrap();
        self.upstream("full").wait_for_requests(1).await;
        self.held = Some(held);
        // Its breaker opens on what another route meets.
        wait::until("an open breaker", || async {
            wire::get(public, "/opens").await;
            let open = self
                .gateway
                .metric(
                    "weir_upstream_breaker_open",
                    &[("weir_upstream", "breaker")],
                )
                .await;
            (open == 1.0).then_some(())
        })
        .await;
        let ill = [("weir_upstream", "ill")];
        self.gateway
            .wait_for_metric("weir_upstream_endpoint_healthy", &ill, |healthy| {
                healthy == 0.0
            })
            .await;
    }

    /// Everything is well from now on, by what the pages say.
    pub(crate) async fn mend_all(&mut self) {
        for (_, upstream) in &self.behaving {
            upstream.set(well());
        }
        self.held = None;
        self.back
            .push(Upstream::start_at(self.refused, well()).await);
        self.redis.restart().await;
        self.kafka.restart().await;
        assert_eq!(self.gateway.reload(&self.mended).await, "ok");
    }

    /// A mistake in the file: what happens to it.
    pub(crate) async fn reload_fails(&self) -> String {
        self.gateway
            .reload(&self.yaml.replace("upstream: hang", "upstream: nobody"))
            .await
    }

    fn upstream(&self, name: &str) -> &Upstream {
        let found = self.behaving.iter().find(|(each, _)| *each == name);
        &found.unwrap().1
    }

    /// Callers of every route, who come back after each answer until they are stopped.
    pub(crate) fn traffic(&self) -> AbortHandle {
        let public = self.gateway.addr("public");
        let mut callers = JoinSet::new();
        for path in [
            "/refused",
            "/reset",
            "/cut",
            "/hang",
            "/no-tls",
            "/expired",
            "/nameless",
            "/ill",
            "/breaker",
            "/full",
            "/slow",
            "/counted",
            "/written",
            "/slow-client",
            "/gone",
            "/limited",
            "/failing",
        ] {
            callers.spawn(call(public, path));
        }
        let all = async move { while callers.join_next().await.is_some() {} };
        tokio::spawn(all).abort_handle()
    }
}

/// What is asked on that route, whole.
fn request(path: &str) -> String {
    let post = |host: &str, target: &str, body: &str| {
        let length = body.len();
        format!(
            "POST {target} HTTP/1.1\r\nHost: {host}\r\n{JSON}\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    };
    match path {
        // What is safe to repeat is.
        "/reset" => "GET /reset HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        // It stops in the middle of its body for longer than is waited for.
        "/slow-client" => {
            "POST /slow-client HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345".to_owned()
        }
        "/limited" | "/failing" => {
            let model = &path[1..];
            let message = json!({ "role": "user", "content": "Who?" });
            let body = json!({ "model": model, "messages": [message] }).to_string();
            post(&format!("{model}.test"), "/v1/chat/completions", &body)
        }
        _ => post("a", path, "{}"),
    }
}

/// One caller of one route. What is answered is in the access log.
async fn call(public: SocketAddr, path: &'static str) {
    loop {
        let once = async {
            let mut connection = Connection::try_open(public).await?;
            connection.send(request(path)).await?;
            if path == "/gone" {
                tokio::time::sleep(Duration::from_millis(100)).await;
                return Ok(());
            }
            let method = if path == "/reset" { "GET" } else { "POST" };
            connection.try_response_to(method).await.map(drop)
        };
        // What it was told, or that it was told nothing, is not looked at here.
        let _: std::io::Result<()> = once.await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The files of the rules.
fn files(rules: &Scratch) -> Vec<PathBuf> {
    let names = ["slo.yaml", "alerts.yaml", "recording.yaml"];
    names.map(|name| rules.path().join(name)).into()
}

/// The shipped rules, with an hour as a minute.
fn shortened() -> Scratch {
    let dir = Scratch::new("rules");
    let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../dashboards/generate.py");
    let made = Command::new("python3")
        .arg(program)
        .args(["rules", "--shorten", "60", "--out"])
        .arg(dir.path())
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    dir
}

/// Where everything is.
struct Places<'p> {
    behaving: &'p [(&'static str, Upstream)],
    refused: SocketAddr,
    certified: SocketAddr,
    redis: SocketAddr,
    bootstrap: String,
}

impl Places<'_> {
    fn at(&self, name: &str) -> SocketAddr {
        let found = self.behaving.iter().find(|(each, _)| *each == name);
        found.unwrap().1.addr()
    }

    /// The configuration; once it is mended, what could only be mended there is.
    fn yaml(&self, mended: bool) -> String {
        let plain = self.at("plain");
        let (tls, certified, verify, nameless) = match mended {
            false => (
                ", tls: { ca: ../ca.pem, sni: plain.internal }",
                self.certified,
                "",
                "no-such-host.invalid:80".to_owned(),
            ),
            true => ("", self.certified, ", verify: false", plain.to_string()),
        };
        let mut upstreams = String::new();
        let mut routes = String::new();
        let mut add = |name: &str, address: String, more: &str| {
            upstreams.push_str(&format!("  - {{ name: {name}, endpoints: [{{ address: \"{address}\" }}], timeouts: {{ first_byte: 2s }}{more} }}\n"));
            routes.push_str(&format!("  - {{ name: {name}, matches: [{{ path: {{ exact: /{name} }} }}], forward: {{ backends: [{{ upstream: {name} }}] }} }}\n"));
        };
        let again = ", retries: { max: 1, budget_percent: 100 }";
        add("refused", self.refused.to_string(), again);
        add("reset", self.at("reset").to_string(), again);
        for name in ["cut", "slow"] {
            add(name, self.at(name).to_string(), "");
        }
        let no_tls = if mended { plain } else { self.at("no-tls") };
        add("no-tls", no_tls.to_string(), tls);
        add(
            "expired",
            certified.to_string(),
            &format!(", tls: {{ ca: ../ca.pem, sni: expired.internal{verify} }}"),
        );
        add("nameless", nameless, "");
        add(
            "ill",
            self.refused.to_string(),
            ", health: { active: { kind: tcp, interval: 100ms, timeout: 100ms, unhealthy_after: 1 } }",
        );
        let open_for = if mended { "1s" } else { "600s" };
        let breaker = format!(
            ", breaker: {{ error_percent: 50, minimum_requests: 2, open_for: {open_for} }}"
        );
        add("breaker", self.at("breaker").to_string(), &breaker);
        add("slow-client", plain.to_string(), "");
        let (hang, full, gone) = (self.at("hang"), self.at("full"), self.at("gone"));
        let (redis, bootstrap) = (self.redis, &self.bootstrap);
        let (limited, failing) = (self.at("limited"), self.at("failing"));
        format!(
            r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0", limits: {{ idle_timeout: 2s }} }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ worker_threads: 2, data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
stores:
  - {{ name: kept, kind: local }}
  - {{ name: counted, kind: redis, addresses: ["{redis}"], lease: 1s }}
quotas: [{{ name: counts, store: counted, unit: requests, limit: {{ default: 100000 }}, window: {{ kind: fixed, every: day }}, by: [route] }}]
kafka_clusters: [{{ name: written, bootstrap_servers: ["{bootstrap}"], delivery_timeout: 1s }}]
providers:
  - {{ name: limited, dialect: openai, base_url: "http://{limited}/v1" }}
  - {{ name: failing, dialect: openai, base_url: "http://{failing}/v1" }}
models:
  - {{ name: limited, targets: [{{ provider: limited, model: m }}] }}
  - {{ name: failing, targets: [{{ provider: failing, model: m }}] }}
upstreams:
{upstreams}  - {{ name: hang, endpoints: [{{ address: "{hang}" }}], timeouts: {{ first_byte: 300ms }}, retries: {{ max: 0 }} }}
  - {{ name: full, endpoints: [{{ address: "{full}" }}], timeouts: {{ first_byte: 600s, total: 600s }}, breaker: {{ max_in_flight: 1 }} }}
  - {{ name: gone, endpoints: [{{ address: "{gone}" }}], timeouts: {{ first_byte: 60s }} }}
routes:
{routes}  - {{ name: hang, matches: [{{ path: {{ exact: /hang }} }}], forward: {{ backends: [{{ upstream: hang }}] }} }}
  - {{ name: full, matches: [{{ path: {{ exact: /full }} }}], forward: {{ backends: [{{ upstream: full }}] }} }}
  - {{ name: holder, matches: [{{ path: {{ exact: /held }} }}], forward: {{ backends: [{{ upstream: full }}] }} }}
  - {{ name: opens, matches: [{{ path: {{ exact: /opens }} }}], forward: {{ backends: [{{ upstream: breaker }}] }} }}
  - {{ name: gone, matches: [{{ path: {{ exact: /gone }} }}], forward: {{ backends: [{{ upstream: gone }}] }} }}
  - {{ name: limited, hosts: [limited.test], matches: [{{ path: {{ prefix: /v1 }} }}], llm: {{ models: [limited] }} }}
  - {{ name: failing, hosts: [failing.test], matches: [{{ path: {{ prefix: /v1 }} }}], llm: {{ models: [failing] }} }}
  - {{ name: counted, matches: [{{ path: {{ exact: /counted }} }}], policies: [{{ kind: quota, quotas: [counts] }}], respond: {{ body: "{{}}" }} }}
  - {{ name: written, matches: [{{ path: {{ exact: /written }} }}], publish: {{ cluster: written, topic: orders }} }}
"#
        )
    }
}
