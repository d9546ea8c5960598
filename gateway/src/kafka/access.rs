//! A cluster as a caller may use it: by whose connections, and which topics. Whoever is given one was let
//! in; what may be done with a topic is asked of it before anything is sent.

use std::sync::Arc;

use parking_lot::Mutex;
use weir_telemetry::metrics::backlog::Figures;
use weir_telemetry::{Code, Metrics};

use super::group::{Group, Handler, Plan};
use super::pool::{Pool, Used};
use super::session::Session;
use crate::config::consumers::Consumer;
use crate::config::kafka_clusters as config;
use crate::config::kafka_identity::{Identity, Operation};
use crate::error::GatewayError;

/// A cluster.
pub(crate) struct Cluster {
    /// What it is, as configured.
    definition: config::Cluster,
    by: By,
    metrics: Metrics,
}

/// By whose credentials it is spoken to.
enum By {
    /// The gateway's own.
    Gateway(Arc<Session>),
    /// The callers'; the gateway's own, where nobody called.
    Callers(Arc<Pool>, Arc<Own>),
}

/// The gateway's own connections, once it has any.
type Own = Mutex<Option<Arc<Session>>>;

/// What a caller may do with a cluster. Its connections stay as long as this does.
pub(crate) struct Access {
    cluster: Arc<Cluster>,
    consumer: Option<Arc<Consumer>>,
    through: Through,
}

/// By whose connections.
enum Through {
    Gateway(Arc<Session>),
    Caller(Used),
}

impl Cluster {
    /// Begins to speak to it; what `before` has of connections that still fit is taken over. An
    /// unreachable broker is no error yet.
    pub(crate) fn start(
        definition: &config::Cluster,
        before: Option<&Self>,
        metrics: &Metrics,
    ) -> Result<Self, String> {
        let before = before.filter(|before| bare(&before.definition) == bare(definition));
        let is_callers = matches!(definition.identity, Identity::Principals(_));
        let by = match before.map(|before| &before.by) {
            Some(By::Callers(pool, own)) if is_callers => By::Callers(pool.clone(), own.clone()),
            Some(By::Gateway(session)) if !is_callers => By::Gateway(session.clone()),
            _ if is_callers => By::Callers(Pool::new(metrics), Arc::default()),
            _ => By::Gateway(Session::start(bare(definition), metrics)?.into()),
        };
        Ok(Self {
            definition: definition.clone(),
            by,
            metrics: metrics.clone(),
        })
    }

    /// Whether this is what `definition` asks for.
    pub(crate) fn fits(&self, definition: &config::Cluster) -> bool {
        self.definition == *definition
    }

    /// By which the gateway speaks to it for itself: what webhooks send has no caller.
    ///
    /// # Errors
    /// [`Code::KafkaUnavailable`], where no client of these properties can be made.
    pub(crate) fn own(&self) -> Result<Arc<Session>, GatewayError> {
        let own = match &self.by {
            By::Gateway(session) => return Ok(session.clone()),
            By::Callers(_, own) => own,
        };
        let mut own = own.lock();
        if let Some(session) = &*own {
            return Ok(session.clone());
        }
        let started = Session::start(bare(&self.definition), &self.metrics);
        let started =
            started.map_err(|why| GatewayError::new(Code::KafkaUnavailable).source(why))?;
        Ok(own.insert(started.into()).clone())
    }

    /// What its producers hold until brokers answer.
    pub(crate) fn held(&self) -> Figures {
        match &self.by {
            By::Gateway(session) => session.held(),
            By::Callers(pool, own) => {
                let own = own.lock();
                let own = own.as_ref().map(|session| session.held());
                pool.held().and(own.unwrap_or_default())
            }
        }
    }

    /// Joins a consumer group, as the gateway itself; to be called on the runtime that records are to be
    /// handled on.
    pub(crate) fn join(&self, plan: Plan, handler: Arc<dyn Handler>) -> Group {
        Group::join(&bare(&self.definition), plan, handler, &self.metrics)
    }

    /// Whether what has joined with `definition` would join so again.
    pub(super) fn would_join(&self, definition: &config::Cluster) -> bool {
        bare(&self.definition) == *definition
    }

    /// What a caller may do with it.
    ///
    /// # Errors
    /// Where it is spoken to for known callers only, and this is none; where no more can be connected.
    pub(crate) fn of(
        self: &Arc<Self>,
        consumer: Option<&Arc<Consumer>>,
    ) -> Result<Access, GatewayError> {
        let missing = || {
            let who = consumer.map_or("nobody", |consumer| &consumer.name);
            GatewayError::new(Code::KafkaIdentityMissing).source(format!(
                "the identity of the Kafka cluster \"{}\" says nothing of {who}",
                self.definition.name
            ))
        };
        let through = match (&self.by, &self.definition.identity) {
            (By::Callers(pool, _), Identity::Principals(principals)) => {
                let principal = consumer.and_then(|consumer| principals.of(consumer));
                let principal = principal.ok_or_else(missing)?;
                Through::Caller(pool.take(&self.definition, principals, principal)?)
            }
            (By::Gateway(session), Identity::Acls(rules)) => {
                let known = |consumer: &Arc<Consumer>| rules.iter().any(|r| r.is_for(consumer));
                consumer.filter(|c| known(c)).ok_or_else(missing)?;
                Through::Gateway(session.clone())
            }
            (By::Gateway(session), _) => Through::Gateway(session.clone()),
            (By::Callers(..), _) => return Err(missing()),
        };
        Ok(Access {
            cluster: self.clone(),
            consumer: consumer.cloned(),
            through,
        })
    }
}

impl Access {
    /// By which the cluster is spoken to. Ask [`may`](Self::may) first.
    pub(crate) fn session(&self) -> &Arc<Session> {
        match &self.through {
            Through::Gateway(session) => session,
            Through::Caller(used) => &used.session,
        }
    }

    /// Whether this may be done with a topic, as far as the gateway decides that. Whether there is one of
    /// that name is not looked at, so that who is refused learns nothing of it.
    ///
    /// # Errors
    /// Where no rule allows it.
    pub(crate) fn may(&self, operation: Operation, topic: &str) -> Result<(), GatewayError> {
        let Identity::Acls(rules) = &self.cluster.definition.identity else {
            return Ok(());
        };
        let consumer = self.consumer.as_ref();
        let allowed = consumer.is_some_and(|consumer| {
            let mut own = rules.iter().filter(|rule| rule.is_for(consumer));
            own.any(|rule| rule.allows(operation, topic))
        });
        match allowed {
            true => Ok(()),
            false => Err(GatewayError::new(Code::KafkaTopicDenied).source(format!(
                "no rule of the Kafka cluster \"{}\" allows it",
                self.cluster.definition.name
            ))),
        }
    }
}

/// What is said of a cluster but for who speaks to it.
fn bare(definition: &config::Cluster) -> config::Cluster {
    config::Cluster {
        identity: Identity::Gateway,
        ..definition.clone()
    }
}
