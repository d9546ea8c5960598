//! What must hold of the texts of any call: what is changed is found again as it was changed, and
//! JSON stays JSON.

use bytes::Bytes;
use serde_json::value::RawValue;
use weir_protocols::texts::insert::{At, insert, take};
use weir_protocols::texts::{Dialect, Role, Texts};

const DIALECTS: [Dialect; 6] = [
    Dialect::Chat,
    Dialect::Responses,
    Dialect::Messages,
    Dialect::Gemini,
    Dialect::Embeddings,
    Dialect::Made,
];

/// Finds, changes, adds and takes out.
pub fn texts(data: &[u8]) {
    let body = Bytes::copy_from_slice(data);
    let is_json = is_json(&body);
    for dialect in DIALECTS {
        change(dialect, &body, is_json);
        for role in [Role::System, Role::User, Role::Assistant] {
            for at in [At::Start, At::End] {
                let with = insert(&body, dialect, at, role, "a \"text\"");
                assert!(!is_json || self::is_json(&with));
            }
        }
    }
    if let Some((_, without)) = take(&body, "model") {
        assert!(!is_json || self::is_json(&without));
    }
}

fn change(dialect: Dialect, body: &[u8], is_json: bool) {
    let Ok(mut texts) = Texts::read(dialect, body) else {
        return;
    };
    let marked: Vec<String> = texts.iter().map(|(_, text)| format!("{text}\"x")).collect();
    for (index, text) in marked.iter().enumerate() {
        texts.change(index, text.clone());
    }
    let changed = texts.finish();
    assert_eq!(changed.is_none(), marked.is_empty());
    let Some(changed) = changed.filter(|_| is_json) else {
        return;
    };
    assert!(self::is_json(&changed));
    let again = Texts::read(dialect, &changed).expect("it was read before");
    assert!(
        again
            .iter()
            .map(|(_, text)| text)
            .eq(marked.iter().map(String::as_str))
    );
}

fn is_json(body: &[u8]) -> bool {
    serde_json::from_slice::<&RawValue>(body).is_ok()
}
