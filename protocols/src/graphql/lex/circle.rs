//! Fragments that are used within themselves, found among tokens: a document of such is refused for less
//! than it costs to parse it. Knows which names follow `fragment` and `...`, and nothing else of what a
//! document may say.

use std::collections::HashMap;

/// The fragments of a document, and which of them each uses.
#[derive(Default)]
pub(super) struct Fragments<'a> {
    defined: Vec<Fragment<'a>>,
    used: Vec<Use<'a>>,
    /// Whether this is within the definition of the last.
    defining: bool,
    next: Next,
}

struct Fragment<'a> {
    name: &'a str,
    /// What it uses begins here, in the uses of all.
    uses: usize,
}

struct Use<'a> {
    name: &'a str,
    /// The byte at which its `...` stands.
    at: usize,
}

/// What a name would be if it came next.
#[derive(Default)]
enum Next {
    #[default]
    Nothing,
    Definition,
    /// A fragment is used, by the `...` at this byte; or `on` follows.
    Use(usize),
}

impl<'a> Fragments<'a> {
    /// Takes the next token, which begins at `at`, and leaves us `within` brackets or not.
    pub(super) fn token(&mut self, token: &'a str, at: usize, within: bool) {
        let next = match token {
            "..." => Next::Use(at),
            "fragment" if !within => Next::Definition,
            _ => Next::Nothing,
        };
        match std::mem::replace(&mut self.next, next) {
            Next::Definition if is_name(token) => {
                self.defining = true;
                self.defined.push(Fragment {
                    name: token,
                    uses: self.used.len(),
                });
            }
            // What operations use is in no circle.
            Next::Use(at) if is_name(token) && token != "on" && self.defining => {
                self.used.push(Use { name: token, at });
            }
            _ if token == "}" && !within => self.defining = false,
            _ => {}
        }
    }

    /// How many are defined.
    pub(super) fn count(&self) -> u64 {
        self.defined.len() as u64
    }

    /// The byte at which a fragment is used that this leads back to.
    pub(super) fn circle(&self) -> Option<usize> {
        if self.used.is_empty() {
            return None;
        }
        let mut numbers = HashMap::with_capacity(self.defined.len());
        for (number, fragment) in self.defined.iter().enumerate() {
            numbers.entry(fragment.name).or_insert(number);
        }
        let mut state = vec![State::New; self.defined.len()];
        let mut open = Vec::new();
        for start in 0..self.defined.len() {
            if state[start] == State::New {
                state[start] = State::Open;
                open.push((start, self.uses(start)));
            }
            while let Some((number, uses)) = open.last_mut() {
                let Some(of) = uses.next() else {
                    state[*number] = State::Done;
                    open.pop();
                    continue;
                };
                let used = &self.used[of];
                match numbers.get(used.name).map(|to| (*to, state[*to])) {
                    Some((_, State::Open)) => return Some(used.at),
                    Some((to, State::New)) => {
                        state[to] = State::Open;
                        open.push((to, self.uses(to)));
                    }
                    Some((_, State::Done)) | None => {}
                }
            }
        }
        None
    }

    fn uses(&self, number: usize) -> std::ops::Range<usize> {
        let end = self.defined.get(number + 1).map(|next| next.uses);
        self.defined[number].uses..end.unwrap_or(self.used.len())
    }
}

/// Whether all that a fragment uses has been looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Open,
    Done,
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic())
}
