//! What `compression` makes, read by the decoders that browsers and servers use: Node's.

use weir_tests::{Behaviour, Gateway, Upstream, node};

/// Asks for each encoding by itself and prints what came, decoded, as one line.
const PROGRAM: &str = r#"
import http from 'node:http';
import zlib from 'node:zlib';
import crypto from 'node:crypto';
const decode = { gzip: zlib.gunzipSync, br: zlib.brotliDecompressSync, zstd: zlib.zstdDecompressSync };
for (const encoding of Object.keys(decode)) {
  const answer = await new Promise((done) => http.get(process.env.URL, { headers: { 'accept-encoding': encoding } }, done));
  const pieces = [];
  for await (const piece of answer) pieces.push(piece);
  const packed = Buffer.concat(pieces);
  const plain = decode[encoding](packed);
  const digest = crypto.createHash('sha256').update(plain).digest('hex');
  console.log(answer.headers['content-encoding'], packed.length < plain.length / 2, digest);
}
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_reads_every_encoding() {
    let text: String = (0..100_000u32)
        .map(|i| format!("line {i} says {}\n", i.wrapping_mul(2_654_435_761) >> 16))
        .collect();
    let lines = ["Content-Type: text/plain; charset=utf-8"];
    let upstream = Upstream::start(Behaviour::answer(200, &lines, &text)).await;
    let gateway = Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
upstreams: [{{ name: up, endpoints: [{{ address: "{}" }}] }}]
routes: [{{ name: all, policies: [{{ kind: compression }}], forward: {{ backends: [{{ upstream: up }}] }} }}]
"#,
        upstream.addr()
    ))
    .await;
    let url = gateway.url("public");
    let output = tokio::task::spawn_blocking(move || node::run(PROGRAM, &[("URL", &url)]))
        .await
        .unwrap();
    let digest: String = openssl::sha::sha256(text.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let expected: Vec<_> = ["gzip", "br", "zstd"]
        .map(|encoding| format!("{encoding} true {digest}"))
        .into();
    let printed: Vec<_> = output.stdout.lines().collect();
    assert_eq!(printed, expected, "{}", output.stderr);
}
