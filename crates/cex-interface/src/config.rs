//! What an adapter must be told: where the exchange is, and who we are.

use cex_core::VenueId;
use std::collections::BTreeMap;
use std::fmt;
use zeroize::Zeroizing;

/// A key or secret. Prints `***`; its memory is wiped when dropped.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes over a secret.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The secret itself: for signing and for the one header that carries the key, nothing else.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// One configured account on an exchange.
#[derive(Debug, Clone)]
pub struct VenueConfig {
    /// Index and name.
    pub venue: VenueId,
    /// Base of the request interface, e.g. `https://api.example.com`, without the path prefix; `None` for the real one.
    pub rest_url: Option<String>,
    /// Address of the streams, e.g. `wss://ws.example.com/ws`; `None` for the real one.
    pub ws_url: Option<String>,
    /// API key; empty for public use.
    pub key: Secret,
    /// API secret; empty for public use.
    pub secret: Secret,
    /// Settings of this exchange alone, by the names its documentation page lists.
    pub options: BTreeMap<String, String>,
}

impl VenueConfig {
    /// Public use of the real exchange.
    #[must_use]
    pub fn public(venue: VenueId) -> Self {
        Self {
            venue,
            rest_url: None,
            ws_url: None,
            key: Secret::default(),
            secret: Secret::default(),
            options: BTreeMap::new(),
        }
    }

    /// Whether signed calls are possible.
    #[must_use]
    pub fn has_credentials(&self) -> bool {
        !self.key.is_empty() && !self.secret.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_never_print() {
        let secret = Secret::new("canary-7f3a".to_owned());
        assert_eq!(format!("{secret} {secret:?}"), "*** ***");
        let mut config = VenueConfig::public(VenueId::new(0, "x").expect("short"));
        config.secret = secret;
        assert!(!format!("{config:?}").contains("canary"));
    }
}
