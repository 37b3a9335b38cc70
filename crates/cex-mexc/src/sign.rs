//! The signature: lower-case hex of HMAC-SHA256 over the query and the body as they are sent, joined without a
//! separator and in the order sent (MEXC-SIGN-01).

use cex_interface::Secret;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;

/// Makes signatures with one secret.
///
/// Keeps the keyed state, never a signature: the timestamp changes with every call.
pub struct Signer {
    keyed: Hmac<Sha256>,
}

impl Signer {
    /// A signer with this secret.
    #[must_use]
    pub fn new(secret: &Secret) -> Self {
        let keyed = Hmac::new_from_slice(secret.reveal().as_bytes()).expect("HMAC takes keys of any length");
        Self { keyed }
    }

    /// The signature of `query` followed by `body`, both exactly as they will be sent.
    #[must_use]
    pub fn sign(&self, query: &str, body: &[u8]) -> Signature {
        let mut mac = self.keyed.clone();
        mac.update(query.as_bytes());
        mac.update(body);
        Signature::hex(mac.finalize().into_bytes().into())
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A signature as it is sent: 64 characters of lower-case hex; upper case is refused by the exchange.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature([u8; 64]);

impl Signature {
    fn hex(digest: [u8; 32]) -> Self {
        let mut text = [0; 64];
        const_hex::encode_to_slice(digest, &mut text).expect("two digits a byte");
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("hexadecimal digits are ASCII")
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
