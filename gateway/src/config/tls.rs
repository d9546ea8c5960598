//! Certificates, keys and authorities in PEM files.

use openssl::asn1::Asn1Time;
use openssl::pkey::{PKey, Private};
use openssl::x509::X509;

use super::check::{At, Checker};
use super::hosts::Host;

/// Reads a chain and its key, and finds out whether they fit. Each is the
/// place that names the file, and its path.
pub(super) fn pair(
    cx: &mut Checker<'_>,
    (cert_at, cert): (&At, &str),
    (key_at, key): (&At, &str),
) -> Option<(Vec<X509>, PKey<Private>)> {
    let chain = cx
        .read(cert_at, cert)
        .and_then(|pem| certificates(cx, cert_at, cert, &pem));
    let private = cx
        .read(key_at, key)
        .and_then(|pem| private_key(cx, key_at, key, &pem));
    let (chain, private) = (chain?, private?);
    let leaf = chain.first()?;
    if !leaf
        .public_key()
        .is_ok_and(|public| public.public_eq(&private))
    {
        let message = format!("the key in \"{key}\" is not that of the certificate in \"{cert}\"");
        cx.fault(
            key_at,
            message,
            "the leaf certificate comes first in its file",
        );
        return None;
    }
    let expired = Asn1Time::days_from_now(0).is_ok_and(|now| leaf.not_after() < now);
    if expired {
        cx.warn(
            cert_at,
            format!("the certificate in \"{cert}\" has expired"),
            "renew it",
        );
    }
    Some((chain, private))
}

/// Reads the authorities of a file.
pub(super) fn authorities(cx: &mut Checker<'_>, at: &At, file: &str) -> Option<Vec<X509>> {
    let pem = cx.read(at, file)?;
    certificates(cx, at, file, &pem)
}

fn certificates(cx: &mut Checker<'_>, at: &At, file: &str, pem: &[u8]) -> Option<Vec<X509>> {
    match X509::stack_from_pem(pem) {
        Ok(chain) if !chain.is_empty() => Some(chain),
        _ => {
            let hint = "it begins with -----BEGIN CERTIFICATE-----";
            cx.fault(at, format!("\"{file}\" holds no certificate in PEM"), hint);
            None
        }
    }
}

fn private_key(cx: &mut Checker<'_>, at: &At, file: &str, pem: &[u8]) -> Option<PKey<Private>> {
    // without a callback OpenSSL would ask for a passphrase on the terminal
    match PKey::private_key_from_pem_callback(pem, |_| Ok(0)) {
        Ok(key) => Some(key),
        Err(_) => {
            let hint = "it begins with -----BEGIN PRIVATE KEY-----, and has no passphrase";
            cx.fault(at, format!("\"{file}\" holds no private key in PEM"), hint);
            None
        }
    }
}

/// The hosts a certificate is for.
pub(super) fn hosts(leaf: &X509) -> Vec<Host> {
    let names = leaf.subject_alt_names();
    names
        .iter()
        .flatten()
        .filter_map(|name| Host::parse(name.dnsname()?))
        .collect()
}
