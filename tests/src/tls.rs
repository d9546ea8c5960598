//! Certificates for one test: an authority, and what it issues, good or faulty.
//!
//! It knows nothing of who uses them; files are PEM.

use std::path::{Path, PathBuf};

use openssl::pkey::PKey;
use openssl::ssl::{AlpnError, Ssl, SslAcceptor, SslConnector, SslMethod, select_next_proto};
use openssl::x509::X509;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;

use crate::stream::Stream;

/// A certificate authority nobody else trusts.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate with its key, both PEM.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

/// Whether a certificate is within its dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// Until long after the test.
    Current,
    /// Ended in 2001.
    Expired,
}

impl Authority {
    /// A new authority with a key of its own.
    ///
    /// # Panics
    /// If the cryptographic library fails.
    #[expect(
        clippy::new_without_default,
        reason = "a new key each time is no default"
    )]
    pub fn new() -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
            .distinguished_name
            .push(DnType::CommonName, "Weir test authority");
        date(&mut params, Validity::Current);
        let key = KeyPair::generate().expect("a key can be generated");
        let pem = params
            .self_signed(&key)
            .expect("the authority's parameters are complete")
            .pem();
        Authority {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// The authority's certificate, PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for these names (DNS names or IP addresses), for servers and clients alike.
    ///
    /// # Panics
    /// If a name is neither.
    pub fn issue(&self, names: &[&str], validity: Validity) -> Certificate {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names.clone())
            .unwrap_or_else(|error| panic!("no certificate for {names:?}: {error}"));
        params.distinguished_name.push(
            DnType::CommonName,
            names.first().map_or("unnamed", String::as_str),
        );
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        date(&mut params, validity);
        let key = KeyPair::generate().expect("a key can be generated");
        let certificate = params
            .signed_by(&key, &self.issuer)
            .expect("the certificate's parameters are complete");
        Certificate {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }

    /// Writes the authority's certificate to `dir/NAME` and returns the path.
    ///
    /// # Panics
    /// If the file cannot be written.
    pub fn write(&self, dir: &Path, name: &str) -> PathBuf {
        write(dir, name, &self.pem)
    }
}

impl Certificate {
    /// Writes `dir/NAME.pem` and `dir/NAME.key` and returns both paths.
    ///
    /// # Panics
    /// If a file cannot be written.
    pub fn write(&self, dir: &Path, name: &str) -> (PathBuf, PathBuf) {
        (
            write(dir, &format!("{name}.pem"), &self.certificate),
            write(dir, &format!("{name}.key"), &self.key),
        )
    }
}

/// A server's side of TLS, offering these ALPN protocols (the first wins).
///
/// # Panics
/// If the certificate is unusable.
pub fn acceptor(certificate: &Certificate, protocols: &'static [&'static str]) -> SslAcceptor {
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())
        .expect("OpenSSL has a server method");
    let x509 = X509::from_pem(certificate.certificate.as_bytes()).expect("rcgen writes PEM");
    let key = PKey::private_key_from_pem(certificate.key.as_bytes()).expect("rcgen writes PEM");
    builder.set_certificate(&x509).expect("a valid certificate");
    builder
        .set_private_key(&key)
        .expect("the certificate's key");
    let offered = wire_format(protocols);
    builder.set_alpn_select_callback(move |_, client| {
        match select_next_proto(&offered, client) {
            // The slice must come from the client's list to live long enough.
            Some(chosen) => find(client, chosen).ok_or(AlpnError::NOACK),
            None => Err(AlpnError::NOACK),
        }
    });
    builder.build()
}

/// Accepts TLS on a connection.
///
/// # Errors
/// What the handshake failed with.
pub async fn accept(acceptor: &SslAcceptor, tcp: TcpStream) -> Result<Stream, String> {
    let ssl = Ssl::new(acceptor.context()).map_err(|error| error.to_string())?;
    let mut stream = Box::pin(SslStream::new(ssl, tcp).map_err(|error| error.to_string())?);
    match stream.as_mut().accept().await {
        Ok(()) => Ok(Stream::Tls(stream)),
        Err(error) => Err(error.to_string()),
    }
}

/// What a client brings to a handshake.
#[derive(Debug, Default)]
pub struct Client<'a> {
    /// The name asked for (SNI) and checked.
    pub name: &'a str,
    /// The authority trusted, PEM; `None` trusts anything.
    pub authority: Option<&'a str>,
    /// The ALPN protocols offered.
    pub protocols: &'a [&'a str],
    /// The client's own certificate.
    pub identity: Option<&'a Certificate>,
}

/// Opens TLS on a connection.
///
/// # Errors
/// What the handshake failed with.
pub async fn connect(client: &Client<'_>, tcp: TcpStream) -> Result<Stream, String> {
    let ssl = client_ssl(client).map_err(|error| error.to_string())?;
    let mut stream = Box::pin(SslStream::new(ssl, tcp).map_err(|error| error.to_string())?);
    match stream.as_mut().connect().await {
        Ok(()) => Ok(Stream::Tls(stream)),
        Err(error) => Err(error.to_string()),
    }
}

fn client_ssl(client: &Client<'_>) -> Result<Ssl, openssl::error::ErrorStack> {
    let mut builder = SslConnector::builder(SslMethod::tls_client())?;
    match client.authority {
        Some(pem) => {
            let x509 = X509::from_pem(pem.as_bytes())?;
            builder.cert_store_mut().add_cert(x509)?;
        }
        None => builder.set_verify(openssl::ssl::SslVerifyMode::NONE),
    }
    if let Some(identity) = client.identity {
        let x509 = X509::from_pem(identity.certificate.as_bytes())?;
        let key = PKey::private_key_from_pem(identity.key.as_bytes())?;
        builder.set_certificate(&x509)?;
        builder.set_private_key(&key)?;
    }
    if !client.protocols.is_empty() {
        builder.set_alpn_protos(&wire_format(client.protocols))?;
    }
    let mut configuration = builder.build().configure()?;
    configuration.set_verify_hostname(client.authority.is_some());
    configuration.into_ssl(client.name)
}

/// ALPN's list of length-prefixed names (RFC 7301 §3.1).
fn wire_format(protocols: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for protocol in protocols {
        bytes.push(u8::try_from(protocol.len()).expect("protocol names are short"));
        bytes.extend_from_slice(protocol.as_bytes());
    }
    bytes
}

fn find<'a>(list: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut rest = list;
    while let Some((length, after)) = rest.split_first() {
        let (here, next) = after.split_at_checked(usize::from(*length))?;
        if here == name {
            return Some(here);
        }
        rest = next;
    }
    None
}

fn date(params: &mut CertificateParams, validity: Validity) {
    let (from, to) = match validity {
        Validity::Current => (2020, 2099),
        Validity::Expired => (2000, 2001),
    };
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(to, 1, 1);
}

fn write(dir: &Path, name: &str, pem: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, pem)
        .unwrap_or_else(|error| panic!("{} cannot be written: {error}", path.display()));
    path
}
