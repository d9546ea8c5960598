//! TLS of a listener: which certificate a client gets, and what it may then speak.
//!
//! Certificates are looked up at each handshake, so that a reload renews them without a restart;
//! connections that are open keep theirs.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use openssl::ssl::{
    AlpnError, NameType, SniError, SslAcceptor, SslAcceptorBuilder, SslContext, SslMethod,
    SslVerifyMode, select_next_proto,
};
use openssl::x509::store::X509StoreBuilder;
use pingora_core::listeners::tls::TlsSettings;

use crate::config::hosts::Host;
use crate::config::listeners::{Certificate, Listener, Tls};

/// The certificates of one listener, as they are now.
pub(crate) struct Certificates(ArcSwap<Contexts>);

struct Contexts(Vec<(Vec<Host>, SslContext)>);

/// The certificates of all TLS listeners, by the listener's name.
pub(super) fn certificates(
    listeners: &[Arc<Listener>],
) -> Result<HashMap<Arc<str>, Arc<Certificates>>, String> {
    let one = |(name, tls): (&Arc<str>, &Tls)| {
        Ok((
            name.clone(),
            Arc::new(Certificates(ArcSwap::from_pointee(contexts(tls)?))),
        ))
    };
    let tls = listeners
        .iter()
        .filter_map(|listener| Some((&listener.name, listener.tls.as_ref()?)));
    tls.map(one).collect()
}

impl Certificates {
    /// Uses other certificates from the next handshake on.
    pub(crate) fn replace(&self, tls: &Tls) -> Result<(), String> {
        self.0.store(Arc::new(contexts(tls)?));
        Ok(())
    }

    /// The certificate for a server name; the first where none fits, or none was named.
    fn pick(&self, name: Option<&str>) -> Option<SslContext> {
        let contexts = self.0.load();
        let name = name.map(str::to_ascii_lowercase);
        let fits = |hosts: &[Host]| {
            name.as_deref()
                .is_some_and(|name| hosts.iter().any(|host| host.matches(name)))
        };
        let found = contexts
            .0
            .iter()
            .find(|(hosts, _)| fits(hosts))
            .or(contexts.0.first());
        found.map(|(_, context)| context.clone())
    }
}

/// What Pingora's listener terminates TLS with.
pub(super) fn settings(tls: &Tls, certificates: Arc<Certificates>) -> Result<TlsSettings, String> {
    let first = tls
        .certificates
        .first()
        .ok_or("a TLS listener has no certificate")?;
    let mut settings = TlsSettings::from(builder(first, tls)?);
    // OpenSSL calls this for every handshake, with or without a server name.
    settings.set_servername_callback(move |ssl, _alert| {
        let context = certificates.pick(ssl.servername(NameType::HOST_NAME));
        let Some(context) = context else {
            return Err(SniError::ALERT_FATAL);
        };
        ssl.set_ssl_context(&context)
            .map_err(|_| SniError::ALERT_FATAL)
    });
    Ok(settings)
}

fn contexts(tls: &Tls) -> Result<Contexts, String> {
    let context = |certificate: &Certificate| {
        let context = builder(certificate, tls)?.build().into_context();
        Ok((certificate.hosts.clone(), context))
    };
    tls.certificates
        .iter()
        .map(context)
        .collect::<Result<_, String>>()
        .map(Contexts)
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
