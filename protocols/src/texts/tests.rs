//! Texts of bodies in every dialect, and bodies with some of them changed.

use bytes::Bytes;

use super::insert::{At, insert, take};
use super::*;

type Expected = &'static [(Role, &'static str)];

fn said(dialect: Dialect, body: &str) -> Vec<(Role, String)> {
    let texts = Texts::read(dialect, body.as_bytes()).expect("it can be read");
    let each = texts.iter().map(|(role, text)| (role, text.to_owned()));
    each.collect()
}

fn loud(dialect: Dialect, body: &str) -> String {
    let mut texts = Texts::read(dialect, body.as_bytes()).expect("it can be read");
    let all: Vec<String> = texts.iter().map(|(_, text)| text.to_uppercase()).collect();
    for (index, text) in all.into_iter().enumerate() {
        texts.change(index, text);
    }
    String::from_utf8(texts.finish().expect("something changed")).expect("UTF-8")
}

#[test]
fn the_texts_of_a_chat_and_nothing_else_are_changed() {
    let body = r#" {"model":"m", "messages":[
      {"role":"system","content":"be brief"},
      {"content":[{"type":"text","text":"a\n\u00e4"},{"type":"image_url","image_url":{"url":"data:x"}}],"role":"user"},
      {"role":"assistant","content":null,"tool_calls":[{"id":"call_a","type":"function","function":{"name":"f","arguments":"{\"id\":\"x\\ny\",\"n\":[\"z\"]}"}}]},
      {"role":"tool","tool_call_id":"call_a","content":"done"}],"tools":[{"type":"function","function":{"name":"f","description":"kept"}}],"user":"kept"} "#;
    let expected = [
        (Role::System, "be brief"),
        (Role::User, "a\nä"),
        (Role::Assistant, "x\ny"),
        (Role::Assistant, "z"),
        (Role::Tool, "done"),
    ];
    let found = said(Dialect::Chat, body);
    let found: Vec<(Role, &str)> = found.iter().map(|(role, text)| (*role, &**text)).collect();
    assert_eq!(found, expected);
    let changed = body
        .trim()
        .replace("be brief", "BE BRIEF")
        .replace(r"a\n\u00e4", r"A\nÄ")
        .replace(
            r#"{\"id\":\"x\\ny\",\"n\":[\"z\"]}"#,
            r#"{\"id\":\"X\\nY\",\"n\":[\"Z\"]}"#,
        )
        .replace("done", "DONE");
    assert_eq!(loud(Dialect::Chat, body), changed);
    let texts = Texts::read(Dialect::Chat, body.as_bytes()).expect("it can be read");
    assert_eq!(texts.messages(), 4);
    assert_eq!(texts.finish(), None);
}

#[test]
fn every_dialect_says_who_speaks() {
    use Role::{Assistant, System, Tool, User};
    let table: [(Dialect, &str, Expected); 6] = [
        (
            Dialect::Responses,
            r#"{"instructions":"i","input":[{"role":"user","content":[{"type":"input_text","text":"u"}]},
              {"type":"function_call","call_id":"c","name":"f","arguments":"{\"a\":\"b\"}"},
              {"type":"function_call_output","call_id":"c","output":"o"}],"metadata":{"k":"v"}}"#,
            &[(System, "i"), (User, "u"), (Assistant, "b"), (Tool, "o")],
        ),
        (Dialect::Responses, r#"{"input":"u"}"#, &[(User, "u")]),
        (
            Dialect::Made,
            r#"{"a":"b","c":["d",{"role":"e"}]}"#,
            &[(User, "b"), (User, "d"), (User, "e")],
        ),
        (
            Dialect::Embeddings,
            r#"{"input":["a","b"],"model":"m"}"#,
            &[(User, "a"), (User, "b")],
        ),
        (
            Dialect::Messages,
            r#"{"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}],"messages":[
              {"role":"assistant","content":[{"type":"thinking","thinking":"kept","signature":"kept"},
                {"type":"tool_use","id":"t","name":"f","input":{"id":"x","type":"y"}}]},
              {"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"r"}]},
                {"type":"document","source":{"type":"text","media_type":"text/plain","data":"d"}},
                {"type":"image","source":{"type":"base64","media_type":"image/png","data":"kept"}}]}]}"#,
            &[
                (System, "s"),
                (Assistant, "x"),
                (Assistant, "y"),
                (Tool, "r"),
                (User, "d"),
            ],
        ),
        (
            Dialect::Gemini,
            r#"{"systemInstruction":{"parts":[{"text":"s"}]},"contents":[{"parts":[{"text":"u"},
              {"inlineData":{"mimeType":"image/png","data":"kept"}}]},
              {"role":"model","parts":[{"functionCall":{"name":"f","args":{"a":"x"}}}]},
              {"role":"user","parts":[{"functionResponse":{"name":"f","response":{"a":"r"}}}]}]}"#,
            &[(System, "s"), (User, "u"), (Assistant, "x"), (Tool, "r")],
        ),
    ];
    for (dialect, body, expected) in table {
        let found = said(dialect, body);
        let found: Vec<(Role, &str)> = found.iter().map(|(role, text)| (*role, &**text)).collect();
        assert_eq!(found, expected, "{body}");
    }
}

#[test]
fn what_is_no_json_or_too_deep_harms_nobody() {
    for body in [
        "",
        "\"",
        "{\"messages\":[\"",
        "]}",
        "{\"messages\":\"a\\",
        "[{\"a\":",
    ] {
        let _ = said(Dialect::Chat, body);
    }
    let deep = format!("{{\"messages\":{}", "[".repeat(100_000));
    assert!(Texts::read(Dialect::Chat, deep.as_bytes()).is_err());
    let broken = r#"{"messages":[{"role":"assistant","tool_calls":[{"function":{"arguments":"{broken"}}]}]}"#;
    assert_eq!(
        said(Dialect::Chat, broken),
        [(Role::Assistant, "{broken".to_owned())]
    );
}

#[test]
fn messages_are_added_where_each_dialect_has_them() {
    use Dialect::{Chat, Gemini, Messages, Responses};
    let table = [
        (
            Chat,
            At::Start,
            Role::System,
            r#"{"messages":[1]}"#,
            r#"{"messages":[{"role":"system","content":"T"},1]}"#,
        ),
        (
            Chat,
            At::End,
            Role::User,
            r#"{"messages":[ ]}"#,
            r#"{"messages":[{"role":"user","content":"T"} ]}"#,
        ),
        (
            Responses,
            At::Start,
            Role::System,
            r#"{"instructions":"a"}"#,
            r#"{"instructions":"T\n\na"}"#,
        ),
        (
            Responses,
            At::End,
            Role::User,
            r#"{"input":"a"}"#,
            r#"{"input":[{"role":"user","content":"a"},{"role":"user","content":"T"}]}"#,
        ),
        (
            Messages,
            At::Start,
            Role::System,
            r#"{"a":1}"#,
            r#"{"system":"T","a":1}"#,
        ),
        (
            Messages,
            At::End,
            Role::System,
            r#"{"system":[1]}"#,
            r#"{"system":[1,{"type":"text","text":"T"}]}"#,
        ),
        (
            Gemini,
            At::Start,
            Role::System,
            r#"{"system_instruction":{"parts":[1]}}"#,
            r#"{"system_instruction":{"parts":[{"text":"T"},1]}}"#,
        ),
        (
            Gemini,
            At::Start,
            Role::System,
            "{}",
            r#"{"systemInstruction":{"parts":[{"text":"T"}]}}"#,
        ),
        (
            Gemini,
            At::End,
            Role::Assistant,
            r#"{"contents":[1]}"#,
            r#"{"contents":[1,{"role":"model","parts":[{"text":"T"}]}]}"#,
        ),
        (Chat, At::End, Role::User, "[1]", "[1]"),
        (
            Chat,
            At::End,
            Role::User,
            r#"{"messages":1}"#,
            r#"{"messages":1}"#,
        ),
    ];
    for (dialect, at, role, body, expected) in table {
        let out = insert(&Bytes::from_static(body.as_bytes()), dialect, at, role, "T");
        assert_eq!(std::str::from_utf8(&out), Ok(expected), "{body}");
    }
}

#[test]
fn a_member_is_taken_out_with_its_comma() {
    for (body, expected) in [
        (r#"{"a":1, "k" : {"x":2} ,"b":3}"#, r#"{"a":1,"b":3}"#),
        (r#"{"k":2}"#, "{}"),
        (r#"{"a":1,"k":2 }"#, r#"{"a":1 }"#),
        (r#"{"k":2,"a":1}"#, r#"{"a":1}"#),
    ] {
        let (_, without) = take(&Bytes::from_static(body.as_bytes()), "k").expect("it is there");
        let value: serde_json::Value = serde_json::from_slice(&without).expect("JSON");
        let expected: serde_json::Value = serde_json::from_str(expected).expect("JSON");
        assert_eq!(value, expected, "{body}");
    }
    assert!(take(&Bytes::from_static(b"{\"a\":1}"), "k").is_none());
}
