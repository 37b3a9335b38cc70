//! Faults of the exchange itself: what becomes of orders, and how its rules, clock and keys misbehave.

use crate::dialect::DuplicateClientIds;
use cex_core::{Asset, Bps, Decimal, Side, Symbol};
use std::fmt;
use std::time::Duration;

/// A fault of an order on its way through the exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderFault {
    /// Whose orders, by the account's name; `None` for anybody's.
    pub account: Option<String>,
    /// Symbol of the orders; `None` for any.
    pub symbol: Option<Symbol>,
    /// What happens to the order.
    pub effect: OrderEffect,
}

/// What happens to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderEffect {
    /// It is refused (O7).
    Reject(Refused),
    /// It trades this part of its quantity at most, at once, and what is left is cancelled (O6).
    Partial(Bps),
    /// It is accepted and stands open, but meets the book only after this time (O8, W10).
    LateFill(Duration),
    /// The answer is a server error, and after this time the order is placed all the same (O5).
    LateAccept(Duration),
    /// It is placed, and this long after it cannot be found any more (H8). Fills and balances stay.
    Forget(Duration),
    /// It is placed, but cannot be found for this time (W10).
    Hide(Duration),
    /// What should not rest rests (O10).
    IgnoreTif,
    /// What does not trade at once is ended by the exchange, for this reason (O18).
    EndAs(ForcedEnd),
    /// The next cancel is confirmed, and this part of what was open fills after this time (O8).
    FillAfterCancel {
        /// How much of what was open.
        part: Bps,
        /// How long after the cancel it fills.
        after: Duration,
    },
    /// For this time the public book shows as much as the order asked for, at its price or just off the other side, as
    /// if the order rested: its own echo (B14).
    Echo(Duration),
}

/// Why an order is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The symbol is suspended (B8).
    Halted,
    /// The account is frozen (H12).
    Frozen,
    /// Not enough balance, whatever there is.
    Funds,
    /// The exchange is overloaded: a server error, and nothing was placed (H3, H9).
    Overloaded,
}

/// Why an exchange ends an order by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ForcedEnd {
    /// Self-trade prevention.
    SelfTrade,
    /// Nothing to trade with.
    Depth,
    /// The other trader had too little.
    Trader,
    /// What was left was too small.
    Small,
    /// A liquidation cancelled it.
    Liquidation,
    /// The price was out of bounds.
    PriceProtection,
}

/// A state of the exchange, until cleared or over, or something it does once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VenueFault {
    /// A symbol is suspended: no order is taken, not even from the market's makers, who may still cancel (B8, M15).
    Halt(Symbol),
    /// An account may not trade (H12).
    Freeze(String),
    /// A symbol's versions begin anew, at once (B6).
    VersionReset(Symbol),
    /// What happens to a client order id that was used before (O4).
    DuplicateClientIds(DuplicateClientIds),
    /// A symbol's fees change, for orders placed from now on (M6).
    Fees {
        /// Symbol whose fees change.
        symbol: Symbol,
        /// Of resting orders.
        maker: Bps,
        /// Of taking orders.
        taker: Bps,
    },
    /// The exchange's clock is ahead of ours by so many milliseconds, or behind (H4).
    ClockSkew(i64),
    /// All listen keys end, at once (W6). Nothing on an exchange without them.
    ExpireListenKeys,
    /// Extending a listen key succeeds and extends nothing (W6). Nothing on an exchange without them.
    ListenKeysLie,
    /// Open orders are listed of named symbols only, as the exchange documents it. Nothing on an exchange that lists them all.
    OpenOrdersBySymbol,
    /// A private stream whose listen key ended goes silent instead of being closed (W6). Nothing on an exchange without
    /// them.
    ListenKeysEndSilently,
    /// Reads and streams go on, and whatever changes orders is refused in the exchange's words for maintenance, of which
    /// it has more than one; nothing is done (H9).
    Maintenance,
    /// Reads whose path begins so are answered from the state of about this long ago (H6, W10). History is kept from
    /// the moment of the injection on.
    ReadLag {
        /// What the path begins with.
        path: String,
        /// Age of the state that reads are answered from.
        lag: Duration,
    },
    /// A symbol is announced to be delisted after this time; then its open orders are cancelled and it trades no more
    /// (M15).
    Delist {
        /// Symbol that is announced to be delisted.
        symbol: Symbol,
        /// How long after the injection it is delisted.
        after: Duration,
    },
    /// A symbol trades on the API on these sides only (H14, M15).
    Sides {
        /// Symbol that is restricted.
        symbol: Symbol,
        /// Whether it can be bought.
        buy: bool,
        /// Whether it can be sold.
        sell: bool,
    },
    /// A symbol's rules change (M4). What is left out stays; what rests stays as it is.
    Rules {
        /// Symbol whose rules change.
        symbol: Symbol,
        /// Fewer decimals of prices.
        price_dp: Option<u8>,
        /// Fewer decimals of quantities.
        qty_dp: Option<u8>,
        /// Another least notional.
        min_notional: Option<Decimal>,
    },
    /// A coin's wallet is closed (M14).
    Wallet {
        /// Coin whose wallet is closed.
        asset: Asset,
        /// Whether deposits stay open.
        deposits: bool,
        /// Whether withdrawals stay open.
        withdrawals: bool,
    },
    /// Lists of symbols show every second one only (H10).
    HalfInfo,
    /// All private streams lose their rights, at once, and nobody says so (W15).
    Deauthorize,
    /// Whatever the exchange sends leaves in pieces of so many bytes (T5).
    Slice(usize),
    /// The top of a book flickers: a better level on each side, or more at the best where the spread has no room, is shown
    /// for this time and gone for as long (B13).
    Flicker {
        /// Symbol whose book flickers.
        symbol: Symbol,
        /// How long it is there, and how long not.
        every: Duration,
    },
    /// An order is placed in a client's name that the client did not send, at once: by hand, or by somebody else with a
    /// key (O13).
    ForeignOrder {
        /// Name of the account the order is placed in.
        account: String,
        /// Symbol the order trades.
        symbol: Symbol,
        /// Side of the order.
        side: Side,
        /// How much of the base coin.
        qty: Decimal,
        /// Limit of an order that may rest; `None` for whatever the book gives.
        price: Option<Decimal>,
        /// Its client order id; empty for none.
        client_id: String,
    },
    /// MEXC: an account's fees are taken in this coin while it has enough of it, and as usual after that (M5).
    FeesIn {
        /// Name of the account that pays its fees so.
        account: String,
        /// Coin that fees are taken in.
        asset: Asset,
        /// What one of it is worth in quote.
        price: Decimal,
    },
    /// So many coins become one, at once: the price is so many times what it was, balances are so many times less, open
    /// orders are cancelled (M13).
    Redenominate {
        /// Symbol whose base coin is redenominated.
        symbol: Symbol,
        /// How many of the old coins become one.
        into_one: u32,
    },
}

impl OrderFault {
    pub(super) fn problem(&self) -> Option<&'static str> {
        let part = match self.effect {
            OrderEffect::Partial(part) | OrderEffect::FillAfterCancel { part, .. } => part,
            OrderEffect::Reject(_)
            | OrderEffect::LateFill(_)
            | OrderEffect::LateAccept(_)
            | OrderEffect::Forget(_)
            | OrderEffect::Hide(_)
            | OrderEffect::IgnoreTif
            | OrderEffect::Echo(_)
            | OrderEffect::EndAs(_) => return None,
        };
        let is_part = (0..=Bps::ONE).contains(&part.e8());
        (!is_part).then_some("a part is 0 to 10000 bps of the whole")
    }
}

impl VenueFault {
    pub(super) fn problem(&self) -> Option<&'static str> {
        match self {
            Self::Fees { maker, taker, .. } => {
                let is_sane = |fee: &Bps| fee.e8().abs() < Bps::ONE;
                (!is_sane(maker) || !is_sane(taker)).then_some("fees stay below 10000 bps")
            }
            Self::ClockSkew(millis) if millis.unsigned_abs() > 86_400_000 => {
                Some("a clock is off by a day (86400000 ms) at most")
            }
            Self::ReadLag { lag, .. } if lag.is_zero() => Some("a lag of nothing changes nothing"),
            Self::Slice(0) => Some("pieces have at least one byte"),
            Self::Flicker { every, .. } if *every < Duration::from_millis(1) => {
                Some("a flicker takes a millisecond at least")
            }
            Self::ForeignOrder { qty, price, .. } if !is_positive(*qty) || !price.is_none_or(is_positive) => {
                Some("quantity and price are more than nothing")
            }
            Self::FeesIn { price, .. } if !is_positive(*price) => Some("the coin is worth more than nothing"),
            Self::Redenominate { into_one: 0 | 1, .. } => Some("at least two coins become one"),
            Self::Rules { price_dp: None, qty_dp: None, min_notional: None, .. } => {
                Some("name a rule that changes: price_dp, qty_dp or min_notional")
            }
            Self::Rules { min_notional: Some(least), .. } if least.is_negative() => {
                Some("the least notional is not negative")
            }
            Self::Halt(_)
            | Self::Freeze(_)
            | Self::VersionReset(_)
            | Self::DuplicateClientIds(_)
            | Self::ClockSkew(_)
            | Self::ExpireListenKeys
            | Self::ListenKeysLie
            | Self::OpenOrdersBySymbol
            | Self::ListenKeysEndSilently
            | Self::Maintenance
            | Self::ReadLag { .. }
            | Self::Delist { .. }
            | Self::Sides { .. }
            | Self::Rules { .. }
            | Self::Wallet { .. }
            | Self::HalfInfo
            | Self::Deauthorize
            | Self::Flicker { .. }
            | Self::ForeignOrder { .. }
            | Self::Redenominate { .. }
            | Self::FeesIn { .. }
            | Self::Slice(_) => None,
        }
    }

    /// The symbol it is about.
    pub(crate) const fn symbol(&self) -> Option<Symbol> {
        match self {
            Self::Halt(symbol)
            | Self::VersionReset(symbol)
            | Self::Fees { symbol, .. }
            | Self::Delist { symbol, .. }
            | Self::Sides { symbol, .. }
            | Self::Flicker { symbol, .. }
            | Self::ForeignOrder { symbol, .. }
            | Self::Redenominate { symbol, .. }
            | Self::Rules { symbol, .. } => Some(*symbol),
            Self::Freeze(_)
            | Self::DuplicateClientIds(_)
            | Self::ClockSkew(_)
            | Self::ExpireListenKeys
            | Self::ListenKeysLie
            | Self::OpenOrdersBySymbol
            | Self::ListenKeysEndSilently
            | Self::Maintenance
            | Self::ReadLag { .. }
            | Self::Wallet { .. }
            | Self::HalfInfo
            | Self::Deauthorize
            | Self::FeesIn { .. }
            | Self::Slice(_) => None,
        }
    }

    /// Whether it is done at once and leaves nothing to clear.
    pub(crate) const fn is_deed(&self) -> bool {
        matches!(
            self,
            Self::VersionReset(_)
                | Self::ExpireListenKeys
                | Self::Deauthorize
                | Self::ForeignOrder { .. }
                | Self::Redenominate { .. }
        )
    }
}

fn is_positive(value: Decimal) -> bool {
    !value.is_zero() && !value.is_negative()
}

impl fmt::Display for OrderFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("mx.order")?;
        if let Some(account) = &self.account {
            write!(f, " of {account}")?;
        }
        if let Some(symbol) = &self.symbol {
            write!(f, " in {symbol}")?;
        }
        write!(f, ": {}", self.effect)
    }
}

impl fmt::Display for OrderEffect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reject(why) => write!(f, "reject as {why:?}"),
            Self::Partial(part) => write!(f, "fill {part} bps"),
            Self::LateFill(after) => write!(f, "fill {} ms late", after.as_millis()),
            Self::LateAccept(after) => write!(f, "fail, and accept {} ms later", after.as_millis()),
            Self::Forget(after) => write!(f, "forget after {} ms", after.as_millis()),
            Self::Hide(time) => write!(f, "hide for {} ms", time.as_millis()),
            Self::IgnoreTif => f.write_str("ignore the time in force"),
            Self::EndAs(end) => write!(f, "end as {end:?}"),
            Self::Echo(time) => write!(f, "echo for {} ms", time.as_millis()),
            Self::FillAfterCancel { part, after } => {
                write!(f, "fill {part} bps {} ms after the cancel", after.as_millis())
            }
        }
    }
}

impl fmt::Display for VenueFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Halt(symbol) => write!(f, "mx.halt {symbol}"),
            Self::Freeze(account) => write!(f, "mx.freeze {account}"),
            Self::VersionReset(symbol) => write!(f, "mx.version_reset {symbol}"),
            Self::DuplicateClientIds(mode) => write!(f, "mx.dup_cid {mode:?}"),
            Self::Fees { symbol, maker, taker } => write!(f, "mx.fee_rate {symbol} {maker} and {taker} bps"),
            Self::ClockSkew(millis) => write!(f, "clk.skew {millis} ms"),
            Self::ExpireListenKeys => f.write_str("mx.listenkey expire"),
            Self::ListenKeysLie => f.write_str("mx.listenkey lie"),
            Self::OpenOrdersBySymbol => f.write_str("mx.open_orders by_symbol"),
            Self::ListenKeysEndSilently => f.write_str("mx.listenkey end silently"),
            Self::Maintenance => f.write_str("rest.maintenance orders"),
            Self::ReadLag { path, lag } => write!(f, "rest.read_lag {path} {} ms", lag.as_millis()),
            Self::Delist { symbol, after } => write!(f, "mx.delist {symbol} in {} ms", after.as_millis()),
            Self::Sides { symbol, buy, sell } => write!(f, "mx.sides {symbol} buy {buy} sell {sell}"),
            Self::Rules { symbol, price_dp, qty_dp, min_notional } => {
                write!(f, "mx.rules {symbol}")?;
                price_dp.iter().try_for_each(|dp| write!(f, " price_dp {dp}"))?;
                qty_dp.iter().try_for_each(|dp| write!(f, " qty_dp {dp}"))?;
                min_notional.iter().try_for_each(|least| write!(f, " min_notional {least}"))
            }
            Self::Wallet { asset, deposits, withdrawals } => {
                write!(f, "mx.wallet {asset} deposits {deposits} withdrawals {withdrawals}")
            }
            Self::HalfInfo => f.write_str("mx.info half"),
            Self::Deauthorize => f.write_str("ws.deauth"),
            Self::Slice(bytes) => write!(f, "net.slice {bytes}"),
            Self::FeesIn { account, asset, price } => write!(f, "mx.fee {account} in {asset} at {price}"),
            Self::Flicker { symbol, every } => write!(f, "mx.flicker {symbol} {} ms", every.as_millis()),
            Self::ForeignOrder { account, symbol, side, qty, price, .. } => {
                write!(f, "mx.foreign_order {account} {side:?} {qty} {symbol}")?;
                price.iter().try_for_each(|price| write!(f, " at {price}"))
            }
            Self::Redenominate { symbol, into_one } => {
                write!(f, "mx.redenominate {symbol} {into_one} into one")
            }
        }
    }
}
