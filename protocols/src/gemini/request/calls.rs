//! Which result belongs to which call. The dialect's calls need have no id: then a result belongs to
//! the first call of that name that has none yet.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet, VecDeque};

/// The calls of a conversation so far.
#[derive(Debug, Default)]
pub(super) struct Calls<'a> {
    named: usize,
    open: HashMap<Cow<'a, str>, VecDeque<Cow<'a, str>>>,
    answered: HashSet<Cow<'a, str>>,
}

impl<'a> Calls<'a> {
    /// A call of the tool `name`: its id, or one for it.
    pub(super) fn called(&mut self, id: Option<Cow<'a, str>>, name: &Cow<'a, str>) -> Cow<'a, str> {
        let id = id.unwrap_or_else(|| self.next());
        self.open
            .entry(name.clone())
            .or_default()
            .push_back(id.clone());
        id
    }

    /// A result of the tool `name`: the id of the call it belongs to.
    pub(super) fn returned(
        &mut self,
        id: Option<Cow<'a, str>>,
        name: &Cow<'a, str>,
    ) -> Cow<'a, str> {
        if let Some(id) = id {
            self.answered.insert(id.clone());
            return id;
        }
        let open = self.open.get_mut(name);
        let mut left = open
            .into_iter()
            .flat_map(|open| std::iter::from_fn(|| open.pop_front()));
        let first = left.find(|id| !self.answered.contains(id));
        // A result of no call keeps an id of its own; the target may refuse it.
        first.unwrap_or_else(|| self.next())
    }

    fn next(&mut self) -> Cow<'a, str> {
        let id = format!("call_{}", self.named);
        self.named += 1;
        Cow::Owned(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_go_to_the_calls_of_their_name_in_order() {
        let mut calls = Calls::default();
        let (f, g) = (Cow::Borrowed("f"), Cow::Borrowed("g"));
        assert_eq!(calls.called(None, &f), "call_0");
        assert_eq!(calls.called(Some("x".into()), &f), "x");
        assert_eq!(calls.called(None, &g), "call_1");
        assert_eq!(calls.called(None, &f), "call_2");
        assert_eq!(calls.returned(None, &g), "call_1");
        assert_eq!(calls.returned(None, &f), "call_0");
        assert_eq!(calls.returned(Some("x".into()), &f), "x");
        assert_eq!(calls.returned(None, &f), "call_2");
        assert_eq!(calls.returned(None, &f), "call_3");
    }
}
