//! TLS: rustls with the ring provider, the roots browsers trust, HTTP/1.1. There is no way around verification.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;

/// Whom to trust besides the public roots: certificates of a simulator or of a proxy of one's own.
#[derive(Debug, Clone, Default)]
pub struct ExtraRoots(Vec<CertificateDer<'static>>);

/// A root certificate that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RootError(&'static str);

impl ExtraRoots {
    /// Adds every certificate of a PEM file's text.
    ///
    /// # Errors
    /// Text that holds no certificate, or a broken one.
    pub fn add_pem(&mut self, pem: &[u8]) -> Result<(), RootError> {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        let found = found.map_err(|_| RootError("a certificate's PEM text cannot be read"))?;
        if found.is_empty() {
            return Err(RootError("no certificate in the PEM text"));
        }
        self.0.extend(found);
        Ok(())
    }

    /// Adds one certificate in DER form.
    pub fn add_der(&mut self, der: Vec<u8>) {
        self.0.push(CertificateDer::from(der));
    }
}

/// The one client configuration of this program.
///
/// # Errors
/// An extra root that is not a certificate.
pub(crate) fn client_config(extra: &ExtraRoots) -> Result<Arc<ClientConfig>, RootError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for certificate in &extra.0 {
        roots.add(certificate.clone()).map_err(|_| RootError("an extra root is not a usable certificate"))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| RootError("the TLS provider supports no safe protocol version"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    // One protocol only, so that no server can talk us into another.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_extra_roots_are_refused() {
        let mut roots = ExtraRoots::default();
        assert!(roots.add_pem(b"not a certificate").is_err());
        assert!(client_config(&roots).is_ok());
        roots.add_der(vec![1, 2, 3]);
        assert!(client_config(&roots).is_err());
    }

    #[test]
    fn only_http_1_1_is_offered() {
        let config = client_config(&ExtraRoots::default()).expect("public roots");
        assert_eq!(config.alpn_protocols, [b"http/1.1".to_vec()]);
    }
}
