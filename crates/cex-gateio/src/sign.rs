//! The three signatures: calls, private streams, trading over the stream. All are HMAC-SHA512 in lower-case
//! hex.
//!
//! The keyed state is made once and cloned for each signature; a signature itself is never kept, since the
//! time in it changes. Vectors: `tests/golden/gateio_ws_vectors.json`.

use cex_interface::Secret;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha512};

/// Lower-case hex of 64 bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hex([u8; 128]);

impl Hex {
    /// The SHA-512 of nothing, which every call without a body carries (GATEIO-REST-02).
    const EMPTY_BODY: Self = Self(
        *b"cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce\
47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
    );

    fn of(digest: &[u8; 64]) -> Self {
        let mut hex = [0; 128];
        const_hex::encode_to_slice(digest, &mut hex).expect("two digits a byte");
        Self(hex)
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Only hex digits are ever put in, so this cannot fail; an empty text is the harmless answer if it
        // did.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// The parts of a call that are signed.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Upper-case method.
    pub method: &'a str,
    /// Whole path without host and query.
    pub path: &'a str,
    /// Query as sent, but not percent-encoded; empty for none.
    pub query: &'a str,
    /// Body as sent.
    pub body: &'a [u8],
    /// The text of the `Timestamp` header.
    pub timestamp: &'a str,
}

/// Signs with one account's secret.
pub struct Signer {
    key: Secret,
    keyed: Hmac<Sha512>,
}

impl Signer {
    /// Prepares the keyed state.
    #[must_use]
    pub fn new(key: Secret, secret: &Secret) -> Self {
        let keyed = Hmac::new_from_slice(secret.reveal().as_bytes()).expect("HMAC takes keys of any length");
        Self { key, keyed }
    }

    /// The API key that goes with the secret.
    #[must_use]
    pub fn key(&self) -> &str {
        self.key.reveal()
    }

    /// Signs a call (GATEIO-REST-02): method, path, query, hash of the body, time, a line each.
    #[must_use]
    pub fn call(&self, call: Call<'_>) -> Hex {
        let body =
            if call.body.is_empty() { Hex::EMPTY_BODY } else { Hex::of(&Sha512::digest(call.body).into()) };
        self.joined(&[call.method, call.path, call.query, body.as_str(), call.timestamp], "\n")
    }

    /// Signs a request on a private channel (GATEIO-WS-03); `time` is the seconds the request carries.
    #[must_use]
    pub fn stream(&self, channel: &str, event: &str, time: i64) -> Hex {
        let mut digits = itoa::Buffer::new();
        self.joined(&["channel=", channel, "&event=", event, "&time=", digits.format(time)], "")
    }

    /// Signs a request of the trading interface of the streams (GATEIO-WS-24); `req_param` is its exact JSON
    /// text, empty when absent.
    #[must_use]
    pub fn api(&self, channel: &str, req_param: &str, timestamp: i64) -> Hex {
        let mut digits = itoa::Buffer::new();
        self.joined(&["api", channel, req_param, digits.format(timestamp)], "\n")
    }

    fn joined(&self, parts: &[&str], separator: &str) -> Hex {
        let mut mac = self.keyed.clone();
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                mac.update(separator.as_bytes());
            }
            mac.update(part.as_bytes());
        }
        Hex::of(&mac.finalize().into_bytes().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_an_empty_body_is_known_ahead() {
        assert_eq!(Hex::of(&Sha512::digest(b"").into()).as_str(), Hex::EMPTY_BODY.as_str());
    }
}
