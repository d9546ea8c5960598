//! What is said of a batch whose transaction was not committed.

use serde_json::{Value, json};
use weir_telemetry::Code;

use super::batch::refused;
use crate::error::GatewayError;

/// The error of a batch of so many records, with a result for each: nothing of it was written, unless
/// nobody knows that. `record` is the one it failed at, if it was one.
pub(super) fn failed(error: GatewayError, record: Option<usize>, records: usize) -> GatewayError {
    let unknown = error.code == Code::KafkaOutcomeUnknown;
    let rest = match unknown {
        true => {
            "The commit of the transaction was not answered: all records were written, or none."
        }
        false => "The records are written all or none, and none was.",
    };
    let public = match (unknown, record) {
        (true, _) => rest.to_owned(),
        (false, Some(index)) => format!("At index {index} of the batch: {} {rest}", error.public),
        (false, None) => format!("{} {rest}", error.public),
    };
    let other = GatewayError {
        public: rest.into(),
        ..error.clone()
    };
    let results = (0..records).map(|index| match record == Some(index) {
        true => refused(&error),
        false => refused(&other),
    });
    let results: Vec<Value> = results.collect();
    GatewayError {
        public: public.into(),
        member: Some(Box::new(("results", json!(results)))),
        ..error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(error: &GatewayError) -> &Value {
        &error.member.as_ref().expect("a member").1
    }

    #[test]
    fn only_an_unknown_outcome_leaves_open_whether_anything_was_written() {
        let error = GatewayError::new(Code::KafkaRecordTooLarge);
        let error = failed(error, Some(1), 3);
        assert_eq!(
            error.public,
            "At index 1 of the batch: The record is larger than the Kafka cluster accepts. The records are written all or none, and none was."
        );
        let details: Vec<_> = (0..3)
            .map(|index| &results(&error)[index]["error"]["detail"])
            .collect();
        let none = "The records are written all or none, and none was.";
        assert_eq!(details, [none, Code::KafkaRecordTooLarge.title(), none]);

        let error = failed(GatewayError::new(Code::KafkaOutcomeUnknown), None, 1);
        assert!(error.public.ends_with("all records were written, or none."));
        assert_eq!(results(&error)[0]["error"]["code"], "kafka_outcome_unknown");
    }
}
