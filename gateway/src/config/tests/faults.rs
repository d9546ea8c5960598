//! Faults of meaning.

use super::{expect, expect_after, faults, good};

const UPSTREAM: &str = "upstreams: [{ name: orders, endpoints: [{ address: 127.0.0.1:1 }] }]\n";

#[test]
fn references_resolve_or_suggest() {
    expect_after(
        UPSTREAM,
        &[
            (
                "routes: [{ name: a, forward: { backends: [{ upstream: ordrs }] } }]",
                "routes[0].forward.backends[0].upstream: no upstream named \"ordrs\"; did you mean \"orders\"?",
            ),
            (
                "routes: [{ name: a, listeners: [pubic], respond: {} }]",
                "routes[0].listeners[0]: no listener named \"pubic\"; did you mean \"public\"?",
            ),
            (
                "routes: [{ name: a, llm: { models: [gpt] } }]",
                "routes[0].llm.models[0]: no model named \"gpt\"",
            ),
            (
                "routes: [{ name: a, respond: {}, policies: [{ kind: key_auth, groups: [writers] }] }]",
                "routes[0].policies[0].groups[0]: no consumer is in a group \"writers\"",
            ),
        ],
    );
}

#[test]
fn a_route_has_exactly_one_action() {
    expect_after(
        UPSTREAM,
        &[
            (
                "routes: [{ name: a }]",
                "routes[0]: the route has no action; give exactly one of forward, graphql, grpc, llm, prompt, websocket, publish, subscribe, request_reply, table, respond and redirect",
            ),
            (
                "routes: [{ name: a, respond: {}, forward: { backends: [{ upstream: orders }] } }]",
                "routes[0]: the route has 2 actions: forward, respond; give exactly one of forward, graphql, grpc, llm, prompt, websocket, publish, subscribe, request_reply, table, respond and redirect",
            ),
            (
                "routes: [{ name: a, forward: { backends: [{ upstream: orders, weight: 0 }] } }]",
                "routes[0].forward.backends: every weight is 0, so none would be called; give at least one a weight",
            ),
        ],
    );
}

#[test]
fn a_websocket_route_says_what_can_be_done() {
    let route = |options: &str| {
        format!(
            "routes: [{{ name: a, websocket: {{ backends: [{{ upstream: orders }}], {options} }} }}]"
        )
    };
    for (options, fault) in [
        (
            "schema: { type: object }",
            "compression: what is compressed cannot be held against `schema`; write `compression: refuse`",
        ),
        (
            "schema: { type: thing }, compression: refuse",
            "schema: this is no JSON Schema: at /type: \"thing\" is not valid under any of the schemas listed in the 'anyOf' keyword; see json-schema.org; a schema refers to nothing beyond itself",
        ),
        (
            "subprotocols: [\"a b\"]",
            "subprotocols[0]: \"a b\" is no name of a subprotocol; write it as graphql-transport-ws",
        ),
        (
            "origins: [shop]",
            "origins[0]: \"shop\" is no origin; write it as https://shop.example.com, https://*.example.com or *",
        ),
    ] {
        let expected = format!("routes[0].websocket.{fault}");
        expect_after(UPSTREAM, &[(&route(options), &expected)]);
    }
    good(&format!(
        "{UPSTREAM}{}",
        route("keep_alive: { kind: none }")
    ));
}

#[test]
fn a_fault_in_one_part_of_a_route_hides_none_in_another() {
    let quota = "stores: [{ name: m, kind: memory }]\n\
        quotas: [{ name: q, store: m, unit: tokens, limit: { default: 1 }, \
        window: { kind: fixed, every: day }, by: [route] }]\n";
    let found = faults(&format!(
        "{UPSTREAM}{quota}\
         routes: [{{ name: a, \
         matches: [{{ path: {{ exact: x }} }}, {{ path: {{ template: '/a/{{b}}' }}, methods: [get] }}], \
         forward: {{ backends: [{{ upstream: ordrs }}], \
         rewrite: {{ path: {{ template: '/{{path.c}}' }}, host: 'a b' }} }}, \
         policies: [{{ kind: quota, quotas: [q] }}, {{ kind: key_auth, groups: [writers] }}] }}, \
         {{ name: r, matches: [{{ path: {{ exact: /r }}, methods: [CONNECT] }}], \
         redirect: {{ status: 305, location: nowhere }} }}]"
    ));
    assert_eq!(
        found,
        [
            "routes[0].matches[0].path.exact: \"x\" is no path; begin it with \"/\"",
            "routes[0].matches[1].methods[0]: \"get\" is no method; did you mean \"GET\"?",
            "routes[0].forward.backends[0].upstream: no upstream named \"ordrs\"; did you mean \"orders\"?",
            "routes[0].forward.rewrite.path.template: not every match of this route captures \"{path.c}\"; did you mean \"{path.b}\"?",
            "routes[0].forward.rewrite.host: \"a b\" is no host; write it as orders.internal or orders.internal:8080",
            "routes[0].policies[1].groups[0]: no consumer is in a group \"writers\"",
            "routes[0].policies[0]: the quota \"q\" counts tokens, which only llm and prompt routes use; count requests here",
            "routes[1].matches[0].methods[0]: CONNECT is never served; leave it out",
            "routes[1].redirect.status: 305 does not send anyone elsewhere; give 301, 302, 303, 307 or 308",
            "routes[1].redirect.location: this is neither a URL nor a path; write it as https://example.com/{path.rest} or /new/{path.rest}: the host is fixed",
        ]
    );
}

#[test]
fn names_are_unique_and_addresses_too() {
    expect(&[
        (
            "routes: [{ name: a, respond: {} }, { name: a, matches: [{ methods: [GET] }], respond: {} }]",
            "routes[1].name: the name \"a\" is taken by routes[0]; names are unique within a section",
        ),
        (
            "metrics: { address: 127.0.0.1:9 }\nadmin: { address: 127.0.0.1:9 }",
            "admin: admin and metrics both listen on 127.0.0.1:9; give each its own port",
        ),
        (
            "admin: { address: 0.0.0.0:9 }",
            "admin: 0.0.0.0:9 can be reached from elsewhere, and no token is asked for; add `token: { secret: NAME }`, or listen on 127.0.0.1",
        ),
    ]);
}

#[test]
fn a_match_that_is_never_reached_is_a_fault() {
    let never = |at: &str, by: &str| {
        vec![format!(
            "{at}: this is never reached: whatever it matches, {by} takes first; remove one, or tell them apart"
        )]
    };
    let two = |one: &str, other: &str| {
        faults(&format!(
            "routes: [{{ name: a, {one} respond: {{}} }}, {{ name: b, {other} respond: {{}} }}]"
        ))
    };
    let both = never(
        "routes[1].matches[0]",
        "routes[0].matches[0] of route \"a\"",
    );
    assert_eq!(two("", ""), both);
    let path = |path: &str| format!("matches: [{{ path: {path} }}],");
    assert_eq!(
        two(
            &path("{ template: '/a/{x}' }"),
            &path("{ template: '/a/{y}' }")
        ),
        both
    );
    assert_eq!(two(&path("{ prefix: /a }"), &path("{ prefix: /a/ }")), both);
    let methods = |methods: &str| format!("matches: [{{ methods: [{methods}] }}],");
    assert_eq!(two(&methods("GET, POST"), &methods("GET")), both);
    assert_eq!(two("", "hosts: [],"), both);
    assert_eq!(two("", "listeners: [public],"), both);
    let reachable: &[(&str, &str)] = &[
        ("", "hosts: [a.example.com],"),
        ("hosts: ['*.example.com'],", "hosts: [a.example.com],"),
        ("listeners: [public],", ""),
        ("", "matches: [{ methods: [GET] }],"),
        (
            "matches: [{ methods: [GET] }],",
            "matches: [{ methods: [GET, POST] }],",
        ),
        (
            "matches: [{ path: { prefix: /a } }],",
            "matches: [{ path: { exact: /a } }],",
        ),
        ("", "matches: [{ headers: [{ name: x, present: true }] }],"),
    ];
    for (one, other) in reachable {
        assert_eq!(two(one, other), Vec::<String>::new(), "{one} {other}");
    }
}

#[test]
fn templates_name_what_the_route_captures() {
    let cluster = "kafka_clusters: [{ name: k, bootstrap_servers: ['127.0.0.1:9092'] }]\n";
    let publish = |topic: &str, path: &str| {
        faults(&format!(
            "{cluster}routes: [{{ name: a, matches: [{{ path: {path} }}], publish: {{ cluster: k, topic: '{topic}' }} }}]"
        ))
    };
    let none = Vec::<String>::new();
    assert_eq!(publish("{path.topic}", "{ template: '/e/{topic}' }"), none);
    assert_eq!(
        publish("{path.topik}", "{ template: '/e/{topic}' }"),
        [
            "routes[0].publish.topic: no match of this route captures \"{path.topik}\"; did you mean \"{path.topic}\"?"
        ]
    );
    assert_eq!(
        publish("{path.topic}", "{ prefix: /e }"),
        [
            "routes[0].publish.topic: no match of this route captures \"{path.topic}\"; match on a template such as `/…/{topic}`"
        ]
    );
    assert_eq!(
        publish("{body.x}", "{ prefix: /e }"),
        [
            "routes[0].publish.topic: \"x\" points to no part of the body; write a JSON pointer, as in {body./customer/id}"
        ]
    );
    assert_eq!(
        publish("a b", "{ prefix: /e }"),
        [
            "routes[0].publish.topic: \"a b\" is no topic; topics are letters, digits, \".\", \"_\" and \"-\", at most 249"
        ]
    );
}

#[test]
fn records_are_made_of_who_calls_only_where_that_is_found_out() {
    let shop = "teams: [{ name: shop, owns: { paths: [/e], topics: ['*'] } }]\nkafka_clusters: [{ name: k, bootstrap_servers: ['127.0.0.1:9092'] }]\n";
    let publish = |route: &str, action: &str| {
        faults(&format!(
            "{shop}routes: [{{ name: a, matches: [{{ path: {{ prefix: /e }} }}], {route} publish: {{ cluster: k, topic: t, {action} }} }}]"
        ))
    };
    let none = Vec::<String>::new();
    let key = "key: '{consumer}', headers: { ce: '{team}' }";
    assert_eq!(publish("policies: [{ kind: key_auth }],", key), none);
    let nobody = "nothing on this route finds out who calls, so that";
    assert_eq!(
        publish("", key),
        [
            format!(
                "routes[0].publish.key: {nobody} {{consumer}} never has a value; add the policy key_auth"
            ),
            format!(
                "routes[0].publish.headers.ce: {nobody} {{team}} never has a value; add the policy key_auth"
            ),
        ]
    );
    // The route's own team has a name.
    assert_eq!(publish("team: shop,", "partition: '{team}'"), none);
    assert_eq!(publish("team: shop,", "timestamp: '{consumer}'").len(), 1);
}

#[test]
fn a_batch_is_bounded_and_a_transaction_is_acknowledged_by_all() {
    let cluster = "kafka_clusters: [{ name: k, bootstrap_servers: ['127.0.0.1:9092'] }]\n";
    let publish = |action: &str| {
        faults(&format!(
            "{cluster}routes: [{{ name: a, matches: [{{ path: {{ prefix: /e }} }}], publish: {{ cluster: k, topic: t, {action} }} }}]"
        ))
    };
    let none = Vec::<String>::new();
    assert_eq!(publish("batch: {}, ack: leader"), none);
    assert_eq!(
        publish("batch: { transaction: true, max_records: 10000 }"),
        none
    );
    assert_eq!(
        publish("batch: { max_records: 0 }"),
        ["routes[0].publish.batch.max_records: 0 is too small; the least is 1"]
    );
    assert_eq!(
        publish("batch: { transaction: true }, ack: leader"),
        [
            "routes[0].publish.batch.transaction: all in-sync replicas acknowledge a transaction, and `ack` is leader; leave `ack` out"
        ]
    );
}

#[test]
fn properties_that_promises_rest_on_are_refused() {
    let cluster = |properties: &str| {
        faults(&format!(
            "kafka_clusters: [{{ name: k, bootstrap_servers: ['a:1'], properties: {{ {properties} }} }}]"
        ))
    };
    assert_eq!(
        cluster("compression.type: lz4, linger.ms: 5"),
        Vec::<String>::new()
    );
    assert_eq!(
        cluster("acks: 1"),
        [
            "kafka_clusters[0].properties.acks: \"acks\" is set by Weir; Weir answers only once all replicas have the record"
        ]
    );
    assert_eq!(
        cluster("delivery.timeout.ms: 1"),
        [
            "kafka_clusters[0].properties[\"delivery.timeout.ms\"]: \"delivery.timeout.ms\" is set by Weir; write `delivery_timeout` beside `properties`"
        ]
    );
    assert_eq!(
        cluster("statistics.interval.ms: 60000"),
        [
            "kafka_clusters[0].properties[\"statistics.interval.ms\"]: \"statistics.interval.ms\" is set by Weir; Weir watches the brokers by these statistics"
        ]
    );
    assert_eq!(
        cluster("compresion.type: lz4"),
        [
            "kafka_clusters[0].properties[\"compresion.type\"]: librdkafka does not take this as \"compresion.type\"; its CONFIGURATION.md lists names and values"
        ]
    );
}

#[test]
fn rewrites_and_redirects_are_checked() {
    let rewrite = |matches: &str, rewrite: &str| {
        faults(&format!(
            "{UPSTREAM}routes: [{{ name: a, matches: [{{ path: {matches} }}], forward: {{ backends: [{{ upstream: orders }}], rewrite: {{ path: {rewrite} }} }} }}]"
        ))
    };
    let none = Vec::<String>::new();
    assert_eq!(rewrite("{ prefix: /a/b }", "{ strip_prefix: /a }"), none);
    assert_eq!(
        rewrite("{ prefix: /ab }", "{ strip_prefix: /a }"),
        [
            "routes[0].forward.rewrite.path.strip_prefix: the route also matches paths that do not begin with \"/a\"; match only paths below it"
        ]
    );
    assert_eq!(
        rewrite("{ template: '/a/{id}' }", "{ template: '/b/{path.id}' }"),
        none
    );
    assert_eq!(
        rewrite("{ prefix: /a }", "{ strip_prefix: /a, replace: /b }"),
        [
            "routes[0].forward.rewrite.path: a path is rewritten in exactly one way; give one of strip_prefix, replace and template"
        ]
    );
    let redirect = |location: &str| {
        faults(&format!(
            "routes: [{{ name: a, redirect: {{ location: '{location}' }} }}]"
        ))
    };
    for good in [
        "/",
        "/new",
        "https://example.com",
        "https://example.com/{query.x}",
        "/{query.x}/a",
    ] {
        let found = redirect(good);
        assert_eq!(
            found.is_empty(),
            good != "/{query.x}/a",
            "{good}: {found:?}"
        );
    }
    for bad in [
        "https://{header.host}/",
        "{query.x}",
        "//evil.example",
        "https://example.com{query.x}",
        "",
    ] {
        assert_eq!(redirect(bad).len(), 1, "{bad}");
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let found = faults(
        "server: { worker_threads: 0 }\n\
         secrets: [{ name: k, value: '${MISSING}' }]\n\
         upstreams: [{ name: orders, endpoints: [{ address: nowhere }] }, { name: stock, endpoints: [] }]\n\
         routes:\n\
         - { name: a, forward: { backends: [{ upstream: ordrs }, { upstream: stock }] } }\n\
         - { name: a, hosts: ['a b'], respond: { status: 99 } }\n\
         - { nam: b }\n",
    );
    assert_eq!(
        found,
        [
            "secrets[0].value: the environment variable MISSING is not set; set it, or write the value",
            "routes[1].respond.status: 99 is too small; the least is 200",
            "routes[2].nam: there is no \"nam\" here; did you mean \"name\"?",
            "routes[2]: \"name\" is missing; add `name:`",
            "server.worker_threads: 0 is too small; the least is 1",
            "upstreams[1].endpoints: this list is empty; give at least one entry",
            "routes[1].name: the name \"a\" is taken by routes[0]; names are unique within a section",
            "upstreams[0].endpoints[0].address: \"nowhere\" is no address; write host and port, as orders.internal:9001",
            "routes[0].forward.backends[0].upstream: no upstream named \"ordrs\"; did you mean \"orders\"?",
            "routes[1].hosts[0]: \"a b\" is no host; write it as api.example.com or *.example.com",
        ]
    );
}

#[test]
fn a_shared_key_is_a_fault_and_an_expired_one_a_warning() {
    let hash = "ab".repeat(32);
    let key = |name: &str, expires: &str| {
        format!(
            "{{ name: {name}, credentials: [{{ kind: key, id: a, sha256: '{hash}'{expires} }}] }}"
        )
    };
    assert_eq!(
        faults(&format!("consumers: [{}, {}]", key("a", ""), key("b", ""))),
        [
            "consumers[1].credentials[0].sha256: this is the same key as consumers[0].credentials[0]; make another with `weir key new`"
        ]
    );
    let loaded = good(&format!(
        "consumers: [{}]",
        key("a", ", expires: 2020-01-01")
    ));
    assert_eq!(
        loaded.warnings[0].to_string(),
        "consumers[0].credentials[0].expires: this key has expired; remove it"
    );
}

#[test]
fn a_route_open_to_all_is_a_warning() {
    let loaded = good(&format!(
        "{UPSTREAM}routes: [{{ name: a, forward: {{ backends: [{{ upstream: orders }}] }} }}, {{ name: b, hosts: [b.c], respond: {{}} }}]"
    ));
    let warnings: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        ["routes[0]: nobody authenticates or meters this route; add a policy key_auth or quota"]
    );
}

#[test]
fn a_model_that_nobody_can_ask_for_is_a_warning() {
    let route = |policies: &str| {
        let model = "targets: [{ provider: p, model: x }]";
        let loaded = good(&format!(
            "providers: [{{ name: p, dialect: openai, base_url: 'http://a' }}]\n\
             teams: [{{ name: shop }}]\n\
             models: [{{ name: all, {model} }}, {{ name: few, {model}, allow: {{ teams: [shop] }} }}]\n\
             routes: [{{ name: a, policies: [{policies}], llm: {{ models: [all, few] }} }}]"
        ));
        let warnings = loaded.warnings.iter().map(ToString::to_string);
        warnings.collect::<Vec<_>>()
    };
    let nobody = "routes[0].llm.models[1]: this model is for some only, and nothing on this route \
                  finds out who calls: everybody is refused it; add the policy key_auth";
    assert!(route("").contains(&nobody.to_owned()), "{:?}", route(""));
    assert!(!route("{ kind: key_auth }").contains(&nobody.to_owned()));
}

#[test]
fn whom_a_model_names_exists() {
    let model = |allow: &str| {
        format!("models: [{{ name: m, targets: [{{ provider: p, model: x }}], allow: {allow} }}]")
    };
    let before = "providers: [{ name: p, dialect: openai, base_url: 'http://a' }]\n\
        teams: [{ name: shop }]\n\
        consumers: [{ name: c, groups: [writers], credentials: [] }]\n";
    let of = |allow: &str| faults(&format!("{before}{}", model(allow)));
    assert_eq!(of("{ teams: [shop], groups: [writers] }"), [""; 0]);
    assert_eq!(
        of("{ teams: [shp], groups: [writer] }"),
        [
            "models[0].allow.teams[0]: no team named \"shp\"; did you mean \"shop\"?",
            "models[0].allow.groups[0]: no consumer is in a group \"writer\"; did you mean \"writers\"?",
        ]
    );
    assert_eq!(
        of("{}"),
        [
            "models[0].allow: this names nobody; name teams or groups, or leave `allow` out to let everybody ask"
        ]
    );
}

#[test]
fn a_provider_has_one_key_or_several() {
    let before = "secrets: [{ name: a, value: x }, { name: b, value: y }]\n";
    let of = |keys: &str| {
        faults(&format!(
            "{before}providers: [{{ name: p, dialect: openai, base_url: 'http://a', {keys} }}]"
        ))
    };
    assert_eq!(of("api_keys: [{ secret: a }, { secret: b }]"), [""; 0]);
    assert_eq!(
        of("api_key: { secret: a }, api_keys: [{ secret: b }]"),
        ["providers[0].api_keys: there is an `api_key` as well; give either one key or several"]
    );
    assert_eq!(
        of("api_keys: [{ secret: a }, { secret: a }]"),
        ["providers[0].api_keys[1]: this key is given twice; leave one out"]
    );
    assert_eq!(
        of("api_keys: [{ secret: c }]"),
        ["providers[0].api_keys[0].secret: no secret named \"c\"; did you mean \"a\"?"]
    );
}
