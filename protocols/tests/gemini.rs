//! Google's dialect: requests, answers and streams as published, read, written and read again.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

#[path = "../fuzz/checks_gemini.rs"]
mod checks;

#[path = "gemini/answers.rs"]
mod answers;
#[path = "gemini/losses.rs"]
mod losses;
#[path = "gemini/requests.rs"]
mod requests;
#[path = "gemini/streams.rs"]
mod streams;

fn transcripts() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/gemini");
    let files = fs::read_dir(folder).expect("the transcripts are committed");
    let paths = files.map(|entry| entry.expect("listed").path());
    paths
        .map(|path| fs::read(path).expect("readable"))
        .collect()
}

/// The transcripts, and every prefix of them, held against what must hold for any bytes.
#[test]
fn any_bytes_are_read_the_same_however_they_arrive() {
    let seeds = transcripts();
    assert!(!seeds.is_empty());
    for seed in seeds {
        for end in 0..=seed.len() {
            checks::gemini(&seed[..end]);
        }
    }
}

proptest! {
    /// The transcripts with something else in some places.
    #[test]
    fn broken_transcripts_are_read_the_same_too(
        seed in prop::sample::select(transcripts()),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..12, edit()), 1..4),
    ) {
        let mut bytes = seed;
        for (at, cut, put) in edits {
            let start = at.index(bytes.len().max(1)).min(bytes.len());
            let end = (start + cut).min(bytes.len());
            bytes.splice(start..end, put);
        }
        checks::gemini(&bytes);
    }
}

fn edit() -> impl Strategy<Value = Vec<u8>> {
    let word = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        "\"",
        "null",
        "\\ud800",
        "\n\n",
        "\r",
        ",",
        "0",
        "-1",
        "1e9",
        "\\",
        "true",
        "STOP",
        "\"index\":1,",
        "\"thought\":true,",
        "\"text\":\"\",",
        "weR1",
        "model",
        "call_seed_0",
    ]);
    prop_oneof![
        word.prop_map(|word| word.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..4),
    ]
}
