//! The model's tokens: a word with the space before it, and long words in parts.
//!
//! A tokenizer's are smaller and cleverer; these are counted by whoever reads the answer.

/// The longest token, in characters.
const LONGEST: usize = 12;

/// The tokens of `text`, in order; together they are `text`.
pub(super) fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (token, after) = rest.split_at(first(rest));
        rest = after;
        (!token.is_empty()).then_some(token)
    })
}

/// Where the first token of `text` ends.
fn first(text: &str) -> usize {
    let mut in_word = false;
    for (count, (at, c)) in text.char_indices().enumerate() {
        let space = c.is_whitespace();
        if count == LONGEST || (in_word && space) {
            return at;
        }
        in_word = !space;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_word_takes_the_space_before_it() {
        let found: Vec<&str> = tokens("What is  a\nweir?").collect();
        assert_eq!(found, ["What", " is", "  a", "\nweir?"]);
    }

    #[test]
    fn long_words_and_long_spaces_are_cut() {
        assert_eq!(tokens(&"é".repeat(25)).count(), 3);
        assert_eq!(tokens(&" ".repeat(24)).count(), 2);
        assert_eq!(tokens("").count(), 0);
    }

    proptest! {
        #[test]
        fn together_they_are_the_text(text in ".*") {
            prop_assert_eq!(tokens(&text).collect::<String>(), text.as_str());
        }
    }
}
