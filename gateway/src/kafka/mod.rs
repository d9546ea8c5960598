//! Kafka clusters as this process speaks to them. It knows neither routes nor callers.
//!
//! | Module | Knows |
//! |---|---|
//! | `access` | a cluster as a caller may use it |
//! | `pool` | the principals of callers that are connected |
//! | `session` | what speaks with one set of credentials |
//! | `token` | what OAUTHBEARER takes as such |
//! | `outgoing` | a record to send |
//! | `sender` | a client that sends, and is told |
//! | `producer` | what is known of a record that was sent |
//! | `record` | one that was read |
//! | `positions` | how far a topic was read |
//! | `subscription` | one who reads a topic from some place on |
//! | `transaction` | how records are written all or none |
//! | `fenced` | how one at a time writes to a partition, of all gateways |
//! | `partitioner` | which partition a key belongs to |
//! | `patient` | how a record is sent for as long as it takes |
//! | `tail` | the end of one topic, read once for all who follow it |
//! | `ring` | the latest records of a topic, within so many bytes |
//! | `end` | how a topic is read from its end on |
//! | `history` | what was written before, read piece by piece |
//! | [`group`] | a member of a consumer group, and what it promises |
//! | `ends` | how far topics are, at least |
//! | `lookup` | whether a record is there that nobody was told of |
//! | `consumer` | what a topic is to one who reads it |
//! | `watch` | whether brokers can be reached |

mod access;
mod consumer;
mod end;
mod ends;
mod fenced;
pub(crate) mod group;
mod history;
mod lookup;
mod outgoing;
mod partitioner;
mod patient;
mod pool;
mod positions;
mod producer;
mod record;
mod ring;
mod sender;
mod session;
mod subscription;
mod tail;
mod token;
mod transaction;
mod watch;

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};

pub(crate) use access::{Access, Cluster};
pub(crate) use fenced::{Partition, Written};
pub(crate) use history::{Gap, Start};
pub(crate) use lookup::Marks;
pub(crate) use outgoing::{Headers, Outgoing};
pub(crate) use partitioner::Partitioner;
pub(crate) use patient::{Answer, Patient};
pub(crate) use positions::Positions;
pub(crate) use producer::Producer;
pub(crate) use record::{Header, Record};
pub(crate) use sender::Acknowledged;
pub(crate) use session::Session;
pub(crate) use subscription::{Next, Subscription};
pub(crate) use tail::Follower;
pub(crate) use transaction::Failed;

use crate::config::kafka_clusters as config;

/// What a client of a cluster is made with: `defaults`, and what its own properties say otherwise.
fn client(cluster: &config::Cluster, defaults: &[(&str, &str)]) -> ClientConfig {
    let mut client = ClientConfig::new();
    for (name, value) in defaults {
        client.set(*name, *value);
    }
    for (name, value) in &cluster.properties {
        client.set(name, value.expose());
    }
    client
        .set("bootstrap.servers", &cluster.bootstrap_servers)
        .set_log_level(RDKafkaLogLevel::Warning);
    client
}
