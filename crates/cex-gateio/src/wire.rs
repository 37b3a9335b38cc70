//! The shapes on the wire, with the exchange's field names. Nothing here is interpreted: see `order.rs`,
//! `symbol.rs`, `rest/reply.rs` and `market/decode.rs` for what they mean.
//!
//! Any number may come as a JSON number or as a string (GATEIO-ORD-08), so every such field is a [`Scalar`]:
//! the text of either, never a float. Times come in four encodings (GATEIO-TIME-01).

use cex_core::{Decimal, Rounding, Timestamp};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use sonic_rs::{LazyValue, from_str};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What is wrong with an answer or a frame, for people.
pub(crate) type Fault = &'static str;

/// Parses JSON that came from outside; the bytes must be UTF-8 through and through.
///
/// The only way in: the parser recurses, so what nests deeper than any message of the exchange never reaches it.
pub(crate) fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Fault> {
    if !cex_wide::is_shallow_json(bytes) {
        return Err("nested too deep");
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "not UTF-8")?;
    from_str(text).map_err(|_| "not the JSON expected")
}

/// Parses a part of a message that was kept unparsed.
pub(crate) fn part<'a, T: Deserialize<'a>>(raw: &'a LazyValue<'_>) -> Result<T, Fault> {
    from_str(raw.as_raw_str()).map_err(|_| "not the JSON expected")
}

/// The text of a JSON string, number or boolean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scalar<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = LazyValue::deserialize(deserializer)?.as_raw_cow();
        match raw.as_bytes() {
            [b'"', inner @ .., b'"'] if !inner.contains(&b'\\') => Ok(Self(match raw {
                Cow::Borrowed(text) => Cow::Borrowed(&text[1..text.len() - 1]),
                Cow::Owned(text) => Cow::Owned(text[1..text.len() - 1].to_owned()),
            })),
            [b'"', ..] => from_str(&raw).map(|text| Self(Cow::Owned(text))).map_err(D::Error::custom),
            [b'-' | b'0'..=b'9' | b't' | b'f', ..] => Ok(Self(raw)),
            _ => Err(D::Error::custom("expected a string or a number")),
        }
    }
}

impl Scalar<'_> {
    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The text as an exact number.
    pub(crate) fn decimal(&self) -> Result<Decimal, Fault> {
        Decimal::parse(self.0.as_bytes()).map_err(|_| "not a plain decimal number")
    }

    /// The text as a count.
    pub(crate) fn integer(&self) -> Result<u64, Fault> {
        cex_wide::parse_u64(self.0.as_bytes()).map_err(|_| "not a count")
    }

    /// The text as a point in time, counted in units of 10^`unit` nanoseconds, with or without a fraction.
    fn time(&self, unit: u8) -> Option<Timestamp> {
        let nanos = Decimal::parse(self.0.as_bytes()).ok()?.to_scaled(unit, Some(Rounding::Floor)).ok()?;
        Some(Timestamp::from_nanos(nanos))
    }
}

/// A number that may be absent: `None` also for an empty text and for `nan` (GATEIO-REST-15).
pub(crate) fn optional(field: Option<&Scalar<'_>>) -> Result<Option<Decimal>, Fault> {
    match field.map(Scalar::as_str) {
        None | Some("" | "nan" | "NaN") => Ok(None),
        Some(_) => field.map(Scalar::decimal).transpose(),
    }
}

/// The text of a field that may be absent.
pub(crate) fn text<'a>(field: Option<&'a Scalar<'_>>) -> &'a str {
    field.map_or("", Scalar::as_str)
}

/// A time in milliseconds, else one in seconds, else the epoch: unknown (GATEIO-TIME-01).
pub(crate) fn time(millis: Option<&Scalar<'_>>, seconds: Option<&Scalar<'_>>) -> Timestamp {
    let millis = millis.and_then(|field| field.time(6));
    millis.or_else(|| seconds.and_then(|field| field.time(9))).unwrap_or(Timestamp::EPOCH)
}

/// The body of a refusal (GATEIO-REST-06).
#[derive(Debug, Deserialize)]
pub(crate) struct ErrorBody<'a> {
    #[serde(borrow)]
    pub(crate) label: Option<Scalar<'a>>,
    pub(crate) message: Option<Scalar<'a>>,
    pub(crate) detail: Option<Scalar<'a>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ServerTime<'a> {
    #[serde(borrow)]
    pub(crate) server_time: Scalar<'a>,
}

/// A row of `/spot/currency_pairs`.
#[derive(Debug, Deserialize)]
pub(crate) struct CurrencyPair<'a> {
    #[serde(borrow)]
    pub(crate) id: Scalar<'a>,
    pub(crate) base: Scalar<'a>,
    pub(crate) quote: Scalar<'a>,
    pub(crate) fee: Option<Scalar<'a>>,
    pub(crate) min_base_amount: Option<Scalar<'a>>,
    pub(crate) min_quote_amount: Option<Scalar<'a>>,
    pub(crate) max_base_amount: Option<Scalar<'a>>,
    pub(crate) max_quote_amount: Option<Scalar<'a>>,
    pub(crate) amount_precision: Scalar<'a>,
    pub(crate) precision: Scalar<'a>,
    pub(crate) trade_status: Scalar<'a>,
    pub(crate) buy_start: Option<Scalar<'a>>,
    pub(crate) sell_start: Option<Scalar<'a>>,
    pub(crate) delisting_time: Option<Scalar<'a>>,
    #[serde(rename = "type")]
    pub(crate) kind: Option<Scalar<'a>>,
    pub(crate) st_tag: Option<Scalar<'a>>,
    pub(crate) up_rate: Option<Scalar<'a>>,
    pub(crate) down_rate: Option<Scalar<'a>>,
}

/// A row of `/spot/currencies`.
#[derive(Debug, Deserialize)]
pub(crate) struct Currency<'a> {
    #[serde(borrow)]
    pub(crate) currency: Scalar<'a>,
    pub(crate) name: Option<Scalar<'a>>,
    pub(crate) delisted: Option<Scalar<'a>>,
    pub(crate) trade_disabled: Option<Scalar<'a>>,
    pub(crate) deposit_disabled: Option<Scalar<'a>>,
    pub(crate) withdraw_disabled: Option<Scalar<'a>>,
    pub(crate) withdraw_delayed: Option<Scalar<'a>>,
    pub(crate) chain: Option<Scalar<'a>>,
    pub(crate) chains: Option<Vec<Chain<'a>>>,
    /// Kept unparsed: an unexpected shape costs no coin.
    #[serde(borrow)]
    pub(crate) category: Option<LazyValue<'a>>,
}

impl Currency<'_> {
    /// Whether it stands for something else than a coin: a share, a metal, an index, a currency (GATEIO-REST-32). Categories
    /// nobody knows count too, as do shapes: a coin has none.
    pub(crate) fn is_categorised(&self) -> bool {
        let Some(raw) = &self.category else { return false };
        let named = |name: &Option<Scalar<'_>>| name.as_ref().is_some_and(|name| !name.as_str().is_empty());
        match (part::<Option<Vec<Option<Scalar<'_>>>>>(raw), part::<Option<Scalar<'_>>>(raw)) {
            (Ok(names), _) => names.unwrap_or_default().iter().any(named),
            (Err(_), Ok(name)) => named(&name),
            (Err(_), Err(_)) => true,
        }
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct Chain<'a> {
    #[serde(borrow)]
    pub(crate) name: Scalar<'a>,
    pub(crate) addr: Option<Scalar<'a>>,
    pub(crate) deposit_disabled: Option<Scalar<'a>>,
    pub(crate) withdraw_disabled: Option<Scalar<'a>>,
    pub(crate) withdraw_delayed: Option<Scalar<'a>>,
}

/// `/spot/order_book`.
#[derive(Debug, Deserialize)]
pub(crate) struct OrderBook<'a> {
    #[serde(borrow)]
    pub(crate) id: Option<Scalar<'a>>,
    pub(crate) update: Option<Scalar<'a>>,
    pub(crate) current: Option<Scalar<'a>>,
    pub(crate) asks: Vec<(Scalar<'a>, Scalar<'a>)>,
    pub(crate) bids: Vec<(Scalar<'a>, Scalar<'a>)>,
}

/// A public trade: a row of `/spot/trades` or the result of `spot.trades`.
#[derive(Debug, Deserialize)]
pub(crate) struct TradeRow<'a> {
    #[serde(borrow)]
    pub(crate) id: Scalar<'a>,
    pub(crate) create_time: Option<Scalar<'a>>,
    pub(crate) create_time_ms: Option<Scalar<'a>>,
    pub(crate) currency_pair: Scalar<'a>,
    pub(crate) side: Scalar<'a>,
    pub(crate) amount: Scalar<'a>,
    pub(crate) price: Scalar<'a>,
}

/// A row of `/spot/tickers` or the result of `spot.tickers`.
#[derive(Debug, Deserialize)]
pub(crate) struct TickerRow<'a> {
    #[serde(borrow)]
    pub(crate) currency_pair: Scalar<'a>,
    pub(crate) last: Option<Scalar<'a>>,
    pub(crate) lowest_ask: Option<Scalar<'a>>,
    pub(crate) lowest_size: Option<Scalar<'a>>,
    pub(crate) highest_bid: Option<Scalar<'a>>,
    pub(crate) highest_size: Option<Scalar<'a>>,
    pub(crate) change_percentage: Option<Scalar<'a>>,
    pub(crate) base_volume: Option<Scalar<'a>>,
    pub(crate) quote_volume: Option<Scalar<'a>>,
    pub(crate) high_24h: Option<Scalar<'a>>,
    pub(crate) low_24h: Option<Scalar<'a>>,
}

/// The result of `spot.book_ticker`.
#[derive(Debug, Deserialize)]
pub(crate) struct BookTickerRow<'a> {
    #[serde(borrow)]
    pub(crate) t: Option<Scalar<'a>>,
    pub(crate) u: Option<Scalar<'a>>,
    pub(crate) s: Scalar<'a>,
    pub(crate) b: Option<Scalar<'a>>,
    #[serde(rename = "B")]
    pub(crate) bid_amount: Option<Scalar<'a>>,
    pub(crate) a: Option<Scalar<'a>>,
    #[serde(rename = "A")]
    pub(crate) ask_amount: Option<Scalar<'a>>,
}

/// The result of `spot.order_book`: unlike the incremental books, with whole words for the sides (GATEIO-WS-26).
#[derive(Debug, Deserialize)]
pub(crate) struct TopLevelsRow<'a> {
    #[serde(borrow)]
    pub(crate) t: Option<Scalar<'a>>,
    #[serde(rename = "lastUpdateId")]
    pub(crate) last_update_id: Scalar<'a>,
    pub(crate) s: Scalar<'a>,
    pub(crate) bids: Vec<(Scalar<'a>, Scalar<'a>)>,
    pub(crate) asks: Vec<(Scalar<'a>, Scalar<'a>)>,
}

/// The result of `spot.candlesticks`.
#[derive(Debug, Deserialize)]
pub(crate) struct CandleRow<'a> {
    #[serde(borrow)]
    pub(crate) t: Scalar<'a>,
    pub(crate) n: Scalar<'a>,
    pub(crate) o: Scalar<'a>,
    pub(crate) h: Scalar<'a>,
    pub(crate) l: Scalar<'a>,
    pub(crate) c: Scalar<'a>,
    pub(crate) v: Scalar<'a>,
    pub(crate) a: Option<Scalar<'a>>,
    pub(crate) w: Option<Scalar<'a>>,
}

/// A row of `/spot/accounts` (GATEIO-REST-16).
#[derive(Debug, Deserialize)]
pub(crate) struct AccountRow<'a> {
    #[serde(borrow)]
    pub(crate) currency: Scalar<'a>,
    pub(crate) available: Scalar<'a>,
    pub(crate) locked: Scalar<'a>,
    pub(crate) refresh_time: Option<Scalar<'a>>,
}

/// A row of `spot.balances`.
#[derive(Debug, Deserialize)]
pub(crate) struct BalanceRow<'a> {
    #[serde(borrow)]
    pub(crate) currency: Scalar<'a>,
    pub(crate) available: Scalar<'a>,
    pub(crate) freeze: Scalar<'a>,
    pub(crate) timestamp: Option<Scalar<'a>>,
    pub(crate) timestamp_ms: Option<Scalar<'a>>,
}

/// `/wallet/fee`, and each value of `/spot/batch_fee`.
#[derive(Debug, Deserialize)]
pub(crate) struct FeeRow<'a> {
    #[serde(borrow)]
    pub(crate) maker_fee: Scalar<'a>,
    pub(crate) taker_fee: Scalar<'a>,
    pub(crate) point_type: Option<Scalar<'a>>,
}

/// `/spot/batch_fee`: by pair.
pub(crate) type BatchFee<'a> = BTreeMap<String, FeeRow<'a>>;

/// An order as answers and `spot.orders` tell it. Answers carry `status`, the stream carries `event`.
#[derive(Debug, Deserialize)]
pub(crate) struct OrderRow<'a> {
    #[serde(borrow)]
    pub(crate) id: Option<Scalar<'a>>,
    /// Batches repeat `id` here.
    pub(crate) order_id: Option<Scalar<'a>>,
    pub(crate) text: Option<Scalar<'a>>,
    pub(crate) currency_pair: Option<Scalar<'a>>,
    #[serde(rename = "type")]
    pub(crate) kind: Option<Scalar<'a>>,
    pub(crate) side: Option<Scalar<'a>>,
    pub(crate) time_in_force: Option<Scalar<'a>>,
    pub(crate) status: Option<Scalar<'a>>,
    pub(crate) event: Option<Scalar<'a>>,
    pub(crate) finish_as: Option<Scalar<'a>>,
    pub(crate) amount: Option<Scalar<'a>>,
    pub(crate) price: Option<Scalar<'a>>,
    pub(crate) left: Option<Scalar<'a>>,
    pub(crate) filled_amount: Option<Scalar<'a>>,
    pub(crate) filled_total: Option<Scalar<'a>>,
    pub(crate) fill_price: Option<Scalar<'a>>,
    pub(crate) fee: Option<Scalar<'a>>,
    pub(crate) fee_currency: Option<Scalar<'a>>,
    pub(crate) gt_fee: Option<Scalar<'a>>,
    pub(crate) point_fee: Option<Scalar<'a>>,
    pub(crate) create_time: Option<Scalar<'a>>,
    pub(crate) create_time_ms: Option<Scalar<'a>>,
    pub(crate) update_time: Option<Scalar<'a>>,
    pub(crate) update_time_ms: Option<Scalar<'a>>,
    pub(crate) succeeded: Option<Scalar<'a>>,
    pub(crate) label: Option<Scalar<'a>>,
    pub(crate) message: Option<Scalar<'a>>,
}

/// A row of `/spot/cancel_batch_orders`. Its `id` is what it was named by: a number or a text of ours.
#[derive(Debug, Deserialize)]
pub(crate) struct CancelRow<'a> {
    #[serde(borrow)]
    pub(crate) currency_pair: Option<Scalar<'a>>,
    pub(crate) id: Option<Scalar<'a>>,
    pub(crate) text: Option<Scalar<'a>>,
    pub(crate) succeeded: Option<Scalar<'a>>,
    pub(crate) label: Option<Scalar<'a>>,
    pub(crate) message: Option<Scalar<'a>>,
}

/// An element of `/spot/open_orders`.
#[derive(Debug, Deserialize)]
pub(crate) struct OpenOrdersOfPair<'a> {
    #[serde(borrow)]
    pub(crate) total: Option<Scalar<'a>>,
    pub(crate) orders: Vec<LazyValue<'a>>,
}

/// One of our fills: a row of `/spot/my_trades` (GATEIO-REST-24) or of `spot.usertrades`.
#[derive(Debug, Deserialize)]
pub(crate) struct FillRow<'a> {
    #[serde(borrow)]
    pub(crate) id: Option<Scalar<'a>>,
    pub(crate) order_id: Option<Scalar<'a>>,
    pub(crate) text: Option<Scalar<'a>>,
    pub(crate) currency_pair: Scalar<'a>,
    pub(crate) side: Scalar<'a>,
    pub(crate) role: Option<Scalar<'a>>,
    pub(crate) amount: Scalar<'a>,
    pub(crate) price: Scalar<'a>,
    pub(crate) fee: Option<Scalar<'a>>,
    pub(crate) fee_currency: Option<Scalar<'a>>,
    pub(crate) gt_fee: Option<Scalar<'a>>,
    pub(crate) point_fee: Option<Scalar<'a>>,
    pub(crate) create_time: Option<Scalar<'a>>,
    pub(crate) create_time_ms: Option<Scalar<'a>>,
}

/// The answer of `/spot/countdown_cancel_all`.
#[derive(Debug, Deserialize)]
pub(crate) struct Countdown<'a> {
    #[serde(borrow, rename = "triggerTime")]
    pub(crate) trigger_time: Scalar<'a>,
}

/// Any message of the streams (GATEIO-WS-02, GATEIO-WS-04, GATEIO-WS-09).
#[derive(Debug, Deserialize)]
pub(crate) struct Envelope<'a> {
    #[serde(borrow)]
    pub(crate) time: Option<Scalar<'a>>,
    pub(crate) time_ms: Option<Scalar<'a>>,
    pub(crate) id: Option<Scalar<'a>>,
    pub(crate) channel: Option<Scalar<'a>>,
    pub(crate) event: Option<Scalar<'a>>,
    pub(crate) payload: Option<LazyValue<'a>>,
    pub(crate) error: Option<StreamError<'a>>,
    pub(crate) result: Option<LazyValue<'a>>,
    #[serde(rename = "type")]
    pub(crate) kind: Option<Scalar<'a>>,
    pub(crate) request_id: Option<Scalar<'a>>,
}

/// An answer of the trading interface (GATEIO-WS-29). Other frames of a connection lack `request_id`.
#[derive(Debug, Deserialize)]
pub(crate) struct TradingAnswer<'a> {
    #[serde(borrow)]
    pub(crate) request_id: Scalar<'a>,
    /// The request was received; what becomes of it comes later (GATEIO-WS-31).
    pub(crate) ack: Option<Scalar<'a>>,
    pub(crate) header: TradingHeader<'a>,
    pub(crate) data: Option<TradingData<'a>>,
}

/// What the trading interface has in place of HTTP's head (GATEIO-WS-29, GATEIO-WS-32).
#[derive(Debug, Deserialize)]
pub(crate) struct TradingHeader<'a> {
    #[serde(borrow)]
    pub(crate) status: Option<Scalar<'a>>,
    pub(crate) response_time: Option<Scalar<'a>>,
    pub(crate) x_out_time: Option<Scalar<'a>>,
    pub(crate) x_gate_ratelimit_requests_remain: Option<Scalar<'a>>,
    pub(crate) x_gate_ratelimit_limit: Option<Scalar<'a>>,
    pub(crate) x_gate_ratelimit_reset_timestamp: Option<Scalar<'a>>,
    /// The same under a name that is documented by mistake.
    pub(crate) x_gat_ratelimit_reset_timestamp: Option<Scalar<'a>>,
}

/// A result, or a refusal in its place.
#[derive(Debug, Deserialize)]
pub(crate) struct TradingData<'a> {
    #[serde(borrow)]
    pub(crate) result: Option<LazyValue<'a>>,
    pub(crate) errs: Option<LazyValue<'a>>,
}

/// A refusal on the streams; for code 4 the message is a JSON text of its own.
#[derive(Debug, Deserialize)]
pub(crate) struct StreamError<'a> {
    #[serde(borrow)]
    pub(crate) code: Scalar<'a>,
    pub(crate) message: Option<Scalar<'a>>,
}

/// The result of a `*.system` message.
#[derive(Debug, Deserialize)]
pub(crate) struct Notice<'a> {
    #[serde(borrow, rename = "type")]
    pub(crate) kind: Option<Scalar<'a>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_as_strings_or_numbers_and_keep_every_digit() {
        for (json, expected) in [
            ("\"1.50\"", "1.50"),
            ("9007199254740993", "9007199254740993"),
            ("0.10000000000000000001", "0.10000000000000000001"),
            ("true", "true"),
            ("\"\\u0041\\n\"", "A\n"),
        ] {
            let scalar: Scalar<'_> = parse(json.as_bytes()).expect(json);
            assert_eq!(scalar.as_str(), expected);
        }
        for bad in ["[1]", "{}", "null", "", "\"a", "01", "\"\\q\""] {
            assert!(parse::<Scalar<'_>>(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn times_of_every_encoding_are_the_same_time() {
        let check = |millis: Option<&str>, seconds: Option<&str>, nanos: i64| {
            let scalar = |text: &str| Scalar(Cow::Owned(text.to_owned()));
            let (millis, seconds) = (millis.map(scalar), seconds.map(scalar));
            assert_eq!(time(millis.as_ref(), seconds.as_ref()), Timestamp::from_nanos(nanos));
        };
        check(Some("1700000000213"), None, 1_700_000_000_213_000_000);
        check(Some("1700000000213.457800"), Some("1"), 1_700_000_000_213_457_800);
        check(None, Some("1700000000"), 1_700_000_000_000_000_000);
        check(None, Some("1700000000.5"), 1_700_000_000_500_000_000);
        check(Some("-62135596800000"), None, 0);
        check(Some("soon"), Some("2"), 2_000_000_000);
        check(None, None, 0);
    }

    #[test]
    fn what_dead_pairs_send_is_no_number() {
        for (json, expected) in
            [("null", None), ("\"\"", None), ("\"nan\"", None), ("\"0\"", Some(Decimal::ZERO))]
        {
            let field: Option<Scalar<'_>> = parse(json.as_bytes()).expect(json);
            assert_eq!(optional(field.as_ref()), Ok(expected));
        }
        let field: Option<Scalar<'_>> = parse(b"\"1e5\"").expect("a string");
        assert!(optional(field.as_ref()).is_err());
    }
}
