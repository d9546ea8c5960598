//! A page of a browser.

use serde_json::json;
use weir_tests::chromium::Chromium;
use weir_tests::kafka::Kafka;
use weir_tests::{Gateway, ports, wait};

use super::{KEYS, configuration, write};

const PAGE: &str = "<script>seen = []; opened = 0; \
    source = new EventSource('/feeds/page'); \
    source.onopen = () => opened += 1; \
    source.onmessage = event => seen.push(JSON.parse(event.data).value)</script>";

#[tokio::test(flavor = "multi_thread")]
async fn it_follows_a_topic_across_a_restart_of_the_gateway() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("page", 3).await;
    let port = ports::free();
    let page = format!(
        "  - {{ name: page, matches: [{{ path: {{ exact: / }} }}], respond: {{ body: \"{PAGE}\", headers: {{ content-type: text/html }} }} }}\n"
    );
    let configuration = configuration(kafka, KEYS).replace(
        "name: public, address: \"127.0.0.1:0\"",
        &format!("name: public, address: \"127.0.0.1:{port}\""),
    ) + &page;
    let gateway = Gateway::start(&configuration).await;
    let browser = Chromium::open(&format!("http://127.0.0.1:{port}/")).await;
    let opened = |count: u64| {
        let browser = &browser;
        wait::until(format!("opened {count} times"), move || async move {
            let opened = browser.run("return opened").await;
            (opened.as_u64()? >= count).then_some(())
        })
    };
    let seen = |count: usize| {
        let browser = &browser;
        wait::until(format!("{count} records"), move || async move {
            let seen = browser.run("return seen").await;
            let mut seen: Vec<i64> = seen.as_array()?.iter().filter_map(|n| n.as_i64()).collect();
            seen.sort_unstable();
            (seen.len() >= count).then_some(seen)
        })
    };
    opened(1).await;
    for partition in 0..3 {
        write(kafka, "page", partition, &["1", "2"]).await;
    }
    assert_eq!(seen(6).await, [1, 1, 1, 2, 2, 2]);
    gateway.stop().await;
    write(kafka, "page", 0, &["3"]).await;
    write(kafka, "page", 2, &["3"]).await;
    let _again = Gateway::start(&configuration).await;
    assert_eq!(seen(8).await, [1, 1, 1, 2, 2, 2, 3, 3]);
    opened(2).await;
    write(kafka, "page", 1, &["4"]).await;
    assert_eq!(seen(9).await.last(), Some(&4));
    assert_eq!(browser.run("return seen.length").await, json!(9));
}
