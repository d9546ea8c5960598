//! Addresses of others: `host:port`, networks, URLs.

use std::net::IpAddr;

use http::Uri;
use ipnet::IpNet;

use super::hosts;
use super::upstreams::Host;

/// Reads `host:port`; IPv6 addresses stand in brackets. `None` if it is neither.
pub(super) fn host_port(text: &str) -> Option<(Host, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse::<u16>().ok().filter(|port| *port != 0)?;
    Some((self::host(host)?, port))
}

/// Reads a DNS name or an IP address, IPv6 in brackets.
fn host(text: &str) -> Option<Host> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    if let Some(bare) = bare {
        return bare
            .parse()
            .ok()
            .map(|address| Host::Ip(IpAddr::V6(address)));
    }
    if let Ok(address) = text.parse() {
        return Some(Host::Ip(IpAddr::V4(address)));
    }
    match hosts::Host::parse(text)? {
        hosts::Host::Exact(name) => Some(Host::Name(name.into())),
        hosts::Host::Wildcard(_) => None,
    }
}

/// Reads a network such as `10.0.0.0/8`, or a single address.
pub(super) fn network(text: &str) -> Option<IpNet> {
    text.parse::<IpNet>()
        .ok()
        .map(|network| network.trunc())
        .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// An `http` or `https` URL without user, query or fragment.
pub(super) struct Url {
    /// Whether TLS is spoken.
    pub tls: bool,
    /// Where to.
    pub host: Host,
    /// The port, that of the scheme if none was written.
    pub port: u16,
    /// Host and port as written.
    pub authority: String,
    /// The path, without a slash at the end.
    pub path: String,
}

/// Reads an `http` or `https` URL; the error says what is wrong with it.
pub(super) fn url(text: &str) -> Result<Url, &'static str> {
    if text.contains('#') {
        return Err("a fragment has no place here");
    }
    let uri: Uri = text.parse().map_err(|_| "this is no URL")?;
    let tls = match uri.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        _ => return Err("a URL begins with http:// or https://"),
    };
    let authority = uri.authority().ok_or("the host is missing")?.as_str();
    if authority.contains('@') {
        return Err("user and password have no place in a URL");
    }
    if uri.query().is_some() {
        return Err("a query has no place here");
    }
    let host = self::host(uri.host().unwrap_or_default()).ok_or("the host is no host")?;
    let port = match authority
        .rsplit_once(':')
        .filter(|(_, port)| !port.ends_with(']'))
    {
        Some((_, port)) => port
            .parse::<u16>()
            .ok()
            .filter(|port| *port != 0)
            .ok_or("the port is no port")?,
        None if tls => 443,
        None => 80,
    };
    let path = uri.path().trim_end_matches('/').to_owned();
    Ok(Url {
        tls,
        host,
        port,
        authority: authority.to_owned(),
        path,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports() {
        for good in ["localhost:80", "10.0.0.1:9092", "[::1]:8080", "a.b.c:1"] {
            let read = host_port(good).map(|(host, port)| format!("{host}:{port}"));
            assert_eq!(read.as_deref(), Some(good));
        }
        for bad in [
            "localhost",
            "a:0",
            "a:70000",
            ":80",
            "::1:80",
            "http://a:80",
            "*.a.b:80",
            "a b:80",
        ] {
            assert!(host_port(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn urls() {
        let url = url("https://api.example.com/v1/").unwrap_or_else(|why| panic!("{why}"));
        assert!(
            url.tls && url.port == 443 && url.path == "/v1" && url.authority == "api.example.com"
        );
        let url = super::url("http://[::1]:8080").unwrap_or_else(|why| panic!("{why}"));
        assert!(!url.tls && url.port == 8080 && url.path.is_empty());
        for bad in [
            "",
            "api.example.com",
            "ftp://a",
            "http://u:p@a",
            "http://a?x=1",
            "http://a:0",
            "http://a#b",
            "http://",
        ] {
            assert!(super::url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn networks_are_truncated_and_addresses_are_networks_of_one() {
        assert_eq!(
            network("10.1.2.3/8").map(|n| n.to_string()).as_deref(),
            Some("10.0.0.0/8")
        );
        assert_eq!(
            network("::1").map(|n| n.to_string()).as_deref(),
            Some("::1/128")
        );
        assert!(network("10.0.0.0/33").is_none() && network("host").is_none());
    }
}
