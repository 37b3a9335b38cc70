//! HTTP answers to typed replies.

use super::request::MOST_OPEN;
use crate::market::decode::{best, level, ticker, trade};
use crate::order::{self, CLIENT_PREFIX};
use crate::wire::{
    AccountRow, BatchFee, CancelRow, Countdown, Currency, CurrencyPair, Fault, FeeRow, FillRow,
    OpenOrdersOfPair, OrderBook, OrderRow, Scalar, ServerTime, TickerRow, TradeRow, parse, part, text, time,
};
use crate::{error, symbol};
use cex_core::{
    Account, Asset, AssetInfo, Balance, BookTicker, Bps, ClientOrderId, Decimal, Fill, Kline, KlineInterval,
    Level, Market, Markets, NetworkInfo, Order, OrderRequest, SymbolId, SymbolInfo, Ticker, Timestamp, Trade,
    TradingFee, VenueId,
};
use cex_errors::{ErrorKind, ExchangeError, Op};
use cex_interface::{BookSnapshot, HttpResponse, OrderRef, Placed, Reply, Request, by_name};
use sonic_rs::LazyValue;

/// Why an answer is no reply.
enum Failure {
    /// It is not what the exchange's documents promise. For a write that means: it may have been executed.
    Fault(Fault),
    /// The exchange said so, or it cannot be used as it is.
    Error(ExchangeError),
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Reads the answer to `request`.
pub(crate) fn decode(
    venue: VenueId,
    markets: &Markets,
    request: &Request,
    response: &HttpResponse<'_>,
) -> Result<Reply, ExchangeError> {
    let op = request.op();
    if !response.is_success() {
        return Err(error::of_response(venue, op, response));
    }
    // Lists come as arrays, which have no label.
    if response.body.trim_ascii_start().starts_with(b"{")
        && let Some(error) = error::of_success(venue, op, response)
    {
        return Err(error);
    }
    let reader = Reader { venue, op, markets, body: response.body };
    reader.read(request).map_err(|failure| match failure {
        Failure::Fault(fault) => ExchangeError::new(venue, op, ErrorKind::Undecodable(fault)),
        Failure::Error(error) => error,
    })
}

struct Reader<'a> {
    venue: VenueId,
    op: Op,
    markets: &'a Markets,
    body: &'a [u8],
}

impl Reader<'_> {
    fn read(&self, request: &Request) -> Result<Reply, Failure> {
        Ok(match request {
            Request::Ping => self.server_time().map(|_| Reply::Done)?,
            Request::ServerTime => Reply::ServerTime(self.server_time()?),
            Request::Symbols => Reply::Symbols(self.symbols()?),
            Request::Assets => Reply::Assets(self.assets()?),
            Request::Book { symbol, .. } => Reply::Book(self.book(*symbol)?),
            Request::Trades { symbol, .. } => Reply::Trades(self.trades(*symbol)?),
            Request::Klines { symbol, interval, .. } => Reply::Klines(self.klines(*symbol, *interval)?),
            Request::Tickers { symbol } => Reply::Tickers(self.tickers(*symbol)?),
            Request::BookTickers { symbol } => Reply::BookTickers(self.book_tickers(*symbol)?),
            Request::Account => Reply::Account(self.account()?),
            Request::Fees { symbol } => Reply::Fees(vec![self.fee(*symbol)?]),
            // That it is answered at all is the news (GATEIO-REST-31).
            Request::Withdrawals => {
                parse::<Vec<LazyValue<'_>>>(self.body)?;
                Reply::Done
            }
            Request::Place(order) => Reply::Placed(self.placed(order.client_id)?),
            Request::PlaceBatch(orders) => Reply::PlacedBatch(self.placed_batch(orders)?),
            Request::CancelBatch(orders) => Reply::CanceledBatch(self.canceled_batch(orders)?),
            Request::Cancel { symbol, order } => self.canceled(*symbol, order)?,
            Request::CancelAll { .. } => self.all_canceled()?,
            Request::Amend { symbol, order, .. } | Request::Order { symbol, order } => {
                Reply::Order(self.order(*symbol, order)?)
            }
            Request::OpenOrders { symbol } => self.open_orders(symbol.is_some())?,
            Request::OrderHistory { .. } => {
                let mut list = List::default();
                list.take(&parse::<Vec<LazyValue<'_>>>(self.body)?, |row| self.any_order(row));
                list.orders()
            }
            Request::MyTrades { .. } => self.fills()?,
            Request::DeadManSwitch { .. } => {
                parse::<Countdown<'_>>(self.body)?.trigger_time.integer()?;
                Reply::Done
            }
            Request::TestOrder(_)
            | Request::OpenOrdersOf(_)
            | Request::CreateListenKey
            | Request::ListenKeys
            | Request::KeepListenKey(_)
            | Request::DeleteListenKey(_)
            | Request::Tradable => {
                return Err(self.error(ErrorKind::Unsupported));
            }
        })
    }

    fn error(&self, kind: ErrorKind) -> Failure {
        Failure::Error(ExchangeError::new(self.venue, self.op, kind))
    }

    fn market(&self, symbol: SymbolId) -> Result<&Market, Failure> {
        self.markets.get(symbol).ok_or_else(|| self.error(ErrorKind::InvalidInput("unknown symbol")))
    }

    fn server_time(&self) -> Result<Timestamp, Fault> {
        let answer: ServerTime<'_> = parse(self.body)?;
        Some(time(Some(&answer.server_time), None)).filter(|at| *at > Timestamp::EPOCH).ok_or("server time")
    }

    /// A pair whose rules cannot be held is left out, not all the others with it.
    fn symbols(&self) -> Result<Vec<SymbolInfo>, Fault> {
        let rows: Vec<LazyValue<'_>> = parse(self.body)?;
        let mut infos = Vec::with_capacity(rows.len());
        for raw in &rows {
            match part::<CurrencyPair<'_>>(raw).and_then(|row| symbol::info(&row)) {
                Ok(info) => infos.push(info),
                Err(fault) => {
                    tracing::warn!(venue = %self.venue, fault, row = raw.as_raw_str(), "pair left out");
                }
            }
        }
        Ok(infos)
    }

    fn assets(&self) -> Result<Vec<AssetInfo>, Fault> {
        let rows: Vec<LazyValue<'_>> = parse(self.body)?;
        let mut assets = Vec::with_capacity(rows.len());
        for raw in &rows {
            match part::<Currency<'_>>(raw).and_then(|row| asset(&row)) {
                Ok(info) => assets.push(info),
                Err(fault) => {
                    tracing::warn!(venue = %self.venue, fault, row = raw.as_raw_str(), "coin left out");
                }
            }
        }
        Ok(assets)
    }

    fn book(&self, symbol: SymbolId) -> Result<BookSnapshot, Failure> {
        let market = self.market(symbol)?;
        let book: OrderBook<'_> = parse(self.body)?;
        // The European venue leaves it out when asked for too much (GATEIO-REST-12); such a book joins
        // nothing.
        let seq = book.id.as_ref().ok_or("a book without its version")?.integer()?;
        Ok(BookSnapshot {
            symbol,
            seq,
            exchange_ts: time(book.update.as_ref().or(book.current.as_ref()), None),
            bids: levels(market, &book.bids)?,
            asks: levels(market, &book.asks)?,
        })
    }

    /// Newest first on the wire (GATEIO-REST-14).
    fn trades(&self, symbol: SymbolId) -> Result<Vec<Trade>, Failure> {
        let market = self.market(symbol)?;
        let rows: Vec<TradeRow<'_>> = parse(self.body)?;
        Ok(rows.iter().rev().map(|row| trade(market, row)).collect::<Result<_, _>>()?)
    }

    fn klines(&self, symbol: SymbolId, interval: KlineInterval) -> Result<Vec<Kline>, Fault> {
        let rows: Vec<Vec<Scalar<'_>>> = parse(self.body)?;
        rows.iter().map(|row| kline(symbol, interval, row)).collect()
    }

    /// The answer is an array even for one pair, and names pairs we do not follow when asked for all
    /// (GATEIO-REST-15).
    fn tickers(&self, only: Option<SymbolId>) -> Result<Vec<Ticker>, Fault> {
        let rows: Vec<TickerRow<'_>> = parse(self.body)?;
        let followed = rows.iter().filter_map(|row| Some((self.followed(row, only)?, row)));
        followed.filter_map(|(market, row)| ticker(market.id, row, Timestamp::EPOCH).transpose()).collect()
    }

    /// Amounts come only when one pair is asked for; otherwise the levels claim none (GATEIO-REST-15).
    fn book_tickers(&self, only: Option<SymbolId>) -> Result<Vec<BookTicker>, Fault> {
        let rows: Vec<TickerRow<'_>> = parse(self.body)?;
        let followed = rows.iter().filter_map(|row| Some((self.followed(row, only)?, row)));
        let tickers = followed.map(|(market, row)| {
            Ok(BookTicker {
                symbol: market.id,
                bid: best(market, row.highest_bid.as_ref(), row.highest_size.as_ref())?,
                ask: best(market, row.lowest_ask.as_ref(), row.lowest_size.as_ref())?,
                seq: None,
                exchange_ts: Timestamp::EPOCH,
            })
        });
        tickers.collect()
    }

    fn followed(&self, row: &TickerRow<'_>, only: Option<SymbolId>) -> Option<&Market> {
        let market = self.markets.by_native(row.currency_pair.as_str().as_bytes())?;
        only.is_none_or(|only| only == market.id).then_some(market)
    }

    fn account(&self) -> Result<Account, Fault> {
        let rows: Vec<AccountRow<'_>> = parse(self.body)?;
        // A coin whose name we cannot hold cannot be one of ours. One of ours whose number cannot be read fails them all:
        // a coin that is not listed is zero.
        let held = rows.iter().filter_map(|row| match Asset::new(row.currency.as_str()) {
            Ok(asset) => Some((asset, row)),
            Err(_) => {
                tracing::debug!(venue = %self.venue, coin = row.currency.as_str(), "balance left out");
                None
            }
        });
        let balances = held.map(|(asset, row)| {
            Ok(Balance {
                asset,
                free: row.available.decimal()?,
                locked: row.locked.decimal()?,
                as_of: time(row.refresh_time.as_ref(), None),
            })
        });
        Ok(Account { balances: balances.collect::<Result<_, Fault>>()?, can_trade: None, can_withdraw: None })
    }

    /// Fractions, unlike the pair list's percents (GATEIO-REST-17). GT deductions are not reckoned with: they
    /// end when the GT does.
    fn fee(&self, symbol: Option<SymbolId>) -> Result<TradingFee, Failure> {
        let rate = |field: &Scalar<'_>| Bps::from_fraction(field.decimal()?).map_err(|_| "fee");
        let fee = |row: &FeeRow<'_>| -> Result<TradingFee, Fault> {
            let point_type = row.point_type.as_ref().and_then(|kind| kind.as_str().parse().ok());
            Ok(TradingFee { symbol, maker: rate(&row.maker_fee)?, taker: rate(&row.taker_fee)?, point_type })
        };
        let Some(asked) = symbol else { return Ok(fee(&parse(self.body)?)?) };
        let market = self.market(asked)?;
        let rows: BatchFee<'_> = parse(self.body)?;
        Ok(fee(rows.get(market.native()).ok_or("the fee of another pair")?)?)
    }

    /// The order of one answer, which must be the one asked for: a late answer could belong to another call.
    fn placed(&self, client_id: cex_core::ClientOrderId) -> Result<Placed, Failure> {
        let row: OrderRow<'_> = parse(self.body)?;
        if text(row.text.as_ref()).strip_prefix(CLIENT_PREFIX) != Some(client_id.as_str()) {
            return Err(Failure::Fault("the answer to another placement"));
        }
        let order_id = order::order_id(row.id.as_ref())?.ok_or("a placement without an order id")?;
        // In the shortest form there is nothing but identifiers (GATEIO-ORD-09).
        let tells_state = row.status.is_some() && row.currency_pair.is_some();
        let order = if tells_state { order::order(self.venue, self.markets, &row)? } else { None };
        Ok(Placed { client_id, order_id, order })
    }

    fn order(&self, symbol: SymbolId, asked: &OrderRef) -> Result<Order, Failure> {
        let row: OrderRow<'_> = parse(self.body)?;
        self.asked_for(symbol, asked, &row)?;
        order::order(self.venue, self.markets, &row)?.ok_or(Failure::Fault("an order of another pair"))
    }

    /// A cancel that succeeded has ended the order, and tells what was filled (GATEIO-REST-19).
    fn canceled(&self, symbol: SymbolId, asked: &OrderRef) -> Result<Reply, Failure> {
        let row: OrderRow<'_> = parse(self.body)?;
        self.asked_for(symbol, asked, &row)?;
        let order = if row.status.is_some() { order::order(self.venue, self.markets, &row)? } else { None };
        Ok(Reply::Canceled { order_id: order::order_id(row.id.as_ref())?, order })
    }

    fn asked_for(&self, symbol: SymbolId, asked: &OrderRef, row: &OrderRow<'_>) -> Result<(), Failure> {
        let same_order = match asked {
            OrderRef::Id(id) => text(row.id.as_ref()) == id.as_str(),
            OrderRef::Client(id) => text(row.text.as_ref()).strip_prefix(CLIENT_PREFIX) == Some(id.as_str()),
        };
        let native = self.market(symbol)?.native();
        let same_pair = row.currency_pair.as_ref().is_none_or(|pair| pair.as_str() == native);
        if same_order && same_pair {
            Ok(())
        } else {
            Err(Failure::Fault("the answer is about another order"))
        }
    }

    fn any_order(&self, row: &LazyValue<'_>) -> Result<Option<Order>, Fault> {
        order::order(self.venue, self.markets, &part::<OrderRow<'_>>(row)?)
    }

    /// What became of each order of a batch, told by our identifier (GATEIO-REST-29). A row failed that has a label,
    /// with or without being told so. An order that no row is readably about may have been placed.
    fn placed_batch(&self, orders: &[OrderRequest]) -> Result<Vec<Result<Placed, ExchangeError>>, Fault> {
        let raw: Vec<LazyValue<'_>> = parse(self.body)?;
        let rows: Vec<OrderRow<'_>> = raw.iter().filter_map(|row| part(row).ok()).collect();
        let asked: Vec<_> = orders.iter().map(|order| order.client_id).collect();
        let told = rows.iter().map(|row| (order::client_id(text(row.text.as_ref())), row));
        let told = by_name(&asked, told)?;
        Ok(asked.into_iter().zip(told).map(|(client_id, row)| self.placed_of_batch(client_id, row)).collect())
    }

    fn placed_of_batch(
        &self,
        client_id: ClientOrderId,
        row: Option<&OrderRow<'_>>,
    ) -> Result<Placed, ExchangeError> {
        let open = |fault| ExchangeError::new(self.venue, self.op, ErrorKind::Undecodable(fault));
        let row = row.ok_or_else(|| open("a batch that says nothing of an order"))?;
        self.row_failed(row.succeeded.as_ref(), text(row.label.as_ref()), text(row.message.as_ref()))?;
        let id = row.id.as_ref().or(row.order_id.as_ref());
        let order_id =
            order::order_id(id).map_err(open)?.ok_or_else(|| open("a placement without an order id"))?;
        let tells_state = row.status.is_some() && row.currency_pair.is_some();
        // It stands; what state it is in can be asked for.
        let order =
            if tells_state { order::order(self.venue, self.markets, row).ok().flatten() } else { None };
        Ok(Placed { client_id, order_id, order })
    }

    /// What became of each cancel of a batch (GATEIO-REST-30): rows repeat the name that was given.
    fn canceled_batch(
        &self,
        orders: &[(SymbolId, OrderRef)],
    ) -> Result<Vec<Result<(), ExchangeError>>, Fault> {
        let raw: Vec<LazyValue<'_>> = parse(self.body)?;
        let rows: Vec<CancelRow<'_>> = raw.iter().filter_map(|row| part(row).ok()).collect();
        let open = || {
            ExchangeError::new(
                self.venue,
                self.op,
                ErrorKind::Undecodable("a batch that says nothing of an order"),
            )
        };
        let outcome = |(symbol, order): &(SymbolId, OrderRef)| {
            let native = self.markets.get(*symbol).map(Market::native);
            let is_about = |row: &&CancelRow<'_>| {
                let same_pair = native == Some(text(row.currency_pair.as_ref()));
                let names = [text(row.id.as_ref()), text(row.text.as_ref())];
                same_pair
                    && match order {
                        OrderRef::Id(id) => names[0] == id.as_str(),
                        OrderRef::Client(id) => {
                            names.iter().any(|name| name.strip_prefix(CLIENT_PREFIX) == Some(id.as_str()))
                        }
                    }
            };
            let row = rows.iter().find(is_about).ok_or_else(open)?;
            self.row_failed(row.succeeded.as_ref(), text(row.label.as_ref()), text(row.message.as_ref()))
        };
        Ok(orders.iter().map(outcome).collect())
    }

    /// The failure a row of a list is, if it is one.
    fn row_failed(
        &self,
        succeeded: Option<&Scalar<'_>>,
        label: &str,
        message: &str,
    ) -> Result<(), ExchangeError> {
        if label.is_empty() && text(succeeded) != "false" {
            return Ok(());
        }
        let kind = error::kind_of(self.op, label, message);
        Err(ExchangeError::new(self.venue, self.op, kind).with_code(label, message))
    }

    /// Each row succeeds or fails by itself. One that had ended before is no failure; any other may still
    /// live, and the whole call fails with its reason so that it is made again.
    fn all_canceled(&self) -> Result<Reply, Failure> {
        let mut list = List::default();
        for raw in parse::<Vec<LazyValue<'_>>>(self.body)? {
            let row = match part::<OrderRow<'_>>(&raw) {
                Ok(row) => row,
                Err(fault) => {
                    list.unreadable.push(fault);
                    continue;
                }
            };
            match self.row_failed(
                row.succeeded.as_ref(),
                text(row.label.as_ref()),
                text(row.message.as_ref()),
            ) {
                Ok(()) => list.push(order::order(self.venue, self.markets, &row)),
                Err(failed) if failed.kind == ErrorKind::OrderNotFound => {}
                Err(failed) => return Err(Failure::Error(failed)),
            }
        }
        Ok(list.orders())
    }

    /// One page; a list that may go on is an error, since an open order that nobody knows of is worse
    /// (GATEIO-REST-22).
    fn open_orders(&self, of_one_pair: bool) -> Result<Reply, Failure> {
        let mut list = List::default();
        if of_one_pair {
            let rows: Vec<LazyValue<'_>> = parse(self.body)?;
            if rows.len() >= MOST_OPEN as usize {
                return Err(self.error(ErrorKind::AboveMaximum));
            }
            list.take(&rows, |row| self.any_order(row));
            return Ok(list.orders());
        }
        for pair in parse::<Vec<OpenOrdersOfPair<'_>>>(self.body)? {
            let total = pair.total.as_ref().map(Scalar::integer).transpose()?;
            if total.is_some_and(|total| total > pair.orders.len() as u64) {
                return Err(self.error(ErrorKind::AboveMaximum));
            }
            list.take(&pair.orders, |row| self.any_order(row));
        }
        Ok(list.orders())
    }

    /// Oldest first, like public trades.
    fn fills(&self) -> Result<Reply, Fault> {
        let mut list = List::default();
        list.take(&parse::<Vec<LazyValue<'_>>>(self.body)?, |row| {
            order::fill(self.venue, self.markets, &part::<FillRow<'_>>(row)?)
        });
        list.rows.sort_by_key(|fill: &Fill| fill.exchange_ts);
        Ok(Reply::Fills(list.rows).without(list.unreadable))
    }
}

/// Rows read each by itself: one that cannot be read costs the others nothing, and is told of.
struct List<T> {
    rows: Vec<T>,
    unreadable: Vec<Fault>,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), unreadable: Vec::new() }
    }
}

impl<T> List<T> {
    fn take<R>(&mut self, rows: &[R], mut read: impl FnMut(&R) -> Result<Option<T>, Fault>) {
        rows.iter().for_each(|row| self.push(read(row)));
    }

    fn push(&mut self, read: Result<Option<T>, Fault>) {
        match read {
            Ok(row) => self.rows.extend(row),
            Err(fault) => self.unreadable.push(fault),
        }
    }
}

impl List<Order> {
    fn orders(self) -> Reply {
        Reply::Orders(self.rows).without(self.unreadable)
    }
}

fn levels(market: &Market, rows: &[(Scalar<'_>, Scalar<'_>)]) -> Result<Vec<Level>, Fault> {
    rows.iter().map(|(price, qty)| level(market, price, qty)).collect()
}

/// A coin and its chains; the flags above the chains are outdated and serve only where there are none
/// (GATEIO-REST-18). What stands for a share, a metal or a currency keeps its hours and its price from elsewhere, and the pair
/// list does not mark it: it is told as off and without a chain, so that nobody proves it to be a coin of another exchange
/// (GATEIO-REST-32).
fn asset(row: &Currency<'_>) -> Result<AssetInfo, Fault> {
    let set = |flag: Option<&Scalar<'_>>| text(flag) == "true";
    // Whether a coin whose withdrawals are delayed can be brought elsewhere in time nobody says: it counts as if it could not.
    let stays = |disabled, delayed| set(disabled) || set(delayed);
    let is_coin = !row.is_categorised();
    let networks = match &row.chains {
        _ if !is_coin => Vec::new(),
        Some(chains) => chains
            .iter()
            .map(|chain| {
                let deposit = set(chain.deposit_disabled.as_ref());
                let withdraw = stays(chain.withdraw_disabled.as_ref(), chain.withdraw_delayed.as_ref());
                network(chain.name.as_str(), text(chain.addr.as_ref()), deposit, withdraw)
            })
            .collect(),
        None => {
            let deposit = set(row.deposit_disabled.as_ref());
            let withdraw = stays(row.withdraw_disabled.as_ref(), row.withdraw_delayed.as_ref());
            let chain = row.chain.as_ref().map(|chain| network(chain.as_str(), "", deposit, withdraw));
            chain.into_iter().collect()
        }
    };
    Ok(AssetInfo {
        asset: Asset::new(row.currency.as_str()).map_err(|_| "currency")?,
        name: text(row.name.as_ref()).to_owned(),
        trade_enabled: is_coin && !set(row.trade_disabled.as_ref()) && !set(row.delisted.as_ref()),
        networks,
    })
}

fn network(name: &str, contract: &str, deposit_disabled: bool, withdraw_disabled: bool) -> NetworkInfo {
    NetworkInfo {
        network: name.to_owned(),
        contract: (!contract.is_empty()).then(|| contract.to_owned()),
        deposit_enabled: !deposit_disabled,
        withdraw_enabled: !withdraw_disabled,
        withdraw_fee: None,
        withdraw_min: None,
        withdraw_max: None,
        min_confirmations: None,
        needs_memo: None,
        deposit_note: None,
        withdraw_note: None,
    }
}

/// A candle: start, quote volume, close, high, low, open, base volume, closed (GATEIO-REST-13).
fn kline(symbol: SymbolId, interval: KlineInterval, row: &[Scalar<'_>]) -> Result<Kline, Fault> {
    let [start, quote_volume, close, high, low, open, volume, rest @ ..] = row else {
        return Err("a short candle");
    };
    let number = |field: &Scalar<'_>| -> Result<Decimal, Fault> { field.decimal() };
    Ok(Kline {
        symbol,
        interval,
        open_time: time(None, Some(start)),
        open: number(open)?,
        high: number(high)?,
        low: number(low)?,
        close: number(close)?,
        volume: number(volume)?,
        quote_volume: number(quote_volume)?,
        closed: rest.first().map(|closed| closed.as_str() == "true"),
    })
}
