//! Answers kept to be given again: the same call, by the same caller or by whom it is shared with,
//! costs its provider nothing the second time.
//!
//! | Module | Knows |
//! |---|---|
//! | `canonical`, `key` | when two calls are the same |
//! | `entry` | what is kept of an answer |
//! | `shelf`, `memory`, `redis` | where |
//! | `keep` | which answers are, as they pass |
//! | `replay` | an answer told again, as its caller wants it |
//! | `semantic`, `index` | calls that mean the same as another |
//!
//! A call is looked up once its caller is known and what it says has passed the guards, and before
//! any token is reserved. Calls whose answers are minded by guards are neither looked up nor kept.

mod canonical;
mod entry;
mod index;
mod keep;
mod key;
mod memory;
mod redis;
mod replay;
mod semantic;
mod shelf;

use std::sync::Arc;
use std::time::Duration;

use http::header::{AGE, CACHE_CONTROL};
use http::{HeaderMap, HeaderName, HeaderValue};
use weir_telemetry::Code;
use weir_telemetry::metrics;
use weir_telemetry::metrics::answers::Lookup;

use entry::{Entry, now};
pub(super) use keep::{Keep, Keeping, Tape};
use key::{Key, Question, Whose};
use replay::Replay;
use semantic::{Meaning, Semantic};
use shelf::Shelf;
pub(crate) use shelf::Shelves;

use super::ask::Asked;
use super::model::{Model, field};
use super::note::{self, Notes};
use super::{answer, serve};
use crate::config::routes::cache as config;
use crate::error::GatewayError;
use crate::large;
use crate::policy::quota::{Bound, Usage, charge};
use crate::proxy::{Downstream, Request};
use crate::runtime::Parts;

const WEIR_CACHE: HeaderName = HeaderName::from_static("weir-cache");
const WEIR_SIMILARITY: HeaderName = HeaderName::from_static("weir-cache-similarity");

/// Of so many texts that mean the same the answers are looked for.
const MOST_TRIED: usize = 4;

/// What one route keeps.
pub(super) struct Cache {
    route: Arc<str>,
    scope: config::Scope,
    ttl: Duration,
    max_entry: usize,
    shelf: Arc<Shelf>,
    semantic: Option<Semantic>,
    metrics: Arc<metrics::Answers>,
}

/// An answer that was found.
struct Found {
    entry: Arc<Entry>,
    replay: Replay,
    /// How alike the question is to the one that was answered, if it is not the same.
    similarity: Option<f32>,
}

/// What came of looking.
enum Look {
    Found(Found),
    /// Nothing; what the call means, if that was asked.
    Nothing(Option<Meaning>),
}

/// A call that may have been answered before.
struct Place {
    key: Key,
    /// Whether its caller wants a new answer, which is kept.
    anew: bool,
}

impl Cache {
    /// What the route of this name keeps.
    pub(super) fn new(route: &Arc<str>, config: &config::Cache, parts: &Parts<'_>) -> Self {
        let kept = parts.shelves.of(route);
        let semantic = config.semantic.as_ref().zip(kept.index.clone());
        Self {
            route: route.clone(),
            scope: config.scope,
            ttl: config.ttl,
            max_entry: usize::try_from(config.max_entry).unwrap_or(usize::MAX),
            shelf: kept.shelf.clone(),
            semantic: semantic.map(|(config, index)| Semantic::new(config, index, parts)),
            metrics: parts.metrics.answers(route),
        }
    }

    /// Answers a call from what was kept, or has its model answer.
    pub(super) async fn serve(
        &self,
        request: &mut Request,
        down: &mut Downstream,
        asked: &Asked<'_>,
        model: &Model,
        notes: &Notes,
    ) -> Result<(), GatewayError> {
        let place = large::work(asked.len(), || {
            self.place(request, &down.head().headers, asked, model)
        });
        let Some(place) = place else {
            self.note(request, asked, model, Lookup::Bypass);
            return serve::serve(request, down, asked, model, notes, None).await;
        };
        let meaning = match self.look(request, down, (asked, model), &place).await? {
            Look::Found(found) => return self.answer(request, down, (asked, model), found).await,
            Look::Nothing(meaning) => meaning,
        };
        self.note(request, asked, model, Lookup::Miss);
        let miss = HeaderValue::from_static(Lookup::Miss.as_str());
        request.answer_headers.push((WEIR_CACHE, miss));
        let keep = Keep {
            cache: self,
            key: place.key,
            meaning,
        };
        serve::serve(request, down, asked, model, notes, Some(&keep)).await
    }

    /// Where the answer of a call is; `None` if it is not to be looked up.
    fn place(
        &self,
        request: &Request,
        headers: &HeaderMap,
        asked: &Asked<'_>,
        model: &Model,
    ) -> Option<Place> {
        let wish = Wish::of(headers);
        if wish == Wish::NotKept || !asked.guards().is_empty() {
            return None;
        }
        let question = self.question(request, headers, asked, model)?;
        Some(Place {
            key: question.key()?,
            anew: wish == Wish::Anew,
        })
    }

    fn question<'q>(
        &'q self,
        request: &Request,
        headers: &'q HeaderMap,
        asked: &'q Asked<'q>,
        model: &'q Model,
    ) -> Option<Question<'q>> {
        Some(Question {
            route: &self.route,
            model,
            whose: Whose::of(self.scope, request.consumer.as_deref())?,
            headers,
            asked,
        })
    }

    /// Looks for an answer: to the same call, and to one that means the same.
    ///
    /// # Errors
    /// If the caller leaves meanwhile.
    async fn look(
        &self,
        request: &mut Request,
        down: &mut Downstream,
        (asked, model): (&Asked<'_>, &Model),
        place: &Place,
    ) -> Result<Look, GatewayError> {
        if place.anew {
            return Ok(Look::Nothing(None));
        }
        if let Some((entry, replay)) = self.find(request, asked, &place.key).await {
            return Ok(Look::Found(Found {
                entry,
                replay,
                similarity: None,
            }));
        }
        let Some(semantic) = &self.semantic else {
            return Ok(Look::Nothing(None));
        };
        let subject = large::work(asked.len(), || {
            let question = self.question(request, &down.head().headers, asked, model)?;
            semantic.subject(&question)
        });
        let Some(subject) = subject else {
            return Ok(Look::Nothing(None));
        };
        let about = (&model.name, &*self.metrics);
        let meaning = semantic.meaning(request, down, subject, about).await?;
        if down.left() {
            return Err(GatewayError::new(Code::ClientDisconnected));
        }
        let Some(meaning) = meaning else {
            return Ok(Look::Nothing(None));
        };
        Ok(match self.alike(request, asked, semantic, &meaning).await {
            Some(found) => Look::Found(found),
            None => Look::Nothing(Some(meaning)),
        })
    }

    /// The answer to the text that is most like this one, of those that are kept still.
    async fn alike(
        &self,
        request: &Request,
        asked: &Asked<'_>,
        semantic: &Semantic,
        meaning: &Meaning,
    ) -> Option<Found> {
        let (index, threshold) = (&semantic.index, semantic.threshold);
        let alike = self.shelf.alike(index, meaning, threshold, &self.metrics);
        for one in alike.await.into_iter().take(MOST_TRIED) {
            if let Some((entry, replay)) = self.find(request, asked, &one.key).await {
                return Some(Found {
                    entry,
                    replay,
                    similarity: Some(one.similarity),
                });
            }
            index.forget(&meaning.group, &one.key);
        }
        None
    }

    /// What was kept under that name, as the caller wants it.
    async fn find(
        &self,
        request: &Request,
        asked: &Asked<'_>,
        key: &Key,
    ) -> Option<(Arc<Entry>, Replay)> {
        let entry = self.shelf.get(key, self.ttl, &self.metrics).await?;
        let id = request.record.request_id.as_str();
        let replay = large::work(entry.body.len(), || Replay::of(&entry, asked, id))?;
        Some((entry, replay))
    }

    /// Gives an answer that was kept. The request counts; tokens and money are none.
    async fn answer(
        &self,
        request: &mut Request,
        down: &mut Downstream,
        (asked, model): (&Asked<'_>, &Model),
        found: Found,
    ) -> Result<(), GatewayError> {
        let Found {
            entry,
            replay,
            similarity,
        } = found;
        let bound = Bound {
            model: Some(&model.name),
            ..Bound::default()
        };
        charge(request, &down.head().headers, bound).await?;
        request.usage = Some(Usage::nothing());
        let result = match similarity {
            None => Lookup::Hit,
            Some(_) => Lookup::SemanticHit,
        };
        self.note(request, asked, model, result);
        note::kept(request, model, &entry.head.provider, &entry.head.model);
        note::alike(request, similarity);
        tell(request, model, &entry, similarity);
        replay.send(request, down).await?;
        match down.left() {
            true => Err(GatewayError::new(Code::ClientDisconnected)),
            false => Ok(()),
        }
    }

    fn note(&self, request: &mut Request, asked: &Asked<'_>, model: &Model, result: Lookup) {
        self.metrics.looked_up(result);
        note::begin(request, asked, model).cache = Some(result.as_str());
    }
}

/// Says in the answer's head where it is from.
fn tell(request: &mut Request, model: &Model, entry: &Entry, similarity: Option<f32>) {
    let hit = HeaderValue::from_static(Lookup::Hit.as_str());
    let told = &mut request.answer_headers;
    told.push((WEIR_CACHE, hit));
    if let Some(similarity) = similarity
        && let Ok(similarity) = HeaderValue::try_from(format!("{similarity:.4}"))
    {
        told.push((WEIR_SIMILARITY, similarity));
    }
    told.push((AGE, entry.age(now()).as_secs().into()));
    told.push((answer::WEIR_MODEL, model.field.clone()));
    told.push((answer::WEIR_PROVIDER, field(&entry.head.provider)));
    let dropped = entry.head.dropped.as_ref();
    if let Some(names) = dropped.and_then(|names| HeaderValue::try_from(names).ok()) {
        told.push((answer::WEIR_DROPPED, names));
    }
}

/// What a caller says of being answered from what was kept (RFC 9111, 5.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// Nothing.
    None,
    /// It wants a new answer: `no-cache`.
    Anew,
    /// Nothing of this is to be kept: `no-store`.
    NotKept,
}

impl Wish {
    fn of(headers: &HeaderMap) -> Self {
        let mut wish = Self::None;
        for value in headers.get_all(CACHE_CONTROL) {
            for directive in value.as_bytes().split(|byte| *byte == b',') {
                let directive = directive.trim_ascii();
                if directive.eq_ignore_ascii_case(b"no-store") {
                    return Self::NotKept;
                }
                if directive.eq_ignore_ascii_case(b"no-cache") {
                    wish = Self::Anew;
                }
            }
        }
        wish
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_may_want_a_new_answer_or_that_none_is_kept() {
        for (values, expected) in [
            (&[][..], Wish::None),
            (&["max-age=0"], Wish::None),
            (&["No-Cache"], Wish::Anew),
            (&["max-age=0, no-cache"], Wish::Anew),
            (&["no-cache,no-store"], Wish::NotKept),
            (&["no-cache", " no-store "], Wish::NotKept),
            (&["no-storefront"], Wish::None),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CACHE_CONTROL, HeaderValue::from_static(value));
            }
            assert_eq!(Wish::of(&headers), expected, "{values:?}");
        }
    }
}
