//! The commands, as a person types them: what they print and how they end.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use weir_tests::cli::{self, Output};
use weir_tests::scratch::Scratch;
use weir_tests::tls::{Authority, Validity};
use weir_tests::{Behaviour, Gateway, Upstream, wire};

const GOOD: &str = r#"version: 1
listeners: [{ name: public, address: "127.0.0.1:0" }]
upstreams: [{ name: orders, endpoints: [{ address: "127.0.0.1:9001" }] }]
routes:
  - name: orders
    hosts: [shop.example.com]
    matches: [{ path: { template: "/orders/{id}" }, methods: [GET] }]
    policies: [{ kind: ip_restriction, allow: [10.0.0.0/8] }]
    forward: { backends: [{ upstream: orders }] }
"#;

fn weir(arguments: &[&str]) -> Output {
    cli::run(arguments)
}

fn with_file(text: &str, arguments: impl Fn(&str) -> Output) -> Output {
    let dir = Scratch::new("cli");
    arguments(dir.write("weir.yaml", text).to_str().unwrap())
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

#[test]
fn usage_ends_with_2_and_help_with_0() {
    for wrong in [
        &["frobnicate"][..],
        &["run"],
        &["route", "GET"],
        &["check"],
        &["key"],
        &["run", "--colour"],
    ] {
        let output = weir(wrong);
        assert_eq!(output.code, Some(2), "{wrong:?}");
        assert!(
            output.stderr.contains("Usage: weir"),
            "{wrong:?}: {}",
            output.stderr
        );
    }
    let help = weir(&["--help"]);
    assert_eq!(help.code, Some(0));
    for command in ["run", "check", "route", "diff", "key", "schema", "demo"] {
        let line = help
            .stdout
            .lines()
            .find(|l| l.trim_start().starts_with(command));
        assert!(
            line.is_some_and(|l| l.trim().len() > command.len() + 10),
            "{command}: {}",
            help.stdout
        );
        let own = weir(&[command, "--help"]);
        assert_eq!(
            (own.code, own.stdout.contains("Usage: weir ")),
            (Some(0), true),
            "{command}"
        );
    }
    assert!(help.stdout.contains("Exit codes"));
    let version = weir(&["--version"]);
    assert_eq!(version.code, Some(0));
    assert!(version.stdout.starts_with("weir 0."), "{}", version.stdout);
}

#[test]
fn check_prints_every_fault_at_once() {
    let bad = GOOD
        .replace("upstream: orders", "upstream: ordrs")
        .replace("10.0.0.0/8", "10.0.0.0/99")
        .replace("hosts: [shop", "hosts: [\"shop shop\", shop");
    let checked = with_file(&bad, |file| weir(&["check", file]));
    assert_eq!(checked.code, Some(1));
    for fault in [
        "routes[0].forward.backends[0].upstream: no upstream named \"ordrs\"; did you mean \"orders\"?",
        "routes[0].policies[0].allow[0]: ",
        "routes[0].hosts[0]: ",
        "3 faults",
    ] {
        assert!(
            checked.stderr.contains(fault),
            "{fault}: {}",
            checked.stderr
        );
    }
    assert_eq!(checked.stdout, "");
}

#[test]
fn check_warns_of_a_route_that_nobody_authenticates_or_meters() {
    let checked = with_file(GOOD, |file| weir(&["check", file]));
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    assert!(
        checked.stderr.contains("warning: ") && checked.stderr.contains("routes[0]"),
        "{}",
        checked.stderr
    );
    assert!(
        checked.stdout.contains("is good: 1 route, 1 listener"),
        "{}",
        checked.stdout
    );
    let missing = weir(&["check", "/nowhere/at/all.yaml"]);
    assert_eq!(missing.code, Some(1));
    assert!(
        missing.stderr.contains("/nowhere/at/all.yaml"),
        "{}",
        missing.stderr
    );
}

#[test]
fn run_refuses_a_bad_configuration_like_check() {
    let bad = GOOD.replace("upstream: orders", "upstream: ordrs");
    let ran = with_file(&bad, |file| weir(&["run", "--config", file]));
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stderr.contains("did you mean \"orders\"?"),
        "{}",
        ran.stderr
    );
}

#[test]
fn route_tells_which_why_and_what_runs() {
    let route = |method: &'static str, url: &'static str| {
        with_file(GOOD, move |file| {
            weir(&["route", "--config", file, method, url])
        })
    };
    let found = route("GET", "http://shop.example.com/orders/7");
    assert_eq!(found.code, Some(0), "{}", found.stderr);
    for word in ["orders", "id", "7", "ip_restriction", "forward"] {
        assert!(found.stdout.contains(word), "{word}: {}", found.stdout);
    }
    for (method, url, why) in [
        (
            "POST",
            "http://shop.example.com/orders/7",
            "the method POST is not among GET",
        ),
        ("POST", "http://shop.example.com/orders/7", "405"),
        ("GET", "http://elsewhere.example.com/orders/7", "404"),
        ("GET", "http://shop.example.com/nothing", "404"),
    ] {
        let refused = route(method, url);
        assert_eq!(refused.code, Some(1), "{method} {url}: {}", refused.stdout);
        let said = refused.stdout + &refused.stderr;
        assert!(said.contains(why), "{why}: {said}");
    }
}

#[test]
fn diff_tells_what_changes_and_what_a_reload_refuses() {
    let dir = Scratch::new("cli");
    let old = dir.write("old.yaml", GOOD);
    let new = GOOD
        .replace("10.0.0.0/8", "10.0.0.0/9")
        .replace("address: \"127.0.0.1:0\"", "address: \"127.0.0.1:1\"");
    let new = dir.write("new.yaml", new);
    let told = weir(&["diff", old.to_str().unwrap(), new.to_str().unwrap()]);
    let said = format!("{}{}", told.stdout, told.stderr);
    assert!(
        said.contains("routes \"orders\" changed: policies[0].allow[0]"),
        "{said}"
    );
    assert!(
        said.contains("listeners \"public\"") && said.contains("restart or upgrade"),
        "{said}"
    );
    assert_eq!(told.code, Some(1));
    let same = weir(&["diff", old.to_str().unwrap(), old.to_str().unwrap()]);
    assert_eq!(same.code, Some(0), "{}", same.stderr);
}

#[tokio::test]
async fn a_new_key_opens_what_its_yaml_guards() {
    let made = weir(&["key", "new", "--consumer", "ci"]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let (key, yaml) = made.stdout.split_once("\n\n").unwrap();
    assert!(!yaml.contains(key));
    assert_ne!(weir(&["key", "new"]).stdout.lines().next(), Some(key));
    let gateway = Gateway::start(&format!(
        "version: 1\nlisteners: [{{ name: public, address: \"127.0.0.1:0\" }}]\nserver: {{ data_dir: \"${{DATA_DIR}}\" }}\nroutes: [{{ name: r, policies: [{{ kind: key_auth }}], respond: {{ body: in }} }}]\n{yaml}"
    ))
    .await;
    let ask = async |key: &str| {
        let header = format!("X-Api-Key: {key}");
        wire::request(gateway.addr("public"), "GET", "/", &[&header], b"").await
    };
    assert_eq!(ask(key).await.text(), "in");
    assert_eq!(
        ask(&key.to_lowercase()).await.header("weir-error"),
        Some("credential_invalid")
    );
}

#[test]
fn the_schema_is_the_committed_one() {
    let printed = weir(&["schema"]);
    assert_eq!(printed.code, Some(0));
    let committed = std::fs::read_to_string(repository().join("docs/schema.json")).unwrap();
    assert!(
        printed.stdout == committed,
        "docs/schema.json is not what `weir schema` prints"
    );
}

#[test]
fn the_service_that_callers_compile_is_printed() {
    let printed = weir(&["grpc", "proto"]);
    assert_eq!(printed.code, Some(0));
    let file = repository().join("gateway/proto/weir/events/v1/events.proto");
    assert_eq!(printed.stdout, std::fs::read_to_string(file).unwrap());
}

/// Each of `examples/`, with what its first lines ask for, on ports of its own.
#[tokio::test]
async fn every_example_is_good_and_boots() {
    let upstream = Upstream::start(Behaviour::echo()).await;
    let authority = Authority::new();
    let dir = Scratch::new("examples");
    let certificate = authority.issue(&["api.example.com", "localhost"], Validity::Current);
    let (cert, key) = certificate.write(dir.path(), "server");
    let ca = authority.write(dir.path(), "ca");
    let services = dir.path().join("orders.binpb");
    std::fs::write(&services, tonic_health::pb::FILE_DESCRIPTOR_SET).unwrap();
    let address = upstream.addr().to_string();
    let url = upstream.url("/v1");
    let environment = [
        ("ORDERS", &*address),
        ("ORDERS_BINPB", services.to_str().unwrap()),
        ("SHOP", &address),
        ("ART", &address),
        ("KAFKA", &address),
        ("KAFKA_PASSWORD", "example"),
        ("OPENAI_BASE_URL", &url),
        ("ANTHROPIC_BASE_URL", &url),
        ("ANTHROPIC_API_KEY", "an-example-key-of-another"),
        ("OPENAI_API_KEY", "sk-example"),
        ("OPENAI_API_KEY_2", "sk-example"),
        ("TLS_CERT", cert.to_str().unwrap()),
        ("TLS_KEY", key.to_str().unwrap()),
        ("TLS_CA", ca.to_str().unwrap()),
    ];
    let mut booted = 0;
    for example in std::fs::read_dir(repository().join("examples")).unwrap() {
        let example = example.unwrap().path();
        let checked = cli::run_with(&["check", example.to_str().unwrap()], &environment);
        assert_eq!(
            checked.code,
            Some(0),
            "{}: {}",
            example.display(),
            checked.stderr
        );
        let builder = Gateway::builder("").directory();
        let config = builder.dir().join("config");
        std::fs::remove_file(config.join("weir.yaml")).unwrap();
        let files = match example.is_dir() {
            true => std::fs::read_dir(&example)
                .unwrap()
                .map(|f| f.unwrap().path())
                .collect(),
            false => vec![example.clone()],
        };
        for file in files {
            let text = on_free_ports(&std::fs::read_to_string(&file).unwrap());
            std::fs::write(config.join(file.file_name().unwrap()), text).unwrap();
        }
        let builder = environment
            .iter()
            .fold(builder, |b, (name, value)| b.env(name, value));
        let gateway = builder.start().await;
        assert_eq!(
            wire::get(gateway.addr("metrics"), "/readyz").await.status,
            200
        );
        assert_eq!(
            gateway.stop().await.code(),
            Some(0),
            "{}",
            example.display()
        );
        booted += 1;
    }
    assert!(booted >= 5, "{booted}");
}

/// The text with every address it listens on at port 0 of loopback.
fn on_free_ports(text: &str) -> String {
    let line = |line: &str| {
        let listens = ["0.0.0.0:", "127.0.0.1:", "\"[::]:"];
        let found = listens.iter().find_map(|ip| {
            let at = line.find(&format!("address: {ip}"))?;
            (!line[..at].contains("endpoints")).then_some((at, ip.len()))
        });
        let Some((at, length)) = found else {
            return line.to_owned();
        };
        let (start, rest) = line.split_at(at + "address: ".len() + length);
        let port = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let ip = start.len() - length;
        format!("{}127.0.0.1:0{}", &start[..ip], &rest[port..])
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n") + "\n"
}
