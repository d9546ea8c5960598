//! What is found, what is masked, and the way back however it is cut.

use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use weir_protocols::texts::Dialect;
use weir_telemetry::{Code, Metrics};

use super::answer::Spoken;
use super::*;
use crate::config::policies::pii::BuiltIn;
use crate::policy::speech::Kind as Said;

fn looking(action: Action, response: bool) -> Arc<Looking> {
    let metrics = Metrics::new();
    let config = Config {
        detectors: BuiltIn::ALL.map(Detector::BuiltIn).into(),
        action,
        request: true,
        response,
    };
    Pii::new(&config, &|kind, direction| {
        metrics.findings("r", "pii", kind, direction)
    })
    .0
}

const MASK: Action = Action::Mask { reversible: true };

fn masked(text: &str) -> (String, Mapping) {
    let body = serde_json::json!({ "messages": [{ "role": "user", "content": text }] });
    let body = Bytes::from(body.to_string());
    let mut texts = speech::texts(Dialect::Chat, &body).expect("a chat");
    let mapping = looking(MASK, false).prompt(&mut texts).expect("it passes");
    let said = texts.iter().next().map(|(_, text)| text.to_owned());
    (said.unwrap_or_default(), mapping)
}

#[test]
fn no_pattern_matches_more_than_is_held_back() {
    for pattern in detect::PATTERNS {
        let longest = regex_syntax::parse(pattern).map(|parsed| parsed.properties().maximum_len());
        let longest = longest.expect("a pattern").expect("it is bounded");
        assert!(longest <= detect::LONGEST, "{longest}: {pattern}");
    }
}

#[test]
fn data_is_told_from_what_looks_like_it() {
    for (text, expected) in [
        ("to Bob.B+x@mail.example.co.uk, now", "to [EMAIL_1], now"),
        ("a@b and @c.de and x@y.z", "a@b and @c.de and x@y.z"),
        ("call +49 (151) 2345-6789!", "call [PHONE_1]!"),
        (
            "call (415) 555-2671 or 1-415-555-2671",
            "call [PHONE_1] or [PHONE_2]",
        ),
        (
            "order 4155552671, 2024-10-11 10:30",
            "order 4155552671, 2024-10-11 10:30",
        ),
        (
            "card 4111 1111 1111 1111 12/27",
            "card [CREDIT_CARD_1] 12/27",
        ),
        ("card 4111111111111112", "card 4111111111111112"),
        ("378282246310005.", "[CREDIT_CARD_1]."),
        (
            "IBAN DE89 3704 0044 0532 0130 00 THANKS",
            "IBAN [IBAN_1] THANKS",
        ),
        ("GB82WEST12345698765432", "[IBAN_1]"),
        ("DE88370400440532013000", "DE88370400440532013000"),
        (
            "from 192.168.0.254 and 999.1.1.1",
            "from [IP_ADDRESS_1] and 999.1.1.1",
        ),
        (
            "from 2001:db8::1: and fe80::1",
            "from [IP_ADDRESS_1]: and [IP_ADDRESS_2]",
        ),
        (
            "std::fs a::b 12:30:45 de:ad:be:ef:00:01",
            "std::fs a::b 12:30:45 de:ad:be:ef:00:01",
        ),
        ("ssn 123-45-6789, 123 45 6789", "ssn [US_SSN_1], [US_SSN_2]"),
        (
            "no ssn 000-45-6789 666-45-6789 123-00-6789",
            "no ssn 000-45-6789 666-45-6789 123-00-6789",
        ),
        (
            "a@x.org b@x.org a@x.org [EMAIL_4]",
            "[EMAIL_5] [EMAIL_6] [EMAIL_5] [EMAIL_4]",
        ),
    ] {
        assert_eq!(masked(text).0, expected, "{text}");
    }
}

/// An answer said in pieces.
fn said(spoken: &Arc<Spoken>, kind: Said, pieces: &[&str]) -> String {
    let mut out = String::new();
    let Some(mut filter) = spoken.clone().filter(kind) else {
        return pieces.concat();
    };
    for piece in pieces {
        filter.text(piece, &mut out).expect("it passes");
    }
    filter.end(&mut out).expect("it passes");
    out
}

fn pieces<'t>(text: &'t str, cuts: &[usize]) -> Vec<&'t str> {
    let mut cuts: Vec<usize> = cuts
        .iter()
        .copied()
        .filter(|at| text.is_char_boundary(*at))
        .collect();
    cuts.extend([0, text.len()]);
    cuts.sort_unstable();
    cuts.windows(2)
        .map(|pair| &text[pair[0]..pair[1]])
        .collect()
}

proptest! {
    #[test]
    fn what_was_masked_comes_back_however_it_is_cut(
        words in proptest::collection::vec(prop_oneof![
            Just("a@example.com"), Just("+4915123456789"), Just("4111 1111 1111 1111"),
            Just("[EMAIL_9]"), Just("[EMAIL_"), Just("[[é]"), Just("plain"),
        ], 0..12),
        cuts in proptest::collection::vec(0usize..200, 0..12),
    ) {
        let text = words.join(" ");
        let (prompt, mapping) = masked(&text);
        let spoken = Arc::new(Spoken::new(looking(MASK, false), Some(mapping)));
        prop_assert_eq!(said(&spoken, Said::Answer, &pieces(&prompt, &cuts)), text);
    }

    #[test]
    fn answers_are_masked_alike_however_they_are_cut(
        words in proptest::collection::vec(prop_oneof![
            Just("a@example.com"), Just("+49 151 23456789"), Just("4111-1111 1111 1111"), Just("12"),
            Just("GB82 WEST 1234 5698 7654 32"), Just("10.1.2.3"), Just("2001:db8::1"), Just("é"),
            Just("123-45-6789"), Just("The Weir"), Just("IO"), Just("\n"), Just("[EMAIL_1]"),
        ], 0..12),
        glue in prop_oneof![Just(" "), Just(""), Just(", ")],
        cuts in proptest::collection::vec(0usize..200, 0..12),
    ) {
        let text = words.join(glue);
        let spoken = Arc::new(Spoken::new(looking(MASK, true), None));
        let whole = said(&spoken, Said::Answer, &[&text]);
        prop_assert_eq!(said(&spoken, Said::Answer, &pieces(&text, &cuts)), whole);
    }
}

#[test]
fn arguments_stay_json_and_thoughts_as_they_were_signed() {
    let mut mapping = Mapping::default();
    let placeholder = mapping.placeholder("QUOTE", "say \"no\"\n").to_owned();
    let spoken = Arc::new(Spoken::new(looking(MASK, false), Some(mapping)));
    let arguments = format!(r#"{{"to":"{placeholder}"}}"#);
    let (one, other) = arguments.split_at(12);
    let arguments = said(&spoken, Said::Arguments, &[one, other]);
    assert_eq!(arguments, r#"{"to":"say \"no\"\n"}"#);
    assert_eq!(said(&spoken, Said::Answer, &[&placeholder]), "say \"no\"\n");
    assert_eq!(said(&spoken, Said::Reasoning, &[&placeholder]), placeholder);
}

#[test]
fn what_blocks_names_the_kind_and_not_the_data() {
    let looking = looking(Action::Block, true);
    let body = Bytes::from_static(br#"{"messages":[{"role":"user","content":"a@example.com"}]}"#);
    let mut texts = speech::texts(Dialect::Chat, &body).expect("a chat");
    let error = looking
        .prompt(&mut texts)
        .map(drop)
        .expect_err("it is blocked");
    assert_eq!(error.code, Code::PromptDenied);
    assert!(
        error.public.contains("\"email\"") && !error.to_string().contains('@'),
        "{error}"
    );
    let spoken = Arc::new(Spoken::new(looking, None));
    let mut filter = spoken
        .filter(Said::Answer)
        .expect("answers are looked through");
    let mut out = String::new();
    filter
        .text("write to a@exa", &mut out)
        .expect("nothing yet");
    assert_eq!(out, "write to ");
    filter
        .text("mple.com now", &mut out)
        .expect_err("it is blocked");
}
