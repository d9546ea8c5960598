//! Two gateways spend one limit between them, exactly, however the servers are set up.

use std::path::Path;

use weir_tests::Gateway;
use weir_tests::gateway::Builder;
use weir_tests::metered::Speaker;
use weir_tests::openai::Provider;
use weir_tests::redis::{Builder as RedisBuilder, Cluster, MASTER, Redis, Watched};
use weir_tests::scratch::Scratch;
use weir_tests::tls::{Authority, Validity};

use crate::callers::{Told, call};
use crate::{PLENTY, at, comes_to, config, two};

/// What each consumer may call.
const CALLS: u64 = 60;

/// Calls at both gateways in turn until neither serves `consumer` any more.
async fn exhaust(gateways: &[Gateway; 2], consumer: &str) -> Told {
    let mut told = Told::default();
    let mut refused = 0;
    while refused < gateways.len() {
        refused = 0;
        for gateway in gateways {
            let response = call(gateway.addr("public"), consumer, &mut told).await;
            match response.header("weir-error") {
                // The store is being connected to.
                None | Some("quota_store_unavailable") => {}
                Some(error) => {
                    assert_eq!(error, "quota_exhausted", "{}", response.text());
                    refused += 1;
                }
            }
        }
    }
    told
}

/// Two consumers of one team, and one of another, spend all they may; everybody hears the same of
/// it.
async fn is_shared(gateways: &[Gateway; 2]) {
    let mut of_team = 0;
    let mut all = 0;
    for consumer in ["ann", "bob", "cyd"] {
        let told = exhaust(gateways, consumer).await;
        assert_eq!(told.served(), CALLS, "{:?}", told.answers);
        all += told.tokens;
        of_team += if consumer == "cyd" { 0 } else { told.tokens };
        for gateway in gateways {
            comes_to(gateway, "calls", consumer, CALLS).await;
        }
    }
    for gateway in gateways {
        comes_to(gateway, "all", "acme", all).await;
        comes_to(gateway, "team", "acme/shop", of_team).await;
    }
}

fn builder(provider: &Provider, store: &str) -> Builder {
    let yaml = config(provider, store, &CALLS.to_string(), PLENTY);
    with_password(&yaml)
}

/// A gateway that may use a secret `redis`.
fn with_password(yaml: &str) -> Builder {
    let secret = "secrets: [{ name: redis, value: \"${REDIS_PASSWORD}\" }]\n";
    Gateway::builder(&format!("{yaml}{secret}")).env("REDIS_PASSWORD", "s3same")
}

/// The least that the user needs whom gateways are, as the documentation says; in a cluster and in
/// another database a little more.
const USER: &str = "weir on >s3same resetkeys ~weir:* resetchannels -@all +info +evalsha \
                    +script|load +time +get +mget +set +scan +hmget +hset";

/// The command that makes a user of such a line.
fn acl(line: &str) -> Vec<&str> {
    ["ACL", "SETUSER"]
        .into_iter()
        .chain(line.split(' '))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn on_one_server() {
    let redis = Redis::start().await;
    let provider = Speaker::new(40).start().await;
    let store = at(&[redis.addr().to_string()]);
    is_shared(&two(|| builder(&provider, &store)).await).await;
    assert!(redis.command(&["DBSIZE"]) != "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_another_database_and_under_another_prefix() {
    let redis = Redis::start().await;
    let provider = Speaker::new(40).start().await;
    let store = at(&[redis.addr().to_string()]);
    redis.command(&acl(&format!("{USER} ~fleet-* +select")));
    let user = "username: weir, password: { secret: redis }, database: 3";
    let there = format!("{store}, {user}, prefix: fleet-a");
    is_shared(&two(|| builder(&provider, &there)).await).await;
    assert_eq!(redis.command(&["ACL", "LOG"]), "");
    let keys = redis.command(&["-n", "3", "KEYS", "*"]);
    assert!(keys.lines().count() > 5, "{keys}");
    assert!(
        keys.lines().all(|key| key.starts_with("fleet-a:")),
        "{keys}"
    );
    assert_eq!(redis.command(&["DBSIZE"]), "0");
    // Another fleet on the same server has a limit of its own.
    let other = format!("{store}, {user}, prefix: fleet-b");
    is_shared(&two(|| builder(&provider, &other)).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_tls_and_a_user_who_may_do_the_least() {
    let files = Scratch::new("redis-tls");
    let authority = Authority::new();
    let redis = Redis::builder()
        .tls(&authority, files.path())
        .users("t0p", &[USER])
        .start()
        .await;
    let provider = Speaker::new(40).start().await;
    let store = secured(&redis, files.path(), &authority);
    let gateways = two(|| builder(&provider, &store)).await;
    is_shared(&gateways).await;
    let denied = redis.command(&["ACL", "LOG"]);
    assert_eq!(denied, "", "something was asked that the user may not");
    for gateway in &gateways {
        let said = gateway.log().join("\n");
        assert!(!said.contains("s3same"), "{said}");
    }
}

fn secured(redis: &Redis, files: &Path, authority: &Authority) -> String {
    let (certificate, key) = authority
        .issue(&["gateway"], Validity::Current)
        .write(files, "gateway");
    format!(
        "{}, username: weir, password: {{ secret: redis }}, tls: {{ ca: {}, client_cert: {}, client_key: {} }}",
        at(&[redis.addr().to_string()]),
        files.join("ca.pem").display(),
        certificate.display(),
        key.display()
    )
}

/// The least that the user needs whom gateways are to sentinels.
const WATCHER: &str = "watcher on >s3same resetkeys resetchannels -@all \
                       +sentinel|get-master-addr-by-name +sentinel|master";

#[tokio::test(flavor = "multi_thread")]
async fn behind_sentinels() {
    let replication = ["--masteruser", "root", "--masterauth", "t0p"];
    let server = |server: RedisBuilder| server.args(&replication).users("t0p", &[USER]);
    let sentinel = |sentinel: RedisBuilder| sentinel.users("t0p", &[WATCHER]);
    let lines = format!(
        "sentinel auth-user {MASTER} root\nsentinel auth-pass {MASTER} t0p\n\
         sentinel sentinel-user root\nsentinel sentinel-pass t0p\n"
    );
    let watched = Watched::with(server, sentinel, &lines).await;
    let provider = Speaker::new(40).start().await;
    let of_sentinels = "username: watcher, password: { secret: redis }";
    let store = format!(
        "{}, username: weir, password: {{ secret: redis }}, topology: {{ kind: sentinel, master: {MASTER}, {of_sentinels} }}",
        at(&watched.addresses())
    );
    is_shared(&two(|| builder(&provider, &store)).await).await;
    assert!(watched.master().command(&["DBSIZE"]) != "0");
    assert_eq!(watched.master().command(&["ACL", "LOG"]), "");
    let nobody = builder(&provider, &store.replace(of_sentinels, ""))
        .start()
        .await;
    nobody.wait_for_printed("NOAUTH").await;
}

const IN_A_CLUSTER: &str = " +ping +asking +cluster|slots";

#[tokio::test(flavor = "multi_thread")]
async fn in_a_cluster() {
    let user = format!("{USER}{IN_A_CLUSTER}");
    let cluster = Cluster::with(|node| node.users("t0p", &[&user])).await;
    // One address is enough to find the others.
    let login = "username: weir, password: { secret: redis }, topology: { kind: cluster }";
    let store = format!("{}, {login}", at(&cluster.addresses()[..1]));
    is_shared_in(&cluster, &store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_cluster_that_speaks_tls() {
    let files = Scratch::new("redis-tls");
    let authority = Authority::new();
    let user = format!("{USER}{IN_A_CLUSTER}");
    let node = |node: RedisBuilder| {
        node.tls(&authority, files.path())
            .args(&["--tls-cluster", "yes"])
            .users("t0p", &[&user])
    };
    let cluster = Cluster::with(node).await;
    let store = secured(&cluster.nodes()[0], files.path(), &authority);
    let store = format!("{store}, topology: {{ kind: cluster }}");
    is_shared_in(&cluster, &store).await;
}

/// Two gateways spend what callers of two organisations may, each of which is kept on a node of
/// its own.
async fn is_shared_in(cluster: &Cluster, store: &str) {
    let provider = Speaker::new(40).start().await;
    // The other team is of an organisation that is kept elsewhere.
    let elsewhere = (0..)
        .map(|number| format!("org-{number}"))
        .find(|name| cluster.place(name) != cluster.place("acme"))
        .unwrap();
    let yaml = config(&provider, store, &CALLS.to_string(), PLENTY);
    let yaml = yaml.replace(
        "{ name: art, organisation: acme }",
        &format!("{{ name: art, organisation: {elsewhere} }}"),
    );
    let gateways = two(|| with_password(&yaml)).await;
    let mut tokens = Vec::new();
    for consumer in ["ann", "bob", "cyd"] {
        let told = exhaust(&gateways, consumer).await;
        assert_eq!(told.served(), CALLS, "{:?}", told.answers);
        tokens.push(told.tokens);
    }
    for gateway in &gateways {
        comes_to(gateway, "all", "acme", tokens[0] + tokens[1]).await;
        comes_to(gateway, "team", &format!("{elsewhere}/art"), tokens[2]).await;
    }
    for node in cluster.nodes() {
        assert_eq!(node.command(&["ACL", "LOG"]), "");
    }
    for (tag, expected) in [("acme", 4), (elsewhere.as_str(), 3)] {
        let begins = format!("weir:{{{tag}}}:*");
        let nodes = cluster.nodes();
        let keys: Vec<String> = nodes
            .iter()
            .map(|node| node.command(&["KEYS", &begins]))
            .collect();
        let here = cluster.place(tag);
        assert_eq!(keys[1 - here], "", "{keys:?}");
        assert_eq!(keys[here].lines().count(), expected, "{keys:?}");
        let slot = cluster.slot(&format!("{{{tag}}}"));
        for key in keys[here].lines() {
            assert_eq!(cluster.slot(key), slot, "{key}");
        }
    }
}
