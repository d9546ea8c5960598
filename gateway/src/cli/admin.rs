//! How commands ask a running gateway: HTTP/1.1 to its admin address.
//!
//! The token comes from the environment only: arguments are for everybody on the machine to read.
//! What is asked and answered is not known here.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::response::Parts;
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::Value;
use tokio::net::TcpStream;

use super::Failure;

/// Holds the admin token, where the gateway asks for one.
const TOKEN: &str = "WEIR_ADMIN_TOKEN";

/// From connecting to the last byte of the answer. A store may take five seconds.
const PATIENCE: Duration = Duration::from_secs(15);

/// The longest answer, in bytes.
const LONGEST: usize = 64 << 20;

/// What may not stand in a path as it is; what is encoded already stays.
const ESCAPED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Which gateway, and how its answer is shown.
#[derive(Debug, clap::Args)]
pub(super) struct Address {
    /// The gateway's admin address; its token, if it wants one, is taken from WEIR_ADMIN_TOKEN
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9901")]
    admin: Uri,
    /// Print the gateway's answer as it is, in JSON
    #[arg(long)]
    pub(super) json: bool,
}

impl Address {
    /// What stands under a path of the admin address.
    pub(super) fn get(&self, path: &str) -> Result<Value, Failure> {
        self.get_with(path, "")
    }

    /// The same with a query, whose values are escaped.
    pub(super) fn get_with(&self, path: &str, query: &str) -> Result<Value, Failure> {
        self.ask(Method::GET, (path, query), None, PATIENCE)
    }

    /// What came of a change.
    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.ask(Method::POST, (path, ""), Some(body), PATIENCE)
    }

    /// What came of a change that takes so long at most.
    pub(super) fn post_within(
        &self,
        path: &str,
        body: &Value,
        patience: Duration,
    ) -> Result<Value, Failure> {
        self.ask(Method::POST, (path, ""), Some(body), patience)
    }

    fn ask(
        &self,
        method: Method,
        target: (&str, &str),
        body: Option<&Value>,
        patience: Duration,
    ) -> Result<Value, Failure> {
        let told = |why: String| Failure::Told(format!("{}: {why}", self.admin));
        let token = std::env::var(TOKEN).ok().filter(|token| !token.is_empty());
        let request = self.request(method, target, body, token.as_deref());
        let request = request.map_err(told)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let answer = runtime.block_on(async {
            let exchange = tokio::time::timeout(patience, self.exchange(request));
            exchange
                .await
                .unwrap_or_else(|_| Err(format!("no answer in {patience:?}")))
        });
        let (status, body) = answer.map_err(told)?;
        read(status, &body, token.is_some()).map_err(told)
    }

    fn request(
        &self,
        method: Method,
        (path, query): (&str, &str),
        body: Option<&Value>,
        token: Option<&str>,
    ) -> Result<Request<Full<Bytes>>, String> {
        if self.admin.scheme_str() != Some("http") {
            return Err("write it as http://HOST:PORT; it speaks no TLS".to_owned());
        }
        if !matches!(self.admin.path(), "" | "/") || self.admin.query().is_some() {
            return Err("write it as http://HOST:PORT, without a path".to_owned());
        }
        let authority = self.admin.authority().map_or("", |a| a.as_str());
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}?{query}", utf8_percent_encode(path, ESCAPED)))
            .header(HOST, authority);
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        request.body(Full::from(body)).map_err(|e| e.to_string())
    }

    /// Where it is asked.
    pub(super) fn url(&self) -> &Uri {
        &self.admin
    }

    /// Hands over each line of an answer as it comes, until there are no more.
    pub(super) fn follow(
        &self,
        target: (&str, &str),
        on_line: &mut dyn FnMut(&str) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let told = |why: String| Failure::Told(format!("{}: {why}", self.admin));
        let token = std::env::var(TOKEN).ok().filter(|token| !token.is_empty());
        let request = self.request(Method::GET, target, None, token.as_deref());
        let request = request.map_err(told)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let (head, mut body) = self.begin(request).await.map_err(told)?;
            if head.status != StatusCode::OK {
                let body = whole(Limited::new(body, LONGEST)).await.map_err(told)?;
                return read(head.status, &body, token.is_some())
                    .map(drop)
                    .map_err(told);
            }
            let mut rest = Vec::new();
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(|e| told(format!("the answer broke off: {e}")))?;
                rest.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
                while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = rest.drain(..=end).collect();
                    on_line(String::from_utf8_lossy(&line[..end]).as_ref())?;
                }
            }
            Ok(())
        })
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), String> {
        let (head, body) = self.begin(request).await?;
        let body = whole(Limited::new(body, LONGEST)).await;
        let body = body.map_err(|e| format!("the answer broke off: {e}"))?;
        Ok((head.status, body))
    }

    /// The head of an answer, and a body that is still coming.
    async fn begin(&self, request: Request<Full<Bytes>>) -> Result<(Parts, Incoming), String> {
        let host = self.admin.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = self.admin.port_u16().unwrap_or(80);
        let unreachable = |e| {
            format!(
                "nobody answers ({e}); is the gateway running, and is this its `admin.address`?"
            )
        };
        let stream = TcpStream::connect((host, port))
            .await
            .map_err(unreachable)?;
        let broken = |e: hyper::Error| format!("the exchange broke off: {e}");
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(broken)?;
        tokio::spawn(connection);
        let answer = sender.send_request(request).await.map_err(broken)?;
        Ok(answer.into_parts())
    }
}

#[expect(clippy::disallowed_methods, reason = "it is limited")]
async fn whole<B: Body<Data = Bytes>>(body: Limited<B>) -> Result<Bytes, String>
where
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let collected = body.collect().await.map_err(|e| e.to_string())?;
    Ok(collected.to_bytes())
}

/// The answer, or what the gateway says is wrong.
fn read(status: StatusCode, body: &[u8], with_token: bool) -> Result<Value, String> {
    let json: Option<Value> = serde_json::from_slice(body).ok();
    match (status, json) {
        (StatusCode::OK, Some(json)) => Ok(json),
        (StatusCode::UNAUTHORIZED, _) if with_token => {
            Err(format!("it refuses the token of {TOKEN}"))
        }
        (StatusCode::UNAUTHORIZED, _) => Err(format!("it wants its token; set {TOKEN}")),
        (status, Some(problem)) if problem["detail"].is_string() => {
            let said = |key: &str| problem[key].as_str().unwrap_or_default().to_owned();
            Err(format!("{} ({status}): {}", said("detail"), said("hint")))
        }
        (status, _) => Err(format!(
            "it answers {status} with something else; is this `admin.address`, of a gateway of \
             this version?"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str) -> Address {
        Address {
            admin: url.parse().expect("a URL"),
            json: false,
        }
    }

    #[test]
    fn a_key_goes_into_the_path_as_it_was_shown() {
        let admin = address("http://[::1]:9901");
        let request = admin.request(
            Method::GET,
            ("/quotas/q/a%2Fb/é x?", "most=1"),
            None,
            Some("t"),
        );
        let request = request.expect("a request");
        assert_eq!(request.uri().path(), "/quotas/q/a%2Fb/%C3%A9%20x%3F");
        assert_eq!(request.uri().query(), Some("most=1"));
        assert_eq!(request.headers()[HOST], "[::1]:9901");
        assert_eq!(request.headers()[AUTHORIZATION], "Bearer t");
    }

    #[test]
    fn an_address_that_cannot_be_asked_says_how_to_write_it() {
        for url in [
            "https://127.0.0.1:9901",
            "http://127.0.0.1:9901/quotas",
            "127.0.0.1:9901",
        ] {
            let refused = address(url).request(Method::GET, ("/", ""), None, None);
            let why = refused.expect_err(url);
            assert!(why.contains("http://HOST:PORT"), "{why}");
        }
        let why = address("http://127.0.0.1").request(Method::GET, ("/", ""), None, Some("a\nb"));
        assert!(!why.expect_err("no header").contains("a\nb"));
    }

    #[test]
    fn what_the_gateway_refuses_is_told_in_its_words() {
        let problem = br#"{"detail":"there is no quota \"x\"","hint":"the quotas are a, b"}"#;
        let why = read(StatusCode::NOT_FOUND, problem, false).expect_err("a problem");
        assert!(
            why.contains("no quota \"x\"") && why.contains("a, b"),
            "{why}"
        );
        let why = read(StatusCode::UNAUTHORIZED, b"", false).expect_err("no token");
        assert!(why.contains("set WEIR_ADMIN_TOKEN"), "{why}");
        assert!(read(StatusCode::OK, b"<html>", false).is_err());
        assert_eq!(read(StatusCode::OK, b"[]", false), Ok(Value::Array(vec![])));
    }
}
