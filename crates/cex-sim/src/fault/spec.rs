//! Faults as they are written down: one flat object, the same in JSON (control API) and TOML (`sim.toml`).

use super::{
    Canned, Fault, FaultKind, ForcedEnd, Frames, Moment, OrderEffect, OrderFault, Refused, RestEffect,
    RestFault, Stream, VenueFault, When, WsEffect, WsFault,
};
use crate::dialect::DuplicateClientIds;
use crate::server::SimExchange;
use cex_core::{Asset, Bps, Decimal, Side, Symbol};
use serde::Deserialize;
use std::time::Duration;

/// A fault as it is written down. Which keys belong to which effect is told in `docs/simulator.md`; a key that is not
/// known, or that is missing, is refused by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FaultSpec {
    /// `mexc` or `gateio`.
    pub exchange: String,
    /// `rest`, `ws`, `order` or `venue`.
    pub kind: String,
    /// What happens: `close`, `drop`, `reject`, `halt`, ..
    pub effect: String,
    /// How many are let pass first.
    pub skip: u64,
    /// How often it happens; 0 for every time. Once, unless told; venue states last until cleared.
    pub count: Option<u64>,
    /// How long the fault lasts after its injection, in milliseconds.
    pub lasts_ms: Option<u64>,
    /// How long after the start it is injected; only in files.
    pub start_ms: u64,
    /// Of calls: upper-case method, empty for any.
    pub method: String,
    /// Of calls: what the path begins with.
    pub path: String,
    /// Of calls: `before` or `after`.
    pub moment: Option<String>,
    /// Of frames: `any`, `public` or `private` connections.
    pub stream: Option<String>,
    /// Of frames: `data`, `answers` or `all`.
    pub frames: Option<String>,
    /// Of frames: texts that all must be there.
    pub contains: Vec<String>,
    /// Of orders: whose. Of `freeze`: who.
    pub account: Option<String>,
    /// Of orders and of venue states: which symbol, `BTC/USDT`.
    pub symbol: Option<String>,
    /// Of `reject`: `halted`, `frozen`, `funds`, `overloaded`. Of `end_as`: `stp`, `depth`, `trader`, `small`,
    /// `liquidation`, `price`.
    pub reason: Option<String>,
    /// A part of a quantity.
    pub part_bps: Option<i32>,
    /// A time: of a delay, until something happens, of a lag.
    pub ms: Option<u64>,
    /// Of a clock: how far it is ahead.
    pub skew_ms: Option<i64>,
    /// Of `answer`: status.
    pub status: Option<u16>,
    /// Of `answer`: body.
    pub body: Option<String>,
    /// Of `answer`: content type; `text/html` without a body gives a gateway's page.
    pub content_type: Option<String>,
    /// Of `answer`: seconds of `Retry-After`.
    pub retry_after: Option<u64>,
    /// A number of bytes, or of pings.
    pub n: Option<usize>,
    /// Of `replace`: what is there.
    pub from: Option<String>,
    /// Of `replace`: what is there instead.
    pub to: Option<String>,
    /// Of `insert`: the message.
    pub text: Option<String>,
    /// Of `duplicate_client_ids`: `reject`, `accept` or `echo`.
    pub mode: Option<String>,
    /// Of `fees`.
    pub maker_bps: Option<String>,
    /// Of `fees`.
    pub taker_bps: Option<String>,
    /// Of `sides`: `buy`, `sell` or `none`, what is still open. Of `wallet`: `deposits`, `withdrawals` or `none`.
    pub open: Option<String>,
    /// Of `wallet` and `fees_in`: which coin.
    pub asset: Option<String>,
    /// Of `rules`: decimals of prices, fewer than before.
    pub price_dp: Option<u8>,
    /// Of `rules`: decimals of quantities, fewer than before.
    pub qty_dp: Option<u8>,
    /// Of `rules`: the least notional.
    pub min_notional: Option<String>,
    /// Of `foreign_order`: `buy` or `sell`.
    pub side: Option<String>,
    /// Of `foreign_order`: how much of the base coin.
    pub qty: Option<String>,
    /// Of `foreign_order`: its limit; without one it takes what the book gives. Of `fees_in`: what the coin is worth.
    pub price: Option<String>,
}

/// What is wrong with a fault as it is written down.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// A key that the effect needs is not there.
    #[error("{effect} needs `{key}`")]
    Missing {
        /// Name of the effect.
        effect: String,
        /// Name of the missing key.
        key: &'static str,
    },
    /// A value that means nothing.
    #[error("`{key}` is {value:?}; it must be {expected}")]
    Value {
        /// Name of the key.
        key: &'static str,
        /// The value as it was given.
        value: String,
        /// What the value may be, in words.
        expected: &'static str,
    },
}

impl FaultSpec {
    /// The fault, and where it happens.
    ///
    /// # Errors
    ///
    /// When something is missing or means nothing.
    pub fn fault(&self) -> Result<(SimExchange, Fault), SpecError> {
        let exchange = word("exchange", &self.exchange, "mexc or gateio", exchange)?;
        let kind = match self.kind.as_str() {
            "rest" => FaultKind::Rest(self.rest()?),
            "ws" => FaultKind::Ws(self.ws()?),
            "order" => FaultKind::Order(self.order()?),
            "venue" => FaultKind::Venue(self.venue()?),
            _ => return Err(value("kind", &self.kind, "rest, ws, order or venue")),
        };
        let usual = if matches!(kind, FaultKind::Venue(_)) { None } else { Some(1) };
        let count = self.count.map_or(usual, |count| (count > 0).then_some(count));
        let lasts = self.lasts_ms.map(Duration::from_millis);
        Ok((exchange, Fault { kind, when: When { skip: self.skip, count, lasts } }))
    }

    fn rest(&self) -> Result<RestFault, SpecError> {
        let effect = match self.effect.as_str() {
            "close" => RestEffect::Close,
            "reset" => RestEffect::Reset,
            "stall" => RestEffect::Stall,
            "late" => RestEffect::Late(self.time()?),
            "answer" => RestEffect::Answer(self.canned()?),
            "truncate" => RestEffect::Truncate(self.need("n", self.n)?),
            "cut" => RestEffect::CutBody(self.need("n", self.n)?),
            "gzip" => RestEffect::Gzip,
            "hang_up" => RestEffect::HangUp,
            _ => {
                let known = "close, reset, stall, late, answer, truncate, cut, gzip or hang_up";
                return Err(value("effect", &self.effect, known));
            }
        };
        let moment = self.need("moment", self.moment.as_deref())?;
        let moment = word("moment", moment, "before or after", |text| match text {
            "before" => Some(Moment::Before),
            "after" => Some(Moment::After),
            _ => None,
        })?;
        Ok(RestFault { method: self.method.clone(), path: self.path.clone(), moment, effect })
    }

    fn canned(&self) -> Result<Canned, SpecError> {
        let status = self.need("status", self.status)?;
        let mut canned = match (self.content_type.as_deref(), &self.body) {
            (Some(kind), None) if kind.starts_with("text/html") => Canned::html(status),
            (_, body) => Canned::json(status, body.as_deref().unwrap_or_default()),
        };
        if let Some(kind) = &self.content_type {
            canned.content_type.clone_from(kind);
        }
        canned.retry_after = self.retry_after;
        Ok(canned)
    }

    fn ws(&self) -> Result<WsFault, SpecError> {
        let stream = self.stream.as_deref().unwrap_or("any");
        let stream = word("stream", stream, "any, public or private", |text| match text {
            "any" => Some(Stream::Any),
            "public" => Some(Stream::Public),
            "private" => Some(Stream::Private),
            _ => None,
        })?;
        let frames = self.frames.as_deref().unwrap_or("data");
        let frames = word("frames", frames, "data, answers or all", |text| match text {
            "data" => Some(Frames::Data),
            "answers" => Some(Frames::Answers),
            "all" => Some(Frames::All),
            _ => None,
        })?;
        let effect = self.ws_effect()?;
        Ok(WsFault { stream, frames, contains: self.contains.clone(), effect })
    }

    fn ws_effect(&self) -> Result<WsEffect, SpecError> {
        let text = |key, text: &Option<String>| self.need(key, text.clone());
        Ok(match self.effect.as_str() {
            "drop" => WsEffect::Drop,
            "duplicate" => WsEffect::Duplicate,
            "delay" => WsEffect::Delay(self.time()?),
            "reorder" => WsEffect::Reorder,
            "mute" => WsEffect::Mute,
            "truncate" => WsEffect::Truncate(self.need("n", self.n)?),
            "flip" => WsEffect::FlipBytes(self.need("n", self.n)?),
            "swap_kind" => WsEffect::SwapKind,
            "unknown_enum" => WsEffect::UnknownEnum,
            "cross" => WsEffect::Cross,
            "replace" => WsEffect::Replace { from: text("from", &self.from)?, to: text("to", &self.to)? },
            "insert" => WsEffect::Insert(text("text", &self.text)?),
            "close" => WsEffect::Close,
            "reset" => WsEffect::Reset,
            "black_hole" => WsEffect::Blackhole,
            "ping_flood" => {
                let pings = self.need("n", self.n)?;
                WsEffect::PingFlood(u32::try_from(pings).unwrap_or(u32::MAX))
            }
            "deafen" => WsEffect::Deafen,
            "refuse_subscription" => WsEffect::RefuseSubscription,
            _ => {
                let known = "drop, duplicate, delay, reorder, mute, truncate, flip, swap_kind, unknown_enum, cross, replace, \
                             insert, close, reset, black_hole, ping_flood, deafen or refuse_subscription";
                return Err(value("effect", &self.effect, known));
            }
        })
    }

    fn order(&self) -> Result<OrderFault, SpecError> {
        let symbol = self.symbol.as_deref().map(symbol).transpose()?;
        let effect = match self.effect.as_str() {
            "reject" => OrderEffect::Reject(self.refused()?),
            "partial" => OrderEffect::Partial(self.part()?),
            "late_fill" => OrderEffect::LateFill(self.time()?),
            "late_accept" => OrderEffect::LateAccept(self.time()?),
            "forget" => OrderEffect::Forget(self.time()?),
            "hide" => OrderEffect::Hide(self.time()?),
            "ignore_tif" => OrderEffect::IgnoreTif,
            "end_as" => OrderEffect::EndAs(self.forced_end()?),
            "fill_after_cancel" => OrderEffect::FillAfterCancel { part: self.part()?, after: self.time()? },
            "echo" => OrderEffect::Echo(self.time()?),
            _ => {
                let known = "reject, partial, late_fill, late_accept, forget, hide, ignore_tif, end_as, \
                             fill_after_cancel or echo";
                return Err(value("effect", &self.effect, known));
            }
        };
        Ok(OrderFault { account: self.account.clone(), symbol, effect })
    }

    fn refused(&self) -> Result<Refused, SpecError> {
        let reason = self.need("reason", self.reason.as_deref())?;
        word("reason", reason, "halted, frozen, funds or overloaded", |text| match text {
            "halted" => Some(Refused::Halted),
            "frozen" => Some(Refused::Frozen),
            "funds" => Some(Refused::Funds),
            "overloaded" => Some(Refused::Overloaded),
            _ => None,
        })
    }

    fn forced_end(&self) -> Result<ForcedEnd, SpecError> {
        let reason = self.need("reason", self.reason.as_deref())?;
        word("reason", reason, "stp, depth, trader, small, liquidation or price", |text| match text {
            "stp" => Some(ForcedEnd::SelfTrade),
            "depth" => Some(ForcedEnd::Depth),
            "trader" => Some(ForcedEnd::Trader),
            "small" => Some(ForcedEnd::Small),
            "liquidation" => Some(ForcedEnd::Liquidation),
            "price" => Some(ForcedEnd::PriceProtection),
            _ => None,
        })
    }

    fn venue(&self) -> Result<VenueFault, SpecError> {
        let of_symbol = || symbol(self.need("symbol", self.symbol.as_deref())?);
        Ok(match self.effect.as_str() {
            "halt" => VenueFault::Halt(of_symbol()?),
            "freeze" => VenueFault::Freeze(self.need("account", self.account.clone())?),
            "version_reset" => VenueFault::VersionReset(of_symbol()?),
            "duplicate_client_ids" => VenueFault::DuplicateClientIds(self.duplicates()?),
            "fees" => VenueFault::Fees {
                symbol: of_symbol()?,
                maker: bps("maker_bps", self.need("maker_bps", self.maker_bps.as_deref())?)?,
                taker: bps("taker_bps", self.need("taker_bps", self.taker_bps.as_deref())?)?,
            },
            "clock_skew" => VenueFault::ClockSkew(self.need("skew_ms", self.skew_ms)?),
            "expire_listen_keys" => VenueFault::ExpireListenKeys,
            "listen_keys_lie" => VenueFault::ListenKeysLie,
            "open_orders_by_symbol" => VenueFault::OpenOrdersBySymbol,
            "listen_keys_end_silently" => VenueFault::ListenKeysEndSilently,
            "maintenance" => VenueFault::Maintenance,
            "read_lag" => VenueFault::ReadLag { path: self.path.clone(), lag: self.time()? },
            "delist" => VenueFault::Delist { symbol: of_symbol()?, after: self.time()? },
            "sides" => {
                let (buy, sell) = self.open("buy", "sell")?;
                VenueFault::Sides { symbol: of_symbol()?, buy, sell }
            }
            "rules" => {
                let least = self.min_notional.as_deref();
                let bad = |text: &str| value("min_notional", text, "an amount as a text, such as \"5\"");
                VenueFault::Rules {
                    symbol: of_symbol()?,
                    price_dp: self.price_dp,
                    qty_dp: self.qty_dp,
                    min_notional: least
                        .map(|text| text.parse::<Decimal>().map_err(|_| bad(text)))
                        .transpose()?,
                }
            }
            "wallet" => {
                let name = self.need("asset", self.asset.as_deref())?;
                let asset = coin(name)?;
                let (deposits, withdrawals) = self.open("deposits", "withdrawals")?;
                VenueFault::Wallet { asset, deposits, withdrawals }
            }
            "half_info" => VenueFault::HalfInfo,
            "deauthorize" => VenueFault::Deauthorize,
            "slice" => VenueFault::Slice(self.need("n", self.n)?),
            "flicker" => VenueFault::Flicker { symbol: of_symbol()?, every: self.time()? },
            "foreign_order" => self.foreign_order(of_symbol()?)?,
            "fees_in" => VenueFault::FeesIn {
                account: self.need("account", self.account.clone())?,
                asset: coin(self.need("asset", self.asset.as_deref())?)?,
                price: amount("price", self.need("price", self.price.as_deref())?)?,
            },
            "redenominate" => {
                let into_one = u32::try_from(self.need("n", self.n)?).unwrap_or(u32::MAX);
                VenueFault::Redenominate { symbol: of_symbol()?, into_one }
            }
            _ => {
                let known = "halt, freeze, version_reset, duplicate_client_ids, fees, clock_skew, \
                             expire_listen_keys, listen_keys_lie, listen_keys_end_silently, open_orders_by_symbol, \
                             maintenance, read_lag, delist, sides, rules, wallet, half_info, deauthorize, slice, \
                             flicker, foreign_order, fees_in or redenominate";
                return Err(value("effect", &self.effect, known));
            }
        })
    }

    fn foreign_order(&self, symbol: Symbol) -> Result<VenueFault, SpecError> {
        let side =
            word("side", self.need("side", self.side.as_deref())?, "buy or sell", |text| match text {
                "buy" => Some(Side::Buy),
                "sell" => Some(Side::Sell),
                _ => None,
            })?;
        Ok(VenueFault::ForeignOrder {
            account: self.need("account", self.account.clone())?,
            symbol,
            side,
            qty: amount("qty", self.need("qty", self.qty.as_deref())?)?,
            price: self.price.as_deref().map(|price| amount("price", price)).transpose()?,
            client_id: self.text.clone().unwrap_or_default(),
        })
    }

    /// Which of two things is still open.
    fn open(&self, first: &'static str, second: &'static str) -> Result<(bool, bool), SpecError> {
        let open = self.need("open", self.open.as_deref())?;
        match open {
            "none" => Ok((false, false)),
            _ if open == first => Ok((true, false)),
            _ if open == second => Ok((false, true)),
            _ => Err(value("open", open, "what is still open: buy, sell, deposits, withdrawals, or none")),
        }
    }

    fn duplicates(&self) -> Result<DuplicateClientIds, SpecError> {
        let mode = self.need("mode", self.mode.as_deref())?;
        word("mode", mode, "reject, accept or echo", |text| match text {
            "reject" => Some(DuplicateClientIds::Reject),
            "accept" => Some(DuplicateClientIds::Accept),
            "echo" => Some(DuplicateClientIds::Echo),
            _ => None,
        })
    }

    fn time(&self) -> Result<Duration, SpecError> {
        self.need("ms", self.ms).map(Duration::from_millis)
    }

    fn part(&self) -> Result<Bps, SpecError> {
        self.need("part_bps", self.part_bps).map(Bps::from_bps)
    }

    fn need<T>(&self, key: &'static str, value: Option<T>) -> Result<T, SpecError> {
        value.ok_or_else(|| SpecError::Missing { effect: format!("{}.{}", self.kind, self.effect), key })
    }
}

/// The exchange of this name.
pub(crate) fn exchange(name: &str) -> Option<SimExchange> {
    SimExchange::ALL.into_iter().find(|exchange| exchange.name() == name)
}

fn word<T>(
    key: &'static str,
    text: &str,
    expected: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, SpecError> {
    parse(text).ok_or_else(|| value(key, text, expected))
}

fn symbol(text: &str) -> Result<Symbol, SpecError> {
    text.parse().map_err(|_| value("symbol", text, "a symbol such as BTC/USDT"))
}

fn coin(name: &str) -> Result<Asset, SpecError> {
    Asset::new(name).map_err(|_| value("asset", name, "a coin such as BTC"))
}

fn amount(key: &'static str, text: &str) -> Result<Decimal, SpecError> {
    text.parse().map_err(|_| value(key, text, "an amount as a text, such as \"0.5\""))
}

fn bps(key: &'static str, text: &str) -> Result<Bps, SpecError> {
    text.parse().map_err(|_| value(key, text, "a number of basis points as a text, such as \"2.5\""))
}

fn value(key: &'static str, value: &str, expected: &'static str) -> SpecError {
    SpecError::Value { key, value: value.to_owned(), expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(json: &str) -> Result<String, String> {
        let spec: FaultSpec = sonic_rs::from_str(json).map_err(|error| error.to_string())?;
        let (exchange, fault) = spec.fault().map_err(|error| error.to_string())?;
        fault.check().map_err(|error| error.to_string())?;
        Ok(format!("{exchange} {fault}"))
    }

    #[test]
    fn every_kind_can_be_written_down() {
        for (json, shown) in [
            (
                r#"{"exchange":"mexc","kind":"rest","method":"POST","path":"/api/v3/order","moment":"after","effect":"close"}"#,
                "mexc rest.after POST /api/v3/order: close",
            ),
            (
                r#"{"exchange":"gateio","kind":"rest","moment":"before","effect":"answer","status":429,"retry_after":2,"count":0}"#,
                "gateio rest.before any any path: answer 429 with 0 bytes, every time",
            ),
            (
                r#"{"exchange":"mexc","kind":"ws","contains":["BTCUSDT"],"effect":"drop","skip":3,"count":2,"lasts_ms":100}"#,
                "mexc ws.any [BTCUSDT]: drop, after 3, 2 times, for 100 ms",
            ),
            (
                r#"{"exchange":"gateio","kind":"order","symbol":"BTC/USDT","account":"rich","effect":"partial","part_bps":5000}"#,
                "gateio mx.order of rich in BTC/USDT: fill 5000 bps",
            ),
            (
                r#"{"exchange":"mexc","kind":"venue","effect":"clock_skew","skew_ms":-900}"#,
                "mexc clk.skew -900 ms, every time",
            ),
            (
                r#"{"exchange":"gateio","kind":"venue","effect":"sides","symbol":"BTC/USDT","open":"sell"}"#,
                "gateio mx.sides BTC/USDT buy false sell true, every time",
            ),
            (
                r#"{"exchange":"mexc","kind":"venue","effect":"rules","symbol":"BTC/USDT","price_dp":1,"min_notional":"5"}"#,
                "mexc mx.rules BTC/USDT price_dp 1 min_notional 5, every time",
            ),
            (
                r#"{"exchange":"mexc","kind":"venue","effect":"wallet","asset":"BTC","open":"none"}"#,
                "mexc mx.wallet BTC deposits false withdrawals false, every time",
            ),
            (
                r#"{"exchange":"mexc","kind":"venue","effect":"delist","symbol":"BTC/USDT","ms":1500}"#,
                "mexc mx.delist BTC/USDT in 1500 ms, every time",
            ),
            (r#"{"exchange":"mexc","kind":"venue","effect":"slice","n":3}"#, "mexc net.slice 3, every time"),
            (
                r#"{"exchange":"mexc","kind":"venue","effect":"flicker","symbol":"BTC/USDT","ms":20}"#,
                "mexc mx.flicker BTC/USDT 20 ms, every time",
            ),
            (
                r#"{"exchange":"gateio","kind":"venue","effect":"foreign_order","account":"rich","symbol":"BTC/USDT","side":"sell","qty":"0.1","price":"99"}"#,
                "gateio mx.foreign_order rich Sell 0.1 BTC/USDT at 99, every time",
            ),
            (
                r#"{"exchange":"mexc","kind":"venue","effect":"redenominate","symbol":"BTC/USDT","n":1000}"#,
                "mexc mx.redenominate BTC/USDT 1000 into one, every time",
            ),
            (
                r#"{"exchange":"mexc","kind":"venue","effect":"fees_in","account":"rich","asset":"MX","price":"3"}"#,
                "mexc mx.fee rich in MX at 3, every time",
            ),
            (
                r#"{"exchange":"mexc","kind":"order","effect":"echo","ms":250}"#,
                "mexc mx.order: echo for 250 ms",
            ),
            (r#"{"exchange":"gateio","kind":"ws","effect":"cross"}"#, "gateio ws.any []: cross"),
        ] {
            assert_eq!(fault(json).as_deref(), Ok(shown), "{json}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (json, named) in [
            (r#"{"exchange":"mex","kind":"rest"}"#, "mexc or gateio"),
            (r#"{"exchange":"mexc","kind":"rest","effect":"close"}"#, "`moment`"),
            (r#"{"exchange":"mexc","kind":"ws","effect":"clse"}"#, "refuse_subscription"),
            (r#"{"exchange":"mexc","kind":"ws","efect":"close"}"#, "efect"),
            (r#"{"exchange":"mexc","kind":"venue","effect":"slice","n":0}"#, "at least one byte"),
            (
                r#"{"exchange":"mexc","kind":"venue","effect":"redenominate","symbol":"BTC/USDT","n":1}"#,
                "at least two",
            ),
            (
                r#"{"exchange":"mexc","kind":"venue","effect":"foreign_order","account":"a","symbol":"BTC/USDT","side":"up"}"#,
                "buy or sell",
            ),
            (r#"{"exchange":"mexc","kind":"venue","effect":"rules","symbol":"BTC/USDT"}"#, "name a rule"),
            (
                r#"{"exchange":"mexc","kind":"venue","effect":"wallet","asset":"BTC","open":"both"}"#,
                "deposits",
            ),
            (r#"{"exchange":"mexc","kind":"order","effect":"late_fill"}"#, "order.late_fill needs `ms`"),
            (r#"{"exchange":"mexc","kind":"order","effect":"partial","part_bps":10001}"#, "10000 bps"),
        ] {
            let told = fault(json).expect_err(json);
            assert!(told.contains(named), "{json}: {told}");
        }
    }
}
