//! Budget: orders a second through the simulator's matching engine, money and events included.

use cex_benches::measure::{Bound, figure, finish};
use cex_benches::workload::Dice;
use cex_core::{Asset, Bps, Decimal, Price, Qty, Scale, Side, Timestamp};
use cex_sim::matching::{
    AccountIndex, BuyFee, Exchange, ExchangeEvent, MarketIndex, MarketRules, NewOrder, NewOrderKind, OrderNo,
};
use std::process::ExitCode;
use std::time::Instant;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
/// Orders of a round.
const ORDERS: usize = 400_000;
/// Rounds; the median counts.
const ROUNDS: usize = 9;
/// Orders that rest, about: the book stays as deep as the makers of a busy market keep it.
const RESTING: usize = 2_000;
/// Ticks on each side over which orders rest.
const WIDTH: u64 = 120;

fn main() -> ExitCode {
    let figures =
        [("of makers, who are told nothing", true), ("of clients, with ledger, history and news", false)]
            .map(|(whose, is_house)| {
                let mut rates: Vec<f64> = (0..ROUNDS).map(|round| round_of(round as u64, is_house)).collect();
                rates.sort_by(f64::total_cmp);
                let bound = Bound::AtLeast(if is_house { 1_000_000.0 } else { 300_000.0 });
                figure(&format!("matching, orders {whose}"), rates[ROUNDS / 2], "orders/s", bound)
            });
    finish(&figures)
}

fn exchange(is_house: bool) -> (Exchange, [AccountIndex; 2]) {
    let rules = MarketRules {
        symbol: "BTC/USDT".parse().expect("a symbol"),
        scale: Scale::new(2, 6).expect("a scale"),
        min_qty: Qty(1),
        min_notional: Decimal::ONE,
        maker_fee: Bps::ZERO,
        taker_fee: Bps::from_bps(5),
        buy_fee: BuyFee::Base,
    };
    let mut exchange = Exchange::new("bench", vec![rules]);
    let deposits =
        ["BTC", "USDT"].map(|name| (Asset::new(name).expect("short"), Decimal::from(1_000_000_000)));
    let accounts = ["maker", "taker"].map(|name| {
        if is_house {
            exchange.open_house_account(NOW, name, &deposits)
        } else {
            exchange.open_account(NOW, name, name, "secret", &deposits)
        }
    });
    (exchange, accounts)
}

/// Makers quote and take back, takers take: of ten orders nine rest at first and one takes.
fn round_of(seed: u64, is_house: bool) -> f64 {
    let (mut exchange, [maker, taker]) = exchange(is_house);
    let mut dice = Dice::new(seed + 1);
    let mut resting: Vec<OrderNo> = Vec::with_capacity(RESTING + 1);
    let mut events: Vec<ExchangeEvent> = Vec::new();
    let mut traded = 0;
    let started = Instant::now();
    for count in 0..ORDERS {
        let side = if dice.below(2) == 0 { Side::Buy } else { Side::Sell };
        let away = 1 + i64::try_from(dice.below(WIDTH)).unwrap_or(0);
        let qty = Qty(1_000 + i64::try_from(dice.below(100_000)).unwrap_or(0));
        let takes = dice.below(10) == 0;
        let (price, account) = match (takes, side) {
            (false, Side::Buy) => (Price(6_000_000 - away), maker),
            (false, Side::Sell) => (Price(6_000_000 + away), maker),
            (true, Side::Buy) => (Price(6_000_000 + away), taker),
            (true, Side::Sell) => (Price(6_000_000 - away), taker),
        };
        let kind = if takes { NewOrderKind::Ioc { price, qty } } else { NewOrderKind::Limit { price, qty } };
        let order = NewOrder { market: MarketIndex(0), client_id: String::new(), side, kind };
        let placed = exchange.place(NOW, account, order).expect("an order both can afford");
        traded += i64::from(takes) * placed.filled_qty.0;
        if !takes {
            resting.push(placed.no);
            if resting.len() > RESTING {
                let at = usize::try_from(dice.below(resting.len() as u64)).unwrap_or(0);
                // One that was filled meanwhile is refused.
                let _ = exchange.cancel(NOW, maker, resting.swap_remove(at));
            }
        }
        if count % 64 == 0 {
            exchange.drain_events(&mut events);
            events.clear();
        }
    }
    assert!(traded > 0, "takers trade");
    ORDERS as f64 / started.elapsed().as_secs_f64()
}
