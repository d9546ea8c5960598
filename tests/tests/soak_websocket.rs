//! Autobahn's 216 cases of compressed WebSockets through the gateway, size by size as long as
//! `WEIR_SOAK_SECONDS` (60 unless said) last, the smaller messages first: all take some minutes.

#![expect(clippy::print_stdout, reason = "the counts are wanted in the output")]

use std::time::{Duration, Instant};

use weir_tests::autobahn;

/// How many sizes of messages and fragments there are, the last number of a case's name.
const SIZES: usize = 18;

/// With each size: the five kinds of data, and the seven offers.
const EACH: usize = 12;

#[tokio::test(flavor = "multi_thread")]
async fn no_compressed_message_is_lost_or_changed() {
    let seconds = std::env::var("WEIR_SOAK_SECONDS").map_or(60, |text| {
        text.parse().expect("WEIR_SOAK_SECONDS is a number")
    });
    let (began, duration) = (Instant::now(), Duration::from_secs(seconds));
    let (_server, upstream) = autobahn::compressing_echo().await;
    let gateway = autobahn::gateway(upstream).await;
    for size in 1..=SIZES {
        if began.elapsed() > duration {
            println!("the time is over before the cases of size {size} of {SIZES}");
            break;
        }
        // Without its end, a pattern is what a name begins with.
        let cases = [format!("12.*.{size}$"), format!("13.*.{size}$")];
        let cases = cases.each_ref().map(String::as_str);
        let results = autobahn::run(gateway.addr("public"), &cases);
        assert_eq!(results.len(), EACH, "{cases:?}");
        let failed = autobahn::failed(&results);
        assert!(failed.is_empty(), "{failed:#?}");
        println!("{EACH} cases of size {size}, after {:?}", began.elapsed());
    }
}
