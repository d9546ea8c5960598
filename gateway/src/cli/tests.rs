//! What each command prints, and how it ends.

use std::fs;
use std::path::PathBuf;

use clap::{CommandFactory, Parser};
use sha2::{Digest, Sha256};

use super::{Arguments, Terminal, conclude, dispatch};

/// What a command printed, and its exit code.
struct Ran {
    out: String,
    err: String,
    code: u8,
}

fn weir(arguments: &[&str]) -> Ran {
    let arguments = Arguments::try_parse_from([&["weir"], arguments].concat()).expect("good usage");
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut terminal = Terminal {
        out: &mut out,
        err: &mut err,
    };
    let outcome = dispatch(arguments.command, &mut terminal);
    let code = conclude(outcome, &mut terminal);
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Ran {
        out: text(out),
        err: text(err),
        code,
    }
}

/// A configuration file that is gone when the test ends.
struct File(PathBuf);

impl File {
    fn new(name: &str, yaml: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("weir-cli-{name}-{}.yaml", std::process::id()));
        fs::write(&path, format!("version: 1\n{yaml}")).expect("a file");
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("a path in UTF-8")
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

const SHOP: &str = "
listeners: [{ name: public, address: 127.0.0.1:8080 }]
upstreams: [{ name: orders, endpoints: [{ address: 127.0.0.1:9001 }] }]
policies: { enforced: [{ kind: request_size, max: 1MiB }] }
routes:
- name: order
  hosts: [shop.example.com]
  matches: [{ path: { template: '/orders/{id}' }, methods: [GET] }]
  policies: [{ kind: key_auth }]
  forward: { backends: [{ upstream: orders }] }
- { name: open, matches: [{ path: { prefix: /open } }], forward: { backends: [{ upstream: orders }] } }
";

#[test]
fn the_arguments_are_consistent() {
    Arguments::command().debug_assert();
}

#[test]
fn wrong_usage_is_2_and_help_is_0() {
    for (arguments, code) in [
        (&["weir", "check"][..], 2),
        (&["weir", "run"], 2),
        (&["weir", "chekc", "x"], 2),
        (&["weir", "route", "GET", "/"], 2),
        (&["weir", "route", "G T", "/", "--config", "x"], 2),
        (&["weir", "--help"], 0),
        (&["weir", "--version"], 0),
    ] {
        let error = Arguments::try_parse_from(arguments).expect_err("the process ends here");
        assert_eq!(error.exit_code(), code, "{arguments:?}");
    }
}

#[test]
fn check_prints_what_is_there_and_warns() {
    let file = File::new("check", SHOP);
    let ran = weir(&["check", file.path()]);
    assert_eq!(
        ran.out,
        format!("{} is good: 2 routes, 1 listener, 1 warning\n", file.path())
    );
    assert_eq!(
        ran.err,
        format!(
            "warning: {}: routes[1]: nobody authenticates or meters this route; add a policy key_auth or quota\n",
            file.path()
        )
    );
    assert_eq!(ran.code, 0);
    assert_eq!(weir(&["check", "--config", file.path()]).out, ran.out);
}

#[test]
fn check_prints_every_fault_and_ends_with_1() {
    let file = File::new(
        "faults",
        &SHOP.replace("upstream: orders }", "upstream: ordrs }"),
    );
    let ran = weir(&["check", file.path()]);
    assert_eq!(ran.code, 1);
    assert_eq!(ran.out, "");
    let lines: Vec<_> = ran.err.lines().collect();
    let fault = |route: usize| {
        format!(
            "{}: routes[{route}].forward.backends[0].upstream: no upstream named \"ordrs\"; did you mean \"orders\"?",
            file.path()
        )
    };
    assert_eq!(lines, [fault(0), fault(1), "2 faults".to_owned()]);
}

#[test]
fn route_tells_which_and_why_and_which_policies() {
    let file = File::new("route", SHOP);
    let ran = weir(&[
        "route",
        "GET",
        "http://shop.example.com/orders/7",
        "--config",
        file.path(),
    ]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let lines: Vec<_> = ran.out.lines().collect();
    assert_eq!(
        lines[..5],
        [
            "route: order (by host shop.example.com, path like /orders/{id}, method GET)",
            "capture: id = 7",
            "action: forward",
            "policy: key_auth",
            "policy: request_size (enforced)",
        ]
    );
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("* order: shop.example.com/orders/{id}: ")),
        "{lines:?}"
    );

    let ran = weir(&[
        "route",
        "PUT",
        "http://shop.example.com/orders/7",
        "--config",
        file.path(),
    ]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("(405); GET would do"), "{}", ran.err);
    let ran = weir(&["route", "GET", "/nowhere", "--config", file.path()]);
    assert!(ran.code == 1 && ran.err.contains("(404)"), "{}", ran.err);
    let ran = weir(&[
        "route",
        "GET",
        "/open",
        "--listener",
        "secret",
        "--config",
        file.path(),
    ]);
    assert!(
        ran.code == 1 && ran.err.contains("there is no listener \"secret\""),
        "{}",
        ran.err
    );
}

#[test]
fn diff_tells_changes_and_what_a_reload_refuses() {
    let old = File::new("old", SHOP);
    let new = File::new("new", &SHOP.replace("9001", "9002").replace("8080", "8081"));
    let ran = weir(&["diff", old.path(), new.path()]);
    assert_eq!(
        ran.out,
        "listeners \"public\" changed: address\nupstreams \"orders\" changed: endpoints[0].address\n"
    );
    assert!(
        ran.err.ends_with(
            "a reload refuses listeners \"public\": address; restart or upgrade instead\n"
        ),
        "{}",
        ran.err
    );
    assert_eq!(ran.code, 1);
    let ran = weir(&["diff", old.path(), old.path()]);
    assert_eq!((ran.out.as_str(), ran.code), ("nothing changes\n", 0));
}

#[test]
fn a_new_key_is_printed_once_with_yaml_that_lets_it_in() {
    let ran = weir(&["key", "new", "--consumer", "ci"]);
    assert_eq!(ran.code, 0);
    let (key, yaml) = ran.out.split_once("\n\n").expect("a key and YAML");
    assert!(
        key.starts_with("weir_")
            && key.len() == 48
            && key[5..].bytes().all(|byte| byte.is_ascii_alphanumeric()),
        "{key}"
    );
    assert!(!yaml.contains(key));
    let config =
        format!("version: 1\nlisteners: [{{ name: public, address: 127.0.0.1:0 }}]\n{yaml}");
    let loaded = crate::config::parse_str(&config).unwrap_or_else(|faults| panic!("{faults}"));
    let consumer = &loaded.config.consumers[0];
    assert_eq!(&*consumer.name, "ci");
    assert_eq!(consumer.keys[0].sha256[..], Sha256::digest(key)[..]);
    assert_ne!(weir(&["key", "new"]).out, ran.out);
}

#[test]
fn the_schema_is_printed_as_json() {
    let ran = weir(&["schema"]);
    let schema: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(schema["title"], "Configuration");
}
