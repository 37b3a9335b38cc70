//! Private channels: balances, orders and fills of an account, in the order the exchange tells them.
//!
//! The matching engine tells of a fill before the order it changes; here the order comes first, then what it did to
//! the balances, then the fill.

use super::Mexc;
use super::channel::Private;
use super::ids::{OrderId, coin_id};
use super::shape::{self, Shown, State};
use crate::dialect::{ConnId, Frame, Outgoing};
use crate::matching::{
    AccountIndex, BalanceChange, BalanceReason, EndReason, Exchange, ExchangeEvent, FillView, NewOrderKind,
    OrderNo, OrderView,
};
use bytes::Bytes;
use cex_core::{Decimal, Qty, Side, Timestamp};
use cex_proto::mexc::push_data_v3_api_wrapper::Body;
use cex_proto::mexc::{PrivateAccount, PrivateDeals, PrivateOrders, PushDataV3ApiWrapper};
use prost::Message as _;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// Who reads which private channel of which account, and what must be known to tell of orders.
#[derive(Debug, Default)]
pub(super) struct Readers {
    by_account: BTreeMap<AccountIndex, [Vec<ConnId>; 3]>,
    /// The last fill of every order that is still open: its quantity, and whether the order rested.
    last_fills: FxHashMap<OrderNo, (Qty, bool)>,
}

impl Readers {
    /// Adds a reader.
    pub(super) fn join(&mut self, account: AccountIndex, channel: Private, conn: ConnId) {
        let readers = &mut self.by_account.entry(account).or_default()[channel as usize];
        if !readers.contains(&conn) {
            readers.push(conn);
        }
    }

    /// Takes a reader away.
    pub(super) fn leave(&mut self, account: AccountIndex, channel: Private, conn: ConnId) {
        let Some(readers) = self.by_account.get_mut(&account) else { return };
        readers[channel as usize].retain(|reader| *reader != conn);
        if readers.iter().all(Vec::is_empty) {
            self.by_account.remove(&account);
        }
    }

    fn of(&self, account: AccountIndex, channel: Private) -> &[ConnId] {
        self.by_account.get(&account).map_or(&[], |readers| &readers[channel as usize])
    }
}

/// What waits for the next order of its account to be told.
#[derive(Debug, Clone, Copy)]
enum Held<'a> {
    /// A balance.
    Balance(&'a BalanceChange),
    /// A fill.
    Fill(&'a FillView),
}

impl Held<'_> {
    /// Whether this is told right after an order. Of a trade of an account with itself the fills wait for their own
    /// order; balances never do, since each says what is left after all those before it.
    fn follows(&self, order: &OrderView) -> bool {
        match self {
            Self::Balance(change) => change.account == order.account,
            Self::Fill(fill) => fill.order == order.no,
        }
    }
}

/// Tells the readers what happened to their accounts.
pub(super) fn events(
    mexc: &mut Mexc,
    now: Timestamp,
    exchange: &Exchange,
    events: &[ExchangeEvent],
    out: &mut Outgoing,
) {
    let mut held: Vec<Held<'_>> = Vec::new();
    for event in events {
        match event {
            ExchangeEvent::Balance(change) => match change.reason {
                BalanceReason::Deposit | BalanceReason::OrderPlaced | BalanceReason::Transfer => {
                    send_balance(mexc, now, change, None, out);
                }
                BalanceReason::OrderReleased | BalanceReason::Fill | BalanceReason::Fee => {
                    held.push(Held::Balance(change));
                }
            },
            ExchangeEvent::Fill(fill) => {
                mexc.private.last_fills.insert(fill.order, (fill.qty, fill.is_maker));
                held.push(Held::Fill(fill));
            }
            ExchangeEvent::Order(order) => {
                send_order(mexc, now, exchange, order, out);
                let (ready, rest): (Vec<_>, Vec<_>) = held.iter().partition(|held| held.follows(order));
                held = rest;
                send_held(mexc, now, exchange, &ready, Some(order.end), out);
                if order.status.is_terminal() {
                    mexc.private.last_fills.remove(&order.no);
                }
            }
            ExchangeEvent::Level { .. } | ExchangeEvent::Trade { .. } => {}
        }
    }
    send_held(mexc, now, exchange, &held, None, out);
}

/// Balances first, then fills.
fn send_held(
    mexc: &mut Mexc,
    now: Timestamp,
    exchange: &Exchange,
    held: &[Held<'_>],
    end: Option<EndReason>,
    out: &mut Outgoing,
) {
    for item in held {
        match item {
            Held::Balance(change) => send_balance(mexc, now, change, end, out),
            Held::Fill(_) => {}
        }
    }
    for item in held {
        match item {
            Held::Fill(fill) => send_fill(mexc, now, exchange, fill, out),
            Held::Balance(_) => {}
        }
    }
}

/// Builds a frame once, if anyone reads it, and sends it to all who do.
fn send(
    mexc: &mut Mexc,
    now: Timestamp,
    account: AccountIndex,
    channel: Private,
    out: &mut Outgoing,
    build: impl FnOnce(&Mexc) -> PushDataV3ApiWrapper,
) {
    let readers = mexc.private.of(account, channel);
    if readers.is_empty() {
        return;
    }
    let frame = PushDataV3ApiWrapper {
        channel: channel.name().to_owned(),
        send_time: Some(now.as_millis()),
        ..build(mexc)
    };
    let frame: Bytes = frame.encode_to_vec().into();
    for reader in readers {
        out.push((*reader, Frame::Binary(frame.clone())));
        if let Some(session) = mexc.sessions.get_mut(*reader) {
            session.active_at = now;
        }
    }
}

fn send_balance(
    mexc: &mut Mexc,
    now: Timestamp,
    change: &BalanceChange,
    end: Option<EndReason>,
    out: &mut Outgoing,
) {
    send(mexc, now, change.account, Private::Account, out, |_| {
        let body = PrivateAccount {
            vcoin_name: change.asset.to_string(),
            coin_id: coin_id(change.asset),
            balance_amount: change.free.to_string(),
            balance_amount_change: change.free_change.to_string(),
            frozen_amount: change.locked.to_string(),
            frozen_amount_change: change.locked_change.to_string(),
            r#type: reason(change.reason, end).to_owned(),
            time: change.at.as_millis(),
        };
        PushDataV3ApiWrapper {
            create_time: Some(change.at.as_millis()),
            body: Some(Body::PrivateAccount(body)),
            ..Default::default()
        }
    });
}

const fn reason(reason: BalanceReason, end: Option<EndReason>) -> &'static str {
    match (reason, end) {
        (BalanceReason::Deposit, _) => "DEPOSIT",
        (BalanceReason::OrderPlaced, _) => "ENTRUST_PLACE",
        (BalanceReason::OrderReleased, Some(EndReason::Canceled)) => "ENTRUST_CANCEL",
        (BalanceReason::OrderReleased, _) => "ENTRUST_UNFROZEN",
        (BalanceReason::Fill, _) => "ENTRUST",
        (BalanceReason::Fee, _) => "TRADE_FEE",
        (BalanceReason::Transfer, _) => "CONTRACT_TRANSFER",
    }
}

fn send_fill(mexc: &mut Mexc, now: Timestamp, exchange: &Exchange, fill: &FillView, out: &mut Outgoing) {
    send(mexc, now, fill.account, Private::Deals, out, |mexc| {
        let scale = exchange.rules(fill.market).scale;
        let (id, is_self_trade) = shape::trade_id(exchange, fill);
        let body = PrivateDeals {
            price: scale.price_value(fill.price).to_string(),
            quantity: scale.qty_value(fill.qty).to_string(),
            amount: fill.notional.to_string(),
            trade_type: shape::side_number(fill.side),
            is_maker: fill.is_maker,
            is_self_trade,
            trade_id: id.to_string(),
            client_order_id: fill.client_id.clone(),
            order_id: OrderId(fill.order).to_string(),
            fee_amount: fill.fee.to_string(),
            fee_currency: fill.fee_asset.to_string(),
            time: fill.at.as_millis(),
        };
        PushDataV3ApiWrapper {
            symbol: Some(mexc.listings.name(fill.market).to_owned()),
            body: Some(Body::PrivateDeals(body)),
            ..Default::default()
        }
    });
}

fn send_order(mexc: &mut Mexc, now: Timestamp, exchange: &Exchange, order: &OrderView, out: &mut Outgoing) {
    send(mexc, now, order.account, Private::Orders, out, |mexc| {
        let shown = mexc.shown(exchange, order);
        let last_fill = mexc.private.last_fills.get(&order.no).copied();
        PushDataV3ApiWrapper {
            symbol: Some(shown.name.to_owned()),
            create_time: Some(order.created_at.as_millis()),
            body: Some(Body::PrivateOrders(order_body(&shown, last_fill))),
            ..Default::default()
        }
    });
}

fn order_body(shown: &Shown<'_>, last_fill: Option<(Qty, bool)>) -> PrivateOrders {
    let order = shown.order;
    let state = State::of(order);
    let last_qty = last_fill.map_or(Qty::ZERO, |(qty, _)| qty);
    PrivateOrders {
        id: OrderId(order.no).to_string(),
        client_id: order.request.client_id.clone(),
        price: shown.price_text(shown.price()).to_string(),
        quantity: shown.qty_text(shown.qty()).to_string(),
        amount: shown.amount().to_string(),
        avg_price: shown.average().to_string(),
        order_type: shape::kind(&order.request.kind).1,
        trade_type: shape::side_number(order.request.side),
        is_maker: rests(order, state, last_fill),
        remain_amount: remain_amount(shown).to_string(),
        remain_quantity: shown.qty_text(shown.leaves()).to_string(),
        last_deal_quantity: Some(shown.qty_text(last_qty).to_string()),
        cumulative_quantity: shown.qty_text(order.filled_qty).to_string(),
        cumulative_amount: order.filled_notional.to_string(),
        status: state.number(),
        create_time: order.created_at.as_millis(),
        ..Default::default()
    }
}

/// Whether the order rests, or did until it ended.
fn rests(order: &OrderView, state: State, last_fill: Option<(Qty, bool)>) -> bool {
    let may_rest = match order.request.kind {
        NewOrderKind::Limit { .. } | NewOrderKind::PostOnly { .. } => true,
        NewOrderKind::Ioc { .. }
        | NewOrderKind::Fok { .. }
        | NewOrderKind::Market { .. }
        | NewOrderKind::MarketNotional { .. } => false,
    };
    may_rest && (state != State::Filled || last_fill.is_some_and(|(_, is_maker)| is_maker))
}

/// The quote that is not used: of what is left at the order's price, of what was to be spent, or of what a market
/// purchase would have cost at its protective price.
fn remain_amount(shown: &Shown<'_>) -> Decimal {
    let (order, scale) = (shown.order, shown.rules.scale);
    let unused = |budget: Decimal| budget.checked_sub(order.filled_notional).unwrap_or_default();
    match (order.request.kind, order.request.side) {
        (
            NewOrderKind::Limit { price, .. }
            | NewOrderKind::PostOnly { price, .. }
            | NewOrderKind::Ioc { price, .. }
            | NewOrderKind::Fok { price, .. },
            _,
        ) => scale.notional_value(price.times(shown.leaves())),
        (NewOrderKind::MarketNotional { notional }, Side::Buy) => unused(notional),
        (NewOrderKind::Market { qty }, Side::Buy) => {
            unused(scale.notional_value(shown.protective.times(qty)))
        }
        (NewOrderKind::Market { .. } | NewOrderKind::MarketNotional { .. }, Side::Sell) => Decimal::ZERO,
    }
}
