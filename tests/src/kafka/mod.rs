//! A real Apache Kafka in KRaft mode: one node, or [several](Brokers) that have each record together.
//!
//! Its ports, its log and its life belong to the test. It knows no topic but those it is told of.

mod brokers;
mod client;
mod node;
pub mod secured;

use std::ops::Deref;

use tokio::sync::OnceCell;

pub use brokers::Brokers;
pub use client::{Client, Record, Written};
pub use node::Further;

use node::{DEADLINE, Node, Place};

/// A running broker; killed when dropped. What any client does at it is done by what this stands for.
#[derive(Debug)]
pub struct Kafka {
    node: Node,
    client: Client,
}

impl Deref for Kafka {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Kafka {
    /// The broker all tests of this binary share: use topics of your own, and leave it running.
    ///
    /// It ends with the process, whatever ends that.
    pub async fn shared() -> &'static Kafka {
        static SHARED: OnceCell<Kafka> = OnceCell::const_new();
        SHARED.get_or_init(Kafka::start).await
    }

    /// Starts a broker of one's own, to stop and pause.
    ///
    /// # Panics
    /// If it does not come up; the message holds its log.
    pub async fn start() -> Kafka {
        Self::start_with(&Further::default()).await
    }

    /// The same, of which more is said.
    ///
    /// # Panics
    /// If it does not come up; the message holds its log.
    pub async fn start_with(further: &Further) -> Kafka {
        let mut failure = String::new();
        for _ in 0..3 {
            let places = Place::several(1);
            let node = Node::start(places[0], &places, further).await;
            let client = Client::new(places[0].bootstrap(), 1);
            if node
                .child
                .ready(DEADLINE, || serves(&node, &client, 1))
                .await
            {
                return Kafka { node, client };
            }
            // Most likely somebody took a port meanwhile.
            failure = node.child.transcript();
        }
        panic!("Kafka does not start:\n{failure}");
    }

    /// The broker's process id.
    pub fn pid(&self) -> u32 {
        self.node.child.pid()
    }

    /// Freezes the broker: connections stay, nothing is answered.
    pub fn pause(&self) {
        self.node.pause();
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.node.resume();
    }

    /// Stops the broker in order; its log stays for [`Kafka::restart`].
    ///
    /// # Panics
    /// If it does not end.
    pub async fn stop(&self) {
        self.node.stop().await;
    }

    /// Starts a stopped broker again, on the same port and log.
    ///
    /// # Panics
    /// If it does not come up.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.node.start_again();
        let (node, client) = (&self.node, &self.client);
        assert!(
            node.child.ready(DEADLINE, || serves(node, client, 1)).await,
            "Kafka does not start again:\n{}",
            node.child.transcript()
        );
    }
}

/// Whether a node listens, and so many brokers of its cluster are known.
async fn serves(node: &Node, client: &Client, brokers: usize) -> bool {
    // Cheaper than a client while the JVM still starts.
    let listens = tokio::net::TcpStream::connect(("127.0.0.1", node.place.port)).await;
    listens.is_ok() && client.brokers().await >= brokers
}
