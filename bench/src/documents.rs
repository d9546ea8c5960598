//! What it costs the gateway to refuse a hostile GraphQL document, beside what it costs it to read as many
//! bytes: a body of that length which is refused at its first byte, by the same route.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use crate::cpu;
use crate::failure::Failure;
use crate::gateway::{Client, Gateway};
use crate::stats;

/// How many times what reading costs a refusal may cost: its bytes, read twice.
const ASKED: f64 = 2.0;
/// How many bytes a turn sends, about.
const TURN: usize = 32 << 20;
/// The most requests in a turn, and the fewest.
const REQUESTS: (usize, usize) = (20, 2_000);

/// What to measure.
pub struct Options {
    /// The gateway's binary.
    pub weir: PathBuf,
    /// Turns of each document.
    pub rounds: usize,
}

/// Measures, and says what came of it as a Markdown table.
pub fn run(options: &Options) -> Result<String, Failure> {
    // Nothing that is refused may reach it.
    let upstream = TcpListener::bind("127.0.0.1:0")
        .and_then(|upstream| upstream.set_nonblocking(true).map(|()| upstream))
        .map_err(Failure::during("cannot listen"))?;
    let address = upstream
        .local_addr()
        .map_err(Failure::during("cannot tell where that is"))?;
    let gateway = Gateway::start(
        &options.weir,
        &format!(
            "upstreams: [{{ name: shop, endpoints: [{{ address: \"{address}\" }}] }}]
routes: [{{ name: shop, graphql: {{ backends: [{{ upstream: shop }}] }} }}]
"
        ),
    )?;
    let mut client = Client::connect(gateway.address)?;
    let mut text = "### Refusing a hostile GraphQL document, beside reading as many bytes\n\n\
                    | document | bytes | read, CPU µs | refused, CPU µs | × read |\n\
                    |---|--:|--:|--:|--:|\n"
        .to_owned();
    for (name, document) in hostile() {
        let body = serde_json::json!({ "query": document }).to_string();
        // Text in JSON, which is no request.
        let filler = format!("\"{}\"", "a".repeat(body.len() - 2));
        let [hostile, filler] = [&body, &filler].map(|body| post(&gateway, body));
        let (mut refused, mut read) = (Vec::new(), Vec::new());
        // Round 0 warms everything, and is forgotten.
        for round in 0..=options.rounds {
            let mut turn = |request| measure(&gateway, &mut client, request);
            let (of_filler, of_hostile) = match round % 2 {
                0 => (turn(&filler)?, turn(&hostile)?),
                _ => {
                    let first = turn(&hostile)?;
                    (turn(&filler)?, first)
                }
            };
            if round > 0 {
                read.push(of_filler);
                refused.push(of_hostile);
            }
        }
        let ratio = stats::paired(&refused, &read).map_or_else(String::new, |ratio| {
            let met = if ratio.upper < ASKED {
                "met"
            } else {
                "**missed**"
            };
            format!(
                "{:.2} (≤ {:.2}; asked {ASKED}: {met})",
                ratio.median, ratio.upper
            )
        });
        let [read, refused] = [read, refused].map(|turns| stats::median(turns) * 1e6);
        let bytes = body.len();
        writeln!(
            text,
            "| {name} | {bytes} | {read:.1} | {refused:.1} | {ratio} |"
        )
        .expect("a string takes all that is written");
    }
    match upstream.accept() {
        Ok(_) => Err(Failure::new(
            "a document that was to be refused went upstream",
        )),
        Err(_) => Ok(text),
    }
}

/// CPU seconds of the gateway for one request of a turn.
fn measure(gateway: &Gateway, client: &mut Client, request: &[u8]) -> Result<f64, Failure> {
    let requests = (TURN / request.len()).clamp(REQUESTS.0, REQUESTS.1);
    let pid = gateway.process.pid();
    let before = cpu::spent(pid)?;
    for _ in 0..requests {
        client.ask(request, b"400")?;
    }
    let spent: Duration = cpu::spent(pid)? - before;
    Ok(spent.as_secs_f64() / requests as f64)
}

fn post(gateway: &Gateway, body: &str) -> Vec<u8> {
    let address = gateway.address;
    let length = body.len();
    format!(
        "POST / HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Accept: application/graphql-response+json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

fn hostile() -> Vec<(&'static str, String)> {
    let aliases = |n: usize| {
        let fields: String = (0..n).map(|n| format!("a{n}:b ")).collect();
        format!("{{{fields}}}")
    };
    let circle = |n: usize| {
        let fragment = |at: usize| format!("fragment F{at} on T{{...F{}}} ", (at + 1) % n);
        let fragments: String = (0..n).map(fragment).collect();
        format!("{{...F0}} {fragments}")
    };
    vec![
        ("1,000 aliases", aliases(1_000)),
        ("50,000 aliases", aliases(50_000)),
        (
            "nested 100 deep",
            format!("{}{}", "{a".repeat(100), "}".repeat(100)),
        ),
        ("nested 100,000 deep", "{a".repeat(100_000)),
        ("2 circular fragments", circle(2)),
        ("200 circular fragments", circle(200)),
        ("5,000 circular fragments", circle(5_000)),
        ("500 directives", format!("{{a{}}}", "@b".repeat(500))),
        ("50,000 directives", format!("{{a{}}}", "@b".repeat(50_000))),
    ]
}
