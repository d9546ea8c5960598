//! A steady stream of calls at two gateways: next to none of them waits for the store.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval};
use weir_tests::Gateway;
use weir_tests::metered::{self, Speaker};
use weir_tests::redis::Redis;

use crate::{ALL, CONSUMERS, config, on};

/// How many call, and how often each: 2,000 calls a second, if the machine is quick enough.
const CALLERS: usize = 64;
const EVERY: Duration = Duration::from_millis(32);

/// How long they call to get under way, and how long they are watched.
const BEFORE: Duration = Duration::from_secs(2);
const WATCHED: Duration = Duration::from_secs(4);

/// Calls again and again, and says how often it was served while it was watched.
async fn call(client: reqwest::Client, place: SocketAddr, consumer: &str) -> u64 {
    let began = Instant::now();
    let mut served = 0;
    let mut pace = interval(EVERY);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while began.elapsed() < BEFORE + WATCHED {
        pace.tick().await;
        let sent = client
            .post(format!("http://{place}/v1/chat/completions"))
            .bearer_auth(consumer)
            .header("content-type", "application/json")
            .body(metered::ask(r#","max_tokens":20"#))
            .send();
        let answer = sent.await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.bytes().await.unwrap();
        served += u64::from(began.elapsed() >= BEFORE);
    }
    served
}

/// Decisions so far, at both: those that waited, and the others.
async fn decisions(gateways: &[Gateway; 2]) -> [f64; 2] {
    let mut decisions = [0.0; 2];
    for gateway in gateways {
        for (sum, waited) in decisions.iter_mut().zip(["true", "false"]) {
            let labels = [("store", "ledger"), ("waited", waited)];
            *sum += gateway
                .metric("weir_quota_store_decisions_total", &labels)
                .await;
        }
    }
    decisions
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "a pace is to be read, not judged")]
async fn of_a_steady_stream_next_to_none_waits_for_the_store() {
    let redis = Redis::start().await;
    let provider = Speaker::new(12).start().await;
    let each = ALL.to_string();
    // How long a store that is not down may take is not what is asked here.
    let store = format!("{}, timeout: 2s", on(&redis));
    let config = config(&provider, &store).replace(&crate::EACH.to_string(), &each);
    let gateways = [Gateway::start(&config).await, Gateway::start(&config).await];
    for gateway in &gateways {
        gateway.wait_for_printed("Redis is ready").await;
    }
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let calls = (0..CALLERS).map(|index| {
        let place = gateways[index % 2].addr("public");
        let consumer = CONSUMERS[index % 3];
        tokio::spawn(call(client.clone(), place, consumer))
    });
    let calls: Vec<_> = calls.collect();
    tokio::time::sleep(BEFORE).await;
    let before = decisions(&gateways).await;
    let mut served = 0;
    for call in calls {
        served += call.await.unwrap();
    }
    let after = decisions(&gateways).await;
    let [waited, at_once] = [0, 1].map(|which| after[which] - before[which]);
    println!(
        "{} calls a second: {waited} waited, {at_once} did not",
        served / WATCHED.as_secs()
    );
    // How often the store is asked goes by time: a machine that cannot keep up asks as often for
    // fewer calls.
    let meant = CALLERS as u128 * (WATCHED.as_millis() / EVERY.as_millis());
    assert!(
        waited * 20.0 <= meant as f64,
        "{waited} of {meant} waited, {at_once} did not"
    );
}
