//! Routes that are called by gRPC and fed by topics, or write to them.

use super::faults;
use super::files::Directory;
use super::grpc::SERVICES;

const SUBSCRIBE: &str = "/weir.events.v1.Events/Subscribe";
const PUBLISH: &str = "/weir.events.v1.Events/Publish";

/// The faults of a route at `path` with this action.
fn of(path: &str, action: &str) -> Vec<String> {
    faults(&format!(
        "stores: [{{ name: keys, kind: memory }}]\n\
         kafka_clusters: [{{ name: events, bootstrap_servers: ['127.0.0.1:1'] }}]\n\
         routes: [{{ name: r, matches: [{{ path: {{ exact: {path} }} }}], {action} }}]"
    ))
}

fn subscribe(more: &str) -> String {
    format!("subscribe: {{ cluster: events, topic: t, {more} }}")
}

fn publish(more: &str) -> String {
    format!("publish: {{ cluster: events, topic: t, {more} }}")
}

#[test]
fn a_subscription_is_a_server_stream_and_says_nothing_of_other_ways() {
    let method = "grpc: { method: weir.events.v1.Events/Subscribe }";
    assert_eq!(of(SUBSCRIBE, &subscribe(method)), [""; 0]);
    let looks_into =
        "grpc: { method: weir.events.v1.Events/Subscribe }, filter: { key: '{body./key}' }";
    assert_eq!(of(SUBSCRIBE, &subscribe(looks_into)), [""; 0]);
    let at = "routes[0].subscribe";
    for (path, more, expected) in [
        (
            SUBSCRIBE,
            "grpc: { method: weir.events.v1.Events/Watch }",
            format!(
                "{at}.grpc.method: weir.events.v1 has no method \"weir.events.v1.Events/Watch\"; it has weir.events.v1.Events/Subscribe, weir.events.v1.Events/Publish, weir.events.v1.Events/PublishEach; name one of them, or the file that has it in `descriptors`"
            ),
        ),
        (
            PUBLISH,
            "grpc: { method: weir.events.v1.Events/Publish }",
            format!(
                "{at}.grpc.method: records are given out by a server stream, and this method is none; name one that takes a message and returns a stream"
            ),
        ),
        (
            "/events",
            "grpc: { method: weir.events.v1.Events/Subscribe }",
            format!(
                "{at}.grpc.method: no match of the route is reached by calls of it, which are sent to {SUBSCRIBE}; match on `rpc: {{ service: weir.events.v1.Events, method: Subscribe }}`"
            ),
        ),
        (
            SUBSCRIBE,
            "grpc: { method: weir.events.v1.Events/Subscribe, value: json }",
            format!("{at}.grpc.value: weir.events.v1.Event has values as they are; leave it out"),
        ),
        (
            SUBSCRIBE,
            "grpc: { method: weir.events.v1.Events/Subscribe, cursor: at }",
            format!("{at}.grpc.cursor: weir.events.v1.Event has a field for cursors; leave it out"),
        ),
        (
            SUBSCRIBE,
            "format: value, grpc: { method: weir.events.v1.Events/Subscribe }",
            format!(
                "{at}.format: this is of events, WebSockets and polling, and the route is called by gRPC; leave it out"
            ),
        ),
        (
            SUBSCRIBE,
            "max_records: 5, grpc: { method: weir.events.v1.Events/Subscribe }",
            format!(
                "{at}.max_records: this is of events, WebSockets and polling, and the route is called by gRPC; leave it out"
            ),
        ),
    ] {
        assert_eq!(of(path, &subscribe(more)), [expected], "{more}");
    }
}

#[test]
fn what_is_published_by_calls_is_no_body() {
    for method in ["Publish", "PublishEach"] {
        let path = format!("/weir.events.v1.Events/{method}");
        let more =
            format!("key: '{{body./key}}', grpc: {{ method: weir.events.v1.Events/{method} }}");
        assert_eq!(of(&path, &publish(&more)), [""; 0]);
    }
    let at = "routes[0].publish";
    for (key, said) in [
        ("batch", "batch: {}"),
        ("cloud_events", "cloud_events: {}"),
        ("idempotency", "idempotency: { store: keys }"),
    ] {
        let more = format!("{said}, grpc: {{ method: weir.events.v1.Events/Publish }}");
        let expected = format!(
            "{at}.{key}: this is of requests with a body, and the route takes messages of gRPC; leave it out, or `grpc`"
        );
        let found = of(PUBLISH, &publish(&more));
        assert!(found.contains(&expected), "{found:?}");
    }
    for (path, more, expected) in [
        (
            SUBSCRIBE,
            "grpc: { method: weir.events.v1.Events/Subscribe }",
            format!(
                "{at}.grpc.method: records are taken one at a time or by a client stream, and this is a server stream; give records out by `subscribe`, or name another"
            ),
        ),
        (
            PUBLISH,
            "grpc: { method: weir.events.v1.Events/Publish, value: json }",
            format!(
                "{at}.grpc.value: weir.events.v1.PublishRequest has values as they are; leave it out"
            ),
        ),
    ] {
        assert_eq!(of(path, &publish(more)), [expected], "{more}");
    }
}

#[test]
fn methods_of_others_are_in_their_descriptors() {
    let yaml = |action: &str| {
        format!(
            "version: 1\nlisteners: [{{ name: public, address: 127.0.0.1:0 }}]\n\
             kafka_clusters: [{{ name: events, bootstrap_servers: ['127.0.0.1:1'] }}]\n\
             routes: [{{ name: a, matches: [{{ path: {{ exact: /a.B/C }} }}], {action} }}]"
        )
    };
    let written = publish("grpc: { method: a.B/C, descriptors: set.bin }");
    let directory = Directory::new("grpc-events", &[("weir.yaml", &yaml(&written))]);
    let place = "weir.yaml: routes[0].publish.grpc";
    for (set, expected) in [
        (
            None,
            ".descriptors: \"set.bin\" cannot be read: No such file or directory",
        ),
        (
            Some(&b"\xff"[..]),
            ".descriptors: \"set.bin\" cannot be used: ",
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
    directory.write("set.bin", SERVICES);
    directory.load();
    // a.D has no fields, and a.B has no other method.
    for (action, expected) in [
        (
            publish("grpc: { method: a.B/D, descriptors: set.bin }"),
            "weir.yaml: routes[0].publish.grpc.method: \"set.bin\" has no method \"a.B/D\"; it has a.B/C; write it as package.Service/Method",
        ),
        (
            subscribe("grpc: { method: a.B/C, descriptors: set.bin }"),
            "weir.yaml: routes[0].subscribe.grpc.method: records are given out by a server stream, and this method is none; name one that takes a message and returns a stream",
        ),
    ] {
        directory.write("weir.yaml", yaml(&action));
        assert_eq!(directory.faults(), [expected]);
    }
}
