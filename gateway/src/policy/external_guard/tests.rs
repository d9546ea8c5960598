//! What guards may say.

use super::ask::Said;

#[test]
fn a_guard_is_understood_or_unavailable() {
    let read = |text: &str| Said::read(text.as_bytes(), 2);
    assert_eq!(read(r#"{"action":"allow","score":0.1}"#), Ok(Said::Allow));
    let long = "x".repeat(500);
    assert_eq!(
        read(&format!(r#"{{"action":"deny","reason":"a\n{long}"}}"#)),
        Ok(Said::Deny(format!("a{}", &long[..127])))
    );
    assert_eq!(
        read(r#"{"action":"replace","texts":["a",null]}"#),
        Ok(Said::Replace(vec![Some("a".to_owned()), None]))
    );
    for bad in [
        r#"{"action":"replace","texts":["a"]}"#,
        r#"{"action":"replace"}"#,
        r#"{"action":"maybe"}"#,
        "allow",
        "",
    ] {
        assert!(read(bad).is_err(), "{bad}");
    }
}
