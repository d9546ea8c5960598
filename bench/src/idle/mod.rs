//! What a connection costs in memory on which nobody speaks, and whether any of many such notices
//! that the configuration is reloaded while one reader never reads.
//!
//! Callers and upstream are this process; the gateway is a fresh one for each kind of connection, so
//! that none is measured in what another left behind.

mod broker;
mod kind;

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::contender::free_address;
use crate::cpu;
use crate::failure::Failure;
use crate::process::{Plan, Process};
use crate::wire::find;
use broker::Broker;
use kind::{Kind, subscribe};

/// The name of the section that holds the table in a published file.
pub const RESULTS: &str = "idle results";

/// Files that the gateway has open besides its connections, at most.
const OTHERS: usize = 200;
/// How long the gateway may take to start, or to do what it was told.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long after the last connection its memory is looked at.
const SETTLED: Duration = Duration::from_secs(2);

/// What to measure.
pub struct Options {
    /// The gateway's binary.
    pub weir: PathBuf,
    /// Connections of each kind.
    pub connections: usize,
}

/// Measures, and says what came of it as Markdown. Fails if a connection was lost.
pub async fn run(options: &Options) -> Result<String, Failure> {
    let broker = Broker::start()?;
    let mut text = format!(
        "### Connections on which nobody speaks\n\n{} of each kind were asked for, or as many as the \
         files allow that a process may open: one that is passed on takes two. Two workers, mimalloc.\n\n\
         | | connections | RSS before, MiB | RSS held, MiB | KiB per connection | asked | answered |\n\
         |---|--:|--:|--:|--:|---|--:|\n",
        options.connections
    );
    for kind in Kind::ALL {
        let held = allowed(options.connections, kind);
        eprintln!("holding {held}: {}", kind.title());
        let row = measure(options, kind, held, &broker).await?;
        let asked = kind.asked();
        let each = (row.held.saturating_sub(row.before)) as f64 / 1024.0 / held as f64;
        writeln!(
            text,
            "| {} | {held} | {:.1} | {:.1} | {each:.1} | {asked}: {} | {} |",
            kind.title(),
            row.before as f64 / 1_048_576.0,
            row.held as f64 / 1_048_576.0,
            if each <= asked { "met" } else { "**missed**" },
            row.answered,
        )
        .expect("a string takes all that is written");
    }
    Ok(text)
}

/// What was found of one kind, in bytes and connections.
struct Row {
    before: u64,
    held: u64,
    answered: usize,
}

/// Both ends of a connection through the gateway; where it answers alone, it is one of them.
struct Pair {
    caller: TcpStream,
    upstream: Option<TcpStream>,
}

/// What a composed graph is asked, and answers.
fn asks(id: usize) -> Vec<u8> {
    let payload = r#"{"query":"{__typename}"}"#;
    Kind::word(&format!(
        r#"{{"id":"{id}","type":"subscribe","payload":{payload}}}"#
    ))
}
const TOLD: &str = r#""type":"complete""#;
/// What a feed tells.
const TOLD_BY_FEED: &str = "to all.";

async fn measure(
    options: &Options,
    kind: Kind,
    held: usize,
    broker: &Broker,
) -> Result<Row, Failure> {
    let directory = tempfile::Builder::new()
        .prefix("weir-bench-")
        .tempdir()
        .map_err(Failure::during("cannot make a temporary directory"))?;
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .map_err(Failure::during("cannot listen"))?;
    let upstream = listener
        .local_addr()
        .map_err(Failure::during("cannot listen"))?;
    let (address, metrics) = (free_address()?, free_address()?);
    let config = Config {
        path: directory.path().join("weir.yaml"),
        address,
        metrics,
        upstream,
        broker: broker.address(),
    };
    config.write(directory.path(), "one")?;
    let mut gateway = Process::start(Plan {
        name: "weir",
        command: config.command(options),
        environment: Vec::new(),
        directory: directory.path(),
        cpu: None,
    })?;
    wait_for(&mut gateway, address, "one").await?;
    // What is made once only is made before.
    drop(connect(kind, address, &listener).await?);
    sleep(SETTLED).await;
    let before = cpu::resident(gateway.pid())?;
    let mut pairs = Vec::with_capacity(held);
    for _ in 0..held {
        pairs.push(connect(kind, address, &listener).await?);
    }
    sleep(SETTLED).await;
    let resident = cpu::resident(gateway.pid())?;

    let flood = flood(kind, address, &listener, broker).await?;
    config.write(directory.path(), "two")?;
    kill(gateway.pid(), Signal::SIGHUP).map_err(Failure::during("cannot ask for a reload"))?;
    wait_for(&mut gateway, address, "two").await?;
    if kind == Kind::Feed {
        broker.write("quiet", TOLD_BY_FEED, 1)?;
    }
    let mut answered = 0;
    for (number, pair) in pairs.iter_mut().enumerate() {
        answered += usize::from(hears(kind, pair, number).await);
    }
    let cut_off = flood.is_finished();
    flood.abort();
    match answered == held && !cut_off {
        true => Ok(Row {
            before,
            held: resident,
            answered,
        }),
        false => Err(Failure::new(format!(
            "{answered} of {held} connections answered; the slow reader was {}",
            if cut_off { "cut off" } else { "held" }
        ))),
    }
}

/// Begins to tell much to one who takes nothing of it; it ends where the gateway closes that connection.
async fn flood(
    kind: Kind,
    address: SocketAddr,
    listener: &TcpListener,
    broker: &Broker,
) -> Result<JoinHandle<()>, Failure> {
    if kind == Kind::Feed {
        let deaf = ask(subscribe("loud"), address).await;
        let deaf = deaf.map_err(Failure::during("a connection was not opened"))?;
        broker.write("loud", &"x".repeat(60_000), 1000)?;
        // Who falls behind is ended, and that is as it should be.
        return Ok(tokio::spawn(async move {
            let _deaf = deaf;
            std::future::pending().await
        }));
    }
    let Pair { caller, upstream } = connect(kind, address, listener).await?;
    let (mut loud, deaf, piece) = match upstream {
        Some(upstream) => (upstream, Some(caller), kind.message(&[b'x'; 60_000])),
        // It asks on and on, and takes no answer.
        None => (caller, None, (0..1000).flat_map(asks).collect()),
    };
    Ok(tokio::spawn(async move {
        let _deaf = deaf;
        while loud.write_all(&piece).await.is_ok() {}
    }))
}

/// Sends a request, and reads the head of its answer.
async fn ask(request: String, address: SocketAddr) -> std::io::Result<TcpStream> {
    let mut caller = TcpStream::connect(address).await?;
    caller.write_all(request.as_bytes()).await?;
    read_until(&mut caller, b"\r\n\r\n").await?;
    Ok(caller)
}

/// Opens a connection through the gateway.
async fn connect(kind: Kind, address: SocketAddr, listener: &TcpListener) -> Result<Pair, Failure> {
    let failed = "a connection was not opened";
    let opening = async {
        if kind.is_alone() {
            let mut caller = ask(kind.request(), address).await?;
            if kind == Kind::Answered {
                let begin = Kind::word(r#"{"type":"connection_init"}"#);
                caller.write_all(&begin).await?;
                read_until(&mut caller, b"connection_ack").await?;
            }
            let upstream = None;
            return Ok(Pair { caller, upstream });
        }
        let mut caller = TcpStream::connect(address).await?;
        caller.write_all(kind.request().as_bytes()).await?;
        let (mut upstream, _) = listener.accept().await?;
        read_until(&mut upstream, b"\r\n\r\n").await?;
        upstream.write_all(kind.answer().as_bytes()).await?;
        read_until(&mut caller, b"\r\n\r\n").await?;
        let upstream = Some(upstream);
        Ok::<_, std::io::Error>(Pair { caller, upstream })
    };
    timeout(PATIENCE, opening)
        .await
        .map_err(Failure::during(failed))?
        .map_err(Failure::during(failed))
}

/// Whether what is said on a connection arrives.
async fn hears(kind: Kind, pair: &mut Pair, number: usize) -> bool {
    let says = format!("to {number}.");
    let heard = async {
        let Some(upstream) = &mut pair.upstream else {
            if kind == Kind::Feed {
                return read_until(&mut pair.caller, TOLD_BY_FEED.as_bytes()).await;
            }
            pair.caller.write_all(&asks(number)).await?;
            return read_until(&mut pair.caller, TOLD.as_bytes()).await;
        };
        let message = kind.message(says.as_bytes());
        upstream.write_all(&message).await?;
        read_until(&mut pair.caller, says.as_bytes()).await
    };
    matches!(timeout(PATIENCE, heard).await, Ok(Ok(())))
}

async fn read_until(stream: &mut TcpStream, needle: &[u8]) -> std::io::Result<()> {
    let mut read = Vec::new();
    while find(&read, needle).is_none() {
        if stream.read_buf(&mut read).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

/// Waits until the gateway answers by a configuration of this version.
async fn wait_for(
    gateway: &mut Process,
    address: SocketAddr,
    version: &str,
) -> Result<(), Failure> {
    let deadline = Instant::now() + PATIENCE;
    let asked = "GET /version HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n";
    loop {
        let answer = async {
            let mut stream = TcpStream::connect(address).await?;
            stream.write_all(asked.as_bytes()).await?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await?;
            Ok::<_, std::io::Error>(answer)
        };
        if matches!(answer.await, Ok(answer) if answer.ends_with(version.as_bytes())) {
            return Ok(());
        }
        gateway.check_alive()?;
        if Instant::now() > deadline {
            let words = gateway.last_words();
            return Err(Failure::new(format!(
                "the gateway does not serve version {version}:\n{words}"
            )));
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// The gateway's configuration.
struct Config {
    path: PathBuf,
    address: SocketAddr,
    metrics: SocketAddr,
    upstream: SocketAddr,
    broker: String,
}

impl Config {
    fn write(&self, directory: &Path, version: &str) -> Result<(), Failure> {
        let text = format!(
            "version: 1
listeners: [{{ name: bench, address: {} }}]
metrics: {{ address: {} }}
server: {{ worker_threads: 2, data_dir: {:?} }}
telemetry: {{ access_log: {{ output: none }} }}
upstreams: [{{ name: upstream, endpoints: [{{ address: {} }}], timeouts: {{ stream_idle: 1h, total: 1h }} }}]
kafka_clusters: [{{ name: events, bootstrap_servers: [\"{}\"] }}]
routes:
  - {{ name: messages, matches: [{{ path: {{ exact: /messages }} }}], websocket: {{ backends: [{{ upstream: upstream }}] }} }}
  - name: graph
    matches: [{{ path: {{ exact: /graphql }} }}]
    graphql:
      subscriptions: {{ kind: pass }}
      compose:
        sources: [{{ kind: graphql, name: shop, upstream: upstream, schema: \"type Query {{ a: Int }}\" }}]
        feeds:
          - {{ field: quiet, cluster: events, topic: quiet, type: Said, schema: \"type Said {{ says: String }}\" }}
          - {{ field: loud, cluster: events, topic: loud, type: Said }}
  - {{ name: version, matches: [{{ path: {{ exact: /version }} }}], respond: {{ status: 200, body: {version} }} }}
  - {{ name: rest, forward: {{ backends: [{{ upstream: upstream }}] }} }}
",
            self.address,
            self.metrics,
            directory.display().to_string(),
            self.upstream,
            self.broker,
        );
        fs::write(&self.path, text)
            .map_err(Failure::during("cannot write the gateway's configuration"))
    }

    fn command(&self, options: &Options) -> Vec<OsString> {
        vec![
            options.weir.clone().into(),
            "run".into(),
            "--config".into(),
            self.path.clone().into(),
        ]
    }
}

/// As many as the system lets the gateway and this process hold.
fn allowed(asked: usize, kind: Kind) -> usize {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().nth(3)?.parse::<usize>().ok());
    // One that is passed on takes two files of each process.
    let each = if kind.is_alone() { 1 } else { 2 };
    soft.map_or(asked, |soft| asked.min(soft.saturating_sub(OTHERS) / each))
}
