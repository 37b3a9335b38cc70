//! Where the exchange is, which book stream is used, and the exchange's own options, strictly parsed.

use crate::limits::{BOOKS_PER_CONNECTION, DEEPEST_BOOK, MOST_BOOKS_PER_CONNECTION, MOST_CONNECTIONS};
use cex_core::{Continuity, SnapshotSource, SyncRule, VenueId};
use cex_errors::{ErrorKind, ExchangeError, Op};
use cex_interface::{BookStream, Secret, VenueConfig};
use std::time::Duration;

/// The real exchange (GATEIO-REST-01, GATEIO-WS-01).
const REST_URL: &str = "https://api.gateio.ws";
const WS_URL: &str = "wss://api.gateio.ws/ws/v4/";

/// What every path begins with, also on other hosts: it is part of what is signed (GATEIO-REST-01).
pub(crate) const PREFIX: &str = "/api/v4";

/// The options and what they take.
const OPTIONS: &str = "book_channel=update|obu, depth_interval=20ms|100ms, top_levels_interval=100ms|1000ms, \
                       books_per_connection=1..200, connections_max=1..148, rate_limits=on|off, \
                       unusual_names=refuse|send";

/// The stream books are kept from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BookChannel {
    /// `spot.order_book_update` at 20 ms: the best 20 levels.
    Update20,
    /// `spot.order_book_update` at 100 ms: the best 100 levels.
    Update100,
    /// `spot.obu` at 20 ms: the best 50 levels, the first frame whole.
    Obu20,
    /// `spot.obu` at 100 ms: the best 400 levels, the first frame whole.
    Obu100,
}

/// `spot.order_book_update` (GATEIO-WS-13): the first state comes over REST and may lie inside the first
/// delta; from then on deltas follow each other without a gap. Levels that fall out of the depth are never
/// heard of again (GATEIO-WS-11).
const fn update(name: &'static str, millis: u64, depth: u32) -> BookStream {
    let snapshot = SnapshotSource::Rest { depth };
    let sync = SyncRule { snapshot, continuity: Continuity::Contiguous, depth: Some(depth) };
    BookStream { name, interval: Duration::from_millis(millis), sync }
}

/// `spot.obu` (GATEIO-WS-14): the stream sends the first state itself. REST shows as much of it as it shows of any
/// book (GATEIO-REST-12).
const fn obu(name: &'static str, millis: u64, depth: u32) -> BookStream {
    let shown = if depth < DEEPEST_BOOK { depth } else { DEEPEST_BOOK };
    let snapshot = SnapshotSource::Stream { depth: shown };
    let sync = SyncRule { snapshot, continuity: Continuity::Strict, depth: Some(depth) };
    BookStream { name, interval: Duration::from_millis(millis), sync }
}

const UPDATE_20: BookStream = update("update@20ms", 20, 20);
const UPDATE_100: BookStream = update("update@100ms", 100, 100);
const OBU_20: BookStream = obu("obu@20ms", 20, 50);
const OBU_100: BookStream = obu("obu@100ms", 100, 400);

impl BookChannel {
    /// All streams, the one in use first.
    pub(crate) const fn streams(self) -> &'static [BookStream] {
        match self {
            Self::Update20 => &[UPDATE_20, UPDATE_100, OBU_20, OBU_100],
            Self::Update100 => &[UPDATE_100, UPDATE_20, OBU_20, OBU_100],
            Self::Obu20 => &[OBU_20, UPDATE_20, UPDATE_100, OBU_100],
            Self::Obu100 => &[OBU_100, UPDATE_20, UPDATE_100, OBU_20],
        }
    }

    /// The channel's name on the wire.
    pub(crate) const fn channel(self) -> &'static str {
        match self {
            Self::Update20 | Self::Update100 => "spot.order_book_update",
            Self::Obu20 | Self::Obu100 => "spot.obu",
        }
    }

    pub(crate) const fn is_obu(self) -> bool {
        matches!(self, Self::Obu20 | Self::Obu100)
    }

    /// What stands in the payload of a subscription to one pair's book.
    pub(crate) fn payload(self, native: &str) -> Vec<String> {
        match self {
            Self::Update20 => vec![native.to_owned(), "20ms".to_owned()],
            Self::Update100 => vec![native.to_owned(), "100ms".to_owned()],
            Self::Obu20 => vec![format!("ob.{native}.50")],
            Self::Obu100 => vec![format!("ob.{native}.400")],
        }
    }
}

/// How often the best levels of a book are sent (GATEIO-WS-26).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TopLevelsInterval {
    Ms100,
    Ms1000,
}

impl TopLevelsInterval {
    /// As it stands in a request.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ms100 => "100ms",
            Self::Ms1000 => "1000ms",
        }
    }
}

/// What a configuration says of the public streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Streams {
    pub(crate) book: BookChannel,
    pub(crate) top_levels: TopLevelsInterval,
}

/// The configuration of one account, checked.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) venue: VenueId,
    pub(crate) rest_url: String,
    pub(crate) ws_url: String,
    pub(crate) key: Secret,
    pub(crate) secret: Secret,
    pub(crate) streams: Streams,
    pub(crate) books_per_connection: usize,
    /// Public connections that may stand at once.
    pub(crate) connections_max: usize,
    /// Whether our own count of calls is kept; simulators may do without.
    pub(crate) rate_limits: bool,
    /// Whether pairs with unusual spellings are sent at all.
    pub(crate) unusual_names: bool,
}

impl Config {
    /// Checks a configuration; the error names the setting that is wrong.
    pub(crate) fn new(config: VenueConfig) -> Result<Self, ExchangeError> {
        let venue = config.venue;
        let wrong = |message: String| wrong(venue, message);
        let rest_url = config.rest_url.unwrap_or_else(|| REST_URL.to_owned());
        // Other clients want the address with the prefix; it names the same host.
        let rest_url = rest_url.trim_end_matches('/');
        let rest_url = rest_url.strip_suffix(PREFIX).unwrap_or(rest_url).to_owned();
        let host = rest_url.strip_prefix("https://").or_else(|| rest_url.strip_prefix("http://"));
        if host.is_none_or(|host| host.is_empty() || host.contains('/')) {
            return Err(wrong(format!("rest_url {rest_url:?} must be http(s)://host")));
        }
        let ws_url = config.ws_url.unwrap_or_else(|| WS_URL.to_owned());
        if !(ws_url.starts_with("wss://") || ws_url.starts_with("ws://")) {
            return Err(wrong(format!("ws_url {ws_url:?} must begin with wss:// or ws://")));
        }
        // The key stands in a header and, quoted, in messages.
        let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        if !config.key.reveal().bytes().all(plain) {
            return Err(wrong("key must be plain ASCII".to_owned()));
        }
        match (config.key.is_empty(), config.secret.is_empty()) {
            (true, true) | (false, false) => {}
            (false, true) => return Err(wrong("key without secret".to_owned())),
            (true, false) => return Err(wrong("secret without key".to_owned())),
        }
        let option = |name: &str, default| config.options.get(name).map_or(default, String::as_str);
        let (channel, interval) = (option("book_channel", "update"), option("depth_interval", "20ms"));
        let book = match (channel, interval) {
            ("update", "20ms") => BookChannel::Update20,
            ("update", "100ms") => BookChannel::Update100,
            ("obu", "20ms") => BookChannel::Obu20,
            ("obu", "100ms") => BookChannel::Obu100,
            _ => {
                return Err(wrong(format!(
                    "book_channel {channel:?} with depth_interval {interval:?}: {OPTIONS}"
                )));
            }
        };
        let top_levels = match option("top_levels_interval", "100ms") {
            "100ms" => TopLevelsInterval::Ms100,
            "1000ms" => TopLevelsInterval::Ms1000,
            other => return Err(wrong(format!("top_levels_interval {other:?}: {OPTIONS}"))),
        };
        let choice = |name: &str, off: &'static str, on: &'static str, default| match option(name, default) {
            value if value == off => Ok(false),
            value if value == on => Ok(true),
            value => Err(wrong(format!("{name} {value:?}: {OPTIONS}"))),
        };
        let rate_limits = choice("rate_limits", "off", "on", "on")?;
        let unusual_names = choice("unusual_names", "refuse", "send", "refuse")?;
        let count = |name: &str, default, most| match config.options.get(name).map(|text| text.parse()) {
            None => Ok(default),
            Some(Ok(count)) if (1..=most).contains(&count) => Ok(count),
            Some(_) => Err(wrong(format!("{name}: {OPTIONS}"))),
        };
        let books_per_connection =
            count("books_per_connection", BOOKS_PER_CONNECTION, MOST_BOOKS_PER_CONNECTION)?;
        let connections_max = count("connections_max", MOST_CONNECTIONS, MOST_CONNECTIONS)?;
        let known = [
            "book_channel",
            "depth_interval",
            "top_levels_interval",
            "books_per_connection",
            "connections_max",
            "rate_limits",
            "unusual_names",
        ];
        if let Some(name) = config.options.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(wrong(format!("unknown option {name:?}; known are {OPTIONS}")));
        }
        Ok(Self {
            venue,
            rest_url,
            ws_url,
            key: config.key,
            secret: config.secret,
            streams: Streams { book, top_levels },
            books_per_connection,
            connections_max,
            rate_limits,
            unusual_names,
        })
    }
}

fn wrong(venue: VenueId, message: String) -> ExchangeError {
    let mut error = ExchangeError::new(venue, Op::Configure, ErrorKind::InvalidInput("configuration"));
    error.message = Some(message.into_boxed_str());
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(options: &[(&str, &str)]) -> Result<Config, String> {
        let mut config = VenueConfig::public(VenueId::new(0, "gateio").expect("short"));
        for (name, value) in options {
            match *name {
                "rest_url" => config.rest_url = Some((*value).to_owned()),
                "ws_url" => config.ws_url = Some((*value).to_owned()),
                "key" => config.key = Secret::new((*value).to_owned()),
                "secret" => config.secret = Secret::new((*value).to_owned()),
                name => drop(config.options.insert(name.to_owned(), (*value).to_owned())),
            }
        }
        Config::new(config).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_are_the_real_exchange() {
        let config = with(&[]).expect("valid");
        assert_eq!((config.rest_url.as_str(), config.ws_url.as_str()), (REST_URL, WS_URL));
        assert_eq!((config.streams.book, config.books_per_connection), (BookChannel::Update20, 50));
        assert_eq!((config.streams.top_levels, config.connections_max), (TopLevelsInterval::Ms100, 148));
        assert!(config.rate_limits && !config.unusual_names);
    }

    #[test]
    fn the_stream_in_use_is_the_first_capability() {
        for (channel, interval, name) in [
            ("update", "20ms", "update@20ms"),
            ("update", "100ms", "update@100ms"),
            ("obu", "20ms", "obu@20ms"),
            ("obu", "100ms", "obu@100ms"),
        ] {
            let config = with(&[("book_channel", channel), ("depth_interval", interval)]).expect("valid");
            let streams = config.streams.book.streams();
            assert_eq!(streams[0].name, name);
            assert_eq!(streams.len(), 4);
        }
    }

    /// What is asked for is what comes, so that an answer cut short can be told from a short book.
    #[test]
    fn no_stream_asks_for_a_deeper_book_than_rest_gives() {
        let asked = BookChannel::Obu100.streams().iter().map(|stream| {
            let (depth, reported) = (stream.sync.snapshot_depth(), stream.sync.depth);
            assert!(depth <= DEEPEST_BOOK && Some(depth) <= reported, "{}", stream.name);
            (stream.name, depth)
        });
        let by_name = std::collections::BTreeMap::from_iter(asked);
        assert_eq!((by_name["obu@20ms"], by_name["obu@100ms"]), (50, 100));
    }

    #[test]
    fn the_address_may_be_written_as_other_clients_want_it() {
        for told in ["http://127.0.0.1:7802", "http://127.0.0.1:7802/", "http://127.0.0.1:7802/api/v4/"] {
            let config = with(&[("rest_url", told)]).expect("an address");
            assert_eq!(config.rest_url, "http://127.0.0.1:7802");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (name, value, named) in [
            ("depth_interval", "10ms", "depth_interval"),
            ("book_channel", "obu2", "book_channel"),
            ("books_per_connection", "0", "books_per_connection"),
            ("top_levels_interval", "20ms", "top_levels_interval"),
            ("connections_max", "150", "connections_max"),
            ("books_per_connection", "many", "books_per_connection"),
            ("rate_limits", "OFF", "rate_limits"),
            ("unusual_names", "yes", "unusual_names"),
            ("depht_interval", "20ms", "depht_interval"),
            ("rest_url", "api.gateio.ws", "rest_url"),
            ("rest_url", "https://api.gateio.ws/api/v2", "rest_url"),
            ("ws_url", "https://api.gateio.ws", "ws_url"),
            ("key", "a\"b", "key"),
            ("key", "alone", "key without secret"),
            ("secret", "alone", "secret without key"),
        ] {
            let error = with(&[(name, value)]).expect_err(value);
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn a_slash_at_the_end_of_an_address_is_dropped() {
        assert_eq!(
            with(&[("rest_url", "http://127.0.0.1:8080/")]).expect("valid").rest_url,
            "http://127.0.0.1:8080"
        );
    }
}
