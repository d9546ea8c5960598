//! Servers that may forget what is counted are found out: by who checks, in the log, and in a
//! metric.

use std::path::Path;

use weir_tests::metered::Speaker;
use weir_tests::redis::{Cluster, MASTER, Redis, Watched};
use weir_tests::scratch::Scratch;
use weir_tests::tls::{Authority, Validity};
use weir_tests::{Gateway, cli};

use crate::{PLENTY, at, config};

const FAULTS: &str = "weir_quota_store_faults";

fn fault(fault: &str) -> [(&str, &str); 2] {
    [("store", "ledger"), ("fault", fault)]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_evicts_or_does_not_append_is_told_of_until_it_is_mended() {
    let redis = Redis::with(&["--appendonly", "no", "--maxmemory-policy", "allkeys-lru"]).await;
    let provider = Speaker::new(40).start().await;
    let store = at(&[redis.addr().to_string()]);
    let gateway = Gateway::start(&config(&provider, &store, PLENTY, PLENTY)).await;
    let evicts =
        "it may evict what is counted: set maxmemory-policy to noeviction (it is allkeys-lru)";
    let line = gateway.wait_for_printed(evicts).await;
    assert!(
        line.contains("WARN") && line.contains("store ledger"),
        "{line}"
    );
    gateway.wait_for_printed("set appendonly to yes").await;
    for kind in ["eviction", "persistence"] {
        let labels = fault(kind);
        gateway
            .wait_for_metric(FAULTS, &labels, |is| is == 1.0)
            .await;
    }
    redis.command(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    let labels = fault("eviction");
    gateway
        .wait_for_metric(FAULTS, &labels, |is| is == 0.0)
        .await;
    assert_eq!(gateway.metric(FAULTS, &fault("persistence")).await, 1.0);
    redis.command(&["CONFIG", "SET", "appendonly", "yes"]);
    let labels = fault("persistence");
    gateway
        .wait_for_metric(FAULTS, &labels, |is| is == 0.0)
        .await;
    gateway
        .wait_for_printed("Redis keeps what is counted")
        .await;
    let log = gateway.log();
    let told = log.iter().filter(|line| line.contains(evicts)).count();
    assert_eq!(told, 1, "once is enough: {log:?}");
}

/// What `weir check --connect` prints of a store, and how it ends.
fn check(files: &Path, store: &str, more: &str) -> (Option<i32>, String) {
    let yaml = format!(
        "version: 1\nlisteners: [{{ name: public, address: 127.0.0.1:0 }}]\n\
         stores: [{{ name: ledger, kind: redis, {store} }}]\n{more}"
    );
    let path = files.join("weir.yaml");
    std::fs::write(&path, yaml).unwrap();
    let path = path.display().to_string();
    let ran = cli::run(&["check", "--connect", &path]);
    let offline = cli::run(&["check", &path]);
    assert_eq!(offline.code, Some(0), "{}", offline.stderr);
    (ran.code, ran.stderr)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_checks_with_the_servers_hears_of_them() {
    let files = Scratch::new("check");
    let good = Redis::start().await;
    let addresses = |redis: &Redis| at(&[redis.addr().to_string()]);
    assert_eq!(
        check(files.path(), &addresses(&good), ""),
        (Some(0), String::new())
    );
    assert_eq!(good.command(&["DBSIZE"]), "0", "nothing is left there");
    let bad = Redis::with(&["--maxmemory-policy", "volatile-ttl"]).await;
    let (code, said) = check(files.path(), &addresses(&bad), "");
    assert_eq!(code, Some(0));
    assert!(
        said.contains("warning: store ledger: Redis: it may evict") && said.contains("appendonly"),
        "{said}"
    );
    good.command(&["REPLICAOF", "127.0.0.1", &bad.addr().port().to_string()]);
    let (code, said) = check(files.path(), &addresses(&good), "");
    assert_eq!(code, Some(1));
    assert!(
        said.contains("store ledger: Redis: it is a replica"),
        "{said}"
    );
    bad.kill().await;
    let (code, said) = check(files.path(), &addresses(&bad), "");
    assert_eq!(code, Some(1));
    let refused = format!("store ledger: Redis at {}: Connection refused", bad.addr());
    assert!(said.contains(&refused), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_checks_with_wrong_credentials_hears_what_is_wrong() {
    let files = Scratch::new("check");
    let authority = Authority::new();
    let few = "few on >s3same ~weir:* -@all +info";
    let redis = Redis::builder()
        .tls(&authority, files.path())
        .users("t0p", &[few])
        .start()
        .await;
    let stranger = Authority::new();
    let pair = |authority: &Authority, name: &str| {
        let issued = authority.issue(&["gateway"], Validity::Current);
        let (certificate, key) = issued.write(files.path(), name);
        format!(
            "client_cert: {}, client_key: {}",
            certificate.display(),
            key.display()
        )
    };
    let ca = files.path().join("ca.pem");
    let other = stranger.write(files.path(), "other.pem");
    let address = at(&[redis.addr().to_string()]);
    let check = |tls: &str, password: &str| {
        let store =
            format!("{address}, username: few, password: {{ secret: redis }}, tls: {{ {tls} }}");
        let secrets = format!("secrets: [{{ name: redis, value: {password} }}]\n");
        let (code, said) = check(files.path(), &store, &secrets);
        assert_eq!(code, Some(1), "{said}");
        assert!(!said.contains(password), "{said}");
        said
    };
    let (good, ca) = (pair(&authority, "good"), format!("ca: {}", ca.display()));
    let said = check(&format!("{ca}, {good}"), "wr0ng");
    assert!(
        said.contains("WRONGPASS") || said.contains("Authentication"),
        "{said}"
    );
    let said = check(&format!("{ca}, {good}"), "s3same");
    assert!(said.contains("evalsha"), "{said}");
    let said = check(&format!("ca: {}, {good}", other.display()), "s3same");
    assert!(said.contains("certificate"), "{said}");
    let said = check(&format!("{ca}, {}", pair(&stranger, "bad")), "s3same");
    assert!(said.contains("Redis"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_checks_with_sentinels_or_a_cluster_hears_of_all_masters() {
    let files = Scratch::new("check");
    let watched = Watched::start().await;
    let servers = at(&watched.addresses());
    let named = |name: &str| format!("{servers}, topology: {{ kind: sentinel, master: {name} }}");
    let (code, said) = check(files.path(), &named(MASTER), "");
    assert_eq!((code, said.as_str()), (Some(0), ""));
    let (code, said) = check(files.path(), &named("nobody"), "");
    assert_eq!(code, Some(1));
    assert!(said.contains("it knows no master \"nobody\""), "{said}");
    drop(watched);
    let cluster = Cluster::start().await;
    cluster.nodes()[1].command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lfu"]);
    let store = format!(
        "{}, topology: {{ kind: cluster }}",
        at(&cluster.addresses())
    );
    let (code, said) = check(files.path(), &store, "");
    assert_eq!(code, Some(0));
    assert!(
        said.contains("allkeys-lfu") && !said.contains("appendonly"),
        "{said}"
    );
}
