//! The encodings against tiktoken-rs's own encoder, which sees texts uncut.

use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

static UNCUT: LazyLock<[(Encoding, CoreBPE); 2]> = LazyLock::new(|| {
    let built_in = "it is built in";
    [
        (Encoding::O200k, tiktoken_rs::o200k_base().expect(built_in)),
        (
            Encoding::Cl100k,
            tiktoken_rs::cl100k_base().expect(built_in),
        ),
    ]
});

fn count(encoding: Encoding, text: &str) -> u64 {
    let mut counter = encoding.counter().expect("it is built in");
    counter.count(text, &|| true).expect("it is wanted")
}

/// Checks the number of tokens, and that pieces are cut in the same places.
fn check(text: &str) {
    for (encoding, uncut) in &*UNCUT {
        let tokens = uncut.encode_ordinary(text);
        assert_eq!(
            count(*encoding, text),
            tokens.len() as u64,
            "{encoding:?} {text:?}"
        );
        let mut counter = encoding.counter().expect("it is built in");
        let mut piecewise = Vec::new();
        for piece in counter.loaded.cut.pieces(text) {
            let alone = uncut.encode_ordinary(piece);
            assert_eq!(counter.piece(piece.as_bytes()), alone.len() as u64);
            piecewise.extend(alone);
        }
        assert_eq!(piecewise, tokens, "{encoding:?} {text:?}");
    }
}

/// Characters of every class the expressions tell apart, and what lies at their edges.
const SNIPPETS: &[&str] = &[
    " ",
    " ",
    "  ",
    "\n",
    "\r",
    "\r\n",
    "\t",
    "\u{a0}",
    "\u{3000}",
    "\u{2028}",
    "\u{85}",
    "\u{b}",
    "a",
    "b",
    "the",
    "weir",
    "A",
    "B",
    "THE",
    "Weir",
    "\u{e9}",
    "\u{c9}",
    "\u{df}",
    "\u{130}",
    "\u{1c5}",
    "\u{2b0}",
    "\u{6c34}",
    "\u{5830}",
    "\u{0430}",
    "\u{0410}",
    "\u{0628}",
    "\u{0915}",
    "\u{094d}",
    "\u{0301}",
    "\u{0308}",
    "\u{20dd}",
    "\u{200d}",
    "\u{fe0f}",
    "\u{1f600}",
    "\u{1f468}",
    "1",
    "23",
    "4567",
    "\u{0661}",
    "\u{2160}",
    "\u{bd}",
    "'",
    "'s",
    "'S",
    "'t",
    "'re",
    "'LL",
    "'\u{17f}",
    "\u{2019}s",
    "/",
    "//",
    ".",
    ",",
    "!",
    "-",
    "_",
    "(",
    "\"",
    "\\",
    "\0",
    "\u{7f}",
    "\u{200b}",
    "\u{feff}",
    "\u{e000}",
    "\u{10ffff}",
    "<|endoftext|>",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn any_text_is_counted_as_if_uncut(snippets in vec(select(SNIPPETS), 0..24)) {
        check(&snippets.concat());
    }

    #[test]
    fn any_characters_are_counted_as_if_uncut(text in any::<String>()) {
        check(&text);
    }

    #[test]
    fn runs_are_counted_as_if_uncut(runs in vec((select(SNIPPETS), 1_usize..300), 1..4)) {
        let text: String = runs.iter().map(|(snippet, times)| snippet.repeat(*times)).collect();
        check(&text);
    }
}

#[test]
fn every_token_is_known_by_its_rank() {
    for (encoding, tokens) in [(Encoding::O200k, 199_998), (Encoding::Cl100k, 100_256)] {
        let counter = encoding.counter().expect("it is built in");
        assert_eq!(counter.loaded.vocabulary.len(), tokens);
    }
}

#[test]
fn a_mebibyte_of_anything_is_counted_and_none_panics() {
    let times = |unit: &str| unit.repeat((1 << 20) / unit.len());
    // Eight letters to a token, and 128 spaces; prose as the uncut encoder counts it.
    assert_eq!(count(Encoding::O200k, &times("a")), 131_072);
    assert_eq!(count(Encoding::O200k, &times(" ")), 8192);
    let prose = times("The weir measures what flows over it, and says why.\n");
    let (_, uncut) = &UNCUT[0];
    let tokens = uncut.encode_ordinary(&prose).len() as u64;
    assert_eq!(count(Encoding::O200k, &prose), tokens);
}

#[test]
fn long_runs_are_counted_as_if_uncut_and_longer_than_can_be_uncut() {
    for unit in ["a", "\u{e9}", "[", "a\u{300}", "!\u{1f600}", "\0", "Aa"] {
        let text = unit.repeat(20_000);
        for (encoding, uncut) in &*UNCUT {
            let tokens = uncut.encode_ordinary(&text).len() as u64;
            assert_eq!(count(*encoding, &text), tokens, "{unit:?}");
        }
    }
    for unit in [" ", "\n", "\r\n", " \t", "\u{3000}", " \n"] {
        for encoding in [Encoding::O200k, Encoding::Cl100k] {
            let text = unit.repeat(100_000);
            let tokens = count(encoding, &text);
            assert!(
                (1..=text.len() as u64 / 2).contains(&tokens),
                "{unit:?}: {tokens}"
            );
        }
    }
}

#[test]
fn only_so_much_of_a_prompt_is_encoded_in_long_pieces() {
    let mut counter = Encoding::O200k.counter().expect("it is built in");
    let mut count = |text: &str| counter.count(text, &|| true);
    let long = "a".repeat(ENCODED_IN_LONG - LONG);
    assert_eq!(count(&long), Some(131_072 - LONG as u64 / 8));
    // The next one is counted by its bytes, and what is not long as ever.
    let next = "a".repeat(2 * LONG);
    assert_eq!(count(&next), Some(next.len() as u64));
    assert_eq!(count("hello world"), Some(2));
}

#[test]
fn a_count_that_nobody_wants_ends() {
    let mut counter = Encoding::O200k.counter().expect("it is built in");
    let prose = "what flows over it ".repeat(10_000);
    assert_eq!(counter.count(&prose, &|| false), None);
}

#[test]
fn a_model_decides_the_encoding() {
    for (model, encoding) in [
        ("gpt-4o", Encoding::O200k),
        ("gpt-4o-mini-2024-07-18", Encoding::O200k),
        ("chatgpt-4o-latest", Encoding::O200k),
        ("gpt-4.1-nano", Encoding::O200k),
        ("gpt-4.5-preview", Encoding::O200k),
        ("gpt-5", Encoding::O200k),
        ("o1", Encoding::O200k),
        ("o3-pro", Encoding::O200k),
        ("o4-mini", Encoding::O200k),
        ("llama-3.3-70b", Encoding::O200k),
        ("", Encoding::O200k),
        ("gpt-4", Encoding::Cl100k),
        ("gpt-4-0613", Encoding::Cl100k),
        ("gpt-4-turbo", Encoding::Cl100k),
        ("openai/gpt-4-turbo", Encoding::Cl100k),
        ("gpt-3.5-turbo", Encoding::Cl100k),
        ("gpt-35-turbo", Encoding::Cl100k),
        ("ft:gpt-3.5-turbo-0125:acme::Ab1", Encoding::Cl100k),
    ] {
        assert_eq!(Encoding::of(model), encoding, "{model}");
    }
}
