//! Reaching the servers: one, the one that sentinels name, or a cluster's.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::cluster::ClusterClientBuilder;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo};
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, Cmd, ConnectionAddr, ConnectionInfo,
    FromRedisValue, IntoConnectionInfo as _, RedisConnectionInfo, RedisResult, ScriptInvocation,
    TlsCertificates, TlsMode, Value, cmd,
};

use crate::config::stores::{Redis, Topology};

/// How long the way to a server may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// A way to the servers; copies are the same one.
#[derive(Clone)]
pub(super) enum Connection {
    /// To one that takes writes.
    One(MultiplexedConnection),
    /// To all of a cluster.
    Cluster(ClusterConnection),
}

/// Finds the servers and connects to them.
///
/// # Errors
/// Why none can be used, without passwords.
pub(super) async fn connect(servers: &Redis) -> Result<Connection, Arc<str>> {
    install_cryptography();
    let why = match &servers.topology {
        Topology::Standalone => {
            let (host, port) = &servers.addresses[0];
            match connect_to(servers, host, *port).await {
                Ok(connection) => return Ok(Connection::One(connection)),
                Err(e) => format!("{host}:{port}: {e}"),
            }
        }
        Topology::Sentinel { master } => match connect_to_master(servers, master).await {
            Ok(connection) => return Ok(Connection::One(connection)),
            Err(why) => why,
        },
        Topology::Cluster => match connect_to_cluster(servers).await {
            Ok(connection) => return Ok(Connection::Cluster(connection)),
            Err(e) => format!("the cluster: {e}"),
        },
    };
    Err(format!("Redis at {why}").into())
}

/// The client's TLS library leaves the choice of its cryptography to the process.
fn install_cryptography() {
    // Whoever was first has chosen the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

async fn connect_to(servers: &Redis, host: &str, port: u16) -> RedisResult<MultiplexedConnection> {
    let mut settings = RedisConnectionInfo::default().set_db(servers.database.into());
    if let Some(username) = &servers.username {
        settings = settings.set_username(username);
    }
    if let Some(password) = &servers.password {
        settings = settings.set_password(password.expose());
    }
    let info = info(servers, host, port)?.set_redis_settings(settings);
    open(servers, info).await
}

fn info(servers: &Redis, host: &str, port: u16) -> RedisResult<ConnectionInfo> {
    let host = host.to_owned();
    match servers.tls {
        None => ConnectionAddr::Tcp(host, port),
        Some(_) => ConnectionAddr::TcpTls {
            host,
            port,
            insecure: false,
            tls_params: None,
        },
    }
    .into_connection_info()
}

async fn open(servers: &Redis, info: ConnectionInfo) -> RedisResult<MultiplexedConnection> {
    let client = match certificates(servers) {
        Some(certificates) => Client::build_with_tls(info, certificates)?,
        None => Client::open(info)?,
    };
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        // Each caller knows how long it can wait.
        .set_response_timeout(None);
    client
        .get_multiplexed_async_connection_with_config(&config)
        .await
}

fn certificates(servers: &Redis) -> Option<TlsCertificates> {
    let tls = servers.tls.as_ref()?;
    let identity = tls.identity.as_ref();
    Some(TlsCertificates {
        client_tls: identity.map(|(client_cert, client_key)| ClientTlsConfig {
            client_cert: client_cert.clone(),
            client_key: client_key.clone(),
        }),
        root_cert: tls.ca.clone(),
    })
}

/// Asks one sentinel after the other for the master, and believes a server that says it is one.
async fn connect_to_master(servers: &Redis, name: &str) -> Result<MultiplexedConnection, String> {
    let mut whys = Vec::new();
    for (host, port) in &servers.addresses {
        let found = async {
            // Sentinels have users of their own; they are asked without one.
            let mut sentinel = open(servers, info(servers, host, *port)?).await?;
            let mut question = cmd("SENTINEL");
            question.arg("get-master-addr-by-name").arg(name);
            let master: Option<(String, u16)> = question.query_async(&mut sentinel).await?;
            let Some((host, port)) = master else {
                return Ok(None);
            };
            let mut master = connect_to(servers, &host, port).await?;
            let role: Vec<Value> = cmd("ROLE").query_async(&mut master).await?;
            let is_master =
                matches!(role.first(), Some(Value::BulkString(role)) if role == b"master");
            Ok(is_master.then_some(master))
        };
        let found: RedisResult<Option<MultiplexedConnection>> = found.await;
        match found {
            Ok(Some(master)) => return Ok(master),
            Ok(None) => whys.push(format!("{host}:{port}: it knows no master {name:?}")),
            Err(e) => whys.push(format!("{host}:{port}: {e}")),
        }
    }
    Err(whys.join("; "))
}

async fn connect_to_cluster(servers: &Redis) -> RedisResult<ClusterConnection> {
    let nodes: RedisResult<Vec<ConnectionInfo>> = servers
        .addresses
        .iter()
        .map(|(host, port)| info(servers, host, *port))
        .collect();
    let mut builder = ClusterClientBuilder::new(nodes?)
        .connection_timeout(CONNECT_TIMEOUT)
        .retries(3)
        .max_retry_wait(100);
    if let Some(username) = &servers.username {
        builder = builder.username(username);
    }
    if let Some(password) = &servers.password {
        builder = builder.password(password.expose());
    }
    if let Some(certificates) = certificates(servers) {
        builder = builder.tls(TlsMode::Secure).certs(certificates);
    }
    builder.build()?.get_async_connection().await
}

impl Connection {
    pub(super) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> RedisResult<T> {
        match self.clone() {
            Self::One(mut one) => command.query_async(&mut one).await,
            Self::Cluster(mut cluster) => command.query_async(&mut cluster).await,
        }
    }

    pub(super) async fn invoke<T: FromRedisValue>(
        &self,
        script: &ScriptInvocation<'_>,
    ) -> RedisResult<T> {
        match self.clone() {
            Self::One(mut one) => script.invoke_async(&mut one).await,
            Self::Cluster(mut cluster) => script.invoke_async(&mut cluster).await,
        }
    }

    /// What each server that takes writes says of itself.
    pub(super) async fn info(&self) -> RedisResult<Vec<String>> {
        let question = cmd("INFO");
        match self.clone() {
            Self::One(mut one) => Ok(vec![question.query_async(&mut one).await?]),
            Self::Cluster(mut cluster) => {
                let masters = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
                let answers = cluster.route_command(question, masters).await?;
                let by_address: Vec<(String, String)> = redis::from_redis_value(answers)?;
                Ok(by_address.into_iter().map(|(_, info)| info).collect())
            }
        }
    }
}
