//! Quotas that could not do what they say.

use super::{expect_after, faults, good};

#[test]
fn quotas_count_only_what_a_route_knows() {
    let quota = |unit: &str, by: &str| {
        format!(
            "stores: [{{ name: s, kind: memory }}]\nquotas: [{{ name: q, store: s, unit: {unit}, limit: {{ default: 1 }}, window: {{ kind: fixed, every: day }}, by: [{by}] }}]\n"
        )
    };
    let route = "routes: [{ name: a, respond: {}, policies: [{ kind: quota, quotas: [q] }] }]";
    expect_after(
        &quota("requests", "team"),
        &[(
            route,
            "routes[0].policies[0]: the quota \"q\" counts by team, and nothing on this route finds out who calls; add the policy key_auth",
        )],
    );
    expect_after(
        &quota("requests", "model"),
        &[(
            route,
            "routes[0].policies[0]: the quota \"q\" counts by model, and nothing on this route names a model; use it on llm and prompt routes",
        )],
    );
    expect_after(
        &quota("tokens", ""),
        &[(
            route,
            "routes[0].policies[0]: the quota \"q\" counts tokens, which only llm and prompt routes use; count requests here",
        )],
    );
    // where every route gets it, a quota of tokens is left out on those without
    let llm = "providers: [{ name: p, dialect: openai, base_url: 'http://a' }]\n\
        models: [{ name: m, targets: [{ provider: p, model: x }] }]\n";
    let routes = "routes: [{ name: a, respond: {} }, \
        { name: b, matches: [{ path: { prefix: /v1 } }], llm: { models: [m] } }]";
    let loaded = good(&format!(
        "{}{llm}policies: {{ enforced: [{{ kind: quota, quotas: [q] }}] }}\n{routes}",
        quota("tokens", "")
    ));
    assert!(loaded.config.routes[0].policies.is_empty());
    assert_eq!(loaded.config.routes[1].policies.len(), 1);
}

#[test]
fn an_override_names_a_client_as_it_is_counted() {
    let of = |client: &str| {
        faults(&format!(
            "stores: [{{ name: s, kind: memory }}]\n\
             quotas: [{{ name: q, store: s, unit: requests, by: [client_address], \
                         limit: {{ default: 1, overrides: {{ '{client}': 2 }} }}, \
                         window: {{ kind: fixed, every: day }} }}]\n\
             routes: [{{ name: a, respond: {{}}, policies: [{{ kind: quota, quotas: [q] }}] }}]"
        ))
    };
    for client in ["10.0.0.1", "2001:db8::"] {
        assert_eq!(of(client), [""; 0]);
    }
    for (client, fault) in [
        (
            "10.0.0",
            "\"10.0.0\" is no IP address; the first of `by` is client_address",
        ),
        (
            "2001:db8::1",
            "clients of \"2001:db8::1\" are counted as 2001:db8::; write 2001:db8::",
        ),
        (
            "::ffff:10.0.0.1",
            "clients of \"::ffff:10.0.0.1\" are counted as 10.0.0.1; write 10.0.0.1",
        ),
    ] {
        let at = format!("quotas[0].limit.overrides[\"{client}\"]");
        assert_eq!(of(client), [format!("{at}: {fault}")]);
    }
}

#[test]
fn a_provider_is_counted_by_however_many_a_model_has() {
    let of = |second: &str| {
        faults(&format!(
            "stores: [{{ name: s, kind: memory }}]\n\
             providers: [{{ name: p, dialect: openai, base_url: 'http://a' }}, \
                         {{ name: r, dialect: openai, base_url: 'http://b' }}]\n\
             models: [{{ name: m, targets: [{{ provider: p, model: x }}, {{ provider: {second}, model: y }}] }}]\n\
             quotas: [{{ name: q, store: s, unit: tokens, limit: {{ default: 1 }}, \
                         window: {{ kind: fixed, every: day }}, by: [provider] }}]\n\
             routes: [{{ name: a, llm: {{ models: [m] }}, policies: [{{ kind: quota, quotas: [q] }}] }}]"
        ))
    };
    assert_eq!(of("p"), [""; 0]);
    assert_eq!(of("r"), [""; 0]);
}

#[test]
fn a_quota_that_can_never_take_effect_is_refused() {
    let llm = |target: &str, quota: &str, policy: &str| {
        faults(&format!(
            "stores: [{{ name: s, kind: memory }}]\n\
             providers: [{{ name: p, dialect: openai, base_url: 'https://api.openai.com/v1' }}]\n\
             models: [{{ name: m, targets: [{{ provider: p, model: {target} }}] }}, \
                      {{ name: n, targets: [{{ provider: p, model: gpt-4o }}] }}]\n\
             quotas: [{{ name: q, store: s, limit: {{ default: 1 }}, {quota} }}]\n\
             routes: [{{ name: a, matches: [{{ path: {{ prefix: /v1 }} }}], llm: {{ models: [m] }}, \
                         policies: [{policy}] }}, {{ name: b, respond: {{}} }}]"
        ))
    };
    let day = "window: { kind: fixed, every: day }";
    let counted = "{ kind: quota, quotas: [q] }";
    let money = format!("unit: money, {day}");
    assert_eq!(llm("gpt-4o", &money, counted), [""; 0]);
    let unpriced = llm("unheard-of", &money, counted);
    assert!(
        unpriced[0].starts_with(
            "quotas[0]: the model \"m\" is \"unheard-of\" of \"p\", which has no price now"
        ) && unpriced[0].contains("add one under `prices`"),
        "{unpriced:?}"
    );
    let nowhere = llm("gpt-4o", &format!("unit: requests, {day}"), "");
    assert_eq!(
        nowhere,
        [
            "quotas[0]: no route counts by it, so it never takes effect; add `{ kind: quota, quotas: [q] }` to a route"
        ]
    );
    let narrowed = |narrowed: &str| {
        llm(
            "gpt-4o",
            &format!("unit: requests, match: {narrowed}, {day}"),
            counted,
        )
    };
    assert_eq!(
        narrowed("{ routes: [a, b], models: [m, n] }"),
        [
            "quotas[0].match.routes[1]: the route \"b\" does not count by this quota; attach it there, or leave the name out",
            "quotas[0].match.models[1]: no route that counts by this quota has a model \"n\"; attach it to one, or leave the name out",
        ]
    );
}

#[test]
fn windows_and_limits_fit_what_is_counted() {
    let quota = |unit: &str, limit: &str, more: &str| {
        faults(&format!(
            "stores: [{{ name: s, kind: memory }}]\n\
             quotas: [{{ name: q, store: s, unit: {unit}, limit: {{ default: {limit} }}{more} }}]\n\
             routes: [{{ name: b, respond: {{}}, policies: [{{ kind: quota, quotas: [q] }}] }}]"
        ))
    };
    assert_eq!(quota("concurrent_requests", "5", ""), [""; 0]);
    assert_eq!(
        quota(
            "concurrent_requests",
            "5",
            ", window: { kind: sliding, every: 1s }"
        ),
        [
            "quotas[0].window: requests in progress count while they last, not over a time; leave the window out"
        ]
    );
    assert_eq!(
        quota("requests", "5", ""),
        ["quotas[0]: there is no window; add `window: { kind: fixed, every: day }`"]
    );
    assert_eq!(
        quota(
            "requests",
            "'2.5'",
            ", window: { kind: sliding, every: 1s }"
        ),
        [
            "quotas[0].limit.default: \"2.5\" is no whole number from 0 on; only money is counted in fractions"
        ]
    );
    let fixed = |every: &str, zone: &str| {
        let more = format!(", window: {{ kind: fixed, every: {every}, time_zone: {zone} }}");
        quota("requests", "5", &more)
    };
    assert_eq!(fixed("day", "Europe/Berlin"), [""; 0]);
    assert_eq!(
        fixed("day", "Europe/Atlantis"),
        [
            "quotas[0].window.time_zone: no time zone is called \"Europe/Atlantis\"; give one of the IANA database, as Europe/Berlin"
        ]
    );
    assert_eq!(
        fixed("hour", "Europe/Berlin"),
        ["quotas[0].window.time_zone: minutes and hours are those of UTC; leave the time zone out"]
    );
    assert_eq!(
        quota(
            "requests",
            "5",
            ", window: { kind: token_bucket, every: 1s, burst: 0 }"
        ),
        ["quotas[0].window.burst: a bucket that holds nothing refuses all; give it at least 1"]
    );
    assert_eq!(
        quota(
            "requests",
            "5",
            ", on_exhausted: cut, window: { kind: sliding, every: 1s }"
        ),
        [
            "quotas[0].on_exhausted: no answer uses this unit up while it flows; leave it out, or count tokens, output_tokens, reasoning_tokens or money"
        ]
    );
}
