use super::*;
use crate::Code;
use crate::record::websocket::{Closer, WebSocket};
use crate::record::{Attempt, NotRetried, Race, sample};
use std::time::Duration;

#[test]
fn a_failure_is_told_with_its_attempts_and_its_page() {
    let mut record = sample::plain("one");
    record.status = 502;
    record.code = Some(Code::ConnectionRefused);
    record.detail = Some("both endpoints refused".into());
    let mut first = Attempt::begin(
        "orders".into(),
        "10.0.0.1:80".into(),
        Duration::from_micros(80),
    );
    first.code = Some(Code::ConnectionRefused);
    first.retried = Some("connection_refused");
    let mut second = first.clone();
    second.endpoint = "10.0.0.2:80".into();
    second.retried = None;
    record.attempts = vec![first, second];
    let story = explain(&record, None);
    for part in [
        "GET /orders/7 on shop.example.com from 192.0.2.7",
        "route orders (forward)",
        "+80 µs attempt 1 at orders (10.0.0.1:80), failed: connection_refused",
        "tried again: connection_refused",
        "attempt 2 at orders (10.0.0.2:80)",
        "both endpoints refused",
        "The upstream's to mend. A retry by the caller can help.",
        "runbooks/connection_refused.md",
    ] {
        assert!(story.contains(part), "{part:?} is missing in\n{story}");
    }
}

#[test]
fn a_keep_alive_race_is_told_with_what_the_endpoint_does() {
    let mut record = sample::plain("one");
    let mut attempt = Attempt::begin("orders".into(), "10.0.0.1:80".into(), Duration::ZERO);
    attempt.reused = true;
    attempt.connection_idle = Duration::from_secs(5);
    attempt.code = Some(Code::ConnectionTerminated);
    attempt.keep_alive_race = Some(Race {
        how: "closed",
        idle_timeout: Some(Duration::from_secs(5)),
    });
    record.attempts = vec![attempt];
    let story = explain(&record, None);
    let race = "a keep-alive race: the endpoint closed it, as it does with idle ones after 5.000 s";
    assert!(
        story.contains("idle for 5.000 s") && story.contains(race),
        "{story}"
    );
}

#[test]
fn a_connection_is_told_with_who_closed_it() {
    use crate::record::websocket::{Close, Messages};
    let mut record = sample::plain("one");
    record.websocket = Some(Box::new(WebSocket {
        from_client: Messages {
            count: 3,
            bytes: 40,
        },
        opened: Duration::from_millis(2),
        close: Some(Close {
            by: Closer::Gateway,
            code: Some(1009),
            at: Duration::from_secs(5),
        }),
        ..WebSocket::default()
    }));
    let story = explain(&record, None);
    for part in [
        "+2.0 ms WebSocket open: 3 messages (40 bytes) from the client, 0 (0 bytes) to it",
        "the gateway closed it at +5.000 s with 1009",
    ] {
        assert!(story.contains(part), "{part:?} is missing in\n{story}");
    }
}

#[test]
fn a_terminal_is_safe_from_what_callers_send() {
    let mut record = sample::plain("one");
    record.path = "/\u{1b}[2J\u{9b}x".into();
    let story = explain(&record, None);
    assert!(!story.contains('\u{1b}') && !story.contains('\u{9b}'));
    assert!(story.contains("\\u{1b}[2J"));
}

#[test]
fn an_upstreams_own_error_is_laid_at_its_door() {
    let mut record = sample::plain("one");
    record.status = 503;
    assert!(explain(&record, None).contains("the upstream itself answered 503"));
}

/// A request that failed with this code at one attempt, made as `shape` says.
fn failed(code: Code, shape: impl FnOnce(&mut Attempt)) -> Record {
    let mut record = sample::plain("one");
    record.code = Some(code);
    record.status = code.status();
    let mut attempt = Attempt::begin("orders".into(), "10.0.0.1:80".into(), Duration::ZERO);
    attempt.code = Some(code);
    attempt.total = Duration::from_millis(500);
    shape(&mut attempt);
    record.attempts = vec![attempt];
    record
}

#[test]
fn causes_follow_from_what_is_recorded() {
    let race = |attempt: &mut Attempt| {
        attempt.reused = true;
        attempt.connection_idle = Duration::from_secs(5);
        attempt.keep_alive_race = Some(Race {
            how: "reset",
            idle_timeout: None,
        });
    };
    let sent = |attempt: &mut Attempt| attempt.bytes_sent = 120;
    for (record, words) in [
        (
            failed(Code::ConnectionTerminated, race),
            "a keep-alive race: 10.0.0.1:80 reset",
        ),
        (
            failed(Code::ConnectionTerminated, |a| a.reused = true),
            "ended a connection that was in use",
        ),
        (
            failed(Code::ConnectionTerminated, sent),
            "ended a new connection after 120 bytes",
        ),
        (
            failed(Code::ConnectionRefused, |_| ()),
            "nobody listens there",
        ),
        (
            failed(Code::ConnectionTimeout, |_| ()),
            "did not answer for 500.0 ms",
        ),
        (
            failed(Code::HttpResponseTimeout, sent),
            "took 120 bytes of the request and sent nothing for 500.0 ms",
        ),
        (
            failed(Code::ProviderRateLimited, |a| a.status = Some(429)),
            "answered 429",
        ),
    ] {
        let cause = likely_cause(&record).unwrap_or_default();
        assert!(cause.contains(words), "{words:?} is not in {cause:?}");
        assert!(explain(&record, None).contains(&cause));
    }
    // Where the code says all that is known, nothing is made up.
    assert_eq!(
        likely_cause(&failed(Code::TlsCertificateError, |_| ())),
        None
    );
}

#[test]
fn a_client_that_leaves_is_told_from_one_that_gave_up() {
    let mut record = failed(Code::ClientDisconnected, |a| a.code = None);
    record.duration = Duration::from_secs(10);
    record.upstream_wait = Duration::from_secs(9);
    let cause = likely_cause(&record).expect("a cause");
    assert!(
        cause.contains("most of which orders was waited for"),
        "{cause}"
    );
    record.upstream_wait = Duration::ZERO;
    let cause = likely_cause(&record).expect("a cause");
    assert!(cause.contains("nobody else was slow"), "{cause}");
}

#[test]
fn the_story_says_why_its_route_matched_and_whether_that_still_holds() {
    let mut record = sample::plain("one");
    record.matched = Some("host shop.example.com, path /orders or below".into());
    record.config_revision = 0xfeed;
    let story = explain(&record, Some(0xfeed));
    assert!(
        story.contains("route orders (forward), which is for host shop.example.com, path /orders or below; team shop"),
        "{story}"
    );
    assert!(
        story.contains("configuration 000000000000feed, still in force"),
        "{story}"
    );
    let story = explain(&record, Some(1));
    assert!(
        story.contains("since replaced by 0000000000000001"),
        "{story}"
    );
}

#[test]
fn why_an_attempt_was_the_last_is_told() {
    let post = failed(Code::ConnectionTerminated, |attempt| {
        attempt.not_retried = Some(NotRetried::Method);
    });
    let story = explain(&post, None);
    assert!(
        story.contains("not tried again: the endpoint may have done it"),
        "{story}"
    );
    let cut = failed(Code::HttpResponseIncomplete, |attempt| {
        attempt.status = Some(200)
    });
    assert!(explain(&cut, None).contains("an answer had begun"));
}

#[test]
fn phases_follow_each_other_and_say_whose_they_are() {
    let ms = Duration::from_millis;
    let mut record = failed(Code::ResponseStalled, |attempt| {
        attempt.started = ms(1);
        attempt.connect = Some(ms(2));
        attempt.first_byte = Some(ms(30));
        attempt.body = Some(ms(400));
        attempt.total = ms(500);
        attempt.status = Some(200);
    });
    record.duration = ms(505);
    record.gateway_time = ms(2);
    record.upstream_wait = ms(500);
    let phases: Vec<_> = timeline(&record)
        .iter()
        .map(|phase| (phase.at.as_millis(), phase.took.as_millis(), phase.whose))
        .collect();
    assert_eq!(
        phases,
        [
            (0, 1, "gateway"),
            (1, 2, "upstream"),
            (3, 30, "upstream"),
            (33, 400, "upstream"),
            (433, 68, "upstream"),
            (501, 4, "gateway"),
        ]
    );
}

#[test]
fn the_next_looks_name_what_failed() {
    let looks = next(&failed(Code::ConnectionRefused, |_| ()));
    assert_eq!(looks[0], "weir tail --upstream orders");
    assert!(
        looks
            .iter()
            .any(|look| look.contains("error_type=\"connection_refused\""))
    );
    assert!(next(&sample::plain("one")).is_empty());
}

#[test]
fn what_found_no_route_is_run_dry_unless_it_would_harm_who_pastes_it() {
    let mut record = failed(Code::RouteNotFound, |_| ());
    record.listener = "public".into();
    let dry = "weir route GET 'http://shop.example.com/orders/7' --listener public --config FILE";
    assert_eq!(next(&record)[0], dry);
    record.path = "/'; rm -rf .; '".into();
    assert!(!next(&record).iter().any(|look| look.contains("rm -rf")));
}
