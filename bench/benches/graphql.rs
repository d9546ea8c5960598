//! What it costs to refuse a hostile GraphQL document, from the bytes of its body to the refusal, beside
//! what it costs to read those bytes from a socket twice: CPU time of one thread, the median of many.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement is read by people"
)]

use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use mimalloc::MiMalloc;
use nix::time::{ClockId, clock_gettime};
use weir_protocols::graphql::document::Document;
use weir_protocols::graphql::document::cost::Costs;
use weir_protocols::graphql::limits::Limits;
use weir_protocols::graphql::request::{Requests, from_json};

#[global_allocator]
static GLOBAL: MiMalloc = MiMalloc;

/// How often each is measured.
const TURNS: usize = 201;

/// A route's defaults.
const LIMITS: Limits = Limits {
    tokens: 2_000,
    depth: 10,
    aliases: 30,
    directives: 50,
    root_fields: 20,
    cost: 1_000,
};

fn main() {
    println!("| document | bytes | refused in | its bytes read twice in |");
    println!("|---|---|---|---|");
    for (name, document) in hostile() {
        let body = serde_json::json!({ "query": document }).to_string();
        let refusal = median(|| assert!(black_box(refused(black_box(body.as_bytes())))));
        let reading = median_of_reading(body.as_bytes());
        println!(
            "| {name} | {} | {:.1} µs | {:.1} µs |",
            body.len(),
            refusal.as_secs_f64() * 1e6,
            reading.as_secs_f64() * 1e6
        );
    }
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
        ("nested 100,000 deep", "{a".repeat(100_000)),
        ("5,000 circular fragments", circle(5_000)),
        ("200 circular fragments", circle(200)),
        ("50,000 directives", format!("{{a{}}}", "@b".repeat(50_000))),
    ]
}

/// Whether a body is refused, as a route does it.
fn refused(body: &[u8]) -> bool {
    let Ok(Requests::One(request)) = from_json(body, 0) else {
        return true;
    };
    let text = request.query.as_deref().unwrap_or_default();
    let Ok(document) = Document::parse(text, LIMITS.tokens) else {
        return true;
    };
    let Ok(operation) = document.operation(None) else {
        return true;
    };
    match operation.measure(&Costs::default(), None) {
        Ok(measure) => LIMITS.check(&measure).is_err(),
        Err(_) => true,
    }
}

fn median(mut work: impl FnMut()) -> Duration {
    let mut turns: Vec<Duration> = (0..TURNS)
        .map(|_| {
            let before = cpu();
            work();
            cpu() - before
        })
        .collect();
    turns.sort_unstable();
    turns[TURNS / 2]
}

/// Another thread sends; what this one takes to read it is measured.
fn median_of_reading(body: &[u8]) -> Duration {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it has one");
    let sent = body.to_vec();
    let sender = thread::spawn(move || {
        let mut socket = TcpStream::connect(address).expect("it listens");
        for _ in 0..2 * TURNS {
            socket.write_all(&sent).expect("it is read");
        }
    });
    let (mut socket, _) = listener.accept().expect("it connects");
    let mut piece = vec![0; 64 << 10];
    let reading = median(|| {
        let mut left = 2 * body.len();
        while left > 0 {
            let room = left.min(piece.len());
            let length = socket.read(&mut piece[..room]).expect("it is sent");
            assert!(length > 0, "the sender broke off");
            left -= length;
        }
        black_box(&piece);
    });
    sender.join().expect("it sends all");
    reading
}

/// The CPU time of this thread so far.
fn cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .expect("Linux has it")
        .into()
}
