//! The state of health, and probes against servers in this process.

use tokio::io::duplex;
use tokio::net::TcpListener;

use super::*;

/// Far longer than any of these tests takes.
const LONG: Duration = Duration::from_secs(30);
/// For waits that never end by themselves.
const SHORT: Duration = Duration::from_millis(20);

fn health(healthy_after: u32, unhealthy_after: u32) -> Health {
    let settings = Settings {
        healthy_after,
        unhealthy_after,
    };
    Health::resume(settings, true)
}

#[test]
fn an_endpoint_is_healthy_until_enough_probes_in_a_row_fail() {
    let health = health(2, 3);
    assert!(health.is_healthy());
    assert_eq!(health.observe(false), None);
    assert_eq!(health.observe(false), None);
    assert_eq!(health.observe(true), None); // breaks the row
    assert_eq!(health.observe(false), None);
    assert_eq!(health.observe(false), None);
    assert!(health.is_healthy());
    assert_eq!(health.observe(false), Some(Transition::Unhealthy));
    assert!(!health.is_healthy());
    assert_eq!(health.observe(false), None); // no news
}

#[test]
fn it_comes_back_after_enough_probes_in_a_row_succeed() {
    let health = health(2, 1);
    assert_eq!(health.observe(false), Some(Transition::Unhealthy));
    assert_eq!(health.observe(true), None);
    assert_eq!(health.observe(false), None); // breaks the row
    assert_eq!(health.observe(true), None);
    assert!(!health.is_healthy());
    assert_eq!(health.observe(true), Some(Transition::Healthy));
    assert!(health.is_healthy());
}

#[test]
fn what_was_believed_can_be_resumed() {
    let health = Health::resume(health(1, 1).settings, false);
    assert!(!health.is_healthy());
    assert_eq!(health.observe(true), Some(Transition::Healthy));
}

#[test]
fn zero_is_taken_as_one() {
    let health = health(0, 0);
    assert_eq!(health.observe(true), None);
    assert_eq!(health.observe(false), Some(Transition::Unhealthy));
    assert_eq!(health.observe(true), Some(Transition::Healthy));
}

/// A port on which nobody listens.
async fn deserted() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    listener.local_addr().expect("an address")
}

/// Probes a server that reads a whole request, answers byte by byte and closes; returns the
/// request with the verdict.
async fn asked(answer: &[u8]) -> (String, Result<(), String>) {
    let (ours, mut theirs) = duplex(64);
    let server = async {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(theirs.read_u8().await.expect("a whole request"));
        }
        for byte in answer {
            // the probe may have seen enough
            if theirs.write_all(&[*byte]).await.is_err() {
                break;
            }
        }
        drop(theirs);
        String::from_utf8(request).expect("text")
    };
    tokio::join!(
        server,
        http_over(ours, "orders.example.com", "/healthz?a=b", 200..=299, LONG)
    )
}

#[tokio::test]
async fn the_request_is_a_plain_get_on_a_connection_of_its_own() {
    let (request, verdict) = asked(b"HTTP/1.1 204 No Content\r\n\r\n").await;
    assert_eq!(verdict, Ok(()));
    assert!(request.starts_with("GET /healthz?a=b HTTP/1.1\r\nHost: orders.example.com\r\n"));
    assert!(request.contains("\r\nConnection: close\r\n"));
}

#[tokio::test]
async fn a_status_in_the_range_is_well_and_nothing_after_the_status_line_matters() {
    for answer in [
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.0 299 \r\ngarbage",
        "HTTP/1.1 200\r\n",
        "HTTP/1.1 200\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\nshort",
    ] {
        assert_eq!(asked(answer.as_bytes()).await.1, Ok(()), "{answer:?}");
    }
}

#[tokio::test]
async fn other_answers_are_named() {
    let long = [b"HTTP/1.1 200 ".as_slice(), &[b'x'; 4096]].concat();
    let cases: [(&[u8], &str); 9] = [
        (
            b"HTTP/1.1 503 Service Unavailable\r\n",
            "answered 503, expected 200 to 299",
        ),
        (b"HTTP/1.1 199 Low\r\n", "answered 199"),
        (b"HTTP/1.1 2000 Long\r\n", "not HTTP/1.1"),
        (b"HTTP/1.1 20\r\n", "not HTTP/1.1"),
        (b"HTTP/2 200\r\n", "not HTTP/1.1"),
        (b"SSH-2.0-\xffOpenSSH\r\n", r"SSH-2.0-\xffOpenSSH"),
        (b"", "closed before"),
        (b"HTTP/1.1 200 OK", "closed before"),
        (&long, "no end of the status line"),
    ];
    for (answer, expected) in cases {
        let error = asked(answer).await.1.expect_err("not well");
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_single_expected_status_is_named_as_one() {
    let (ours, mut theirs) = duplex(1024);
    theirs
        .write_all(b"HTTP/1.1 200 OK\r\n")
        .await
        .expect("room");
    let error = http_over(ours, "a", "/", 204..=204, LONG).await;
    assert_eq!(error, Err("answered 200, expected 204".to_owned()));
}

#[tokio::test]
async fn a_host_or_path_that_would_change_the_request_is_not_sent() {
    let cases = [
        ("a\r\nX: y", "/"),
        ("a b", "/"),
        ("", "/"),
        ("a", "/ HTTP/1.1\r\nX: y"),
        ("a", "healthz"),
        ("a", ""),
        ("a", "/\u{e4}"),
    ];
    for (host, path) in cases {
        let (ours, mut theirs) = duplex(1024);
        let error = http_over(ours, host, path, 200..=299, LONG).await;
        assert!(error.expect_err("refused").contains("cannot be sent"));
        let mut sent = Vec::new();
        theirs.read_to_end(&mut sent).await.expect("the end");
        assert!(sent.is_empty());
    }
}

#[tokio::test]
async fn silence_is_an_error_after_the_timeout() {
    let (ours, _theirs) = duplex(1024);
    let error = http_over(ours, "a", "/", 200..=299, SHORT).await;
    assert!(
        error
            .expect_err("silence")
            .contains("no status line within 20ms")
    );

    // accepted by the system's backlog, and never read
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = listener.local_addr().expect("an address");
    assert_eq!(tcp(addr, LONG).await, Ok(()));
}

#[tokio::test]
async fn a_refused_connection_names_the_address() {
    let addr = deserted().await;
    let error = tcp(addr, LONG).await.expect_err("nobody listens");
    assert!(error.contains(&addr.to_string()), "{error}");
}
