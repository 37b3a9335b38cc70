//! Pushed messages other than depth as events.
//!
//! Texts are trimmed decimals. In proto3 a field that holds an empty text, zero or false is absent from the wire
//! (MEXC-WS-06), so an empty number is zero wherever zero makes sense, and refused where it does not.

use crate::rest::orders::{client_id, fee_asset};
use crate::wire::{
    DepthLevel, PrivateAccount, PrivateDeals, PrivateOrders, PublicAggreBookTicker, PublicAggreDeal,
    PublicBookTickerBatchItem, PublicLimitDepths, PublicMiniTicker, PublicSpotKline,
};
use cex_core::{
    Asset, Balance, BookTicker, BookUpdate, Decimal, Fill, Kline, KlineInterval, Level, LevelRange,
    Liquidity, Market, Order, OrderId, OrderStatus, OrderType, Scale, Side, SymbolId, Ticker, TimeInForce,
    Timestamp, Trade, TradeId, UpdateKind, VenueId,
};
use cex_errors::ErrorKind;

/// Where a private message came from and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin {
    /// The venue.
    pub(crate) venue: VenueId,
    /// `sendTime` of the wrapper: when the exchange says this was true.
    pub(crate) sent_at: Timestamp,
}

/// Best bid and ask (MEXC-WS-09). A side without orders is absent. `version` orders this stream only.
pub(crate) fn book_ticker(
    market: &Market,
    sent_at: Timestamp,
    ticker: &PublicAggreBookTicker,
) -> Result<BookTicker, ErrorKind> {
    Ok(BookTicker {
        symbol: market.id,
        bid: level(market.scale, &ticker.bid_price, &ticker.bid_quantity)?,
        ask: level(market.scale, &ticker.ask_price, &ticker.ask_quantity)?,
        seq: version(&ticker.version)?,
        exchange_ts: sent_at,
    })
}

/// One of a batch of best prices, which share a version (MEXC-WS-15).
pub(crate) fn book_ticker_of_batch(
    market: &Market,
    sent_at: Timestamp,
    batch_version: &str,
    item: &PublicBookTickerBatchItem,
) -> Result<BookTicker, ErrorKind> {
    Ok(BookTicker {
        symbol: market.id,
        bid: level(market.scale, &item.bid_price, &item.bid_quantity)?,
        ask: level(market.scale, &item.ask_price, &item.ask_quantity)?,
        seq: version(batch_version)?,
        exchange_ts: sent_at,
    })
}

fn version(text: &str) -> Result<Option<u64>, ErrorKind> {
    match text {
        "" => Ok(None),
        version => version.parse().map(Some).map_err(|_| ErrorKind::Undecodable("version")),
    }
}

/// The best levels of a book, whole (MEXC-WS-14). The levels are appended, asks first.
pub(crate) fn top_levels(
    market: &Market,
    sent_at: Timestamp,
    depths: &PublicLimitDepths,
    levels: &mut Vec<Level>,
) -> Result<BookUpdate, ErrorKind> {
    let seq = version(&depths.version)?.ok_or(ErrorKind::Undecodable("version"))?;
    let mut append = |rows: &[DepthLevel]| {
        let index = |at: usize| u32::try_from(at).map_err(|_| ErrorKind::Undecodable("too many levels"));
        let start = index(levels.len())?;
        for row in rows {
            levels.push(read_level(market.scale, &row.price, &row.quantity)?);
        }
        let end = index(levels.len())?;
        Ok::<_, ErrorKind>(if start == end { LevelRange::default() } else { LevelRange { start, end } })
    };
    let (asks, bids) = (append(&depths.asks)?, append(&depths.bids)?);
    let kind = UpdateKind::Snapshot;
    Ok(BookUpdate {
        symbol: market.id,
        kind,
        first_seq: seq,
        last_seq: seq,
        exchange_ts: sent_at,
        bids,
        asks,
    })
}

/// A candle; its times are in seconds, unlike any other (MEXC-WS-16).
pub(crate) fn kline(
    symbol: SymbolId,
    interval: KlineInterval,
    kline: &PublicSpotKline,
) -> Result<Kline, ErrorKind> {
    let price = |text: &str| {
        Some(number(text, "candle")?)
            .filter(|price| price.is_positive())
            .ok_or(ErrorKind::Undecodable("candle"))
    };
    Ok(Kline {
        symbol,
        interval,
        open_time: Timestamp::from_secs(kline.window_start),
        open: price(&kline.opening_price)?,
        high: price(&kline.highest_price)?,
        low: price(&kline.lowest_price)?,
        close: price(&kline.closing_price)?,
        volume: number(&kline.volume, "candle")?,
        quote_volume: number(&kline.amount, "candle")?,
        closed: None,
    })
}

/// Day statistics: `volume` is quote and `quantity` base (MEXC-WS-17). `None` for a symbol that never traded.
pub(crate) fn ticker(
    symbol: SymbolId,
    sent_at: Timestamp,
    ticker: &PublicMiniTicker,
) -> Result<Option<Ticker>, ErrorKind> {
    let optional = |text: &str| match text {
        "" => Ok(None),
        text => number(text, "ticker").map(Some),
    };
    let Some(last) = optional(&ticker.price)? else { return Ok(None) };
    Ok(Some(Ticker {
        symbol,
        last,
        last_qty: None,
        open: None,
        high: optional(&ticker.high)?,
        low: optional(&ticker.low)?,
        prev_close: None,
        bid: None,
        bid_qty: None,
        ask: None,
        ask_qty: None,
        volume: optional(&ticker.quantity)?,
        quote_volume: optional(&ticker.volume)?,
        change: optional(&ticker.zoned_rate)?,
        open_time: None,
        as_of: sent_at,
    }))
}

fn level(scale: Scale, price: &str, qty: &str) -> Result<Option<Level>, ErrorKind> {
    if price.is_empty() || qty.is_empty() {
        return Ok(None);
    }
    let level = read_level(scale, price, qty)?;
    Ok((!level.qty.is_zero()).then_some(level))
}

fn read_level(scale: Scale, price: &str, qty: &str) -> Result<Level, ErrorKind> {
    Ok(Level {
        price: scale.parse_price(price.as_bytes()).map_err(|_| ErrorKind::Undecodable("price"))?,
        qty: scale.parse_qty(qty.as_bytes()).map_err(|_| ErrorKind::Undecodable("quantity"))?,
    })
}

/// A public trade (MEXC-WS-10).
pub(crate) fn trade(market: &Market, deal: &PublicAggreDeal) -> Result<Trade, ErrorKind> {
    let Level { price, qty } = read_level(market.scale, &deal.price, &deal.quantity)?;
    Ok(Trade {
        symbol: market.id,
        trade_id: public_trade_id(&deal.trade_id),
        taker_side: side(deal.trade_type)?,
        price,
        qty,
        exchange_ts: Timestamp::from_millis(deal.time),
    })
}

/// Aggregated fills join their identifiers with `_`. What does not fit is named by its last one.
fn public_trade_id(text: &str) -> Option<TradeId> {
    let last = || text.rsplit('_').next().and_then(|last| TradeId::new(last).ok());
    TradeId::new(text).ok().or_else(last).filter(|id| !id.is_empty())
}

/// A change of one of our orders (MEXC-ACCOUNT-05, MEXC-ACCOUNT-06).
///
/// Cumulative quantities decide. The price of a market order is a protective limit and is not passed on. There is no
/// time of the change in the body: the wrapper's stands for it.
pub(crate) fn order(origin: Origin, market: &Market, order: &PrivateOrders) -> Result<Order, ErrorKind> {
    const MARKET: i32 = 5;
    let price = if order.order_type == MARKET || order.price.is_empty() {
        None
    } else {
        Some(number(&order.price, "price")?)
    };
    let created_at = Timestamp::from_millis(order.create_time);
    let (order_id, client_id) = (order_id(&order.id), client_id(&order.client_id));
    if order_id.is_none() && client_id.is_none() {
        return Err(ErrorKind::Undecodable("an order without a name"));
    }
    Ok(Order {
        venue: origin.venue,
        symbol: market.id,
        order_id,
        client_id,
        side: side(order.trade_type)?,
        order_type: order_type(order.order_type),
        status: status(order.status),
        price,
        qty: Some(number(&order.quantity, "quantity")?).filter(|qty| qty.is_positive()),
        filled_qty: number(&order.cumulative_quantity, "filled quantity")?,
        filled_notional: number(&order.cumulative_amount, "filled notional")?,
        fee: None,
        created_at,
        as_of: if origin.sent_at == Timestamp::EPOCH { created_at } else { origin.sent_at },
    })
}

/// What the stream calls the kinds of orders (MEXC-ACCOUNT-05).
pub(crate) const fn order_type(kind: i32) -> Option<OrderType> {
    match kind {
        1 => Some(OrderType::Limit(TimeInForce::Gtc)),
        2 => Some(OrderType::PostOnly),
        3 => Some(OrderType::Limit(TimeInForce::Ioc)),
        4 => Some(OrderType::Limit(TimeInForce::Fok)),
        5 => Some(OrderType::Market),
        _ => None,
    }
}

/// Zero (absent) is an order on its way in; five is cancelled after a part was filled, and terminal (MEXC-ACCOUNT-06).
const fn status(status: i32) -> OrderStatus {
    match status {
        0 => OrderStatus::PendingNew,
        1 => OrderStatus::New,
        2 => OrderStatus::Filled,
        3 => OrderStatus::PartiallyFilled,
        4 | 5 => OrderStatus::Canceled,
        _ => OrderStatus::Unknown,
    }
}

/// A fill of one of our orders (MEXC-ACCOUNT-07). It may come after the order's last report.
pub(crate) fn fill(origin: Origin, market: &Market, deal: &PrivateDeals) -> Result<Fill, ErrorKind> {
    let (price, qty) = (number(&deal.price, "price")?, number(&deal.quantity, "quantity")?);
    if !price.is_positive() || !qty.is_positive() {
        return Err(ErrorKind::Undecodable("a fill of nothing"));
    }
    let fee = number(&deal.fee_amount, "fee")?;
    let fill = Fill {
        venue: origin.venue,
        symbol: market.id,
        trade_id: TradeId::EMPTY,
        order_id: order_id(&deal.order_id).ok_or(ErrorKind::Undecodable("order id"))?,
        client_id: client_id(&deal.client_order_id),
        side: side(deal.trade_type)?,
        price,
        qty,
        fee,
        fee_asset: fee_asset(Some(&deal.fee_currency), fee, market)?,
        second_fee: None,
        liquidity: if deal.is_maker { Liquidity::Maker } else { Liquidity::Taker },
        exchange_ts: Timestamp::from_millis(deal.time),
    };
    Ok(fill.named(&deal.trade_id))
}

/// A balance after a change (MEXC-ACCOUNT-08): what is available and what orders hold, both absolute. The reason of
/// the change does not matter to us, so unknown reasons cannot either.
pub(crate) fn balance(account: &PrivateAccount) -> Result<Balance, ErrorKind> {
    let asset = Asset::new(&account.vcoin_name).ok().filter(|asset| !asset.as_str().is_empty());
    Ok(Balance {
        asset: asset.ok_or(ErrorKind::Undecodable("coin"))?,
        free: number(&account.balance_amount, "balance")?,
        locked: number(&account.frozen_amount, "balance")?,
        as_of: Timestamp::from_millis(account.time),
    })
}

fn number(text: &str, what: &'static str) -> Result<Decimal, ErrorKind> {
    if text.is_empty() {
        return Ok(Decimal::ZERO);
    }
    Decimal::parse(text.as_bytes()).map_err(|_| ErrorKind::Undecodable(what))
}

fn order_id(text: &str) -> Option<OrderId> {
    OrderId::new(text).ok().filter(|id| !id.is_empty())
}

/// One is buying, two selling: ours in private messages, the taker's in public ones.
const fn side(trade_type: i32) -> Result<Side, ErrorKind> {
    match trade_type {
        1 => Ok(Side::Buy),
        2 => Ok(Side::Sell),
        _ => Err(ErrorKind::Undecodable("side")),
    }
}
