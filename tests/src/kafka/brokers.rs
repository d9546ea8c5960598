//! Three nodes, each of which has each record: two of them are enough to take more.

use std::ops::Deref;
use std::time::Duration;

use tokio::time::sleep;

use super::client::Client;
use super::node::{DEADLINE, Further, Node, Place};
use super::serves;

const COUNT: usize = 3;

/// A running cluster; killed when dropped. What any client does at it is done by what this stands for.
#[derive(Debug)]
pub struct Brokers {
    nodes: Vec<Node>,
    client: Client,
}

impl Deref for Brokers {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Brokers {
    /// Starts a cluster; its topics have three replicas, two of which have to have a record that all have.
    ///
    /// # Panics
    /// If it does not come up; the message holds a node's log.
    pub async fn start() -> Self {
        let mut failure = String::new();
        for _ in 0..3 {
            let places = Place::several(COUNT);
            let further = Further {
                // Who is gone is known to be, within a test.
                properties: "broker.session.timeout.ms=6000\n\
                             broker.heartbeat.interval.ms=1000\n\
                             replica.lag.time.max.ms=6000\n"
                    .to_owned(),
                ..Further::default()
            };
            let mut nodes = Vec::new();
            for place in &places {
                nodes.push(Node::start(*place, &places, &further).await);
            }
            let bootstrap: Vec<_> = places.iter().map(Place::bootstrap).collect();
            let client = Client::new(bootstrap.join(","), 3);
            let this = Self { nodes, client };
            match this.ready().await {
                Ok(()) => return this,
                Err(transcript) => failure = transcript,
            }
        }
        panic!("Kafka does not start:\n{failure}");
    }

    /// Waits until all take part again; a log, if one does not.
    async fn ready(&self) -> Result<(), String> {
        for node in &self.nodes {
            let ready = || serves(node, &self.client, COUNT);
            if !node.child.ready(DEADLINE, ready).await {
                return Err(node.child.transcript());
            }
        }
        Ok(())
    }

    /// Freezes a broker for a while: its connections stay, and it answers nothing.
    pub async fn pause(&self, index: usize, time: Duration) {
        let node = &self.nodes[index];
        node.pause();
        sleep(time).await;
        node.resume();
    }

    /// Stops a broker in order, and starts it again after a while.
    pub async fn stop(&mut self, index: usize, time: Duration) {
        self.nodes[index].stop().await;
        self.come_again(index, time).await;
    }

    /// Kills a broker as if its machine had died, and starts it again after a while.
    pub async fn kill(&mut self, index: usize, time: Duration) {
        self.nodes[index].kill().await;
        self.come_again(index, time).await;
    }

    /// Kills two of them, so that nothing can be written, and starts them again after a while.
    pub async fn kill_two(&mut self, one: usize, other: usize, time: Duration) {
        self.nodes[one].kill().await;
        self.nodes[other].kill().await;
        sleep(time).await;
        self.nodes[other].start_again();
        self.come_again(one, Duration::ZERO).await;
    }

    async fn come_again(&mut self, index: usize, time: Duration) {
        sleep(time).await;
        self.nodes[index].start_again();
        let node = &self.nodes[index];
        assert!(
            node.child
                .ready(DEADLINE, || serves(node, &self.client, COUNT))
                .await,
            "a broker does not start again:\n{}",
            node.child.transcript()
        );
    }
}
