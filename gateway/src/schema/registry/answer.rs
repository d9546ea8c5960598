//! What a registry answers, as Confluent's REST API has it.

use serde::Deserialize;

use crate::schema::{Codec, Reference};

/// A schema, as it is answered.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    /// Its id; answers about an id leave it out.
    pub(super) id: Option<u32>,
    /// Its text.
    pub(super) schema: String,
    /// What it is written in; Avro, if it is not said.
    #[serde(default, rename = "schemaType")]
    pub(super) kind: Option<String>,
    /// What it refers to.
    #[serde(default)]
    pub(super) references: Vec<Named>,
}

/// What a schema refers to.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Named {
    /// The name by which it does.
    pub(super) name: String,
    /// The subject.
    pub(super) subject: String,
    /// Its version.
    pub(super) version: u32,
}

impl Answer {
    /// Compiles the schema, with all that it refers to, however far.
    pub(super) fn compile(
        &self,
        references: &[Reference],
        message: Option<&str>,
    ) -> Result<Codec, String> {
        let kind = self.kind.as_deref().unwrap_or("AVRO");
        if message.is_some() && kind != "PROTOBUF" {
            return Err(format!(
                "`message` names one of Protobuf's, and it is {kind}"
            ));
        }
        match kind {
            "AVRO" => Codec::avro(&self.schema, references),
            "JSON" => Codec::json(&self.schema, references),
            "PROTOBUF" => Codec::proto(&self.schema, references, message),
            other => Err(format!("it is written in {other}, which is not read here")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compile(answer: &str, message: Option<&str>) -> Result<Codec, String> {
        let answer: Answer = serde_json::from_str(answer).expect("an answer");
        answer.compile(&[], message)
    }

    #[test]
    fn the_kind_says_what_a_schema_is_written_in() {
        let avro = r#"{"subject":"a","version":1,"id":7,"schema":"\"long\""}"#;
        assert!(matches!(compile(avro, None), Ok(Codec::Avro(_))));
        let json = r#"{"schema":"{}","schemaType":"JSON","references":[]}"#;
        assert!(matches!(compile(json, None), Ok(Codec::Json(_))));
        let proto = r#"{"schema":"message A {}","schemaType":"PROTOBUF"}"#;
        assert!(matches!(compile(proto, Some("A")), Ok(Codec::Protobuf(_))));
        let other = compile(r#"{"schema":"","schemaType":"THRIFT"}"#, None);
        assert!(other.expect_err("unknown").contains("THRIFT"));
        let why = compile(avro, Some("A")).expect_err("Avro has no messages");
        assert!(why.contains("AVRO"), "{why}");
    }
}
