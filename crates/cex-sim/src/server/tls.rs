//! TLS for the exchanges' ports: certificates made at the start, one that holds and five that do not.
//!
//! All but the unknown and the self-signed one lead to the roots that [`Identity::roots_pem`] tells: who trusts those
//! must accept the good one, and refuse every other for its own fault.

use super::error::SimError;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::fmt;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// Names and addresses under which the simulator is reached.
const HERE: [&str; 2] = ["localhost", "127.0.0.1"];

/// A leaf of a root with a 1,024-bit RSA key, signed with SHA-1. Made in advance: nothing current signs like that.
const WEAK_ROOT: &[u8] = include_bytes!("tls/weak_root.der");
const WEAK_LEAF: &[u8] = include_bytes!("tls/weak_leaf.der");
/// Its own key is a good one. It opens nothing but this simulator.
const WEAK_KEY: &[u8] = include_bytes!("tls/weak_key.der");

/// Which certificate is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Certificate {
    /// One that holds for whoever trusts the root.
    Good,
    /// Its time is over.
    Expired,
    /// It is somebody else's.
    WrongHost,
    /// Its root is not the one that is told.
    UnknownRoot,
    /// Signed with SHA-1 by a short key.
    Weak,
    /// Signed by itself.
    SelfSigned,
}

impl Certificate {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Good, Self::Expired, Self::WrongHost, Self::UnknownRoot, Self::Weak, Self::SelfSigned];

    /// As it is written down.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Expired => "expired",
            Self::WrongHost => "wrong-host",
            Self::UnknownRoot => "unknown-root",
            Self::Weak => "weak",
            Self::SelfSigned => "self-signed",
        }
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What the ports show, and whom a client has to trust for it.
pub(super) struct Identity {
    /// Does the handshakes.
    pub(super) acceptor: TlsAcceptor,
    /// The roots as PEM text.
    pub(super) roots_pem: String,
}

/// A leaf with its key.
struct Leaf {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Makes the roots and the certificate.
    ///
    /// # Errors
    ///
    /// When the system gives no randomness.
    pub(super) fn new(certificate: Certificate) -> Result<Self, SimError> {
        let root = root("arb sim root")?;
        let leaf = match certificate {
            Certificate::Good => issued(&root, &leaf(&HERE)?)?,
            Certificate::Expired => {
                let mut params = leaf(&HERE)?;
                params.not_before = date_time_ymd(2020, 1, 1);
                params.not_after = date_time_ymd(2020, 1, 2);
                issued(&root, &params)?
            }
            Certificate::WrongHost => issued(&root, &leaf(&["elsewhere.example"])?)?,
            Certificate::UnknownRoot => issued(&self::root("nobody's root")?, &leaf(&HERE)?)?,
            Certificate::SelfSigned => {
                let key = KeyPair::generate().map_err(failed)?;
                let made = leaf(&HERE)?.self_signed(&key).map_err(failed)?;
                Leaf {
                    certificate: made.der().clone(),
                    key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
                }
            }
            Certificate::Weak => Leaf {
                certificate: CertificateDer::from(WEAK_LEAF),
                key: PrivatePkcs8KeyDer::from(WEAK_KEY).into(),
            },
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.map_err(failed)?.with_no_client_auth();
        let mut config = config.with_single_cert(vec![leaf.certificate], leaf.key).map_err(failed)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let roots_pem = format!("{}{}", root.pem(), pem::encode(&pem::Pem::new("CERTIFICATE", WEAK_ROOT)));
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), roots_pem })
    }
}

fn failed(error: impl fmt::Display) -> SimError {
    SimError::Certificate(error.to_string())
}

fn root(name: &str) -> Result<CertifiedIssuer<'static, KeyPair>, SimError> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let key = KeyPair::generate().map_err(failed)?;
    CertifiedIssuer::self_signed(params, key).map_err(failed)
}

fn leaf(names: &[&str]) -> Result<CertificateParams, SimError> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).map_err(failed)?;
    params.distinguished_name.push(DnType::CommonName, "arb sim");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn issued(root: &CertifiedIssuer<'static, KeyPair>, params: &CertificateParams) -> Result<Leaf, SimError> {
    let key = KeyPair::generate().map_err(failed)?;
    let made = params.signed_by(&key, root).map_err(failed)?;
    let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    Ok(Leaf { certificate: made.der().clone(), key })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::pem::PemObject as _;

    #[test]
    fn roots_are_told_as_they_are() {
        let identity = Identity::new(Certificate::Weak).expect("randomness");
        let told: Vec<CertificateDer<'_>> = CertificateDer::pem_slice_iter(identity.roots_pem.as_bytes())
            .collect::<Result<_, _>>()
            .expect("good PEM");
        assert_eq!(told.len(), 2);
        assert_eq!(told[1].as_ref(), WEAK_ROOT);
    }
}
