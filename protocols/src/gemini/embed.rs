//! Texts as vectors: `BatchEmbedContentsRequest`, written, and its answer, read (Gemini API v1beta;
//! the answer to `embedContent` too, which has one vector).

use serde::{Deserialize, Serialize};

use super::wire::{Content, Part};
use crate::llm::Malformed;

/// The body of `batchEmbedContents` for `texts`, which `model` is to make vectors of, each of
/// `dimensions` numbers if that is said.
pub fn write(texts: &[&str], model: &str, dimensions: Option<u64>) -> Vec<u8> {
    let resource = match model.starts_with("models/") {
        true => model.to_owned(),
        false => format!("models/{model}"),
    };
    let requests = texts.iter().map(|text| Single {
        model: &resource,
        content: Content {
            role: None,
            parts: vec![Part::text(text)],
        },
        output_dimensionality: dimensions,
    });
    let batch = Batch {
        requests: requests.collect(),
    };
    serde_json::to_vec(&batch).expect("strings always serialise into a Vec")
}

/// The vectors of an answer, in the order of the texts.
///
/// # Errors
/// If it is no such answer.
pub fn read(body: &[u8]) -> Result<Vec<Vec<f32>>, Malformed> {
    let answer: Answer =
        serde_json::from_slice(body).map_err(|error| Malformed::json("the answer", &error))?;
    let vectors: Vec<Vec<f32>> = match (answer.embeddings, answer.embedding) {
        (Some(embeddings), None) => embeddings.into_iter().map(|one| one.values).collect(),
        (None, Some(embedding)) => vec![embedding.values],
        _ => return Err(Malformed::new("the answer holds no embeddings")),
    };
    match vectors.iter().any(Vec::is_empty) {
        true => Err(Malformed::new(
            "the answer holds an embedding without values",
        )),
        false => Ok(vectors),
    }
}

#[derive(Serialize)]
struct Batch<'w> {
    requests: Vec<Single<'w>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Single<'w> {
    model: &'w str,
    content: Content<'w>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_dimensionality: Option<u64>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    embeddings: Option<Vec<Embedding>>,
    #[serde(default)]
    embedding: Option<Embedding>,
}

#[derive(Deserialize)]
struct Embedding {
    #[serde(default)]
    values: Vec<f32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_is_a_request_and_each_vector_is_read() {
        let body = write(&["a", "b\""], "e", Some(3));
        assert_eq!(
            String::from_utf8_lossy(&body),
            concat!(
                r#"{"requests":[{"model":"models/e","content":{"parts":[{"text":"a"}]},"#,
                r#""outputDimensionality":3},{"model":"models/e","content":{"parts":"#,
                r#"[{"text":"b\""}]},"outputDimensionality":3}]}"#
            )
        );
        let vectors = read(br#"{"embeddings":[{"values":[0.5,-1]},{"values":[1e-3,2]}]}"#);
        assert_eq!(vectors, Ok(vec![vec![0.5, -1.0], vec![0.001, 2.0]]));
        let vector = read(br#"{"embedding":{"values":[1]},"usageMetadata":{}}"#);
        assert_eq!(vector, Ok(vec![vec![1.0]]));
        for bad in [
            "",
            "{}",
            r#"{"embeddings":[{"values":[]}]}"#,
            r#"{"embeddings":[7]}"#,
        ] {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
