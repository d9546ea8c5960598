//! What is allowed of an operation: how much it may be, whether it may ask for the schema, and for which
//! fields. Knows nothing of HTTP but that a GET only reads.

use std::sync::Arc;

use weir_protocols::graphql::document::{Measure, Type};
use weir_protocols::graphql::request::{Request, Requests, from_json, from_query};

use super::documents::Found;
use super::receive::Received;
use super::{Graphql, fault, rewrite};
use crate::config::routes::graphql::{Introspection, Rules};
use crate::error::GatewayError;
use crate::runtime::Consumer;

/// An operation of a request.
pub(super) struct Operation {
    /// What sort it is.
    pub(super) ty: Type,
    /// Its name, if it has one.
    pub(super) name: Option<String>,
    /// What it costs; 0 while that is not known.
    pub(super) cost: u64,
}

/// Why nothing goes upstream.
pub(super) enum Refused {
    /// It would not do.
    Error(Box<GatewayError>),
    /// A document was named that is not known here.
    Unknown(Unknown),
}

/// A document was named that is not known here: clients send it in full then, and expect to be told in
/// the words of automatic persisted queries.
#[derive(Clone, Copy)]
pub(super) struct Unknown {
    /// Whether sending it once makes it known.
    pub(super) kept: bool,
    /// The requests of the batch it was in; `None` if it was in none.
    pub(super) batch: Option<usize>,
}

impl From<GatewayError> for Refused {
    fn from(error: GatewayError) -> Self {
        Self::Error(Box::new(error))
    }
}

impl Graphql {
    /// Examines all that was received, and writes down in `seen` what was understood of it. What is to go
    /// upstream, where that is not what came.
    pub(super) fn examine(
        &self,
        received: &Received,
        caller: Option<&Consumer>,
        seen: &mut Vec<Operation>,
    ) -> Result<Option<Vec<u8>>, Refused> {
        let requests = match received {
            Received::Query(query) => from_query(query).map(Requests::One),
            Received::Body(body) => from_json(body, self.max_batch),
            Received::Socket(payload) => from_json(payload, 0),
        };
        let requests = requests.map_err(|wrong| fault::malformed(&wrong))?;
        let by_get = matches!(received, Received::Query(_));
        let (requests, batch) = match &requests {
            Requests::One(one) => (std::slice::from_ref(one), None),
            Requests::Batch(all) => (&all[..], Some(all.len())),
        };
        let mut found = Vec::with_capacity(requests.len());
        for request in requests {
            let one = self.one(request, by_get, caller, seen);
            found.push(one.map_err(|refused| in_batch(refused, batch))?);
        }
        // An upstream need not know of names that are agreed upon here.
        let named = |request: &Request<'_>| request.query.is_none() || request.persisted.is_some();
        let as_body = by_get && self.runs_here();
        let rewritten = (as_body || requests.iter().any(named))
            .then(|| rewrite::rewrite(requests, &found, batch.is_some()));
        for found in found {
            self.documents.keep(found);
        }
        Ok(rewritten)
    }

    fn one(
        &self,
        request: &Request<'_>,
        by_get: bool,
        caller: Option<&Consumer>,
        seen: &mut Vec<Operation>,
    ) -> Result<Found, Refused> {
        let limits = &self.rules.limits;
        let found = self.documents.find(request, limits, &self.metrics)?;
        let document = &found.known.document;
        let asked = document.operation(request.operation_name.as_deref());
        let operation = asked.map_err(|wrong| fault::document(&wrong))?;
        let at = seen.len();
        seen.push(Operation {
            ty: operation.ty(),
            name: operation.name().map(str::to_owned),
            cost: 0,
        });
        if by_get && operation.ty() == Type::Mutation {
            return Err(fault::not_by_get().into());
        }
        if operation.ty() == Type::Subscription && !self.has_subscriptions() {
            return Err(fault::no_subscriptions().into());
        }
        let measured = operation.measure(&self.rules.costs, request.variables.as_ref());
        let measure = measured.map_err(|wrong| fault::document(&wrong))?;
        seen[at].cost = measure.cost;
        limits
            .check(&measure)
            .map_err(|exceeded| fault::exceeded(&exceeded))?;
        may_introspect(&self.rules, &measure, caller)?;
        let reached = operation.reaches(&self.rules.authorization, self.rules.schema());
        let reached = reached.map_err(|wrong| fault::document(&wrong))?;
        match reached
            .into_iter()
            .find(|(groups, _)| !is_in(caller, groups))
        {
            Some((_, place)) => Err(fault::denied(place).into()),
            None => Ok(found),
        }
    }
}

fn in_batch(refused: Refused, batch: Option<usize>) -> Refused {
    match refused {
        Refused::Unknown(unknown) => Refused::Unknown(Unknown { batch, ..unknown }),
        error => error,
    }
}

fn may_introspect(
    rules: &Rules,
    measure: &Measure,
    caller: Option<&Consumer>,
) -> Result<(), GatewayError> {
    let may = match &rules.introspection {
        _ if measure.introspection == 0 => true,
        Introspection::Everybody => true,
        Introspection::Nobody => false,
        Introspection::Groups(groups) => is_in(caller, groups),
    };
    if may { Ok(()) } else { Err(fault::closed()) }
}

/// Whether the caller is in one of the groups; nobody, if it is not known who calls.
fn is_in(caller: Option<&Consumer>, groups: &[Arc<str>]) -> bool {
    caller.is_some_and(|caller| caller.groups.iter().any(|group| groups.contains(group)))
}
