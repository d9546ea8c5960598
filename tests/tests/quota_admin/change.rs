//! Seeing and changing: what is told of a key, what a change does, and what is refused.

use super::*;

async fn a_key_is_seen_and_changed(kind: &str) {
    let (_slow, gateway) = start(kind, "").await;
    for _ in 0..3 {
        assert_eq!(call(&gateway, "dev").await, 200);
    }
    assert_eq!(exhaust(&gateway, "ci").await, 7);

    let key = shown(&gateway, "/quotas/calls/shop/plain").await;
    assert_eq!(figures(&key), [10, 0, 0]);
    assert_eq!((&key["limit"], &key["debt"]), (&json!(10), &json!(0)));
    assert!(
        key["resets_at"]
            .as_str()
            .unwrap()
            .ends_with("-01T00:00:00Z")
    );
    let spenders = key["this_process"]["spenders"].as_array().unwrap();
    let spent: Vec<_> = spenders
        .iter()
        .map(|s| (&s["consumer"], &s["used"]))
        .collect();
    assert_eq!(
        spent,
        [(&json!("ci"), &json!(7)), (&json!("dev"), &json!(3))]
    );
    let all = shown(&gateway, "/quotas").await;
    assert_eq!(all[0]["name"], "calls");
    assert_eq!(
        (&all[0]["keys"], &all[0]["total"]["used"]),
        (&json!(1), &json!(10))
    );
    assert_eq!(all[0]["fullest"][0]["key"], "shop/plain");
    let table = weir_quota(&gateway, &["show"]);
    assert_eq!(table.code, Some(0), "{}", table.stderr);
    assert!(table.stdout.contains("shop/plain 100%"), "{}", table.stdout);

    let granted = weir_quota(
        &gateway,
        &["grant", "calls", "shop/plain", "2", "--reason", "a launch"],
    );
    assert_eq!(granted.code, Some(0), "{}", granted.stderr);
    assert_eq!(exhaust(&gateway, "ci").await, 2);
    let key = shown(&gateway, "/quotas/calls/shop/plain").await;
    assert_eq!((&key["used"], &key["credit"]), (&json!(12), &json!(2)));

    let path = "/quotas/calls/shop/plain/reset";
    let reset = post(&gateway, path, &json!({ "reason": "a new month" })).await;
    assert_eq!(reset.status, 200, "{}", reset.text());
    assert_eq!(reset.json()["before"]["remaining"], 0);
    assert_eq!(reset.json()["after"]["remaining"], 10);
    assert_eq!(exhaust(&gateway, "dev").await, 10);

    gateway.wait_for_printed("quota_reset").await;
    let lines = audit(&gateway);
    assert_eq!(lines.len(), 2, "{lines:?}");
    for (line, name, reason, remaining) in [
        (&lines[0], "quota_grant", "a launch", [0, 2]),
        (&lines[1], "quota_reset", "a new month", [0, 10]),
    ] {
        assert_eq!(line["event.name"], name);
        assert_eq!(line["weir.admin.reason"], reason);
        assert_eq!(line["weir.admin.by"], "loopback");
        assert_eq!(line["network.peer.address"], "127.0.0.1");
        assert_eq!(line["weir.quota"], "calls");
        assert_eq!(line["weir.quota.key"], "shop/plain");
        let was = ["before", "after"].map(|at| &line[format!("weir.quota.{at}")]["remaining"]);
        assert_eq!(was, remaining.map(Value::from).each_ref());
    }
    assert_eq!(lines[0]["weir.quota.amount"], 2);
    for action in ["quota_grant", "quota_reset"] {
        let labels = [("action", action), ("result", "ok")];
        assert_eq!(
            gateway.metric("weir_admin_changes_total", &labels).await,
            1.0
        );
    }
}

#[tokio::test]
async fn a_key_in_memory_is_seen_and_changed() {
    a_key_is_seen_and_changed("memory").await;
}

#[tokio::test]
async fn a_key_in_a_file_is_seen_and_changed() {
    a_key_is_seen_and_changed("local").await;
}

#[tokio::test]
async fn what_holds_a_key_is_told_with_its_request() {
    let (slow, gateway) = start("local", "").await;
    let open = hold(&slow, &gateway, "night-shift-7").await;
    let key = shown(&gateway, "/quotas/calls/shop/slow").await;
    let here = &key["this_process"];
    assert_eq!(here["open_reservations"], 1);
    assert_eq!(here["reservations"][0]["request_id"], "night-shift-7");
    assert_eq!(here["reservations"][0]["amount"], 1);
    let text = weir_quota(&gateway, &["show", "calls", "shop/slow"]);
    assert!(text.stdout.contains("night-shift-7"), "{}", text.stdout);
    let busy = shown(&gateway, "/quotas/busy/*").await;
    assert_eq!(busy["this_process"]["reserved"], 1);
    assert_eq!(busy["resets_at"], Value::Null);
    open.reset();
    wait::until("the reservation to end", || async {
        let busy = shown(&gateway, "/quotas/busy/*").await;
        (busy["this_process"]["open_reservations"] == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn money_is_shown_and_granted_in_dollars() {
    let (_slow, gateway) = start("memory", "").await;
    let granted = weir_quota(
        &gateway,
        &[
            "grant", "spend", "ci", "$1.25", "--reason", "a test", "--json",
        ],
    );
    assert_eq!(granted.code, Some(0), "{}", granted.stderr);
    let granted: Value = serde_json::from_str(&granted.stdout).unwrap();
    assert_eq!(granted["granted"], 1_250_000_000_u64);
    assert_eq!(granted["after"]["dollars"]["remaining"], "11.25");
    let table = weir_quota(&gateway, &["show", "spend"]);
    assert!(table.stdout.contains("$11.25"), "{}", table.stdout);
    let whole = json!({ "amount": 750_000_000, "reason": "more" });
    let granted = post(&gateway, "/quotas/spend/ci/grant", &whole)
        .await
        .json();
    assert_eq!(granted["after"]["dollars"]["remaining"], "12");
}

#[tokio::test]
async fn what_cannot_be_done_says_why_and_leaves_no_trace() {
    let (_slow, gateway) = start("memory", "").await;
    let reason = json!({ "reason": "why not" });
    let grant = |amount: Value| json!({ "amount": amount, "reason": "why not" });
    for (path, body, status, said) in [
        (
            "/quotas/none/a/grant",
            grant(1.into()),
            404,
            "calls, spend, busy",
        ),
        (
            "/quotas/calls/shop/grant",
            grant(1.into()),
            400,
            "{team}/{route}",
        ),
        (
            "/quotas/calls/shop/plain/grant",
            grant(0.into()),
            400,
            "is 0",
        ),
        (
            "/quotas/calls/shop/plain/grant",
            grant("$1".into()),
            400,
            "no whole number",
        ),
        (
            "/quotas/calls/shop/plain/grant",
            reason.clone(),
            400,
            "missing field",
        ),
        (
            "/quotas/calls/shop/plain/reset",
            json!({ "reason": " " }),
            400,
            "empty",
        ),
        (
            "/quotas/calls/shop/plain/reset",
            json!({}),
            400,
            "missing field",
        ),
        (
            "/quotas/calls/shop/plain/reset",
            grant(1.into()),
            400,
            "unknown field",
        ),
        (
            "/quotas/busy/*/grant",
            grant(1.into()),
            409,
            "come back as they end",
        ),
        ("/stores/ledger/rebuild", json!({}), 409, "memory"),
        ("/stores/none/rebuild", json!({}), 404, "ledger"),
    ] {
        let refused = post(&gateway, path, &body).await;
        let text = refused.text();
        assert_eq!(refused.status, status, "{path}: {text}");
        assert_eq!(
            refused.header("content-type"),
            Some("application/problem+json")
        );
        assert!(text.contains(said), "{path}: {text}");
        assert!(refused.json()["hint"].is_string(), "{path}: {text}");
    }
    let admin = gateway.addr("admin");
    let reset = "/quotas/calls/shop/plain/reset";
    let form = wire::request(admin, "POST", reset, &[], reason.to_string()).await;
    assert_eq!(form.status, 415, "{}", form.text());
    let long = json!({ "reason": "x".repeat(70_000) });
    assert_eq!(post(&gateway, reset, &long).await.status, 413);
    for (method, path, allowed) in [
        ("PUT", reset, "POST"),
        ("POST", "/quotas/calls", "GET, HEAD"),
        ("DELETE", "/config", "GET, HEAD"),
    ] {
        let refused = wire::request(admin, method, path, &[JSON], b"{}").await;
        assert_eq!(
            (refused.status, refused.header("allow")),
            (405, Some(allowed))
        );
    }
    let metrics = gateway.addr("metrics");
    for (method, path) in [("GET", "/quotas"), ("POST", reset)] {
        let refused = wire::request(metrics, method, path, &[JSON], reason.to_string()).await;
        assert!(matches!(refused.status, 404 | 405), "{path}");
    }
    for path in [
        "/quotas/none",
        "/quotas/calls?most=0",
        "/quotas/calls/a/b/c",
    ] {
        let refused = gateway.admin(path).await;
        assert!(
            matches!(refused.status, 400 | 404),
            "{path}: {}",
            refused.text()
        );
    }
    let refused = weir_quota(&gateway, &["show", "none"]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("calls, spend, busy"),
        "{}",
        refused.stderr
    );
    assert_eq!(
        weir_quota(&gateway, &["reset", "calls", "a/b"]).code,
        Some(2)
    );
    assert_eq!(audit(&gateway), Vec::<Value>::new());
    assert_eq!(gateway.metric("weir_admin_changes_total", &[]).await, 0.0);
}

#[tokio::test]
async fn a_token_is_asked_for_and_told_to_the_audit_but_not_shown() {
    let (_slow, gateway) = start("memory", ", token: { secret: admin }").await;
    assert_eq!(gateway.admin("/quotas").await.status, 401);
    let reason = json!({ "reason": "x" });
    let reset = "/quotas/calls/shop/plain/reset";
    assert_eq!(post(&gateway, reset, &reason).await.status, 401);
    let refused = weir_quota(&gateway, &["show"]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("WEIR_ADMIN_TOKEN"),
        "{}",
        refused.stderr
    );
    let admin = gateway.url("admin");
    let arguments = [
        "quota",
        "reset",
        "calls",
        "shop/plain",
        "--reason",
        "x",
        "--admin",
        &admin,
    ];
    let wrong = cli::run_with(&arguments, &[("WEIR_ADMIN_TOKEN", "wrong-token")]);
    assert_eq!(wrong.code, Some(1));
    assert!(!wrong.stderr.contains("wrong-token"), "{}", wrong.stderr);
    let right = cli::run_with(&arguments, &[("WEIR_ADMIN_TOKEN", "open-sesame")]);
    assert_eq!(right.code, Some(0), "{}", right.stderr);
    gateway.wait_for_printed("quota_reset").await;
    let lines = audit(&gateway);
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["weir.admin.by"], "token");
    assert!(!gateway.log().concat().contains("open-sesame"));
}
