//! `grpc` routes, matches by what is called, and checks by gRPC.

use std::time::Duration;

use super::files::Directory;
use super::{expect_after, good};
use crate::config::routes::Action;
use crate::config::routes::matches::Path;

const UPSTREAMS: &str = "upstreams: [{ name: old, endpoints: [{ address: 127.0.0.1:1 }] }, { name: new, protocol: http2, endpoints: [{ address: 127.0.0.1:2 }] }]\n";

/// A set of one file, "a.proto" of package "a", with a service B, whose only method C takes and gives
/// an a.D.
pub(super) const SERVICES: &[u8] = b"\x0a\x27\x0a\x07a.proto\x12\x01a\x22\x03\x0a\x01D\x32\x14\x0a\x01B\x12\x0f\x0a\x01C\x12\x04.a.D\x1a\x04.a.D";

#[test]
fn an_upstream_of_a_grpc_route_speaks_http2() {
    expect_after(
        UPSTREAMS,
        &[
            (
                "routes: [{ name: a, grpc: { backends: [{ upstream: new }, { upstream: old }] } }]",
                "routes[0].grpc.backends[1].upstream: the upstream \"old\" speaks http1, and gRPC is HTTP/2; give it `protocol: http2`",
            ),
            (
                "routes: [{ name: a, grpc: { backends: [{ upstream: new }], retries: { on: [unavailable, unavailable] } } }]",
                "routes[0].grpc.retries.on[1]: this is given twice; leave one out",
            ),
            (
                "routes: [{ name: a, matches: [{ rpc: {} }], grpc: { backends: [{ upstream: new }] } }]",
                "routes[0].matches[0].rpc: this says nothing of what is called; give a service, a method or both; leave `rpc` out to match every call",
            ),
            (
                "routes: [{ name: a, matches: [{ rpc: { service: \"a/b\" } }], grpc: { backends: [{ upstream: new }] } }]",
                "routes[0].matches[0].rpc.service: \"a/b\" is no name; write a service as helloworld.Greeter and a method as SayHello",
            ),
            (
                "routes: [{ name: a, matches: [{ rpc: { service: a }, path: { exact: /a } }], grpc: { backends: [{ upstream: new }] } }]",
                "routes[0].matches[0].rpc: a call is matched by its path or by what it calls, not by both; leave out `path` or `rpc`",
            ),
        ],
    );
    expect_after(
        "",
        &[(
            "upstreams: [{ name: a, endpoints: [{ address: 127.0.0.1:1 }], health: { active: { kind: grpc } } }]",
            "upstreams[0].health.active: gRPC is HTTP/2, and the upstream speaks http1; give the upstream `protocol: http2`",
        )],
    );
}

#[test]
fn a_call_is_matched_by_the_path_it_has() {
    let config = good(&format!(
        "{UPSTREAMS}routes: [{{ name: a, matches: [{{ rpc: {{ service: a.B, method: C }} }}, {{ rpc: {{ service: a.D }} }}, {{ rpc: {{ method: E }} }}], grpc: {{ backends: [{{ upstream: new }}], timeout: 2s, max_message: {{ response: 8GiB }} }} }}]"
    ));
    let route = &config.config.routes[0];
    let paths: Vec<_> = route.matches.iter().map(|one| &one.path).collect();
    let [
        Path::Exact(both),
        Path::Prefix(service),
        Path::Template(method),
    ] = paths.as_slice()
    else {
        panic!("{paths:?}");
    };
    assert_eq!(
        (&**both, &**service, &*method.text),
        ("/a.B/C", "/a.D", "/{service}/E")
    );
    let Action::Grpc(grpc) = &route.action else {
        panic!("{:?} is no grpc route", route.action);
    };
    assert_eq!(grpc.timeout, Some(Duration::from_secs(2)));
    assert_eq!((grpc.max_request, grpc.max_response), (4 << 20, u32::MAX));
}

#[test]
fn descriptors_that_cannot_be_used_say_why() {
    let yaml = |more: &str| {
        format!(
            "version: 1\nlisteners: [{{ name: public, address: 127.0.0.1:0 }}]\n{UPSTREAMS}routes: [{{ name: a, grpc: {{ backends: [{{ upstream: new }}], transcoding: {{ descriptors: set.bin{more} }} }} }}]"
        )
    };
    let directory = Directory::new("descriptors", &[("weir.yaml", &yaml(""))]);
    let place = "weir.yaml: routes[0].grpc.transcoding.descriptors: ";
    for (set, expected) in [
        (
            None,
            "\"set.bin\" cannot be read: No such file or directory",
        ),
        (Some(&b"\xff"[..]), "\"set.bin\" cannot be used: "),
        (
            Some(SERVICES),
            "no method in \"set.bin\" has a rule of google.api.http; add rules, or say `plain: true`",
        ),
    ] {
        if let Some(set) = set {
            directory.write("set.bin", set);
        }
        let faults = directory.faults();
        assert!(
            matches!(faults.as_slice(), [one] if one.starts_with(&format!("{place}{expected}"))),
            "{faults:?}"
        );
    }
    directory.write("weir.yaml", yaml(", plain: true"));
    directory.load();
}
