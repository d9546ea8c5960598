//! The models there are: `ListModelsResponse` and `Model` of the Gemini API. Knows no model: the
//! names are given.

use serde::Serialize;
use serde::ser::Serializer;

use super::path::Method;

/// What can be done to every model here, as a list names it; streams are part of the first.
const METHODS: [Method; 2] = [Method::Generate, Method::CountTokens];

/// Appends the answer to `GET /v1beta/models` to `out`: all on one page.
pub fn write<'a>(out: &mut Vec<u8>, names: impl IntoIterator<Item = &'a str>) {
    let list = List {
        models: names.into_iter().map(Model::called).collect(),
    };
    serde_json::to_writer(out, &list).expect("strings always serialise into a Vec");
}

/// Appends the answer to `GET /v1beta/models/{name}` to `out`.
pub fn write_one(out: &mut Vec<u8>, name: &str) {
    let model = Model::called(name);
    serde_json::to_writer(out, &model).expect("strings always serialise into a Vec");
}

#[derive(Serialize)]
struct List<'w> {
    models: Vec<Model<'w>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Model<'w> {
    /// A resource's name: `models/` and the model's.
    name: Resource<'w>,
    display_name: &'w str,
    supported_generation_methods: [&'static str; METHODS.len()],
}

impl<'w> Model<'w> {
    fn called(name: &'w str) -> Self {
        Self {
            name: Resource(name),
            display_name: name,
            supported_generation_methods: METHODS.map(Method::name),
        }
    }
}

struct Resource<'w>(&'w str);

impl Serialize for Resource<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("models/{}", self.0))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_name_becomes_a_model() {
        let model = concat!(
            r#"{"name":"models/a\"b","displayName":"a\"b","#,
            r#""supportedGenerationMethods":["generateContent","countTokens"]}"#
        );
        let mut out = Vec::new();
        super::write_one(&mut out, "a\"b");
        assert_eq!(String::from_utf8_lossy(&out), model);
        out.clear();
        super::write(&mut out, ["a\"b", "a\"b"]);
        let list = format!(r#"{{"models":[{model},{model}]}}"#);
        assert_eq!(String::from_utf8_lossy(&out), list);
    }
}
