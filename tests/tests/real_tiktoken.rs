//! OpenAI's own tiktoken on the corpus by which the gateway's counts are tested.
//!
//! The gateway's unit tests hold its counts against `corpus/counts.json`, and this one holds that
//! file against tiktoken. `WEIR_UPDATE=1` writes the file anew.

use std::fs;
use std::path::Path;

use serde_json::Value;
use weir_tests::tiktoken;

#[test]
fn the_corpus_counts_as_the_gateway_is_tested_to_count() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let run = tiktoken::count(&corpus);
    let said: Value = serde_json::from_str(&run.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", run.stdout, run.stderr));
    for part in ["texts", "chats"] {
        let files = fs::read_dir(corpus.join(part)).expect("it is committed");
        let counted = said[part].as_object().expect("counts by file").len();
        assert_eq!(counted, files.count(), "{part}");
    }
    let golden = corpus.join("counts.json");
    if std::env::var_os("WEIR_UPDATE").is_some() {
        fs::write(&golden, &run.stdout).expect("it may be written");
    }
    let expected = fs::read_to_string(&golden).expect("it is committed");
    let expected: Value = serde_json::from_str(&expected).expect("it is JSON");
    assert_eq!(said, expected);
}
