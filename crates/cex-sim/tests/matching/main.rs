//! The matching engine: every kind of order by example, random trading against the laws of money, and equality with
//! a matcher too simple to be wrong.

mod events;
mod examples;
mod laws;
mod naive;
mod oracle;

use cex_core::{Asset, Bps, Decimal, Price, Qty, Scale, Side, Symbol, Timestamp};
use cex_sim::matching::{
    AccountIndex, BuyFee, Exchange, MarketIndex, MarketRules, NewOrder, NewOrderKind, OrderNo, OrderView,
    Reject,
};

/// When everything happens.
const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

/// `AAA/QQQ`: a buyer pays fees in quote.
const QUOTE_FEE: MarketIndex = MarketIndex(0);
/// `BBB/QQQ`: a buyer pays fees in base, makers get a rebate.
const BASE_FEE: MarketIndex = MarketIndex(1);
/// `AAA/BBB`: the quote of this market is the base of another.
const CROSS: MarketIndex = MarketIndex(2);

fn decimal(text: &str) -> Decimal {
    text.parse().expect("tests write plain numbers")
}

fn asset(name: &str) -> Asset {
    Asset::new(name).expect("names of tests are short")
}

fn rules(base: &str, quote: &str, fees: (i32, i32), buy_fee: BuyFee, dp: (u8, u8)) -> MarketRules {
    MarketRules {
        symbol: Symbol::new(base, quote).expect("names of tests are short"),
        scale: Scale::new(dp.0, dp.1).expect("decimals of tests are few"),
        min_qty: Qty(2),
        min_notional: decimal("0.05"),
        maker_fee: Bps::from_bps(fees.0),
        taker_fee: Bps::from_bps(fees.1),
        buy_fee,
    }
}

fn markets() -> Vec<MarketRules> {
    vec![
        rules("AAA", "QQQ", (2, 5), BuyFee::Quote, (2, 1)),
        rules("BBB", "QQQ", (-1, 10), BuyFee::Base, (1, 2)),
        rules("AAA", "BBB", (20, 3), BuyFee::Quote, (1, 1)),
    ]
}

/// Everybody begins with this of each asset.
const DEPOSIT: &str = "1000";

fn deposits() -> Vec<(Asset, Decimal)> {
    ["AAA", "BBB", "QQQ"].iter().map(|name| (asset(name), decimal(DEPOSIT))).collect()
}

/// An exchange with clients of these names, whose keys are their names too.
fn exchange(clients: &[&str]) -> Exchange {
    let mut exchange = Exchange::new("test", markets());
    for name in clients {
        exchange.open_account(NOW, name, name, "secret", &deposits());
    }
    exchange
}

fn order(market: MarketIndex, side: Side, kind: NewOrderKind) -> NewOrder {
    NewOrder { market, client_id: String::new(), side, kind }
}

const fn limit(price: i64, qty: i64) -> NewOrderKind {
    NewOrderKind::Limit { price: Price(price), qty: Qty(qty) }
}

/// An exchange with two clients, and short ways to trade on it.
struct Pit {
    exchange: Exchange,
    maker: AccountIndex,
    taker: AccountIndex,
}

impl Pit {
    fn new() -> Self {
        let exchange = exchange(&["maker", "taker"]);
        Self { exchange, maker: AccountIndex(0), taker: AccountIndex(1) }
    }

    /// The maker's limit order, which must rest.
    fn rest(&mut self, market: MarketIndex, side: Side, price: i64, qty: i64) -> OrderNo {
        let placed = self.exchange.place(NOW, self.maker, order(market, side, limit(price, qty)));
        placed.expect("the maker is rich and the rules are kept").no
    }

    fn take(&mut self, market: MarketIndex, side: Side, kind: NewOrderKind) -> Result<OrderView, Reject> {
        self.exchange.place(NOW, self.taker, order(market, side, kind))
    }

    /// Free and locked, as text.
    fn balance(&self, account: AccountIndex, name: &str) -> (String, String) {
        let (free, locked) = self.exchange.balance(account, asset(name));
        (free.to_string(), locked.to_string())
    }

    fn levels(&self, market: MarketIndex, side: Side) -> Vec<(i64, i64)> {
        let plain = |(price, qty): (Price, Qty)| (price.0, qty.0);
        match side {
            Side::Buy => self.exchange.bids(market).map(plain).collect(),
            Side::Sell => self.exchange.asks(market).map(plain).collect(),
        }
    }
}
