//! The market's nouns as records. Messages are filled in place: one that is kept and filled again allocates nothing once
//! its texts have grown.

use crate::messages::{self, OrderType, Source};
use cex_core::{
    Asset, Balance, ClientOrderId, Decimal, Fill, Liquidity, Order, OrderKind, OrderRequest, OrderStatus,
    Plan, Scale, Side, Symbol, TimeInForce, Timestamp, VenueId,
};
use std::fmt::{Display, Write as _};

/// Fills `out` with a plan and the two orders that carry it out, buying leg first.
pub fn intent(
    out: &mut messages::Intent,
    arbitrage: u64,
    symbol: &Symbol,
    scale: Scale,
    plan: &Plan,
    orders: [&OrderRequest; 2],
) {
    out.arbitrage = arbitrage;
    set(&mut out.symbol, symbol);
    set(&mut out.purpose, "open");
    set(&mut out.expected, plan.expected);
    out.net_edge_e8 = plan.net_edge.e8();
    out.parent.clear();
    out.carried.clear();
    out.acknowledged = false;
    out.legs.resize_with(2, messages::Leg::default);
    for (leg, (order, planned)) in out.legs.iter_mut().zip(orders.into_iter().zip([plan.buy, plan.sell])) {
        self::leg(leg, scale, order, scale.notional_value(planned.notional));
    }
}

/// Fills `out` with one order that mends half a plan: `purpose` is `hedge`, `unwind` or `flatten`, `parent` the name of the
/// arbitrage and what it carries of earlier ones, `notional` the most it can cost.
pub fn mending(
    out: &mut messages::Intent,
    (parent, carried): (ClientOrderId, Decimal),
    symbol: &Symbol,
    scale: Scale,
    purpose: &str,
    order: &OrderRequest,
    notional: Decimal,
) {
    // Numbers of arbitrages begin anew with each run; the name does not.
    out.arbitrage = 0;
    set(&mut out.parent, parent);
    set_or_clear(&mut out.carried, Some(carried).filter(|carried| !carried.is_zero()));
    set(&mut out.symbol, symbol);
    set(&mut out.purpose, purpose);
    out.expected.clear();
    out.net_edge_e8 = 0;
    out.acknowledged = false;
    out.legs.resize_with(1, messages::Leg::default);
    for leg in &mut out.legs {
        self::leg(leg, scale, order, notional);
    }
}

fn leg(out: &mut messages::Leg, scale: Scale, order: &OrderRequest, notional: Decimal) {
    set(&mut out.venue, order.venue);
    set(&mut out.client_id, order.client_id);
    out.set_side(side(order.side));
    out.set_type(order_type(&order.kind));
    out.price = order.kind.price().map_or(0, |price| price.0);
    out.price_dp = u32::from(scale.price_dp());
    out.qty = order.kind.qty().map_or(0, |qty| qty.0);
    out.qty_dp = u32::from(scale.qty_dp());
    set(&mut out.notional, notional);
    out.expires_in_ns = u64::try_from(order.expires_in.as_nanos()).unwrap_or(u64::MAX);
}

/// Fills `out`: the bytes of an order were handed to the socket; `expires_at` is when the exchange stops accepting it.
pub fn order_sent(out: &mut messages::OrderSent, order: &OrderRequest, expires_at: Timestamp) {
    set(&mut out.venue, order.venue);
    set(&mut out.client_id, order.client_id);
    out.expires_at_ns = expires_at.as_nanos();
}

/// Fills `out` with what an exchange said, as it came. Only reports about orders, fills and funds: an answer that carries
/// a listen key or another secret must never be recorded.
pub fn venue_report(
    out: &mut messages::VenueReport,
    venue: VenueId,
    source: Source,
    op: &str,
    status: u16,
    body: &[u8],
) {
    set(&mut out.venue, venue);
    out.set_source(source);
    set(&mut out.op, op);
    out.status = u32::from(status);
    out.body.clear();
    out.body.extend_from_slice(body);
}

/// Fills `out` with an order as understood from a report.
pub fn order_event(out: &mut messages::OrderEvent, symbol: &Symbol, order: &Order) {
    set(&mut out.venue, order.venue);
    set(&mut out.symbol, symbol);
    set_or_clear(&mut out.client_id, order.client_id);
    set_or_clear(&mut out.order_id, order.order_id);
    out.set_side(side(order.side));
    out.set_status(status(order.status));
    set_or_clear(&mut out.price, order.price);
    set_or_clear(&mut out.qty, order.qty);
    set(&mut out.filled_qty, order.filled_qty);
    set(&mut out.filled_notional, order.filled_notional);
    out.as_of_ns = order.as_of.as_nanos();
}

/// Fills `out` with one execution.
pub fn fill(out: &mut messages::Fill, symbol: &Symbol, fill: &Fill) {
    set(&mut out.venue, fill.venue);
    set(&mut out.symbol, symbol);
    set(&mut out.trade_id, fill.trade_id);
    set(&mut out.order_id, fill.order_id);
    set_or_clear(&mut out.client_id, fill.client_id);
    out.set_side(side(fill.side));
    set(&mut out.price, fill.price);
    set(&mut out.qty, fill.qty);
    out.fees.resize_with(fill.fees().count(), messages::Fee::default);
    for (fee, (amount, asset)) in out.fees.iter_mut().zip(fill.fees()) {
        charge(fee, amount, asset);
    }
    out.set_liquidity(match fill.liquidity {
        Liquidity::Maker => messages::Liquidity::Maker,
        Liquidity::Taker => messages::Liquidity::Taker,
    });
    out.exchange_ts_ns = fill.exchange_ts.as_nanos();
}

fn charge(out: &mut messages::Fee, amount: Decimal, asset: Asset) {
    set(&mut out.amount, amount);
    set(&mut out.asset, asset);
}

/// Fills `out` with what an account holds of one asset.
pub fn balance(out: &mut messages::Balance, venue: VenueId, source: Source, balance: &Balance) {
    set(&mut out.venue, venue);
    set(&mut out.asset, balance.asset);
    set(&mut out.free, balance.free);
    set(&mut out.locked, balance.locked);
    out.as_of_ns = balance.as_of.as_nanos();
    out.set_source(source);
}

fn set(out: &mut String, value: impl Display) {
    out.clear();
    // Writing to a String cannot fail.
    let _ = write!(out, "{value}");
}

fn set_or_clear(out: &mut String, value: Option<impl Display>) {
    match value {
        Some(value) => set(out, value),
        None => out.clear(),
    }
}

const fn side(side: Side) -> messages::Side {
    match side {
        Side::Buy => messages::Side::Buy,
        Side::Sell => messages::Side::Sell,
    }
}

const fn order_type(kind: &OrderKind) -> OrderType {
    match kind {
        OrderKind::Limit { tif: TimeInForce::Gtc, .. } => OrderType::LimitGtc,
        OrderKind::Limit { tif: TimeInForce::Ioc, .. } => OrderType::LimitIoc,
        OrderKind::Limit { tif: TimeInForce::Fok, .. } => OrderType::LimitFok,
        OrderKind::PostOnly { .. } => OrderType::PostOnly,
        OrderKind::Market { .. } => OrderType::Market,
        OrderKind::MarketNotional { .. } => OrderType::MarketNotional,
    }
}

const fn status(status: OrderStatus) -> messages::Status {
    match status {
        OrderStatus::PendingNew => messages::Status::PendingNew,
        OrderStatus::New => messages::Status::New,
        OrderStatus::PartiallyFilled => messages::Status::PartiallyFilled,
        OrderStatus::Filled => messages::Status::Filled,
        OrderStatus::PendingCancel => messages::Status::PendingCancel,
        OrderStatus::Canceled => messages::Status::Canceled,
        OrderStatus::Rejected => messages::Status::Rejected,
        OrderStatus::Expired => messages::Status::Expired,
        OrderStatus::Unknown => messages::Status::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cex_core::{Bps, Leg, Notional, OrderId, Price, Qty, SymbolId, TradeId};
    use std::time::Duration;

    fn venue(index: u8, name: &str) -> VenueId {
        VenueId::new(index, name).expect("a short name")
    }

    fn decimal(text: &str) -> Decimal {
        text.parse().expect("a decimal")
    }

    fn order(index: u8, name: &str, side: Side, id: &str) -> OrderRequest {
        OrderRequest {
            venue: venue(index, name),
            symbol: SymbolId(0),
            client_id: ClientOrderId::new(id).expect("plain"),
            side,
            kind: OrderKind::Limit { price: Price(642_101), qty: Qty(84_000_000), tif: TimeInForce::Ioc },
            expires_in: Duration::from_millis(1_500),
        }
    }

    #[test]
    fn an_intent_holds_both_legs_and_filling_it_again_leaves_nothing_behind() {
        let leg = |venue, side| Leg {
            venue,
            side,
            limit: Price(642_101),
            qty: Qty(84_000_000),
            notional: Notional(642_101 * 84_000_000),
            fee: Bps::from_bps(5),
        };
        let plan = Plan {
            symbol: SymbolId(0),
            buy: leg(venue(0, "mexc"), Side::Buy),
            sell: leg(venue(1, "gateio"), Side::Sell),
            expected: decimal("1.67"),
            net_edge: Bps::from_bps(3),
        };
        let orders = [order(0, "mexc", Side::Buy, "a-1-b"), order(1, "gateio", Side::Sell, "a-1-s")];
        let symbol: Symbol = "BTC/USDT".parse().expect("a symbol");
        let scale = Scale::new(1, 8).expect("small");
        let mut out = messages::Intent::default();
        intent(&mut out, 7, &symbol, scale, &plan, [&orders[0], &orders[1]]);
        let leg = &out.legs[1];
        assert_eq!(
            (leg.venue.as_str(), leg.client_id.as_str(), leg.side()),
            ("gateio", "a-1-s", messages::Side::Sell)
        );
        assert_eq!(
            (leg.r#type(), leg.price, leg.price_dp, leg.qty, leg.qty_dp),
            (OrderType::LimitIoc, 642_101, 1, 84_000_000, 8)
        );
        assert_eq!((leg.notional.as_str(), leg.expires_in_ns), ("53936.484", 1_500_000_000));
        assert_eq!((out.expected.as_str(), out.net_edge_e8, out.purpose.as_str()), ("1.67", 30_000, "open"));
        let parent = orders[0].client_id;
        let parent = (parent, decimal("0.5"));
        mending(&mut out, parent, &symbol, scale, "hedge", &orders[0], decimal("12.5"));
        let mut fresh = messages::Intent::default();
        mending(&mut fresh, parent, &symbol, scale, "hedge", &orders[0], decimal("12.5"));
        assert_eq!((out.legs.len(), out.parent.as_str(), &out), (1, "a-1-b", &fresh));
        assert_eq!(out.carried, "0.5");
        intent(&mut out, 7, &symbol, scale, &plan, [&orders[0], &orders[1]]);
        assert_eq!((out.parent.as_str(), out.carried.as_str()), ("", ""), "nothing is left behind");
    }

    #[test]
    fn fills_keep_every_fee_and_every_digit() {
        let usdt = Asset::new("USDT").expect("short");
        let fill = Fill {
            venue: venue(0, "mexc"),
            symbol: SymbolId(0),
            trade_id: TradeId::new("t").expect("short"),
            order_id: OrderId::new("C02__1").expect("short"),
            client_id: None,
            side: Side::Sell,
            price: decimal("0.000000001234567891"),
            qty: decimal("1000000000000000.5"),
            fee: decimal("-0.1"),
            fee_asset: usdt,
            second_fee: Some((decimal("0.3"), Asset::new("GT").expect("short"))),
            liquidity: Liquidity::Taker,
            exchange_ts: Timestamp::from_millis(5),
        };
        let symbol: Symbol = "X/USDT".parse().expect("a symbol");
        let mut out = messages::Fill::default();
        self::fill(&mut out, &symbol, &fill);
        assert_eq!((out.price.as_str(), out.qty.as_str()), ("0.000000001234567891", "1000000000000000.5"));
        let fees: Vec<_> = out.fees.iter().map(|fee| (fee.amount.as_str(), fee.asset.as_str())).collect();
        assert_eq!(fees, [("-0.1", "USDT"), ("0.3", "GT")]);
        self::fill(&mut out, &symbol, &Fill { second_fee: None, ..fill });
        assert_eq!(out.fees.len(), 1);
    }
}
