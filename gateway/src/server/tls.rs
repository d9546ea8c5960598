//! TLS of a listener: which certificate a client gets, and what it may then speak.

use openssl::ssl::{
    AlpnError, NameType, SniError, SslAcceptor, SslAcceptorBuilder, SslContext, SslMethod,
    SslVerifyMode, select_next_proto,
};
use openssl::x509::store::X509StoreBuilder;
use pingora_core::listeners::tls::TlsSettings;

use crate::config::hosts::Host;
use crate::config::listeners::{Certificate, Tls};

/// What Pingora's listener terminates TLS with.
pub(super) fn settings(tls: &Tls) -> Result<TlsSettings, String> {
    let (first, others) = tls.certificates.split_first().ok_or("a TLS listener has no certificate")?;
    let mut settings = TlsSettings::from(builder(first, tls)?);
    let mut contexts: Vec<(Vec<Host>, SslContext)> = Vec::new();
    for certificate in others {
        let context = builder(certificate, tls)?.build().into_context();
        contexts.push((certificate.hosts.clone(), context));
    }
    settings.set_servername_callback(move |ssl, _alert| {
        let Some(name) = ssl.servername(NameType::HOST_NAME).map(str::to_ascii_lowercase) else {
            return Ok(());
        };
        let better = contexts.iter().find(|(hosts, _)| hosts.iter().any(|host| host.matches(&name)));
        match better {
            Some((_, context)) => {
                ssl.set_ssl_context(context).map_err(|_| SniError::ALERT_FATAL)
            }
            None => Ok(()),
        }
    });
    Ok(settings)
}

fn builder(certificate: &Certificate, tls: &Tls) -> Result<SslAcceptorBuilder, String> {
    fill(certificate, tls).map_err(|e| format!("{}: {e}", certificate.cert_file.display()))
}

fn fill(
    certificate: &Certificate,
    tls: &Tls,
) -> Result<SslAcceptorBuilder, openssl::error::ErrorStack> {
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls())?;
    let mut chain = certificate.chain.iter();
    if let Some(leaf) = chain.next() {
        builder.set_certificate(leaf)?;
    }
    for intermediate in chain {
        builder.add_extra_chain_cert(intermediate.clone())?;
    }
    builder.set_private_key(&certificate.key)?;
    builder.check_private_key()?;
    builder.set_alpn_select_callback(|_, offered| {
        select_next_proto(b"\x02h2\x08http/1.1", offered).ok_or(AlpnError::NOACK)
    });
    if let Some(authorities) = &tls.client_ca {
        let mut store = X509StoreBuilder::new()?;
        for authority in authorities {
            store.add_cert(authority.clone())?;
            builder.add_client_ca(authority)?;
        }
        builder.set_verify_cert_store(store.build())?;
        builder.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    }
    Ok(builder)
}
