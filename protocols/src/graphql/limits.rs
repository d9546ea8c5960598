//! How much an operation may be, and the first limit that it exceeds. Knows nothing of how it was
//! measured.

use std::fmt;

use super::document::Measure;
use super::lex::Count;

/// The most an operation may be. A measure that equals its limit is within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Tokens of the document, all its operations and fragments together.
    pub tokens: u64,
    /// Fields within fields.
    pub depth: u64,
    /// Fields with a name of the caller's choice.
    pub aliases: u64,
    /// Directives, wherever they stand.
    pub directives: u64,
    /// Fields of the operation itself.
    pub root_fields: u64,
    /// What its fields cost together.
    pub cost: u64,
}

/// The most fields within fields from `__schema` or `__type` on: the query that tools ask schemas by
/// needs 15, and one that goes round in circles any number.
pub const MAX_INTROSPECTION: u64 = 16;

/// What there is a limit for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// [`Limits::tokens`].
    Tokens,
    /// Brackets within brackets, of which [`super::document::MAX_NESTING`] are read.
    Nesting,
    /// [`Limits::depth`], and [`MAX_INTROSPECTION`].
    Depth,
    /// [`Limits::aliases`].
    Aliases,
    /// [`Limits::directives`].
    Directives,
    /// [`Limits::root_fields`].
    RootFields,
    /// [`Limits::cost`].
    Cost,
}

impl Limit {
    /// Its name, for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Nesting => "nesting",
            Self::Depth => "depth",
            Self::Aliases => "aliases",
            Self::Directives => "directives",
            Self::RootFields => "root_fields",
            Self::Cost => "cost",
        }
    }

    const fn mend(self) -> &'static str {
        match self {
            Self::Tokens => "send a shorter document, or several",
            Self::Nesting => "nest selections and values less deeply",
            Self::Depth => "ask for fewer fields within fields",
            Self::Aliases => "ask for fewer fields under names of your own",
            Self::Directives => "use fewer directives",
            Self::RootFields => "ask for fewer fields at once",
            Self::Cost => "ask for fewer fields, or for shorter lists",
        }
    }
}

/// A limit that is exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// Which.
    pub limit: Limit,
    /// What was found. Tokens and nesting are not counted any further than one beyond the limit;
    /// what is beyond `u64` is `u64::MAX`.
    pub found: u64,
    /// What there may be.
    pub max: u64,
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at_least = match self.limit {
            Limit::Tokens | Limit::Nesting => "at least ",
            _ => "",
        };
        let (name, max) = (self.limit.name().replace('_', " "), self.max);
        write!(
            f,
            "the limit of {name} is {max}, the request has {at_least}{}; {}",
            self.found,
            self.limit.mend()
        )
    }
}

impl Limits {
    /// Whether a document, as it is written, can be within the limits, before it is parsed for many times
    /// what it took to count. Where it holds several operations, the one that runs may be.
    ///
    /// # Errors
    /// The first limit that its operation would exceed, if it holds but one and uses all its fragments,
    /// as documents must (5.5.1.4).
    pub fn check_written(&self, count: &Count) -> Result<(), Exceeded> {
        let pairs = [
            (Limit::Aliases, count.aliases, self.aliases),
            (Limit::Directives, count.directives, self.directives),
        ];
        let beyond = pairs.into_iter().find(|(_, found, max)| found > max);
        match beyond {
            Some((limit, found, max)) if count.operations == 1 => {
                Err(Exceeded { limit, found, max })
            }
            _ => Ok(()),
        }
    }

    /// Whether an operation is within the limits. Its document's tokens were counted before it was
    /// parsed.
    ///
    /// # Errors
    /// The first limit that it exceeds, in the order of [`Limits`]' members.
    pub fn check(&self, measure: &Measure) -> Result<(), Exceeded> {
        let pairs = [
            (Limit::Depth, measure.depth, self.depth),
            (Limit::Depth, measure.introspection, MAX_INTROSPECTION),
            (Limit::Aliases, measure.aliases, self.aliases),
            (Limit::Directives, measure.directives, self.directives),
            (Limit::RootFields, measure.root_fields, self.root_fields),
            (Limit::Cost, measure.cost, self.cost),
        ];
        let beyond = pairs.into_iter().find(|(_, found, max)| found > max);
        match beyond {
            Some((limit, found, max)) => Err(Exceeded { limit, found, max }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graphql::lex;

    const LIMITS: Limits = Limits {
        tokens: 100,
        depth: 1,
        aliases: 2,
        directives: 3,
        root_fields: 4,
        cost: 5,
    };

    #[test]
    fn what_equals_its_limit_is_within_and_the_first_beyond_is_told() {
        let within = Measure {
            depth: 1,
            aliases: 2,
            directives: 3,
            root_fields: 4,
            cost: 5,
            introspection: MAX_INTROSPECTION,
        };
        assert_eq!(LIMITS.check(&within), Ok(()));
        let found = |measure: Measure| {
            let exceeded = LIMITS.check(&measure).expect_err("it is beyond");
            (exceeded.limit, exceeded.found, exceeded.max)
        };
        let one = |change: fn(&mut Measure)| {
            let mut measure = within;
            change(&mut measure);
            found(measure)
        };
        assert_eq!(one(|m| m.depth = 7), (Limit::Depth, 7, 1));
        assert_eq!(one(|m| m.introspection = 17), (Limit::Depth, 17, 16));
        assert_eq!(one(|m| m.aliases = 8), (Limit::Aliases, 8, 2));
        assert_eq!(one(|m| m.directives = 9), (Limit::Directives, 9, 3));
        assert_eq!(one(|m| m.root_fields = 10), (Limit::RootFields, 10, 4));
        assert_eq!(one(|m| m.cost = u64::MAX), (Limit::Cost, u64::MAX, 5));
        let two = Measure {
            aliases: 3,
            cost: 6,
            ..within
        };
        assert_eq!(found(two), (Limit::Aliases, 3, 2));
    }

    #[test]
    fn what_is_written_too_often_is_seen_before_it_is_parsed() {
        let found = |text: &str| {
            let most = lex::Limits {
                tokens: u64::MAX,
                nesting: u64::MAX,
            };
            let count = lex::count(text, most).expect("tokens");
            let exceeded = LIMITS.check_written(&count).err()?;
            Some((exceeded.limit, exceeded.found))
        };
        assert_eq!(found("{a:b c(d:1,e:{f:[{g:2}],h:3}) i:j}"), None);
        assert_eq!(found("query q($a:T,$b:[T],$c:T=1){a}"), None);
        assert_eq!(found("{a:b c(d:1){e:f} g:h}"), Some((Limit::Aliases, 3)));
        let spread = "fragment F on T{a:b c:d} query q{e:f ...F}";
        assert_eq!(found(spread), Some((Limit::Aliases, 3)));
        let flood = "query q($a:T@a)@b{c@d(e:{f:1}) ...g@h}";
        assert_eq!(found(flood), Some((Limit::Directives, 4)));
        assert_eq!(found("query p{a:b c:d e:f} query q{g}"), None);
        assert_eq!(found("\"@@@@\" #@@@@"), None);
    }

    #[test]
    fn it_is_said_which_limit_it_is_and_how_to_keep_it() {
        let exceeded = Exceeded {
            limit: Limit::RootFields,
            found: 10,
            max: 4,
        };
        assert_eq!(
            exceeded.to_string(),
            "the limit of root fields is 4, the request has 10; ask for fewer fields at once"
        );
    }
}
