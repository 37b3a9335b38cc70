//! The nouns of the market: exact numbers, symbols, books, orders, events.
//!
//! Everything here is a plain value: no IO, no clock, no async, no serialization. Wire formats, journals and
//! configuration own their serialized forms; this crate offers `Display` and `FromStr`.
//!
//! | module | what |
//! |---|---|
//! | [`decimal`] | [`Decimal`]: exact money that is booked (fills, fees, balances, profit) |
//! | [`num`] | [`Price`], [`Qty`], [`Notional`], [`Bps`], [`Scale`]: the integers of the hot path |
//! | [`text`] | [`Text`]: short inline text, `Copy` |
//! | [`symbol`] | [`Asset`], [`Symbol`], [`SymbolInfo`], [`Market`], [`Markets`], [`VenueId`], [`SymbolId`] |
//! | [`book`] | [`Level`], [`BookSide`], [`BookUpdate`], [`SyncRule`] |
//! | [`order`] | [`OrderRequest`], [`Order`], [`Fill`], [`OrderStatus`], [`Leg`], [`Plan`] |
//! | [`quote`] | [`Trade`], [`Ticker`], [`BookTicker`], [`Kline`] |
//! | [`account`] | [`Balance`], [`Account`], [`TradingFee`], [`AssetInfo`] |
//! | [`event`] | [`MarketEvent`], [`AccountEvent`], [`LinkEvent`]: what flows between crates |
//! | [`time`] | [`Timestamp`], [`Timers`] |
//! | [`static_data`] | [`StaticData`], [`Cache`]: what may be kept, and what must not be |
#![forbid(unsafe_code)]

pub mod account;
pub mod book;
pub mod decimal;
pub mod event;
pub mod num;
pub mod order;
pub mod quote;
pub mod static_data;
pub mod symbol;
pub mod text;
pub mod time;

pub use account::{Account, AssetInfo, Balance, NetworkInfo, TradingFee};
pub use book::{BookSide, BookUpdate, Continuity, Level, LevelRange, SnapshotSource, SyncRule, UpdateKind};
pub use decimal::{Decimal, Rounding};
pub use event::{AccountEvent, LinkEvent, MarketEvent, OrderUpdate, StreamKind};
pub use num::{Bps, Notional, NumError, Price, Qty, Scale};
pub use order::{
    ClientOrderId, Fill, FillKey, Leg, Liquidity, Order, OrderId, OrderKind, OrderRequest, OrderStatus,
    OrderType, Plan, Side, TimeInForce, TradeId,
};
pub use quote::{BookTicker, Kline, KlineInterval, Ticker, Trade};
pub use static_data::{Cache, StaticData};
pub use symbol::{Asset, Market, Markets, Symbol, SymbolId, SymbolInfo, TradingStatus, VenueId};
pub use text::{Text, TextError};
pub use time::{Timers, Timestamp};
