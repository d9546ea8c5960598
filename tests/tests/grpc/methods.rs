//! What can be called at an upstream, as its server says by reflection.

use bytes::Bytes;
use tokio::net::{TcpListener, TcpStream};
use weir_tests::grpc::Server;
use weir_tests::{Gateway, cli, rpc};

use super::config;

async fn methods(gateway: &Gateway, more: &[&str]) -> cli::Output {
    let admin = gateway.url("admin");
    let mut arguments = vec!["grpc", "methods", "--admin", &admin];
    arguments.extend(more);
    let arguments: Vec<_> = arguments.into_iter().map(str::to_owned).collect();
    let ran = tokio::task::spawn_blocking(move || cli::run(&arguments));
    ran.await.unwrap()
}

#[tokio::test]
async fn methods_are_listed_with_their_types() {
    for server in [Server::start().await, Server::start_v1alpha().await] {
        let (gateway, _) = super::gateway(server.addr(), "", "").await;
        let output = methods(&gateway, &["--upstream", "up"]).await;
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        for line in [
            "grpc.testing.TestService",
            "  UnaryCall(grpc.testing.SimpleRequest) returns (grpc.testing.SimpleResponse)",
            "  FullDuplexCall(stream grpc.testing.StreamingOutputCallRequest) returns (stream grpc.testing.StreamingOutputCallResponse)",
            "grpc.health.v1.Health",
        ] {
            let mut lines = output.stdout.lines();
            assert!(lines.any(|one| one == line), "{line}: {}", output.stdout);
        }
    }
}

#[tokio::test]
async fn who_cannot_be_asked_is_told() {
    let server = rpc::Server::start().await;
    let (gateway, _) = super::gateway(server.addr(), "", "").await;
    let answer = gateway.admin("/upstreams/nobody/methods").await;
    assert_eq!(
        (answer.status, &answer.json()["hint"]),
        (404, &"the upstreams are up".into())
    );
    // It answers whatever is asked, and has no reflection.
    let output = methods(&gateway, &["--upstream", "up"]).await;
    assert_eq!(output.code, Some(1));
    assert!(
        output.stderr.contains("grpc.reflection.v1"),
        "{}",
        output.stderr
    );
    drop(gateway);

    let old = weir_tests::Upstream::refusing();
    let yaml = config(old.addr(), "", "", "");
    let gateway = Gateway::start(&yaml).await;
    let answer = gateway.admin("/upstreams/up/methods").await;
    assert_eq!(answer.status, 502);
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.starts_with(&old.addr().to_string()), "{detail}");
}

/// Knows no method, and says so before it reads what it is asked: its window stays shut.
async fn know_nothing(tcp: TcpStream) -> Result<(), h2::Error> {
    let mut server = h2::server::Builder::new();
    let server = server.initial_window_size(0).handshake::<_, Bytes>(tcp);
    let mut connection = server.await?;
    while let Some(request) = connection.accept().await {
        let (_question, mut answer) = request?;
        let unimplemented = http::Response::builder().header("grpc-status", 12).body(());
        answer.send_response(unimplemented.unwrap(), true)?;
    }
    Ok(())
}

#[tokio::test]
async fn a_server_that_answers_before_it_reads_is_heard() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            tokio::spawn(know_nothing(tcp));
        }
    });
    let (gateway, _) = super::gateway(address, "", "").await;
    let output = methods(&gateway, &["--upstream", "up"]).await;
    assert!(
        output.stderr.contains("no server reflection"),
        "{}",
        output.stderr
    );
}
