//! Orders: what we ask for, what the exchange says of it, and what was filled.

use crate::decimal::Decimal;
use crate::num::{Bps, Notional, Price, Qty};
use crate::symbol::{Asset, Symbol, SymbolId, VenueId};
use crate::text::Text;
use crate::time::Timestamp;
use std::fmt;
use std::time::Duration;

/// Buy or sell, always of the base asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Base for quote.
    Buy,
    /// Quote for base.
    Sell,
}

impl Side {
    /// The other side.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Buy => "buy",
            Self::Sell => "sell",
        })
    }
}

/// How long a limit order stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimeInForce {
    /// Good till cancelled.
    Gtc,
    /// Immediate or cancel: what does not fill at once is dropped.
    Ioc,
    /// Fill or kill: all at once or nothing.
    Fok,
}

/// What kind of order, with the sizes that kind needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrderKind {
    /// Up to `qty` at `price` or better.
    Limit {
        /// Worst acceptable price.
        price: Price,
        /// Base quantity.
        qty: Qty,
        /// How long the order may stay open.
        tif: TimeInForce,
    },
    /// A limit order that is refused instead of taking liquidity.
    PostOnly {
        /// Price to rest at.
        price: Price,
        /// Base quantity.
        qty: Qty,
    },
    /// `qty` at whatever the book gives.
    Market {
        /// Base quantity.
        qty: Qty,
    },
    /// As much base as `notional` of quote buys (or a sale that yields it).
    MarketNotional {
        /// Quote to spend.
        notional: Notional,
    },
}

impl OrderKind {
    /// What kind an exchange calls it.
    #[must_use]
    pub const fn order_type(&self) -> OrderType {
        match self {
            Self::Limit { tif, .. } => OrderType::Limit(*tif),
            Self::PostOnly { .. } => OrderType::PostOnly,
            Self::Market { .. } | Self::MarketNotional { .. } => OrderType::Market,
        }
    }

    /// The limit price, if the kind has one.
    #[must_use]
    pub const fn price(&self) -> Option<Price> {
        match self {
            Self::Limit { price, .. } | Self::PostOnly { price, .. } => Some(*price),
            Self::Market { .. } | Self::MarketNotional { .. } => None,
        }
    }

    /// The base quantity, if the kind has one.
    #[must_use]
    pub const fn qty(&self) -> Option<Qty> {
        match self {
            Self::Limit { qty, .. } | Self::PostOnly { qty, .. } | Self::Market { qty } => Some(*qty),
            Self::MarketNotional { .. } => None,
        }
    }
}

/// Our identifier of an order. Unique for ever: a second attempt gets a new one.
///
/// At most 28 bytes of `[0-9A-Za-z_-]`, which every exchange accepts (some add a prefix of their own).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ClientOrderId(Text<28>);

impl ClientOrderId {
    /// Checks length and characters.
    pub fn new(text: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if text.is_empty() || !text.bytes().all(plain) {
            return None;
        }
        Text::new(text).ok().map(Self)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for ClientOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The exchange's identifier of an order: opaque text, never a number.
pub type OrderId = Text<40>;

/// The exchange's identifier of a fill: opaque text.
pub type TradeId = Text<40>;

/// A request to place an order. Prices and quantities are in the symbol's scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OrderRequest {
    /// Venue the order goes to.
    pub venue: VenueId,
    /// Symbol to trade.
    pub symbol: SymbolId,
    /// Our identifier, never used before.
    pub client_id: ClientOrderId,
    /// Buy or sell.
    pub side: Side,
    /// Kind, price and size.
    pub kind: OrderKind,
    /// The exchange must refuse the order if it arrives later than this after being signed.
    pub expires_in: Duration,
}

/// Where an order is in its life, in FIX's words, plus `Unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrderStatus {
    /// Sent, nothing heard.
    PendingNew,
    /// Resting, nothing filled.
    New,
    /// Resting, part filled.
    PartiallyFilled,
    /// All filled. Terminal.
    Filled,
    /// Cancel sent, nothing heard.
    PendingCancel,
    /// Ended before it was all filled, possibly with fills. Terminal.
    Canceled,
    /// Never accepted. Terminal.
    Rejected,
    /// Ended by time. Terminal.
    Expired,
    /// We cannot tell; its exposure counts until we can.
    Unknown,
}

impl OrderStatus {
    /// Whether nothing more can happen to it. (A late report of a fill still counts: quantities decide.)
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Filled | Self::Canceled | Self::Rejected | Self::Expired => true,
            Self::PendingNew | Self::New | Self::PartiallyFilled | Self::PendingCancel | Self::Unknown => {
                false
            }
        }
    }
}

impl fmt::Display for OrderStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What kind of order an exchange says that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrderType {
    /// A limit, and how long it may stay open.
    Limit(TimeInForce),
    /// A limit that takes nothing.
    PostOnly,
    /// At whatever the book gives.
    Market,
}

/// An order as the exchange reports it, in exact decimals. Cumulative quantities decide; the status explains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// Venue that holds the order.
    pub venue: VenueId,
    /// Symbol the order trades.
    pub symbol: SymbolId,
    /// The exchange's identifier, when the report carries one.
    pub order_id: Option<OrderId>,
    /// Our identifier, when the order has one of ours.
    pub client_id: Option<ClientOrderId>,
    /// Buy or sell.
    pub side: Side,
    /// What kind it is; `None` when the report does not say, or names a kind that nothing here places.
    pub order_type: Option<OrderType>,
    /// State.
    pub status: OrderStatus,
    /// Limit price; `None` for market orders.
    pub price: Option<Decimal>,
    /// Ordered base quantity; `None` when ordered by notional.
    pub qty: Option<Decimal>,
    /// Filled base quantity so far, before fees.
    pub filled_qty: Decimal,
    /// Quote turned over so far, before fees.
    pub filled_notional: Decimal,
    /// Fee so far and its asset, when the report carries it.
    pub fee: Option<(Decimal, Asset)>,
    /// When the exchange created it; the epoch when not said.
    pub created_at: Timestamp,
    /// When this report was true; the epoch when not said.
    pub as_of: Timestamp,
}

impl Order {
    /// Average fill price with `dp` decimals, rounded down; `None` while nothing is filled.
    #[must_use]
    pub fn average_price(&self, dp: u8) -> Option<Decimal> {
        if self.filled_qty.is_zero() {
            return None;
        }
        self.filled_notional.checked_div(self.filled_qty, dp, crate::decimal::Rounding::Down).ok()
    }

    /// What is still open; `None` when ordered by notional.
    #[must_use]
    pub fn leaves(&self) -> Option<Decimal> {
        self.qty?.checked_sub(self.filled_qty).ok()
    }
}

/// Whether a fill rested or took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Liquidity {
    /// The order rested.
    Maker,
    /// The order took.
    Taker,
}

/// One execution of one of our orders, in exact decimals. Keyed by order and trade, so that seeing it twice counts once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    /// Venue the order was executed at.
    pub venue: VenueId,
    /// Symbol that was traded.
    pub symbol: SymbolId,
    /// The exchange's identifier of the execution, or the one [`Fill::named`] made for want of it.
    pub trade_id: TradeId,
    /// The exchange's identifier of the order.
    pub order_id: OrderId,
    /// Our identifier of the order, when the report carries one.
    pub client_id: Option<ClientOrderId>,
    /// Our side.
    pub side: Side,
    /// Price.
    pub price: Decimal,
    /// Base quantity, before fees.
    pub qty: Decimal,
    /// Fee charged (negative: a rebate).
    pub fee: Decimal,
    /// Asset the fee is taken in: base, quote, or the exchange's own coin.
    pub fee_asset: Asset,
    /// What was charged in another asset besides, as when the exchange's own coin ran out half way.
    pub second_fee: Option<(Decimal, Asset)>,
    /// Maker or taker.
    pub liquidity: Liquidity,
    /// When, by the exchange's clock.
    pub exchange_ts: Timestamp,
}

/// What makes a fill the same fill. An exchange numbers trades per symbol, and a trade between two orders of ours is a
/// fill of each under one number.
pub type FillKey = (VenueId, SymbolId, OrderId, TradeId);

impl Fill {
    /// The key under which this fill is booked once.
    #[must_use]
    pub const fn key(&self) -> FillKey {
        (self.venue, self.symbol, self.order_id, self.trade_id)
    }

    /// The fill under the identifier the exchange gave its trade.
    ///
    /// Where it gave none (nothing, `0`, `-`), or one too long to be held, the fill is named by what the stream and the
    /// answers of calls both tell of it, so that it has one key whichever way it comes: order, side, price, quantity,
    /// the millisecond, and the long identifier. Two nameless fills of an order that agree in all of it are taken for
    /// one; the order's cumulative quantity tells.
    #[must_use]
    pub fn named(self, trade: &str) -> Self {
        let trade = match trade.trim() {
            "0" | "-" => "",
            trade => trade,
        };
        match TradeId::new(trade) {
            Ok(trade_id) if !trade_id.is_empty() => Self { trade_id, ..self },
            Ok(_) | Err(_) => Self { trade_id: self.stand_in(trade), ..self },
        }
    }

    /// 128 bits of FNV-1a, behind a character that no exchange uses.
    fn stand_in(&self, trade: &str) -> TradeId {
        const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
        const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
        let Self { order_id, side, price, qty, .. } = self;
        let content = format!("{order_id}|{side}|{price}|{qty}|{}|{trade}", self.exchange_ts.as_millis());
        let hash = content.bytes().fold(OFFSET, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME));
        TradeId::new(&format!("~{hash:032x}")).expect("33 bytes are within 40")
    }

    /// Quote turned over, before fees.
    pub fn notional(&self) -> Result<Decimal, crate::num::NumError> {
        self.price.checked_mul(self.qty)
    }

    /// Everything charged, each with its asset.
    pub fn fees(&self) -> impl Iterator<Item = (Decimal, Asset)> {
        [Some((self.fee, self.fee_asset)), self.second_fee].into_iter().flatten()
    }

    /// What was charged in neither coin of its symbol, as an exchange takes fees in its own.
    pub fn fees_beside(&self, symbol: Symbol) -> impl Iterator<Item = (Decimal, Asset)> {
        self.fees()
            .filter(move |(fee, asset)| *asset != symbol.base && *asset != symbol.quote && !fee.is_zero())
    }

    /// What was charged in this asset.
    pub fn fee_in(&self, asset: Asset) -> Result<Decimal, crate::num::NumError> {
        self.fees()
            .filter(|(_, paid)| *paid == asset)
            .try_fold(Decimal::ZERO, |sum, (fee, _)| sum.checked_add(fee))
    }
}

/// One order of a plan: an immediate-or-cancel limit at the worst level swept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Leg {
    /// Venue the order goes to.
    pub venue: VenueId,
    /// Buy or sell.
    pub side: Side,
    /// Worst level swept: the limit of the order.
    pub limit: Price,
    /// Base quantity, a multiple of the venue's lot.
    pub qty: Qty,
    /// What the sweep of the visible book costs or yields, before fees.
    pub notional: Notional,
    /// Taker fee the plan reckons with.
    pub fee: Bps,
}

/// A sized arbitrage: the same quantity bought at one venue and sold at another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Symbol that both legs trade.
    pub symbol: SymbolId,
    /// The buying leg.
    pub buy: Leg,
    /// The selling leg.
    pub sell: Leg,
    /// Profit expected after fees, in quote, exact.
    pub expected: Decimal,
    /// Profit over bought notional.
    pub net_edge: Bps,
}

impl Plan {
    /// Whether an order is on this side at this venue by this plan.
    #[must_use]
    pub fn has(&self, order: &OrderRequest) -> bool {
        let leg = match order.side {
            Side::Buy => &self.buy,
            Side::Sell => &self.sell,
        };
        order.symbol == self.symbol && order.venue == leg.venue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill() -> Fill {
        Fill {
            venue: VenueId::new(0, "x").expect("short"),
            symbol: SymbolId(1),
            trade_id: TradeId::EMPTY,
            order_id: OrderId::new("C02__1").expect("short"),
            client_id: None,
            side: Side::Buy,
            price: "3.495".parse().expect("a decimal"),
            qty: "4".parse().expect("a decimal"),
            fee: Decimal::ZERO,
            fee_asset: Asset::new("USDT").expect("short"),
            second_fee: None,
            liquidity: Liquidity::Taker,
            exchange_ts: Timestamp::from_millis(1_781_690_003_000),
        }
    }

    #[test]
    fn a_trade_between_two_orders_of_ours_is_two_fills() {
        let buy = fill().named("1024X1");
        let sell = Fill { order_id: OrderId::new("C02__2").expect("short"), side: Side::Sell, ..buy };
        assert_eq!(buy.trade_id, sell.trade_id);
        assert_ne!(buy.key(), sell.key());
        assert_eq!(buy.key(), fill().named("1024X1").key());
    }

    #[test]
    fn a_fill_keeps_the_name_its_trade_has() {
        assert_eq!(fill().named("1024X1").trade_id.as_str(), "1024X1");
        assert_eq!(fill().named(&"7".repeat(40)).trade_id.as_str(), "7".repeat(40));
    }

    #[test]
    fn a_fill_without_a_name_is_named_by_what_it_is() {
        let known = fill().named("");
        assert_eq!(known.trade_id.as_str(), "~281fb2a914405c95f440c20462ff4ef7", "the same in every run");
        for nothing in ["0", "-", " "] {
            assert_eq!(fill().named(nothing), known, "{nothing:?}");
        }
        // What only one of the two ways tells, or tells otherwise, does not count.
        let told_otherwise = Fill {
            client_id: ClientOrderId::new("arb-1"),
            price: "3.49500".parse().expect("a decimal"),
            exchange_ts: Timestamp::from_nanos(1_781_690_003_000_399_200),
            fee: Decimal::ONE,
            liquidity: Liquidity::Maker,
            ..fill()
        };
        assert_eq!(told_otherwise.named("").key(), known.key());
        for other in [
            Fill { order_id: OrderId::new("C02__2").expect("short"), ..fill() },
            Fill { side: Side::Sell, ..fill() },
            Fill { price: "3.496".parse().expect("a decimal"), ..fill() },
            Fill { qty: "44".parse().expect("a decimal"), ..fill() },
            Fill { exchange_ts: Timestamp::from_millis(1_781_690_003_001), ..fill() },
        ] {
            assert_ne!(other.named("").trade_id, known.trade_id, "{other:?}");
        }
    }

    #[test]
    fn names_too_long_to_be_held_still_tell_fills_apart() {
        let [one, other] = ["X0", "X1"].map(|end| fill().named(&format!("{}{end}", "7".repeat(40))));
        assert!(one.trade_id.as_str().starts_with('~') && one.key() != other.key());
        assert_eq!(one, fill().named(&format!("{}X0", "7".repeat(40))));
    }

    #[test]
    fn a_fee_in_two_coins_is_both() {
        let (usdt, gt) = (Asset::new("USDT").expect("short"), Asset::new("GT").expect("short"));
        let charged = |fee: &str, asset| (fee.parse::<Decimal>().expect("a decimal"), asset);
        let both = Fill { fee: charged("0.1", usdt).0, second_fee: Some(charged("0.3", gt)), ..fill() };
        assert_eq!(both.fees().collect::<Vec<_>>(), [charged("0.1", usdt), charged("0.3", gt)]);
        assert_eq!(both.fee_in(gt), Ok(charged("0.3", gt).0));
        assert_eq!(both.fee_in(Asset::new("BTC").expect("short")), Ok(Decimal::ZERO));
        assert_eq!(both.key(), fill().key());
    }

    #[test]
    fn client_ids_are_what_every_exchange_accepts() {
        assert!(ClientOrderId::new("a1-0000z_B").is_some());
        assert!(ClientOrderId::new(&"x".repeat(28)).is_some());
        for bad in ["", "a b", "a.b", "é", &"x".repeat(29)] {
            assert!(ClientOrderId::new(bad).is_none(), "{bad}");
        }
    }
}
