//! What must hold of OpenAI's embeddings, for any bytes whatsoever.

use weir_protocols::openai::embeddings::{Encoding, answer, request};

/// Reads `data` as a request and as an answer; what is read can be written, and what is written
/// says the same, in either encoding.
pub fn embeddings(data: &[u8]) {
    asked(data);
    answered(data);
}

fn asked(data: &[u8]) {
    let Ok(read) = request::read(data) else {
        return;
    };
    assert!(data.get(read.model_range.clone()).is_some());
    let texts: Vec<&str> = match &read.input {
        request::Input::Text(text) => vec![text],
        request::Input::Texts(texts) => texts.iter().map(AsRef::as_ref).collect(),
        request::Input::Tokens(_) | request::Input::TokenLists(_) => return,
    };
    let written = request::write(&read.model, &texts, read.dimensions, read.encoding);
    let again = request::read(&written).expect("what is written can be read");
    assert_eq!(again.model, read.model);
    assert_eq!(again.dimensions, read.dimensions);
    assert!(again.encoding == read.encoding);
    let texts = texts.into_iter().map(Into::into).collect();
    assert!(again.input == request::Input::Texts(texts));
}

fn answered(data: &[u8]) {
    let Ok(read) = answer::read(data) else {
        return;
    };
    for encoding in [Encoding::Float, Encoding::Base64] {
        let mut written = Vec::new();
        answer::write(&mut written, &read, "m", encoding);
        let again = answer::read(&written).expect("what is written can be read");
        assert_eq!(again.vectors, read.vectors);
        assert!(read.usage.is_none() || again.usage == read.usage);
    }
}
