//! The handshake: what a caller asks for, what an upstream is asked, and what becomes of its answer.

use http::header::{
    CONNECTION, CONTENT_LENGTH, ORIGIN, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use pingora_http::{RequestHeader, ResponseHeader};
use weir_protocols::websocket::handshake;
use weir_telemetry::Code;

use crate::config::policies::cors::Origin;
use crate::config::routes::websocket::{Compression, Terms};
use crate::error::GatewayError;
use crate::proxy::head::wants_upgrade;
use crate::proxy::identify;
use crate::proxy::{Downstream, Request};

/// The subprotocol of who has none but offers a key as one: browsers fail a connection for which
/// they offered some and none was chosen.
const OWN: &str = "weir";

/// What a caller asked for.
pub(super) struct Asked {
    /// Whether it offered [`OWN`].
    own: bool,
    /// What its key is answered with; over HTTP/2 there is none.
    accept: Option<String>,
    /// What the upstream answers the key with that it is sent.
    expected: String,
    /// The subprotocols it was offered.
    offered: Vec<Box<str>>,
    /// Whether it was offered compression.
    compression: bool,
}

/// What both sides agreed on.
pub(super) struct Agreed {
    /// The subprotocol, if any.
    pub(super) subprotocol: Option<Box<str>>,
    /// Whether messages may be compressed.
    pub(super) compressed: bool,
}

/// Judges a caller's request, and makes its head one that an upstream can be asked with.
pub(super) fn ask(
    terms: &Terms,
    request: &Request,
    down: &mut Downstream,
) -> Result<Asked, GatewayError> {
    let over_http2 = request.extended_connect;
    let head = down.head();
    let upgrade = wants_upgrade(head)
        && head.method == Method::GET
        && head
            .headers
            .get(UPGRADE)
            .is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"));
    if !over_http2 && !upgrade {
        return Err(upgrade_required());
    }
    let version = head.headers.get(SEC_WEBSOCKET_VERSION);
    if let Err(fault) = handshake::check_version(version.map(HeaderValue::as_bytes)) {
        return Err(upgrade_required().source(fault));
    }
    check_origin(terms, head)?;
    check_body(over_http2, &head.headers)?;
    let (offered, own) = subprotocols(terms, &head.headers)?;
    let compression = compression(terms, &head.headers)?;
    let key = key(over_http2, &head.headers)?;
    let expected = handshake::accept(key.as_bytes()).map_err(invalid)?;
    let asked = Asked {
        own,
        accept: (!over_http2).then(|| expected.clone()),
        expected,
        offered: offered.iter().map(|name| (*name).into()).collect(),
        compression: compression.is_some(),
    };
    let offered = offered.join(", ");
    let head = down.head_mut();
    set(head, SEC_WEBSOCKET_KEY, Some(&key));
    set(
        head,
        SEC_WEBSOCKET_PROTOCOL,
        Some(&*offered).filter(|names| !names.is_empty()),
    );
    set(head, SEC_WEBSOCKET_EXTENSIONS, compression.as_deref());
    set(head, UPGRADE, Some("websocket"));
    Ok(asked)
}

/// The client's own key, which the upstream is asked with too, or over HTTP/2 one of ours.
fn key(over_http2: bool, headers: &HeaderMap) -> Result<String, GatewayError> {
    if over_http2 {
        let mut random = [0; 16];
        getrandom::fill(&mut random)
            .map_err(|error| GatewayError::new(Code::InternalError).source(error))?;
        return Ok(handshake::key(random));
    }
    let key = headers
        .get(SEC_WEBSOCKET_KEY)
        .and_then(|key| key.to_str().ok());
    Ok(key.unwrap_or_default().to_owned())
}

fn upgrade_required() -> GatewayError {
    GatewayError::new(Code::UpgradeRequired)
        .header(UPGRADE, HeaderValue::from_static("websocket"))
        .header(CONNECTION, HeaderValue::from_static("Upgrade"))
        .header(
            SEC_WEBSOCKET_VERSION,
            HeaderValue::from_static(handshake::VERSION),
        )
}

fn invalid(why: impl std::fmt::Display) -> GatewayError {
    GatewayError::public(
        Code::WebsocketHandshakeInvalid,
        format!("The connection cannot be opened: {why}."),
    )
}

/// What follows the head of such a request belongs to the connection, not to the request.
fn check_body(over_http2: bool, headers: &HeaderMap) -> Result<(), GatewayError> {
    let length = headers.get(CONTENT_LENGTH);
    let empty = length.is_none_or(|length| !over_http2 && length == "0");
    match empty && !headers.contains_key(TRANSFER_ENCODING) {
        true => Ok(()),
        false => Err(invalid("the request has a body")),
    }
}

/// Pages of other origins can open connections with the cookies of whoever looks at them: they have
/// to be named. Who sends no origin is no browser.
fn check_origin(terms: &Terms, head: &RequestHeader) -> Result<(), GatewayError> {
    let Some(origin) = head.headers.get(ORIGIN) else {
        return Ok(());
    };
    let origin = origin.to_str().unwrap_or_default();
    let admitted = match &terms.origins {
        Some(origins) => origins
            .iter()
            .any(|admitted: &Origin| admitted.matches(origin)),
        None => is_same(origin, identify::host(head)),
    };
    match admitted {
        true => Ok(()),
        false => Err(GatewayError::public(
            Code::OriginDenied,
            "Pages of this origin may not open connections here.",
        )
        .source(format!("the origin is {origin:?}"))),
    }
}

/// Whether a page of `origin` comes from `host`, as far as both say a port.
fn is_same(origin: &str, host: &str) -> bool {
    let of_page = origin
        .strip_prefix("https://")
        .map(|host| (host, ":443"))
        .or_else(|| origin.strip_prefix("http://").map(|host| (host, ":80")));
    of_page.is_some_and(|(page, port)| {
        let bare = |host: &'_ str| host.strip_suffix(port).unwrap_or(host).to_ascii_lowercase();
        !page.is_empty() && bare(page) == bare(host)
    })
}

/// What the upstream is offered of the subprotocols that the caller wants, and whether that wants
/// [`OWN`].
fn subprotocols<'h>(
    terms: &Terms,
    headers: &'h HeaderMap,
) -> Result<(Vec<&'h str>, bool), GatewayError> {
    let values = headers.get_all(SEC_WEBSOCKET_PROTOCOL).into_iter();
    let mut wanted = handshake::protocols(values.map(HeaderValue::as_bytes)).map_err(invalid)?;
    let all = wanted.len();
    wanted.retain(|name| *name != OWN);
    let own = wanted.len() < all;
    if terms.subprotocols.is_empty() || (terms.may_use_none && wanted.is_empty()) {
        return Ok((wanted, own));
    }
    wanted.retain(|name| terms.subprotocols.iter().any(|known| **known == **name));
    if wanted.is_empty() {
        let known = terms.subprotocols.join(", ");
        return Err(invalid(format!(
            "it has to offer one of the subprotocols {known}"
        )));
    }
    Ok((wanted, own))
}

fn compression(terms: &Terms, headers: &HeaderMap) -> Result<Option<String>, GatewayError> {
    let values = headers.get_all(SEC_WEBSOCKET_EXTENSIONS).into_iter();
    let offered = handshake::deflate(values.map(HeaderValue::as_bytes)).map_err(invalid)?;
    Ok(offered.filter(|_| terms.compression == Compression::Pass))
}

impl Asked {
    /// What an upstream's answer agrees to; `None` if it does not open a connection. Its head becomes
    /// the one that the caller is answered with.
    pub(super) fn agree(
        &self,
        spoke_http2: bool,
        head: &mut ResponseHeader,
    ) -> Result<Option<Agreed>, GatewayError> {
        let granted = match spoke_http2 {
            true => head.status == StatusCode::OK,
            false => head.status == StatusCode::SWITCHING_PROTOCOLS,
        };
        if !granted && !head.status.is_success() && head.status != StatusCode::SWITCHING_PROTOCOLS {
            return Ok(None);
        }
        if !granted {
            return Err(broken(format!(
                "it answered {} instead of opening a connection",
                head.status
            )));
        }
        let answer = head
            .headers
            .get(SEC_WEBSOCKET_ACCEPT)
            .map(HeaderValue::as_bytes);
        if !spoke_http2 && answer != Some(self.expected.as_bytes()) {
            return Err(broken("Sec-WebSocket-Accept does not answer the key"));
        }
        let agreed = Agreed {
            subprotocol: self.subprotocol(&head.headers)?,
            compressed: self.compressed(&head.headers)?,
        };
        if agreed.subprotocol.is_none() && self.own {
            head.insert_header(SEC_WEBSOCKET_PROTOCOL, OWN)
                .expect("a constant is a valid value");
        }
        self.dress(head);
        Ok(Some(agreed))
    }

    /// What the gateway itself answers, where it is at the other end: it speaks the first subprotocol
    /// that was offered, and uncompressed.
    pub(super) fn grant(&self) -> Result<(Box<ResponseHeader>, Agreed), GatewayError> {
        let mut head = ResponseHeader::build_no_case(StatusCode::SWITCHING_PROTOCOLS, Some(4))
            .map_err(|error| GatewayError::new(Code::InternalError).source(error))?;
        let subprotocol = self.offered.first().cloned();
        if let Some(chosen) = &subprotocol {
            head.insert_header(SEC_WEBSOCKET_PROTOCOL, &**chosen)
                .expect("a token is a valid value");
        }
        self.dress(&mut head);
        let agreed = Agreed {
            subprotocol,
            compressed: false,
        };
        Ok((Box::new(head), agreed))
    }

    fn subprotocol(&self, headers: &HeaderMap) -> Result<Option<Box<str>>, GatewayError> {
        let mut values = headers.get_all(SEC_WEBSOCKET_PROTOCOL).into_iter();
        let (chosen, more) = (values.next(), values.next());
        let Some(chosen) = chosen else {
            return Ok(None);
        };
        let mut offered = self.offered.iter();
        match offered.find(|offered| offered.as_bytes() == chosen.as_bytes()) {
            Some(offered) if more.is_none() => Ok(Some(offered.clone())),
            _ => Err(broken("it chose a subprotocol that it was not offered")),
        }
    }

    fn compressed(&self, headers: &HeaderMap) -> Result<bool, GatewayError> {
        let values = headers.get_all(SEC_WEBSOCKET_EXTENSIONS).into_iter();
        let values: Vec<_> = values.map(HeaderValue::as_bytes).collect();
        let chosen = handshake::deflate(values.iter().copied()).map_err(broken)?;
        match (chosen, values.is_empty()) {
            (None, true) => Ok(false),
            (Some(_), _) if self.compression => Ok(true),
            _ => Err(broken("it chose an extension that it was not offered")),
        }
    }

    /// Makes a head the answer to this caller: by an upgrade, or on its stream.
    fn dress(&self, head: &mut ResponseHeader) {
        for name in [CONTENT_LENGTH, CONNECTION, UPGRADE, SEC_WEBSOCKET_ACCEPT] {
            head.remove_header(&name);
        }
        let Some(accept) = &self.accept else {
            let _ = head.set_status(StatusCode::OK);
            return;
        };
        let _ = head.set_status(StatusCode::SWITCHING_PROTOCOLS);
        let fields = [
            (UPGRADE, "websocket"),
            (CONNECTION, "Upgrade"),
            (SEC_WEBSOCKET_ACCEPT, accept),
        ];
        for (name, value) in fields {
            head.insert_header(name, value)
                .expect("Base64 and constants are valid values");
        }
    }
}

fn broken(why: impl std::fmt::Display) -> GatewayError {
    GatewayError::new(Code::WebsocketUpstreamInvalid).source(why)
}

fn set(head: &mut RequestHeader, name: HeaderName, value: Option<&str>) {
    match value {
        Some(value) => head
            .insert_header(name, value)
            .expect("tokens and Base64 are valid values"),
        None => drop(head.remove_header(&name)),
    }
}

#[cfg(test)]
mod tests {
    use super::is_same;

    #[test]
    fn a_page_is_of_the_host_it_asks() {
        for (origin, host) in [
            ("https://shop.example.com", "shop.example.com"),
            ("https://Shop.example.com", "shop.example.com:443"),
            ("http://127.0.0.1:8080", "127.0.0.1:8080"),
            ("http://[::1]:8080", "[::1]:8080"),
        ] {
            assert!(is_same(origin, host), "{origin} {host}");
        }
        for (origin, host) in [
            ("https://evil.example", "shop.example.com"),
            ("https://shop.example.com:8443", "shop.example.com"),
            ("https://shop.example.com.evil.example", "shop.example.com"),
            ("null", "shop.example.com"),
            ("https://", ""),
            ("ftp://shop.example.com", "shop.example.com"),
        ] {
            assert!(!is_same(origin, host), "{origin} {host}");
        }
    }
}
