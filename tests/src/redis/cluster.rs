//! A cluster of two masters without replicas: half of the slots each.

use super::{Builder, Redis, ports};
use crate::wait;

/// How many slots a cluster has.
const SLOTS: u32 = 16_384;

/// The servers, all of them killed when dropped.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Redis>,
}

impl Cluster {
    /// Starts them, and waits until they are one.
    ///
    /// # Panics
    /// If one does not come up.
    pub async fn start() -> Cluster {
        Cluster::with(|node| node).await
    }

    /// Starts nodes to which more is said.
    ///
    /// # Panics
    /// If one does not come up.
    pub async fn with(more: impl Fn(Builder) -> Builder) -> Cluster {
        let mut nodes = Vec::new();
        let mut buses = Vec::new();
        for _ in 0..2 {
            // The usual one is ten thousand above the port, where others may be.
            let bus = ports::free().to_string();
            let node = Redis::builder()
                .args(&["--cluster-enabled", "yes", "--cluster-port", &bus])
                .args(&["--cluster-node-timeout", "3000"]);
            nodes.push(more(node).start().await);
            buses.push(bus);
        }
        let half = (SLOTS / 2).to_string();
        let [below, last] = [SLOTS / 2 - 1, SLOTS - 1].map(|slot| slot.to_string());
        nodes[0].command(&["CLUSTER", "ADDSLOTSRANGE", "0", &below]);
        nodes[1].command(&["CLUSTER", "ADDSLOTSRANGE", &half, &last]);
        let port = nodes[1].port.to_string();
        nodes[0].command(&["CLUSTER", "MEET", "127.0.0.1", &port, &buses[1]]);
        let cluster = Cluster { nodes };
        cluster.whole().await;
        cluster
    }

    /// Waits until every node serves and knows of the others.
    ///
    /// # Panics
    /// If they do not.
    pub async fn whole(&self) {
        let is_whole = |node: &Redis| {
            let said = node.command(&["CLUSTER", "INFO"]);
            said.contains("cluster_state:ok") && said.contains("cluster_known_nodes:2")
        };
        wait::until_true("the cluster to be whole", || {
            self.nodes.iter().all(is_whole)
        })
        .await;
    }

    /// Where the nodes listen.
    pub fn addresses(&self) -> Vec<String> {
        let each = self.nodes.iter();
        each.map(|node| node.addr().to_string()).collect()
    }

    /// The nodes.
    pub fn nodes(&self) -> &[Redis] {
        &self.nodes
    }

    /// The same, to stop and start them.
    pub fn nodes_mut(&mut self) -> &mut [Redis] {
        &mut self.nodes
    }

    /// Which of the nodes keeps keys with this between braces.
    ///
    /// # Panics
    /// If the answer is no number.
    pub fn place(&self, tag: &str) -> usize {
        usize::from(self.slot(&format!("{{{tag}}}")) >= SLOTS / 2)
    }

    /// The slot of a key.
    ///
    /// # Panics
    /// If the answer is no number.
    pub fn slot(&self, key: &str) -> u32 {
        let slot = self.nodes[0].command(&["CLUSTER", "KEYSLOT", key]);
        slot.parse()
            .unwrap_or_else(|_| panic!("{slot:?} is no slot"))
    }
}
