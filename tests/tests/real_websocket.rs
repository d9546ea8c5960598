//! Autobahn's cases of WebSocket of a real server: past the gateway and through it. What is well past it
//! has to be well through it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::accept_async;
use weir_tests::autobahn;

/// All but those of compression (12 and 13), which the server does not offer.
const PLAIN: [&str; 9] = [
    "1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*",
];

/// Of those of compression: messages of each size, whole and in fragments; of each kind of data, and
/// with each of the offers, small ones whole and in fragments. `make soak` runs all 216.
const COMPRESSED: [&str; 5] = ["12.1.*", "12.*.4", "12.*.11", "13.*.4", "13.*.11"];

/// A server that sends every message back.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            tokio::spawn(serve(tcp));
        }
    });
    address
}

/// Until the client is gone or has done what it must not, which most of the cases are about.
async fn serve(tcp: TcpStream) {
    let Ok(mut socket) = accept_async(tcp).await else {
        return;
    };
    while let Some(Ok(message)) = socket.next().await {
        let echoed = message.is_text() || message.is_binary();
        if echoed && socket.send(message).await.is_err() {
            return;
        }
    }
}

/// Runs these cases, which are so many, past the gateway and through it.
async fn compare(upstream: SocketAddr, cases: &[&str], count: usize) {
    let gateway = autobahn::gateway(upstream).await;
    for (way, address) in [("past", upstream), ("through", gateway.addr("public"))] {
        let results = autobahn::run(address, cases);
        assert_eq!(results.len(), count, "{way} it");
        // Past it, there would be nothing to lose.
        let failed = autobahn::failed(&results);
        assert!(failed.is_empty(), "{way} it: {failed:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_case_fails_only_through_the_gateway() {
    compare(echo().await, &PLAIN, 301).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_does_one_of_compression() {
    let (_server, upstream) = autobahn::compressing_echo().await;
    compare(upstream, &COMPRESSED, 40).await;
}
