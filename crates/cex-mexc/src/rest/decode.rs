//! Body to typed reply. Never panics, whatever the bytes: what is not as documented is an undecodable answer, which
//! for a placement means that its outcome stays unknown.

use super::orders;
use crate::symbol;
use crate::wire::{
    AccountReply, AggTradeEntry, BookTickerEntry, Coin, Depth, ExchangeInfo, ListenKeyReply, ListenKeysReply,
    Network, OrderAck, Scalar, ServerTime, SymbolEntry, TickerEntry, TradableSymbols, TradeEntry,
    TradeFeeReply, parse,
};
use cex_core::{
    Account, Asset, AssetInfo, Balance, BookTicker, Bps, Decimal, Kline, KlineInterval, Level, Market,
    Markets, NetworkInfo, OrderId, Price, Scale, Side, SymbolId, SymbolInfo, Ticker, Timestamp, Trade,
    TradeId, TradingFee, VenueId,
};
use cex_errors::ErrorKind;
use cex_interface::{BookSnapshot, ListenKeys, Placed, Reply, Request, TimeRange};
use serde::Deserialize;
use sonic_rs::LazyValue;
use std::cmp::Ordering;

/// Reads the answer of a call that succeeded.
pub(super) fn decode(
    venue: VenueId,
    markets: &Markets,
    request: &Request,
    body: &[u8],
) -> Result<Reply, ErrorKind> {
    Ok(match request {
        Request::Ping | Request::TestOrder(_) | Request::KeepListenKey(_) | Request::DeleteListenKey(_) => {
            json::<LazyValue<'_>>(body, "answer")?;
            Reply::Done
        }
        Request::ServerTime => {
            let time = json::<ServerTime<'_>>(body, "server time")?.server_time.integer();
            Reply::ServerTime(time.map(Timestamp::from_millis).ok_or(ErrorKind::Undecodable("server time"))?)
        }
        Request::Symbols => Reply::Symbols(symbols(venue, body)?),
        Request::Tradable => {
            let listed = json::<TradableSymbols<'_>>(body, "tradable symbols")?.data;
            Reply::Tradable(listed.iter().filter_map(Scalar::text).map(str::to_owned).collect())
        }
        Request::Assets => Reply::Assets(assets(venue, body)?),
        Request::Book { symbol, .. } => Reply::Book(book(market(markets, *symbol)?, body)?),
        Request::Trades { symbol, range, .. } => {
            Reply::Trades(trades(market(markets, *symbol)?, *range, body)?)
        }
        Request::Klines { symbol, interval, range, .. } => {
            Reply::Klines(klines(*symbol, *interval, *range, body)?)
        }
        Request::Tickers { symbol } => Reply::Tickers(tickers(markets, *symbol, body)?),
        Request::BookTickers { symbol } => Reply::BookTickers(book_tickers(markets, *symbol, body)?),
        Request::Account => Reply::Account(account(venue, body)?),
        Request::Fees { symbol } => Reply::Fees(vec![fee(*symbol, body)?]),
        // That it is answered at all is the news (MEXC-REST-26).
        Request::Withdrawals => {
            json::<Vec<sonic_rs::LazyValue<'_>>>(body, "withdrawals")?;
            Reply::Done
        }
        Request::Place(order) => {
            // The answer carries neither state nor fills (MEXC-REST-17).
            let ack = json::<OrderAck<'_>>(body, "placement")?;
            Reply::Placed(Placed {
                client_id: order.client_id,
                order_id: order_id(&ack.order_id)?,
                order: None,
            })
        }
        Request::PlaceBatch(placed) => Reply::PlacedBatch(orders::batch(venue, placed, body)?),
        Request::Cancel { .. } => {
            // The state in the answer is the one before the cancel (MEXC-REST-20), so it is not passed on.
            let ack = json::<OrderAck<'_>>(body, "cancel")?;
            Reply::Canceled { order_id: Some(order_id(&ack.order_id)?), order: None }
        }
        Request::CancelAll { symbol } => orders::canceled(venue, market(markets, *symbol)?, body)?,
        Request::Order { symbol, order } => {
            Reply::Order(orders::queried(venue, market(markets, *symbol)?, *order, body)?)
        }
        Request::OpenOrders { symbol: None } | Request::OpenOrdersOf(_) => {
            orders::of_any_market(venue, markets, body)?
        }
        Request::OpenOrders { symbol: Some(symbol) } | Request::OrderHistory { symbol, .. } => {
            orders::of_market(venue, market(markets, *symbol)?, body)?
        }
        Request::MyTrades { symbol, .. } => orders::fills(venue, market(markets, *symbol)?, body)?,
        Request::CreateListenKey => {
            let reply = json::<ListenKeyReply<'_>>(body, "listen key")?;
            Reply::ListenKey(reply.listen_key.text().ok_or(ErrorKind::Undecodable("listen key"))?.to_owned())
        }
        Request::ListenKeys => {
            let reply = json::<ListenKeysReply<'_>>(body, "listen keys")?;
            let text = |key: &Scalar<'_>| key.text().map(str::to_owned);
            let keys: Option<Vec<String>> = reply.listen_key.iter().map(text).collect();
            let living = keys.ok_or(ErrorKind::Undecodable("listen keys"))?;
            let left = reply.available.text().and_then(|left| left.parse().ok());
            Reply::ListenKeys(ListenKeys { living, left })
        }
        Request::Amend { .. } | Request::DeadManSwitch { .. } | Request::CancelBatch(_) => {
            return Err(ErrorKind::Unsupported);
        }
    })
}

/// A body of one shape.
pub(super) fn json<'b, T: Deserialize<'b>>(body: &'b [u8], what: &'static str) -> Result<T, ErrorKind> {
    parse(body).ok_or(ErrorKind::Undecodable(what))
}

/// One entry or a list of them: the same call answers either, by its parameters.
fn one_or_many<'b, T: Deserialize<'b>>(body: &'b [u8], what: &'static str) -> Result<Vec<T>, ErrorKind> {
    if body.trim_ascii_start().first() == Some(&b'[') {
        json(body, what)
    } else {
        Ok(vec![json(body, what)?])
    }
}

/// A number that must be there.
pub(super) fn number(scalar: &Scalar<'_>, what: &'static str) -> Result<Decimal, ErrorKind> {
    maybe_number(scalar, what)?.ok_or(ErrorKind::Undecodable(what))
}

/// A number that may be null or empty.
pub(super) fn maybe_number(scalar: &Scalar<'_>, what: &'static str) -> Result<Option<Decimal>, ErrorKind> {
    scalar.decimal().map_err(|_| ErrorKind::Undecodable(what))
}

/// An order's identifier: opaque text, in several forms (MEXC-REST-17).
pub(super) fn order_id(scalar: &Scalar<'_>) -> Result<OrderId, ErrorKind> {
    scalar.text().and_then(|text| OrderId::new(text).ok()).ok_or(ErrorKind::Undecodable("order id"))
}

/// A time that must be there, in milliseconds.
pub(super) fn millis(scalar: &Scalar<'_>, what: &'static str) -> Result<Timestamp, ErrorKind> {
    scalar.integer().map(Timestamp::from_millis).ok_or(ErrorKind::Undecodable(what))
}

fn market(markets: &Markets, symbol: SymbolId) -> Result<&Market, ErrorKind> {
    markets.get(symbol).ok_or(ErrorKind::InvalidInput("symbol is not registered"))
}

/// Trading rules. A symbol whose rules cannot be read is left out and logged, so that it does not hide the others.
fn symbols(venue: VenueId, body: &[u8]) -> Result<Vec<SymbolInfo>, ErrorKind> {
    let entries = json::<ExchangeInfo<'_>>(body, "trading rules")?.symbols;
    let mut found = Vec::with_capacity(entries.len());
    for raw in &entries {
        let entry =
            sonic_rs::from_str::<SymbolEntry<'_>>(raw.as_raw_str()).map_err(|error| error.to_string());
        match entry.and_then(|entry| symbol::rules(&entry).map_err(|error| error.to_string())) {
            Ok(info) => found.push(info),
            Err(error) => tracing::warn!(%venue, error, rules = raw.as_raw_str(), "symbol left out"),
        }
    }
    if found.is_empty() && !entries.is_empty() {
        return Err(ErrorKind::Undecodable("trading rules"));
    }
    Ok(found)
}

/// Coins and chains, each coin by itself, so that it does not hide the others. A coin whose name we cannot hold cannot be one
/// of ours and is left out; so is one that cannot be read, or a chain of it: a coin that is not listed cannot be moved.
fn assets(venue: VenueId, body: &[u8]) -> Result<Vec<AssetInfo>, ErrorKind> {
    let coins = json::<Vec<LazyValue<'_>>>(body, "coins")?;
    let mut found = Vec::with_capacity(coins.len());
    for raw in &coins {
        let coin = match sonic_rs::from_str::<Coin<'_>>(raw.as_raw_str()) {
            Ok(coin) => coin,
            Err(error) => {
                tracing::warn!(%venue, %error, row = raw.as_raw_str(), "coin left out");
                continue;
            }
        };
        let name = coin.coin.text();
        let Some(Ok(asset)) = name.map(Asset::new) else {
            tracing::debug!(%venue, coin = name, "coin left out: its name cannot be held");
            continue;
        };
        match coin.network_list.iter().flatten().map(network).collect() {
            Ok(networks) => found.push(AssetInfo {
                asset,
                name: coin.name.text().or_else(|| coin.capital_name.text()).unwrap_or_default().to_owned(),
                // Whether a coin trades is said of its symbols, not of the coin.
                trade_enabled: true,
                networks,
            }),
            Err(error) => tracing::warn!(%venue, coin = name, %error, "coin left out"),
        }
    }
    if found.is_empty() && !coins.is_empty() {
        return Err(ErrorKind::Undecodable("coins"));
    }
    Ok(found)
}

/// A chain: the new short name where there is one (MEXC-REST-22). The contract is the only safe key of a coin.
fn network(network: &Network<'_>) -> Result<NetworkInfo, ErrorKind> {
    let name = network.net_work.text().or_else(|| network.network.text()).unwrap_or_default();
    Ok(NetworkInfo {
        network: name.to_owned(),
        contract: network.contract.text().map(str::to_owned),
        deposit_enabled: network.deposit_enable.flag(),
        withdraw_enabled: network.withdraw_enable.flag(),
        withdraw_fee: maybe_number(&network.withdraw_fee, "withdrawal fee")?,
        withdraw_min: maybe_number(&network.withdraw_min, "withdrawal minimum")?,
        withdraw_max: maybe_number(&network.withdraw_max, "withdrawal maximum")?,
        min_confirmations: network.min_confirm.integer().and_then(|count| u32::try_from(count).ok()),
        needs_memo: network.same_address.text().map(|told| told == "true"),
        deposit_note: note(&[&network.deposit_desc, &network.deposit_tips]),
        withdraw_note: note(&[&network.withdraw_tips]),
    })
}

/// What an exchange says in words, if it says anything.
fn note(said: &[&Scalar<'_>]) -> Option<String> {
    let said: Vec<&str> = said.iter().filter_map(|words| words.text()).collect();
    (!said.is_empty()).then(|| said.join(" "))
}

/// A snapshot. Its texts are padded where the stream's are trimmed, so levels compare as numbers (MEXC-REST-12).
fn book(market: &Market, body: &[u8]) -> Result<BookSnapshot, ErrorKind> {
    let depth = json::<Depth<'_>>(body, "book")?;
    let seq = depth.last_update_id.text().and_then(|text| text.parse().ok());
    Ok(BookSnapshot {
        symbol: market.id,
        seq: seq.ok_or(ErrorKind::Undecodable("book version"))?,
        exchange_ts: depth.timestamp.millis(),
        bids: levels(market.scale, &depth.bids, Ordering::Greater)?,
        asks: levels(market.scale, &depth.asks, Ordering::Less)?,
    })
}

/// The levels of a side, each `better` than the next.
fn levels(
    scale: Scale,
    rows: &[(Scalar<'_>, Scalar<'_>)],
    better: Ordering,
) -> Result<Vec<Level>, ErrorKind> {
    let levels: Vec<Level> =
        rows.iter().map(|(price, qty)| level(scale, price, qty)).collect::<Result<_, _>>()?;
    if levels.windows(2).any(|pair| pair[0].price.cmp(&pair[1].price) != better) {
        return Err(ErrorKind::Undecodable("levels out of order"));
    }
    Ok(levels)
}

fn level(scale: Scale, price: &Scalar<'_>, qty: &Scalar<'_>) -> Result<Level, ErrorKind> {
    let qty = scale.parse_qty(qty.text().unwrap_or_default().as_bytes());
    Ok(Level { price: self::price(scale, price)?, qty: qty.map_err(|_| ErrorKind::Undecodable("quantity"))? })
}

fn price(scale: Scale, scalar: &Scalar<'_>) -> Result<Price, ErrorKind> {
    scale
        .parse_price(scalar.text().unwrap_or_default().as_bytes())
        .map_err(|_| ErrorKind::Undecodable("price"))
}

/// Puts rows in order. Which way the exchange sorts is not said (MEXC-REST-14), so times decide; where all are equal,
/// the newest came first.
pub(super) fn oldest_first<T>(rows: &mut [T], time: impl Fn(&T) -> Timestamp) {
    if rows.first().zip(rows.last()).is_some_and(|(first, last)| time(first) >= time(last)) {
        rows.reverse();
    }
    rows.sort_by_key(time);
}

/// Public trades, oldest first.
fn trades(market: &Market, range: TimeRange, body: &[u8]) -> Result<Vec<Trade>, ErrorKind> {
    let mut trades: Vec<Trade> = if range == TimeRange::default() {
        let rows = json::<Vec<TradeEntry<'_>>>(body, "trades")?;
        let read = |row: &TradeEntry<'_>| {
            trade(market, &row.id, &row.price, &row.qty, &row.time, &row.is_buyer_maker)
        };
        rows.iter().map(read).collect::<Result<_, _>>()?
    } else {
        let rows = json::<Vec<AggTradeEntry<'_>>>(body, "aggregated trades")?;
        let read = |row: &AggTradeEntry<'_>| trade(market, &row.a, &row.p, &row.q, &row.time, &row.m);
        rows.iter().map(read).collect::<Result<_, _>>()?
    };
    oldest_first(&mut trades, |trade| trade.exchange_ts);
    Ok(trades)
}

fn trade(
    market: &Market,
    id: &Scalar<'_>,
    price: &Scalar<'_>,
    qty: &Scalar<'_>,
    time: &Scalar<'_>,
    buyer_is_maker: &Scalar<'_>,
) -> Result<Trade, ErrorKind> {
    let Level { price, qty } = level(market.scale, price, qty)?;
    Ok(Trade {
        symbol: market.id,
        trade_id: id.text().and_then(|id| TradeId::new(id).ok()),
        taker_side: if buyer_is_maker.flag() { Side::Sell } else { Side::Buy },
        price,
        qty,
        exchange_ts: millis(time, "trade time")?,
    })
}

/// Candles: rows of open time, open, high, low, close, base volume, close time, quote volume (MEXC-REST-13).
fn klines(
    symbol: SymbolId,
    interval: KlineInterval,
    range: TimeRange,
    body: &[u8],
) -> Result<Vec<Kline>, ErrorKind> {
    let rows = json::<Vec<Vec<Scalar<'_>>>>(body, "candles")?;
    let mut klines = rows.iter().map(|row| kline(symbol, interval, row)).collect::<Result<Vec<_>, _>>()?;
    klines.retain(|kline| {
        range.from.is_none_or(|from| kline.open_time >= from)
            && range.to.is_none_or(|to| kline.open_time <= to)
    });
    klines.sort_by_key(|kline| kline.open_time);
    Ok(klines)
}

fn kline(symbol: SymbolId, interval: KlineInterval, row: &[Scalar<'_>]) -> Result<Kline, ErrorKind> {
    let [open_time, open, high, low, close, volume, _, quote_volume, ..] = row else {
        return Err(ErrorKind::Undecodable("candle"));
    };
    Ok(Kline {
        symbol,
        interval,
        open_time: millis(open_time, "candle time")?,
        open: number(open, "candle")?,
        high: number(high, "candle")?,
        low: number(low, "candle")?,
        close: number(close, "candle")?,
        volume: number(volume, "candle")?,
        quote_volume: number(quote_volume, "candle")?,
        closed: None,
    })
}

/// The market of an entry: the one asked for, which it must name, or any registered one.
fn named<'m>(
    markets: &'m Markets,
    asked: Option<SymbolId>,
    name: &Scalar<'_>,
) -> Result<Option<&'m Market>, ErrorKind> {
    let found = name.text().and_then(|name| markets.by_native(name.as_bytes()));
    match asked {
        None => Ok(found),
        Some(asked) if found.is_some_and(|market| market.id == asked) => Ok(found),
        Some(_) => Err(ErrorKind::Undecodable("another symbol's answer")),
    }
}

/// Day statistics. The change is a fraction (MEXC-REST-23); a symbol that never traded has no last price and is left
/// out of a list.
fn tickers(markets: &Markets, asked: Option<SymbolId>, body: &[u8]) -> Result<Vec<Ticker>, ErrorKind> {
    let mut tickers = Vec::new();
    for entry in one_or_many::<TickerEntry<'_>>(body, "ticker")? {
        let Some(market) = named(markets, asked, &entry.symbol)? else { continue };
        let optional = |scalar| maybe_number(scalar, "ticker");
        let Some(last) = optional(&entry.last_price)? else { continue };
        tickers.push(Ticker {
            symbol: market.id,
            last,
            last_qty: optional(&entry.last_qty)?,
            open: optional(&entry.open_price)?,
            high: optional(&entry.high_price)?,
            low: optional(&entry.low_price)?,
            prev_close: optional(&entry.prev_close_price)?,
            bid: optional(&entry.bid_price)?,
            bid_qty: optional(&entry.bid_qty)?,
            ask: optional(&entry.ask_price)?,
            ask_qty: optional(&entry.ask_qty)?,
            volume: optional(&entry.volume)?,
            quote_volume: optional(&entry.quote_volume)?,
            change: optional(&entry.price_change_percent)?,
            open_time: Some(entry.open_time.millis()).filter(|at| *at != Timestamp::EPOCH),
            as_of: entry.close_time.millis(),
        });
    }
    Ok(tickers)
}

/// Best prices. Without a book a side is empty, null or zero (MEXC-REST-23).
fn book_tickers(
    markets: &Markets,
    asked: Option<SymbolId>,
    body: &[u8],
) -> Result<Vec<BookTicker>, ErrorKind> {
    let mut tickers = Vec::new();
    for entry in one_or_many::<BookTickerEntry<'_>>(body, "best prices")? {
        let Some(market) = named(markets, asked, &entry.symbol)? else { continue };
        let side = |price: &Scalar<'_>, qty: &Scalar<'_>| {
            if price.text().is_none() || qty.text().is_none() {
                return Ok(None);
            }
            level(market.scale, price, qty)
                .map(|level| (level.price.0 > 0 && !level.qty.is_zero()).then_some(level))
        };
        tickers.push(BookTicker {
            symbol: market.id,
            bid: side(&entry.bid_price, &entry.bid_qty)?,
            ask: side(&entry.ask_price, &entry.ask_qty)?,
            seq: None,
            exchange_ts: Timestamp::EPOCH,
        });
    }
    Ok(tickers)
}

/// Balances: a coin that is not listed is zero. The commissions of this answer are null and never used
/// (MEXC-REST-19).
fn account(venue: VenueId, body: &[u8]) -> Result<Account, ErrorKind> {
    let reply = json::<AccountReply<'_>>(body, "account")?;
    let as_of = reply.update_time.millis();
    // A coin whose name we cannot hold cannot be one of ours, whatever its numbers. One of ours whose number cannot be read
    // fails them all: a coin that is not listed is zero.
    let mut balances = Vec::with_capacity(reply.balances.len());
    for entry in &reply.balances {
        let name = entry.asset.text();
        let Some(Ok(asset)) = name.map(Asset::new) else {
            tracing::debug!(%venue, coin = name, "balance left out");
            continue;
        };
        let locked = maybe_number(&entry.locked, "balance")?.unwrap_or_default();
        balances.push(Balance { asset, free: number(&entry.free, "balance")?, locked, as_of });
    }
    Ok(Account {
        balances,
        can_trade: reply.can_trade.text().map(|_| reply.can_trade.flag()),
        can_withdraw: reply.can_withdraw.text().map(|_| reply.can_withdraw.flag()),
    })
}

/// The account's own fees, as JSON numbers (MEXC-REST-19).
fn fee(symbol: Option<SymbolId>, body: &[u8]) -> Result<TradingFee, ErrorKind> {
    let fees = json::<TradeFeeReply<'_>>(body, "fees")?.data;
    let rate = |scalar| {
        number(scalar, "fee")
            .and_then(|rate| Bps::from_fraction(rate).map_err(|_| ErrorKind::Undecodable("fee")))
    };
    Ok(TradingFee {
        point_type: None,
        symbol,
        maker: rate(&fees.maker_commission)?,
        taker: rate(&fees.taker_commission)?,
    })
}

#[cfg(test)]
mod tests;
