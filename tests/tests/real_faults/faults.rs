//! What befalls, one after the other.

use std::time::Duration;

use weir_tests::Gateway;
use weir_tests::child::Kind;
use weir_tests::kafka::Brokers;

use super::clients::Place;

/// Longer than the controller believes in a broker that is silent.
const LONG: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_secs(2);
/// After that much of their turn clients are amid it.
const AMID: Duration = Duration::from_millis(300);

/// How many records are enough for all of them once.
const ROUND: usize = 8_000;

/// Something that befalls.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    Nothing,
    BrokerStopped(usize),
    BrokerKilled(usize),
    BrokerFrozen(usize),
    GatewayKilled,
    /// So that nothing can be written.
    TwoBrokersKilled(usize, usize),
    BrokerAndGatewayKilled(usize),
}

impl Fault {
    /// What befalls while so many records are published.
    pub(super) fn course(records: usize) -> Vec<Self> {
        let round = [
            Self::Nothing,
            Self::BrokerKilled(0),
            Self::GatewayKilled,
            Self::BrokerStopped(1),
            Self::BrokerFrozen(2),
            Self::GatewayKilled,
            Self::TwoBrokersKilled(0, 1),
            Self::BrokerAndGatewayKilled(2),
            Self::GatewayKilled,
        ];
        let rounds = (records / ROUND).clamp(1, 4);
        round
            .iter()
            .copied()
            .cycle()
            .take(round.len() * rounds)
            .collect()
    }

    /// Has it befall, and waits until it is over; the gateway that is there then.
    pub(super) async fn befall(
        self,
        kafka: &mut Brokers,
        gateway: Gateway,
        place: &Place,
    ) -> Gateway {
        tokio::time::sleep(AMID).await;
        match self {
            Self::Nothing => {}
            Self::BrokerStopped(index) => kafka.stop(index, SHORT).await,
            Self::BrokerKilled(index) => kafka.kill(index, SHORT).await,
            Self::BrokerFrozen(index) => kafka.pause(index, LONG).await,
            Self::GatewayKilled => return kill(gateway, place).await,
            Self::TwoBrokersKilled(one, other) => kafka.kill_two(one, other, SHORT).await,
            Self::BrokerAndGatewayKilled(index) => {
                let broker = kafka.kill(index, LONG);
                let ((), gateway) = tokio::join!(broker, kill(gateway, place));
                return gateway;
            }
        }
        gateway
    }
}

async fn kill(gateway: Gateway, place: &Place) -> Gateway {
    gateway.signal(Kind::SIGKILL);
    gateway.wait_exit().await;
    let gateway = gateway.successor().start().await;
    place.set(gateway.addr("public"));
    gateway
}
