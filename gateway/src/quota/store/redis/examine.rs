//! Whether servers would do, without changing anything there.

use std::sync::Arc;

use tokio::time::timeout;

use super::books::PUT;
use super::condition::Condition;
use super::link::PATIENCE;
use crate::config::stores::Redis;
use crate::redis::connect;

/// Connects as a gateway would, and runs a script that finds nothing to do; says what should be
/// otherwise.
///
/// # Errors
/// Why no gateway could use them.
pub(in crate::quota) async fn examine(servers: &Arc<Redis>) -> Result<Vec<String>, Arc<str>> {
    let looked = async {
        let connection = connect(servers).await?.connection;
        let said = |e: redis::RedisError| -> Arc<str> { format!("Redis: {e}").into() };
        let condition = Condition::of(&connection.info().await.map_err(said)?);
        if condition.is_replica {
            return Err("Redis: it is a replica, and takes no writes".into());
        }
        // It replaces what is not there, which is nothing.
        let mut call = PUT.key(format!("{}:check", servers.prefix));
        call.arg("what is not there").arg("").arg("");
        let _: bool = connection.invoke(&call).await.map_err(said)?;
        Ok(condition
            .faults
            .iter()
            .map(|f| format!("Redis: {f}"))
            .collect())
    };
    let looked = timeout(2 * PATIENCE, looked).await;
    looked.unwrap_or_else(|_| Err("Redis does not answer in time".into()))
}
