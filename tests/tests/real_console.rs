//! The console, in a real browser: what a person sees, at a desk and on a phone.

use std::net::SocketAddr;

use weir_tests::chromium::Chromium;
use weir_tests::{Behaviour, Gateway, Upstream, wait, wire};

const TOKEN: &str = "admin-token-not-for-production";

fn yaml(good: SocketAddr, bad: SocketAddr) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0", token: {{ secret: admin }} }}
server: {{ data_dir: "${{DATA_DIR}}" }}
secrets: [{{ name: admin, value: {TOKEN} }}]
stores: [{{ name: counts, kind: memory }}]
quotas: [{{ name: a-few, store: counts, unit: requests, limit: {{ default: 4 }}, window: {{ kind: fixed, every: day }}, by: [route] }}]
upstreams:
  - {{ name: good, endpoints: [{{ address: "{good}" }}] }}
  - {{ name: broken, endpoints: [{{ address: "{bad}" }}], health: {{ active: {{ kind: http, path: /, interval: 1s }} }} }}
routes:
  - {{ name: orders, matches: [{{ path: {{ prefix: /orders }} }}], policies: [{{ kind: quota, quotas: [a-few] }}], forward: {{ backends: [{{ upstream: good }}] }} }}
  - {{ name: lost, matches: [{{ path: {{ prefix: /lost }} }}], forward: {{ backends: [{{ upstream: broken }}] }} }}
"#
    )
}

/// Waits until a script on the page says so.
async fn seen(browser: &Chromium, what: &str, script: &str) {
    // What a browser is asked is large, and a test's stack is not.
    let asked = wait::until(what.to_owned(), || async {
        (Box::pin(browser.run(script)).await == true).then_some(())
    });
    Box::pin(asked).await;
}

/// Does something on the page.
async fn does(browser: &Chromium, script: &str) {
    Box::pin(browser.run(script)).await;
}

/// Whether some element that fits says these words.
fn says(selector: &str, words: &str) -> String {
    format!(
        "return [...document.querySelectorAll({selector:?})].some(e => e.textContent.includes({words:?}))"
    )
}

#[tokio::test]
async fn it_shows_what_is_so_and_why_what_failed_did() {
    let good = Upstream::start(Behaviour::echo()).await;
    let refusing = Upstream::refusing();
    let gateway = Gateway::start(&yaml(good.addr(), refusing.addr())).await;
    let public = gateway.addr("public");
    for _ in 0..3 {
        assert_eq!(wire::get(public, "/orders/7").await.status, 200);
    }
    let failed = wire::get(public, "/lost/%3Cimg%20src=x%3E?card=4111").await;
    assert!(failed.status >= 502);
    let code = failed.header("weir-error").unwrap().to_owned();

    let browser = Box::pin(Chromium::open(&gateway.url("admin"))).await;
    let form = "return !document.querySelector('#token').hidden";
    seen(&browser, "the wish for a token", form).await;
    seen(
        &browser,
        "nothing before",
        "return document.querySelectorAll('#routes h3').length == 0",
    )
    .await;
    let enter = format!(
        "document.querySelector('#token input').value = {TOKEN:?}; document.querySelector('#token button').click()"
    );
    does(&browser, &enter).await;
    seen(&browser, "readiness", &says("#state", "ready")).await;
    seen(&browser, "a route", &says("#routes h3", "orders")).await;
    seen(&browser, "a failure", &says("#failures td", &code)).await;
    seen(
        &browser,
        "an endpoint",
        &says("#upstreams td", "in traffic"),
    )
    .await;
    seen(
        &browser,
        "one that is out",
        &says("#upstreams td", "unhealthy"),
    )
    .await;
    seen(&browser, "a quota", &says("#quotas td", "a-few")).await;
    for _ in 0..30 {
        wire::get(public, "/lost").await;
    }
    seen(
        &browser,
        "its failures",
        &says("[data-route=lost] .bad", "%"),
    )
    .await;

    for (width, height) in [(1280, 800), (390, 844)] {
        Box::pin(browser.shape(width, height)).await;
        let fits = "return document.documentElement.scrollWidth <= innerWidth";
        seen(&browser, "a page that fits", fits).await;
        does(
            &browser,
            "document.querySelector('#failures tbody a[href^=\"#/request\"]').click()",
        )
        .await;
        seen(
            &browser,
            "its story",
            &says("#story", "route lost (forward)"),
        )
        .await;
        seen(
            &browser,
            "whose time it was",
            "return document.querySelectorAll('.phase').length > 0",
        )
        .await;
        seen(&browser, "a story that fits", fits).await;
        does(
            &browser,
            "document.querySelector('#page a[href^=\"#/runbook/\"]').click()",
        )
        .await;
        seen(&browser, "its page", &says("#page h2", "In sixty seconds")).await;
        seen(&browser, "its queries", &says("#page pre", "rate(")).await;
        seen(&browser, "a page of text that fits", fits).await;
        does(&browser, "location.hash = '#/'").await;
    }
    let all = Box::pin(browser.run("return document.documentElement.outerHTML")).await;
    let all = all.as_str().unwrap();
    assert!(
        !all.contains("<img") && !all.contains("4111") && !all.contains(TOKEN),
        "{all}"
    );
}
