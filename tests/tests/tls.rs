//! TLS end to end: certificates by name, protocols by ALPN, client certificates, and upstreams
//! whose certificates are verified.

use std::net::SocketAddr;

use http::Request;
use weir_telemetry::Code;
use weir_tests::tls::{Authority, Client, Validity};
use weir_tests::upstream::http2;
use weir_tests::wire::{self, Connection};
use weir_tests::{Behaviour, Gateway, Upstream};

const GET: &str = "GET /p HTTP/1.1\r\nHost: one.test\r\n\r\n";

/// A gateway with two certificates, in the order one.test (which also serves clients that name
/// nobody), two.test; `more` goes into the listener's `tls`.
async fn listening(authority: &Authority, upstream: SocketAddr, more: &str) -> Gateway {
    let one = authority.issue(&["one.test"], Validity::Current);
    let two = authority.issue(&["*.two.test"], Validity::Current);
    let yaml = format!(
        r#"
version: 1
listeners:
  - name: secure
    address: "127.0.0.1:0"
    tls:
      certificates:
        - {{ cert: ../one.pem, key: ../one.key }}
        - {{ cert: ../two.pem, key: ../two.key, hosts: ["*.two.test"] }}
      {more}
metrics: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
upstreams: [{{ name: up, endpoints: [{{ address: "{upstream}" }}] }}]
routes: [{{ name: all, forward: {{ backends: [{{ upstream: up }}] }} }}]
"#
    );
    Gateway::builder(&yaml)
        .file("one.pem", &one.certificate)
        .file("one.key", &one.key)
        .file("two.pem", &two.certificate)
        .file("two.key", &two.key)
        .file("ca.pem", authority.pem())
        .start()
        .await
}

fn client<'a>(authority: &'a Authority, name: &'a str, protocols: &'a [&'a str]) -> Client<'a> {
    Client {
        name,
        authority: Some(authority.pem()),
        protocols,
        identity: None,
    }
}

#[tokio::test]
async fn the_certificate_is_chosen_by_the_name_asked_for() {
    let authority = Authority::new();
    let upstream = Upstream::start(Behaviour::echo()).await;
    let gateway = listening(&authority, upstream.addr(), "").await;
    let address = gateway.addr("secure");
    for name in ["one.test", "api.two.test", "API.Two.test"] {
        // The client checks that the certificate is for the name.
        let mut connection = Connection::open_tls(address, &client(&authority, name, &[]))
            .await
            .unwrap();
        connection.send(GET).await.unwrap();
        assert_eq!(connection.response().await.status, 200, "{name}");
    }
    let stranger = Connection::open_tls(address, &client(&authority, "three.test", &[])).await;
    assert!(
        stranger.unwrap_err().contains("verify failed"),
        "the first serves unknown names"
    );
    let seen = &upstream.requests()[0];
    assert_eq!(seen.header("x-forwarded-proto"), Some("https"));
    let line = gateway.wait_for_log(|line| line["url.path"] == "/p").await;
    assert_eq!(line["url.scheme"], "https");
}

#[tokio::test]
async fn http2_and_http1_are_agreed_by_alpn() {
    let authority = Authority::new();
    let upstream = Upstream::start(Behaviour::echo()).await;
    let gateway = listening(&authority, upstream.addr(), "").await;
    let address = gateway.addr("secure");
    for (name, offered, agreed) in [
        ("one.test", &["h2", "http/1.1"][..], Some(&b"h2"[..])),
        ("a.two.test", &["h2", "http/1.1"], Some(b"h2")),
        ("one.test", &["http/1.1"], Some(b"http/1.1")),
        ("one.test", &["unheard-of"], None),
        ("one.test", &[], None),
    ] {
        let connection = Connection::open_tls(address, &client(&authority, name, offered))
            .await
            .unwrap();
        let (stream, _) = connection.into_parts();
        assert_eq!(stream.alpn(), agreed, "{name} {offered:?}");
        if agreed != Some(b"h2") {
            continue;
        }
        let (mut send, driver) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(driver);
        let request = Request::get(format!("https://{name}/h2")).body(()).unwrap();
        let (response, _) = send.send_request(request, true).unwrap();
        assert_eq!(response.await.unwrap().status(), 200);
        let seen = upstream.requests().pop().unwrap();
        assert_eq!(
            (seen.header("host"), seen.target.as_str()),
            (Some(name), "/h2")
        );
    }
    // Who agreed on nothing speaks HTTP/1; the preface is no request there.
    let mut connection = Connection::open_tls(address, &client(&authority, "one.test", &[]))
        .await
        .unwrap();
    connection
        .send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    let refused = connection.response().await;
    assert_eq!(
        refused.header("weir-error"),
        Some(Code::RequestHeadMalformed.slug())
    );
}

#[tokio::test]
async fn a_malformed_head_under_tls_is_answered_before_the_close() {
    let authority = Authority::new();
    let upstream = Upstream::start(Behaviour::echo()).await;
    let gateway = listening(&authority, upstream.addr(), "").await;
    let address = gateway.addr("secure");
    let mut connection = Connection::open_tls(address, &client(&authority, "one.test", &[]))
        .await
        .unwrap();
    connection
        .send("GET /bad HTTP/1.1\nHost: a\r\n\r\n")
        .await
        .unwrap();
    let refused = connection.response().await;
    assert_eq!((refused.status, refused.closed), (400, true));
    assert_eq!(
        refused.header("weir-error"),
        Some(Code::RequestHeadMalformed.slug())
    );
    let slug = Code::RequestHeadMalformed.slug();
    let line = gateway
        .wait_for_log(|line| line["error.type"] == slug)
        .await;
    assert_eq!(line["url.scheme"], "https");
    // A plain request on a TLS port is no handshake; the port goes on serving.
    let mut plain = Connection::open(address).await;
    plain.send(GET).await.unwrap();
    plain.read_to_close().await;
    assert!(
        Connection::open_tls(address, &client(&authority, "one.test", &[]))
            .await
            .is_ok()
    );
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn where_a_client_authority_is_set_every_client_shows_a_certificate() {
    let authority = Authority::new();
    let upstream = Upstream::start(Behaviour::echo()).await;
    let gateway = listening(&authority, upstream.addr(), "client_ca: ../ca.pem").await;
    let address = gateway.addr("secure");
    let known = authority.issue(&["client"], Validity::Current);
    let stranger = Authority::new().issue(&["client"], Validity::Current);
    let expired = authority.issue(&["client"], Validity::Expired);
    for name in ["one.test", "a.two.test"] {
        for (identity, admitted) in [
            (Some(&known), true),
            (None, false),
            (Some(&stranger), false),
            (Some(&expired), false),
        ] {
            let client = Client {
                identity,
                ..client(&authority, name, &[])
            };
            // With TLS 1.3 a client learns only from its first read that it was refused.
            let answered = match Connection::open_tls(address, &client).await {
                Ok(mut connection) => {
                    let _ = connection.send(GET).await;
                    connection.try_response_to("GET").await.is_ok()
                }
                Err(_) => false,
            };
            assert_eq!(answered, admitted, "{name}");
        }
    }
    assert_eq!(upstream.requests().len(), 2);
}

/// A gateway that speaks TLS to an upstream.
async fn towards(
    upstream: SocketAddr,
    protocol: &str,
    tls: &str,
    files: &[(&str, &str)],
) -> Gateway {
    let yaml = format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
upstreams:
  - {{ name: up, endpoints: [{{ address: "{upstream}" }}], protocol: {protocol}, tls: {{ {tls} }} }}
routes: [{{ name: all, forward: {{ backends: [{{ upstream: up }}] }} }}]
"#
    );
    let mut builder = Gateway::builder(&yaml);
    for (name, contents) in files {
        builder = builder.file(name, contents);
    }
    builder.start().await
}

#[tokio::test]
async fn an_upstream_with_a_valid_certificate_is_called() {
    let authority = Authority::new();
    let ca = [("ca.pem", authority.pem())];
    let certificate = authority.issue(&["orders.internal"], Validity::Current);
    let tls = "ca: ../ca.pem, sni: orders.internal";
    let old = Upstream::tls(&certificate, [Behaviour::echo()]).await;
    let new = http2::Upstream::tls(&certificate, http2::Behaviour::Echo).await;
    for (address, protocol, version) in [
        (old.addr(), "http1", "HTTP/1.1"),
        (new.addr(), "http2", "HTTP/2"),
    ] {
        let gateway = towards(address, protocol, tls, &ca).await;
        for _ in 0..2 {
            let answer = wire::request(gateway.addr("public"), "POST", "/", &[], "abc").await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(answer.json()["version"], version);
            assert_eq!(answer.json()["body"], "abc");
        }
    }
    assert_eq!((old.connections(), new.connections()), (1, 1));
}

#[tokio::test]
async fn an_upstream_whose_certificate_does_not_hold_is_never_asked() {
    let authority = Authority::new();
    let ca = [("ca.pem", authority.pem())];
    let good = authority.issue(&["orders.internal"], Validity::Current);
    let expired = authority.issue(&["orders.internal"], Validity::Expired);
    let foreign = Authority::new().issue(&["orders.internal"], Validity::Current);
    for (what, certificate, tls) in [
        ("wrong name", &good, "ca: ../ca.pem, sni: other.internal"),
        ("expired", &expired, "ca: ../ca.pem, sni: orders.internal"),
        (
            "another authority",
            &foreign,
            "ca: ../ca.pem, sni: orders.internal",
        ),
        ("not one of the system's", &good, "sni: orders.internal"),
    ] {
        let upstream = Upstream::tls(certificate, [Behaviour::echo()]).await;
        let gateway = towards(upstream.addr(), "http1", tls, &ca).await;
        let answer = wire::get(gateway.addr("public"), "/").await;
        let code = Code::TlsCertificateError;
        assert_eq!(
            answer.header("weir-error"),
            Some(code.slug()),
            "{what}: {}",
            answer.text()
        );
        assert_eq!(answer.status, code.status(), "{what}");
        let line = gateway
            .wait_for_log(|line| line["error.type"] == code.slug())
            .await;
        assert_eq!(line["weir.fault"], "upstream");
        assert!(upstream.requests().is_empty(), "{what}");

        // Unless told not to look.
        let gateway = towards(
            upstream.addr(),
            "http1",
            &format!("{tls}, verify: false"),
            &ca,
        )
        .await;
        assert_eq!(
            wire::get(gateway.addr("public"), "/").await.status,
            200,
            "{what}"
        );
    }
}

#[tokio::test]
async fn an_upstream_that_speaks_no_tls_or_not_http2_has_codes_of_its_own() {
    let authority = Authority::new();
    let ca = [("ca.pem", authority.pem())];
    let plain =
        Upstream::start(Behaviour::garbage().at(weir_tests::upstream::When::Connected)).await;
    let gateway = towards(plain.addr(), "http1", "ca: ../ca.pem, sni: a.test", &ca).await;
    let answer = wire::get(gateway.addr("public"), "/").await;
    assert_eq!(
        answer.header("weir-error"),
        Some(Code::TlsProtocolError.slug()),
        "{}",
        answer.text()
    );

    let certificate = authority.issue(&["a.test"], Validity::Current);
    let old = Upstream::tls(&certificate, [Behaviour::echo()]).await;
    let gateway = towards(old.addr(), "http2", "ca: ../ca.pem, sni: a.test", &ca).await;
    let answer = wire::get(gateway.addr("public"), "/").await;
    assert_eq!(
        answer.header("weir-error"),
        Some(Code::HttpProtocolError.slug())
    );
    assert!(old.requests().is_empty());
}

#[tokio::test]
async fn when_a_certificate_expires_is_told_by_the_file_it_came_from() {
    let authority = Authority::new();
    let upstream = Upstream::start(Behaviour::echo()).await;
    let gateway = listening(&authority, upstream.addr(), "").await;
    let text = gateway.metrics().await;
    let name = "weir_tls_certificate_expiry_timestamp_seconds{";
    let told: Vec<_> = text.lines().filter(|line| line.starts_with(name)).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    let now = std::time::SystemTime::now();
    let now = now
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970");
    for (line, file) in told.iter().zip(["one.pem", "two.pem"]) {
        assert!(
            line.contains("listener=\"secure\"") && line.contains(file),
            "{line}"
        );
        let (_, expiry) = line.rsplit_once(' ').expect("a value");
        let expiry: f64 = expiry.parse().expect("a number");
        assert!(expiry > now.as_secs_f64(), "{line}: it is current");
    }
}
