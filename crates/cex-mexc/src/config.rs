//! Where the exchange is, who we are, and the options of this exchange, read strictly: a misspelt option is an error,
//! never a default.

use crate::limits::MOST_CONNECTIONS;
use crate::sign::Signer;
use cex_core::VenueId;
use cex_errors::{ErrorKind, ExchangeError, Op};
use cex_interface::{Secret, VenueConfig};

/// The real request interface (MEXC-REST-01).
pub const REST_URL: &str = "https://api.mexc.com";

/// The real streams (MEXC-WS-01).
pub const WS_URL: &str = "wss://wbs-api.mexc.com/ws";

/// The names of all options.
pub const OPTIONS: [&str; 4] = ["depth_interval", "book_ticker", "connections_max", "rate_limits"];

/// How often the exchange sends what changed in a book, and in the other public streams (MEXC-WS-12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DepthInterval {
    /// Every 10 ms.
    #[default]
    Ms10,
    /// Every 100 ms.
    Ms100,
}

impl DepthInterval {
    /// As it stands in channel names.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ms10 => "10ms",
            Self::Ms100 => "100ms",
        }
    }
}

/// The stream of best prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BookTickerChannel {
    /// The newest of each window, at the speed of [`DepthInterval`].
    #[default]
    Aggregated,
    /// As they come, in batches (MEXC-WS-15).
    Batch,
}

/// A configuration that has been read.
#[derive(Debug)]
pub struct Settings {
    /// Index and name.
    pub venue: VenueId,
    /// Base of the request interface, without a trailing slash.
    pub rest_url: String,
    /// Address of the streams.
    pub ws_url: String,
    /// Speed of the public streams.
    pub depth_interval: DepthInterval,
    /// Which stream of best prices is used.
    pub book_ticker: BookTickerChannel,
    /// Public connections that may stand at once.
    pub connections_max: usize,
    /// Whether our own request budgets hold; off only against simulators.
    pub rate_limits: bool,
    /// Key and signer; `None` for public use.
    pub credentials: Option<Credentials>,
}

/// What a signed call needs.
#[derive(Debug)]
pub struct Credentials {
    /// The access key, sent in a header.
    pub key: Secret,
    /// Makes signatures.
    pub signer: Signer,
}

impl Settings {
    /// Reads a configuration; the error names the setting that is wrong.
    pub fn read(config: VenueConfig) -> Result<Self, ExchangeError> {
        let VenueConfig { venue, rest_url, ws_url, key, secret, options } = config;
        let wrong = |what, detail: String| invalid(venue, what, detail);
        let mut settings = Self {
            venue,
            rest_url: rest_url
                .map_or_else(|| REST_URL.to_owned(), |url| url.trim_end_matches('/').to_owned()),
            ws_url: ws_url.unwrap_or_else(|| WS_URL.to_owned()),
            depth_interval: DepthInterval::default(),
            book_ticker: BookTickerChannel::default(),
            connections_max: MOST_CONNECTIONS,
            rate_limits: true,
            credentials: None,
        };
        if !is_base(&settings.rest_url, ["https://", "http://"]) {
            return Err(wrong("rest_url is not of the form https://host[:port]", settings.rest_url));
        }
        if !is_address(&settings.ws_url, ["wss://", "ws://"]) {
            return Err(wrong("ws_url is not of the form wss://host[:port]/path", settings.ws_url));
        }
        for (name, value) in options {
            match (name.as_str(), value.as_str()) {
                ("depth_interval", "10ms") => settings.depth_interval = DepthInterval::Ms10,
                ("depth_interval", "100ms") => settings.depth_interval = DepthInterval::Ms100,
                ("depth_interval", _) => {
                    return Err(wrong("depth_interval is not one of 10ms, 100ms", value));
                }
                ("book_ticker", "aggre") => settings.book_ticker = BookTickerChannel::Aggregated,
                ("book_ticker", "batch") => settings.book_ticker = BookTickerChannel::Batch,
                ("book_ticker", _) => return Err(wrong("book_ticker is not one of aggre, batch", value)),
                ("connections_max", count) => {
                    let count = count.parse().ok().filter(|count| (1..=MOST_CONNECTIONS).contains(count));
                    settings.connections_max = count
                        .ok_or_else(|| wrong("connections_max is not one of 1 to 149", value.clone()))?;
                }
                ("rate_limits", "on") => settings.rate_limits = true,
                ("rate_limits", "off") => settings.rate_limits = false,
                ("rate_limits", _) => return Err(wrong("rate_limits is not one of on, off", value)),
                _ => {
                    return Err(wrong(
                        "no such option; there are depth_interval, book_ticker, connections_max, rate_limits",
                        name,
                    ));
                }
            }
        }
        settings.credentials = match (key.is_empty(), secret.is_empty()) {
            (true, true) => None,
            (false, false) => Some(Credentials { key, signer: Signer::new(&secret) }),
            (false, true) => return Err(wrong("key without secret", String::new())),
            (true, false) => return Err(wrong("secret without key", String::new())),
        };
        Ok(settings)
    }
}

fn is_base(url: &str, schemes: [&str; 2]) -> bool {
    schemes.iter().any(|scheme| {
        url.strip_prefix(scheme).is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', ' ']))
    })
}

fn is_address(url: &str, schemes: [&str; 2]) -> bool {
    // The listen key is appended as the query, so there must be none yet.
    schemes.iter().any(|scheme| {
        url.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty() && !rest.contains(['?', '#', ' ']))
    })
}

fn invalid(venue: VenueId, what: &'static str, detail: String) -> ExchangeError {
    let mut error = ExchangeError::new(venue, Op::Configure, ErrorKind::InvalidInput(what));
    error.message = (!detail.is_empty()).then(|| detail.into_boxed_str());
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(options: &[(&str, &str)]) -> VenueConfig {
        let mut config = VenueConfig::public(VenueId::new(0, "mexc").expect("short"));
        config.options =
            options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        config
    }

    #[test]
    fn the_default_is_the_real_exchange_at_full_speed() {
        let settings = Settings::read(config(&[])).expect("defaults");
        assert_eq!((settings.rest_url.as_str(), settings.ws_url.as_str()), (REST_URL, WS_URL));
        assert_eq!(settings.depth_interval, DepthInterval::Ms10);
        assert!(settings.rate_limits && settings.credentials.is_none());
    }

    #[test]
    fn options_are_read() {
        let settings =
            Settings::read(config(&[("depth_interval", "100ms"), ("rate_limits", "off")])).expect("valid");
        assert_eq!(settings.depth_interval, DepthInterval::Ms100);
        assert!(!settings.rate_limits);
        let settings =
            Settings::read(config(&[("book_ticker", "batch"), ("connections_max", "2")])).expect("valid");
        assert_eq!((settings.book_ticker, settings.connections_max), (BookTickerChannel::Batch, 2));
        assert_eq!((OPTIONS.len(), MOST_CONNECTIONS), (4, 149));
    }

    #[test]
    fn a_wrong_option_is_named() {
        for (name, value, says) in [
            (
                "depth_intervall",
                "10ms",
                "no such option; there are depth_interval, book_ticker, connections_max, rate_limits (depth_intervall)",
            ),
            ("depth_interval", "50ms", "depth_interval is not one of 10ms, 100ms (50ms)"),
            ("book_ticker", "all", "book_ticker is not one of aggre, batch (all)"),
            ("connections_max", "0", "connections_max is not one of 1 to 149 (0)"),
            ("connections_max", "150", "connections_max is not one of 1 to 149 (150)"),
            ("rate_limits", "no", "rate_limits is not one of on, off (no)"),
        ] {
            let error = Settings::read(config(&[(name, value)])).expect_err(name);
            assert_eq!(error.to_string(), format!("mexc configure: invalid input: {says}"));
        }
    }

    #[test]
    fn addresses_must_be_addresses() {
        for (rest, ws) in [
            (Some("api.mexc.com"), None),
            (Some("ftp://api.mexc.com"), None),
            (Some("https://"), None),
            (Some("https://api.mexc.com/api/v3"), None),
            (None, Some("wss://wbs-api.mexc.com/ws?listenKey=x")),
            (None, Some("https://wbs-api.mexc.com/ws")),
        ] {
            let mut config = config(&[]);
            config.rest_url = rest.map(str::to_owned);
            config.ws_url = ws.map(str::to_owned);
            assert!(Settings::read(config).is_err(), "{rest:?} {ws:?}");
        }
        let mut local = config(&[]);
        local.rest_url = Some("http://127.0.0.1:7801/".to_owned());
        local.ws_url = Some("ws://127.0.0.1:7801/ws".to_owned());
        assert_eq!(Settings::read(local).expect("valid").rest_url, "http://127.0.0.1:7801");
    }

    #[test]
    fn half_a_pair_of_credentials_is_refused_and_a_whole_one_never_printed() {
        for (key, secret, whole) in
            [("k", "", false), ("", "s", false), ("canary-key", "canary-secret", true)]
        {
            let mut config = config(&[]);
            config.key = Secret::new(key.to_owned());
            config.secret = Secret::new(secret.to_owned());
            let settings = Settings::read(config);
            assert_eq!(settings.is_ok(), whole);
            assert!(!format!("{settings:?}").contains("canary"));
        }
    }
}
