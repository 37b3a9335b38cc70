//! The words between the matching engine, the market makers and the dialects.

use crate::fault::ForcedEnd;
use cex_core::{Asset, Bps, Decimal, OrderStatus, Price, Qty, Scale, Side, Symbol, Timestamp};

/// A market's position in an exchange's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MarketIndex(pub u32);

/// An account's position in an exchange's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountIndex(pub u32);

/// The exchange's number of an order; dialects spell it their own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderNo(pub u64);

/// The exchange's number of a trade; dialects spell it their own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TradeNo(pub u64);

/// Which asset a buyer's fee is taken in. A seller's is always quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BuyFee {
    /// The bought asset: what is credited is the fill less the fee.
    Base,
    /// The paying asset, as long as enough of it is free; otherwise the bought one.
    Quote,
}

/// Who an account belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountView {
    /// Position in the exchange's tables.
    pub index: AccountIndex,
    /// For people.
    pub name: String,
    /// API key; empty for house accounts, which no client can reach.
    pub key: String,
    /// API secret; empty for house accounts.
    pub secret: String,
}

/// A public trade, as kept in a market's short memory of trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicTrade {
    /// Number of the trade.
    pub trade: TradeNo,
    /// Number within its market, consecutive.
    pub market_trade: u64,
    /// Side of the taker.
    pub taker: Side,
    /// Price.
    pub price: Price,
    /// Base quantity.
    pub qty: Qty,
    /// When it was executed, by the exchange's clock.
    pub at: Timestamp,
}

/// The rules of one market.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarketRules {
    /// Symbol that is traded.
    pub symbol: Symbol,
    /// Decimals of prices and of order quantities: the market's raw integers count in this scale, one unit is one
    /// tick or one lot.
    pub scale: Scale,
    /// Least order quantity.
    pub min_qty: Qty,
    /// Least order notional.
    pub min_notional: Decimal,
    /// Fee of resting orders.
    pub maker_fee: Bps,
    /// Fee of taking orders.
    pub taker_fee: Bps,
    /// Where a buyer's fee is taken.
    pub buy_fee: BuyFee,
}

/// What kind of order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NewOrderKind {
    /// Rests with what does not fill.
    Limit {
        /// Worst price.
        price: Price,
        /// Base quantity.
        qty: Qty,
    },
    /// Refused if it would take.
    PostOnly {
        /// Price.
        price: Price,
        /// Base quantity.
        qty: Qty,
    },
    /// What does not fill at once is dropped.
    Ioc {
        /// Worst price.
        price: Price,
        /// Base quantity.
        qty: Qty,
    },
    /// All at once or nothing.
    Fok {
        /// Worst price.
        price: Price,
        /// Base quantity.
        qty: Qty,
    },
    /// Base quantity at any price.
    Market {
        /// Base quantity.
        qty: Qty,
    },
    /// Quote to spend (buy) or to raise (sell) at any price.
    MarketNotional {
        /// Quote.
        notional: Decimal,
    },
}

/// An order as it arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOrder {
    /// Market the order goes to.
    pub market: MarketIndex,
    /// Client order id as the client spelt it; empty for none.
    pub client_id: String,
    /// Side.
    pub side: Side,
    /// Kind and size.
    pub kind: NewOrderKind,
}

/// Why an order or a cancel was refused. Nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// No such market.
    #[error("unknown market")]
    UnknownMarket,
    /// No such order of this account, or it has ended.
    #[error("order not found")]
    OrderNotFound,
    /// Zero or negative size or price.
    #[error("size and price must be positive")]
    NotPositive,
    /// Below the least quantity.
    #[error("below the least quantity")]
    BelowMinQty,
    /// Below the least notional.
    #[error("below the least notional {0}")]
    BelowMinNotional(Decimal),
    /// Not enough of what the order spends.
    #[error("not enough {asset}: needs {needed}, has {free}")]
    InsufficientBalance {
        /// Asset the order spends.
        asset: Asset,
        /// How much of it the order needs.
        needed: Decimal,
        /// How much of it is free.
        free: Decimal,
    },
    /// A post-only order that would take.
    #[error("post-only order would take")]
    WouldTake,
    /// A fill-or-kill order that cannot fill.
    #[error("fill-or-kill order cannot fill")]
    CannotFill,
    /// The client order id was used before by this account.
    #[error("client order id already used")]
    DuplicateClientId,
    /// A size or value beyond what the exchange can count.
    #[error("size or value is too large")]
    TooLarge,
    /// The market is suspended.
    #[error("the market is suspended")]
    Halted,
    /// The account may not trade.
    #[error("the account is frozen")]
    Frozen,
    /// The exchange says that it is overloaded; whether the order is placed all the same is another matter.
    #[error("the exchange is overloaded")]
    Overloaded,
}

/// Why an order ended, or that it has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EndReason {
    /// Still open.
    Open,
    /// All filled.
    Filled,
    /// Cancelled by its owner.
    Canceled,
    /// The rest of an immediate-or-cancel order.
    Ioc,
    /// Nothing (more) to trade with.
    NoLiquidity,
    /// By the exchange, for a reason of its own.
    Forced(ForcedEnd),
}

/// An order as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderView {
    /// The exchange's number.
    pub no: OrderNo,
    /// Account that placed the order.
    pub account: AccountIndex,
    /// The order as it arrived.
    pub request: NewOrder,
    /// `New`, `PartiallyFilled`, `Filled` or `Canceled`.
    pub status: OrderStatus,
    /// Why the order ended, or that it is open.
    pub end: EndReason,
    /// Filled base, before fees.
    pub filled_qty: Qty,
    /// Quote turned over, before fees.
    pub filled_notional: Decimal,
    /// Fee so far in `fee_asset`. What was taken in base because too little quote was free is told by the fills alone.
    pub fee: Decimal,
    /// What the fee is usually taken in.
    pub fee_asset: Asset,
    /// When it was accepted, by the exchange's clock.
    pub created_at: Timestamp,
    /// When it last changed, by the exchange's clock.
    pub updated_at: Timestamp,
}

/// One side of an execution, as its owner sees it: an entry of the exact ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FillView {
    /// Number of the trade; both sides share it.
    pub trade: TradeNo,
    /// Number of the trade within its market, consecutive.
    pub market_trade: u64,
    /// Account whose order was filled.
    pub account: AccountIndex,
    /// Market of the trade.
    pub market: MarketIndex,
    /// Order that was filled.
    pub order: OrderNo,
    /// Client order id as the client spelt it; empty for none.
    pub client_id: String,
    /// Side of this order.
    pub side: Side,
    /// Price.
    pub price: Price,
    /// Base quantity.
    pub qty: Qty,
    /// Price times quantity, exact.
    pub notional: Decimal,
    /// Fee charged.
    pub fee: Decimal,
    /// What it is taken in.
    pub fee_asset: Asset,
    /// Whether this order was the resting one.
    pub is_maker: bool,
    /// When it was executed, by the exchange's clock.
    pub at: Timestamp,
}

/// Why a balance changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BalanceReason {
    /// Set at the start.
    Deposit,
    /// An order locked it.
    OrderPlaced,
    /// An order gave it back.
    OrderReleased,
    /// A fill moved it.
    Fill,
    /// A fee was taken.
    Fee,
    /// It went to another account of its owner, or came from there.
    Transfer,
}

/// A balance after a change, with the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BalanceChange {
    /// Account whose balance changed.
    pub account: AccountIndex,
    /// Asset whose balance changed.
    pub asset: Asset,
    /// Spendable after the change.
    pub free: Decimal,
    /// Locked after the change.
    pub locked: Decimal,
    /// Signed change of what is spendable.
    pub free_change: Decimal,
    /// Signed change of what is locked.
    pub locked_change: Decimal,
    /// Why the balance changed.
    pub reason: BalanceReason,
    /// When it changed, by the exchange's clock.
    pub at: Timestamp,
}

/// What happened on an exchange, in the order it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExchangeEvent {
    /// A level changed; `qty` is absolute, zero means gone. Each change raises the market's version by one.
    Level {
        /// Market the level belongs to.
        market: MarketIndex,
        /// Version after the change.
        version: u64,
        /// Which side: `Buy` is the bid side.
        side: Side,
        /// Price of the level.
        price: Price,
        /// Base quantity that is left at the level.
        qty: Qty,
        /// When it changed, by the exchange's clock.
        at: Timestamp,
    },
    /// A public trade.
    Trade {
        /// Number of the trade.
        trade: TradeNo,
        /// Number within its market, consecutive.
        market_trade: u64,
        /// Market that was traded in.
        market: MarketIndex,
        /// Side of the taker.
        taker: Side,
        /// Price.
        price: Price,
        /// Base quantity.
        qty: Qty,
        /// When it was executed, by the exchange's clock.
        at: Timestamp,
    },
    /// An order of an account changed.
    Order(Box<OrderView>),
    /// An order of an account was filled.
    Fill(Box<FillView>),
    /// A balance of an account changed.
    Balance(Box<BalanceChange>),
}
