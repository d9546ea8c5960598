//! Vectors of texts: each word adds to the places that its hash names, so that texts that share words
//! lie near each other. What words mean is not known here.

use http::StatusCode;
use sha2::{Digest as _, Sha256};
use weir_protocols::llm::Usage;
use weir_protocols::openai::embeddings::{Answer, Input, Request};

use super::{Refusal, words};

/// How long vectors are unless somebody says.
const DIMENSIONS: u64 = 64;

/// How long they are at most.
const MOST: u64 = 4096;

/// The most numbers of one answer.
const NUMBERS: usize = 1 << 20;

/// The vectors of a request's texts.
pub(super) fn answer(request: &Request<'_>) -> Result<Answer<'static>, Refusal> {
    let refused =
        |param, message: &str| Err(Refusal::new(StatusCode::BAD_REQUEST, message).param(param));
    let texts: Vec<&str> = match &request.input {
        Input::Text(text) => vec![text],
        Input::Texts(texts) => texts.iter().map(|text| &**text).collect(),
        Input::Tokens(_) | Input::TokenLists(_) => {
            return refused("input", "this model reads texts, no tokens");
        }
    };
    let dimensions = match request.dimensions.unwrap_or(DIMENSIONS) {
        dimensions @ 1..=MOST => dimensions as usize,
        _ => return refused("dimensions", "dimensions has to be between 1 and 4096"),
    };
    if texts.len().saturating_mul(dimensions) > NUMBERS {
        return refused("input", "this is too much at once");
    }
    let tokens = texts.iter().map(|text| words::tokens(text).count() as u64);
    let usage = Usage::new(tokens.sum(), 0);
    Ok(Answer {
        model: None,
        vectors: texts.iter().map(|text| vector(text, dimensions)).collect(),
        usage: Some(usage),
    })
}

/// The vector of a text, of length 1.
fn vector(text: &str, dimensions: usize) -> Vec<f32> {
    let mut sums = vec![0_f32; dimensions];
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric());
    for word in words.filter(|word| !word.is_empty()) {
        for pair in Sha256::digest(word).chunks_exact(4) {
            let place = usize::from(u16::from_le_bytes([pair[0], pair[1]])) % dimensions;
            sums[place] += if pair[2] & 1 == 0 { 1.0 } else { -1.0 };
        }
    }
    let length = sums.iter().map(|sum| sum * sum).sum::<f32>().sqrt();
    if length == 0.0 {
        sums[0] = 1.0;
        return sums;
    }
    sums.iter().map(|sum| sum / length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_share_words_lie_near_each_other() {
        let of = |text: &str| vector(text, 64);
        let near =
            |one: &[f32], other: &[f32]| -> f32 { one.iter().zip(other).map(|(a, b)| a * b).sum() };
        let weir = of("What is a weir?");
        assert!((near(&weir, &weir) - 1.0).abs() < 1e-5);
        assert!(near(&weir, &of("what is a WEIR")) > 0.999);
        let alike = near(&weir, &of("What is a weir for?"));
        assert!(
            alike > near(&weir, &of("Cheese and bread")) + 0.2,
            "{alike}"
        );
        assert_eq!(of("?!")[0], 1.0);
    }
}
