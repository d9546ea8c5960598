//! Usage as real providers report it, and as broken ones do.

use super::*;

#[test]
fn a_completion_reports_all_it_knows() {
    let body = br#"{"id":"c1","choices":[{"message":{"content":"\"usage\":{}"}}],
        "usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,
        "prompt_tokens_details":{"cached_tokens":4,"audio_tokens":0},
        "completion_tokens_details":{"reasoning_tokens":0}}}"#;
    assert_eq!(
        from_completion(body),
        Some(Usage {
            input: 19,
            output: 10,
            total: 29,
            cache_written: None,
            cached: Some(4),
            reasoning: Some(0),
        })
    );
}

#[test]
fn zero_is_a_value_and_missing_is_none() {
    let zero = br#"{"usage":{"prompt_tokens":0,"completion_tokens":0}}"#;
    let usage = from_completion(zero).expect("usage");
    assert_eq!((usage.input, usage.total), (0, 0));
    assert_eq!((usage.cached, usage.reasoning), (None, None));
    for none in [
        &br#"{"choices":[]}"#[..],
        br#"{"usage":null}"#,
        br#"{"usage":{}}"#,
        br#"{"usage":{"prompt_tokens":5,"total_tokens":5}}"#,
        br#"{"usage":{"prompt_tokens":-1,"completion_tokens":1}}"#,
        br#"{"usage":{"prompt_tokens":1.5,"completion_tokens":1}}"#,
        br#"{"usage":{"prompt_tokens":1,"prompt_tokens":2,"completion_tokens":1}}"#,
        br#"{"usage":"much"}"#,
        br#"{"usage":[5,5]}"#,
        br#"[{"prompt_tokens":5,"completion_tokens":5},[]]"#,
        br#"[[5,5],[]]"#,
        br#"{"message":{"usage":{"prompt_tokens":1,"completion_tokens":1}}}"#,
        br#"{"usage":{"prompt_tokens":1,"completion_tokens":1}"#,
        b"",
    ] {
        assert_eq!(
            from_completion(none),
            None,
            "{}",
            String::from_utf8_lossy(none)
        );
    }
}

#[test]
fn usage_is_found_wherever_it_stands_at_the_top_and_nowhere_else() {
    let report = r#""usage":{"prompt_tokens":1,"completion_tokens":2}"#;
    let other = r#""choices":[{"message":{"content":"\"usage\":{}","usage":[1]}}]"#;
    for found in [
        format!("{{{report}}}"),
        format!("{{{other},{report}}}"),
        format!("{{{report},{other}}}"),
        format!("{{ {other} , {report} , \"a\" : \"b\" }} \n"),
        format!("{{{report},\"x\":{{\"usage\":{{}}}}}}"),
    ] {
        let usage = from_completion(found.as_bytes()).map(|usage| usage.total);
        assert_eq!(usage, Some(3), "{found}");
    }
    for none in [
        format!("{{\"x\":{{{report}}}}}"),
        format!("{{\"x\":{{{report},\"a\":1}}}}"),
        format!("{{\"x\":[{{{report}}}],\"a\":1}}"),
        format!("[{{{report}}}]"),
        format!("{{{report},\"a\":"),
    ] {
        assert_eq!(from_completion(none.as_bytes()), None, "{none}");
    }
}

#[test]
fn odd_details_do_not_cost_the_numbers() {
    let body = br#"{"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":"3",
        "prompt_tokens_details":[{"a":[1]}],"completion_tokens_details":null,
        "a":[[],{"b":1}],"b":{"c":{}},"c":-1,"d":1.5e300,"e":"\u00e9","f":true}}"#;
    let usage = from_completion(body).expect("usage");
    assert_eq!((usage.total, usage.cached), (3, None));
    let body = br#"{"usage":{"prompt_tokens":1,"completion_tokens":2,
        "prompt_tokens_details":{"cached_tokens":null,"x":{"cached_tokens":7}},
        "completion_tokens_details":{"cached_tokens":7,"reasoning_tokens":"5"}}}"#;
    let usage = from_completion(body).expect("usage");
    assert_eq!((usage.cached, usage.reasoning), (None, None));
}

#[test]
fn a_chunk_is_a_report_only_with_empty_choices() {
    let usage = r#""usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21}"#;
    let only = |choices: &str| {
        from_chunk(format!("{{{choices}{usage}}}").as_bytes()).map(|chunk| chunk.only)
    };
    assert_eq!(only(r#""choices":[],"#), Some(true));
    assert_eq!(only(r#""choices": [ ] ,"#), Some(true));
    assert_eq!(only(r#""choices":[{"index":0,"delta":{}}],"#), Some(false));
    assert_eq!(only(r#""choices":null,"#), Some(false));
    assert_eq!(only(""), Some(false));
}

#[test]
fn ordinary_chunks_hold_no_usage() {
    for none in [
        r#"{"choices":[{"delta":{"content":"hi"}}],"usage":null}"#,
        r#"{"choices":[{"delta":{"content":"hi"}}],"usage" : null }"#,
        r#"{"choices":[{"delta":{"content":"the \"usage\": {"}}]}"#,
        r#"{"choices":[{"delta":{"content":"usage"}}]}"#,
        r#"{"x_groq":{"usage":{"prompt_tokens":1,"completion_tokens":1}},"choices":[]}"#,
        "[DONE]",
    ] {
        assert_eq!(from_chunk(none.as_bytes()), None, "{none}");
    }
    // The cheap check alone lets go of all but the nested one.
    assert!(!may_hold_usage(br#"{"usage":null,"x":["usage",1]}"#));
    assert!(may_hold_usage(br#"{"x":{"usage":null},"usage":{}}"#));
}

#[test]
fn done_is_done() {
    assert!(is_done(b"[DONE]") && is_done(b" [DONE]\n"));
    assert!(!is_done(b"[done]") && !is_done(b"") && !is_done(b"\"[DONE]\""));
}
