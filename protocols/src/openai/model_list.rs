//! The answer to `GET /v1/models`. Knows no model: the names are given.

use serde::ser::{Serialize, SerializeSeq, Serializer};

/// Appends the list of `names` to `out`. `created` is in seconds since the
/// Unix epoch, `owned_by` the organisation; OpenAI states both for each.
pub fn write<'a>(
    out: &mut Vec<u8>,
    names: impl IntoIterator<Item = &'a str> + Clone,
    created: u64,
    owned_by: &str,
) {
    let list = List {
        object: "list",
        data: Models {
            names,
            created,
            owned_by,
        },
    };
    serde_json::to_writer(out, &list).expect("strings always serialise into a Vec");
}

#[derive(serde::Serialize)]
struct List<T> {
    object: &'static str,
    data: T,
}

#[derive(serde::Serialize)]
struct Model<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    owned_by: &'a str,
}

struct Models<'a, N> {
    names: N,
    created: u64,
    owned_by: &'a str,
}

impl<'n, N: IntoIterator<Item = &'n str> + Clone> Serialize for Models<'_, N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for id in self.names.clone() {
            list.serialize_element(&Model {
                id,
                object: "model",
                created: self.created,
                owned_by: self.owned_by,
            })?;
        }
        list.end()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_name_becomes_a_model() {
        let mut out = Vec::new();
        super::write(&mut out, ["smart", "a\"b"], 7, "weir");
        assert_eq!(
            String::from_utf8_lossy(&out),
            concat!(
                r#"{"object":"list","data":["#,
                r#"{"id":"smart","object":"model","created":7,"owned_by":"weir"},"#,
                r#"{"id":"a\"b","object":"model","created":7,"owned_by":"weir"}]}"#
            )
        );
        let mut none = Vec::new();
        super::write(&mut none, [], 7, "weir");
        assert_eq!(none, br#"{"object":"list","data":[]}"#);
    }
}
