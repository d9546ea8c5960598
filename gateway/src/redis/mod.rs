//! Reaching Redis or Valkey: one server, the one that sentinels name, or a cluster's.
//!
//! Knows nothing of what they are asked, nor who keeps what there.

mod sentinels;
pub(crate) mod way;

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use redis::aio::MultiplexedConnection;
use redis::cluster::ClusterClientBuilder;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo};
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, Cmd, ConnectionAddr, ConnectionInfo,
    FromRedisValue, IntoConnectionInfo as _, RedisConnectionInfo, RedisResult, ScriptInvocation,
    TlsCertificates, TlsMode, cmd,
};

use self::sentinels::Sentinels;
use crate::config::stores::{Login, Redis, Topology};

/// How long the way to a server may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// A way to the servers; copies are the same one.
#[derive(Clone)]
pub(crate) enum Connection {
    /// To one that takes writes.
    One(MultiplexedConnection),
    /// To all of a cluster.
    Cluster(ClusterConnection),
}

/// What is found at the end of the way.
pub(crate) struct Found {
    /// The way there.
    pub(crate) connection: Connection,
    /// Comes to an end when these are not the right servers any more; says why.
    pub(crate) over: BoxFuture<'static, Arc<str>>,
}

/// Finds the servers and connects to them.
///
/// # Errors
/// Why none can be used, without passwords.
pub(crate) async fn connect(servers: &Arc<Redis>) -> Result<Found, Arc<str>> {
    install_cryptography();
    let at = |why: String| -> Arc<str> { format!("Redis at {why}").into() };
    let (connection, over) = match &servers.topology {
        Topology::Standalone => {
            let (host, port) = &servers.addresses[0];
            let connection = connect_to(servers, host, *port).await;
            let connection = connection.map_err(|e| at(format!("{host}:{port}: {e}")))?;
            (Connection::One(connection), pending().boxed())
        }
        Topology::Sentinel {
            master: name,
            login,
        } => {
            let mut sentinels = Sentinels::new(servers, name, login);
            let master = sentinels.ask().await.map_err(at)?;
            let connection = connect_to(servers, &master.host, master.port).await;
            let connection =
                connection.map_err(|e| at(format!("{}:{}: {e}", master.host, master.port)))?;
            let over = sentinels.elect_another(master).boxed();
            (Connection::One(connection), over)
        }
        Topology::Cluster => {
            let connection = connect_to_cluster(servers).await;
            let connection = connection.map_err(|e| at(format!("the cluster: {e}")))?;
            (Connection::Cluster(connection), pending().boxed())
        }
    };
    Ok(Found { connection, over })
}

/// The client's TLS library leaves the choice of its cryptography to the process.
fn install_cryptography() {
    // Whoever was first has chosen the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

async fn connect_to(servers: &Redis, host: &str, port: u16) -> RedisResult<MultiplexedConnection> {
    let settings = settings(&servers.login).set_db(servers.database.into());
    let info = info(servers, host, port)?.set_redis_settings(settings);
    open(servers, info).await
}

fn settings(login: &Login) -> RedisConnectionInfo {
    // Who may do the least may not say what library they use either, and servers note that.
    let mut settings = RedisConnectionInfo::default().set_skip_set_lib_name();
    if let Some(username) = &login.username {
        settings = settings.set_username(username);
    }
    if let Some(password) = &login.password {
        settings = settings.set_password(password.expose());
    }
    settings
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

/// Sentinels have users of their own.
async fn to_sentinel(
    servers: &Redis,
    login: &Login,
    host: &str,
    port: u16,
) -> RedisResult<MultiplexedConnection> {
    let info = info(servers, host, port)?.set_redis_settings(settings(login));
    open(servers, info).await
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
    if let Some(username) = &servers.login.username {
        builder = builder.username(username);
    }
    if let Some(password) = &servers.login.password {
        builder = builder.password(password.expose());
    }
    if let Some(certificates) = certificates(servers) {
        builder = builder.tls(TlsMode::Secure).certs(certificates);
    }
    builder.build()?.get_async_connection().await
}

impl Connection {
    /// Sends a command and waits for what is answered.
    pub(crate) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> RedisResult<T> {
        match self.clone() {
            Self::One(mut one) => command.query_async(&mut one).await,
            Self::Cluster(mut cluster) => command.query_async(&mut cluster).await,
        }
    }

    /// Runs a script, which is sent if the server does not know it yet.
    pub(crate) async fn invoke<T: FromRedisValue>(
        &self,
        script: &ScriptInvocation<'_>,
    ) -> RedisResult<T> {
        match self.clone() {
            Self::One(mut one) => script.invoke_async(&mut one).await,
            Self::Cluster(mut cluster) => script.invoke_async(&mut cluster).await,
        }
    }

    /// What each server that takes writes says of itself.
    pub(crate) async fn info(&self) -> RedisResult<Vec<String>> {
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
