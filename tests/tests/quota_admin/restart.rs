//! What outlives the process that counted, and what is told while a store is away.

use super::*;

#[tokio::test]
async fn an_orderly_restart_keeps_the_count_of_a_file_exactly() {
    let (_slow, gateway) = start("local", "").await;
    for _ in 0..6 {
        assert_eq!(call(&gateway, "ci").await, 200);
    }
    // At once: what was settled last has not been told to the file yet.
    assert!(gateway.stop().await.success());
    let next = gateway.successor().start().await;
    let key = shown(&next, "/quotas/calls/shop/plain").await;
    assert_eq!(figures(&key), [6, 0, 4]);
    assert_eq!(exhaust(&next, "dev").await, 4);
}

#[tokio::test]
async fn a_killed_process_gives_nothing_back_that_it_may_have_used() {
    let (slow, gateway) = start("local", "").await;
    for _ in 0..6 {
        assert_eq!(call(&gateway, "ci").await, 200);
    }
    let _open = hold(&slow, &gateway, "cut-short").await;
    let told = shown(&gateway, "/quotas/calls/shop/plain").await;
    assert_eq!(told["used"], 6);
    gateway.signal(Kind::SIGKILL);
    gateway.wait_exit().await;
    let next = gateway.successor().start().await;
    // Whoever looks finds at least as much in use as was told before.
    wait::until("what was used to be known", || async {
        let key = shown(&next, "/quotas/calls/shop/plain").await;
        let [used, reserved, remaining] = figures(&key);
        assert!(used + reserved >= 6, "{key}");
        assert_eq!(used + reserved + remaining, 10, "{key}");
        (used == 6 && reserved == 0).then_some(())
    })
    .await;
    assert_eq!(exhaust(&next, "dev").await, 4);
    // The call that was open had been let in: it counts.
    wait::until("the open call to be known", || async {
        let key = shown(&next, "/quotas/calls/shop/slow").await;
        (figures(&key) == [1, 0, 9]).then_some(())
    })
    .await;
    let told = next.metric("weir_quota_limit", &[("quota", "calls")]).await;
    assert_eq!(told, 3.0);
}

#[tokio::test]
async fn a_store_is_told_again_and_counts_nothing_twice() {
    let (_slow, gateway) = start("local", "").await;
    for _ in 0..6 {
        assert_eq!(call(&gateway, "ci").await, 200);
    }
    for _ in 0..2 {
        let rebuilt = weir_quota(&gateway, &["rebuild", "ledger", "--json"]);
        assert_eq!(rebuilt.code, Some(0), "{}", rebuilt.stderr);
        let rebuilt: Value = serde_json::from_str(&rebuilt.stdout).unwrap();
        assert_eq!(rebuilt["keys_told_again"], 1);
    }
    let key = shown(&gateway, "/quotas/calls/shop/plain").await;
    assert_eq!(key["used"], 6);
    assert_eq!(exhaust(&gateway, "ci").await, 4);
    let labels = [("quota", "calls"), ("state", "used")];
    let whole = |used| used == 10.0;
    gateway
        .wait_for_metric("weir_quota_standing", &labels, whole)
        .await;
    let of_quota = [("quota", "calls")];
    assert_eq!(
        gateway.metric("weir_quota_fullest_ratio", &of_quota).await,
        1.0
    );
    assert_eq!(gateway.metric("weir_quota_keys", &of_quota).await, 1.0);
    let of_store = [("store", "ledger")];
    assert_eq!(
        gateway.metric("weir_quota_store_keeper", &of_store).await,
        1.0
    );
    let decisions = gateway
        .metric("weir_quota_store_decisions_total", &of_store)
        .await;
    assert_eq!(decisions, 11.0);
    let entries = "weir_quota_store_duration_seconds_count";
    assert!(gateway.metric(entries, &of_store).await >= 1.0);
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_denies_and_says_so_everywhere() {
    let slow = Upstream::start(Behaviour::hang()).await;
    let builder = Gateway::builder(&configuration(&slow, "local", ""));
    let file = builder.dir().join("data/ledger-ledger.redb");
    std::fs::create_dir_all(&file).unwrap();
    let gateway = builder.start().await;
    let auth = "Authorization: Bearer ci";
    let denied = wire::request(gateway.addr("public"), "GET", "/plain", &[auth], b"").await;
    assert_eq!(denied.status, 503, "{}", denied.text());
    assert_eq!(denied.header("weir-error"), Some("quota_store_unavailable"));
    assert_eq!(denied.header("retry-after"), Some("1"));
    let text = denied.text();
    assert!(text.contains("calls") && !text.contains("redb"), "{text}");
    let ready = gateway.admin("/readyz").await;
    let trouble = ready.json()["stores"]["ledger"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(ready.status, 200);
    assert!(trouble.contains("ledger-ledger.redb"), "{trouble}");
    let line = gateway
        .wait_for_log(|line| line["error.type"] == "quota_store_unavailable")
        .await;
    let detail = line["weir.error.detail"].as_str().unwrap();
    assert!(detail.contains("ledger-ledger.redb"), "{detail}");

    let key = gateway.admin("/quotas/calls/shop/plain").await;
    assert_eq!(key.status, 503, "{}", key.text());
    assert_eq!(key.json()["code"], "quota_store_unavailable");
    let all = shown(&gateway, "/quotas").await;
    assert!(all[0]["error"].is_string(), "{all}");
    let reason = json!({ "reason": "why not" });
    let reset = post(&gateway, "/quotas/calls/shop/plain/reset", &reason).await;
    assert_eq!(reset.status, 503, "{}", reset.text());
    gateway.wait_for_printed("quota_reset").await;
    assert_eq!(audit(&gateway)[0]["weir.admin.result"], "failed");
    let of_store = [("store", "ledger")];
    let failed = gateway
        .metric("weir_quota_store_failures_total", &of_store)
        .await;
    assert!(failed >= 1.0);
    assert_eq!(
        gateway.metric("weir_quota_store_keeper", &of_store).await,
        0.0
    );
    let unavailable = [("quota", "calls"), ("decision", "unavailable")];
    assert_eq!(
        gateway
            .metric("weir_quota_decisions_total", &unavailable)
            .await,
        1.0
    );
}
