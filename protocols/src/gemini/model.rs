//! What can be told of a model from its name: the generation of Gemini, on which it depends how
//! thinking is asked for and whether calls must be signed. A name that says nothing, such as
//! `gemini-flash-latest`, is taken for the newest.

/// A generation of Gemini, as 2.5 is `Generation(2, 5)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Generation(u32, u32);

impl Generation {
    /// Of the model called `name`.
    pub(super) fn of(name: &str) -> Self {
        let number = |text: &str| {
            let digits = text.bytes().take_while(u8::is_ascii_digit).count();
            text[..digits].parse::<u32>().ok().map(|n| (n, digits))
        };
        let after = name.rsplit_once("gemini-").map_or("", |(_, after)| after);
        let Some((major, digits)) = number(after) else {
            return Self(u32::MAX, 0);
        };
        let minor = after[digits..].strip_prefix('.').and_then(number);
        Self(major, minor.map_or(0, |(minor, _)| minor))
    }

    /// Whether it thinks at all.
    pub(super) fn thinks(self) -> bool {
        self >= Self(2, 5)
    }

    /// Whether thinking is asked for by level (`thinkingLevel`) instead of by budget, calls must be
    /// signed, and tools may return images.
    pub(super) fn is_third(self) -> bool {
        self >= Self(3, 0)
    }
}

/// Whether it is one of the small models, which may think as little as is asked and have the
/// smaller budgets.
pub(super) fn is_flash(name: &str) -> bool {
    name.contains("flash")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_the_generation() {
        for (name, thinks, third) in [
            ("gemini-1.5-pro", false, false),
            ("gemini-2.0-flash-001", false, false),
            ("models/gemini-2.5-flash", true, false),
            ("gemini-3-pro-preview", true, true),
            ("gemini-3.1-pro", true, true),
            ("gemini-flash-latest", true, true),
            ("gemini-99999999999", true, true),
            ("tuned", true, true),
        ] {
            let generation = Generation::of(name);
            let found = (generation.thinks(), generation.is_third());
            assert_eq!(found, (thinks, third), "{name}");
        }
    }
}
