//! Paper: orders go nowhere. Each is filled against the live book as it stands when the order would have arrived, from an
//! account that exists only here. Nothing private is ever asked of an exchange; it needs no key and has none.
//!
//! What no paper can tell: whether others would have been faster, and what our own orders would have moved. A level that
//! was taken is not taken twice for half a minute: by then somebody has put something there anew, or nobody has.

use crate::config::Config;
use crate::exit::{Exit, Failure};
use cex_core::{
    Account, AccountEvent, Asset, Balance, Bps, Decimal, Fill, Level, Liquidity, Market, NumError, Order,
    OrderId, OrderRequest, OrderStatus, Price, Qty, Side, Symbol, SymbolId, Text, Timestamp, TradeId,
    VenueId,
};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// Levels of a book that one order looks at: as deep as any order of ours reaches.
const DEEPEST: usize = 200;

/// Whether accounts on paper may hold what they begin with, and can spend a whole leg of it (R13): otherwise every opening would
/// be refused, and nobody told why.
///
/// # Errors
/// Exit code 3 with what would fit.
pub fn fits(config: &Config, symbols: usize) -> Result<(), Failure> {
    let coins = Decimal::from(i64::try_from(symbols).unwrap_or(i64::MAX));
    let (quote, coin) = (config.paper.start_quote_usdt, config.paper.start_coin_usdt);
    covers_a_leg(config, "start_quote_usdt", quote)?;
    covers_a_leg(config, "start_coin_usdt", coin)?;
    let most = config.risk.max_venue_equity_usdt;
    let equity = coin.checked_mul(coins).and_then(|coins| coins.checked_add(quote));
    if equity.is_ok_and(|equity| equity <= most) {
        return Ok(());
    }
    let equity = equity.map_or_else(|error| error.to_string(), |equity| equity.to_string());
    let what = format!(
        "an account on paper begins with {equity} USDT ({quote} and {coin} of each of {symbols} coins), more than \
         risk.max_venue_equity_usdt = {most}: nothing would be opened"
    );
    Err(Failure::new(
        Exit::BadConfig,
        what,
        "name fewer symbols, raise the limit, or lower paper.start_coin_usdt, with risk.max_leg_usdt if need be",
    ))
}

/// Whether a whole leg can be spent out of this. What stays is a part of what both accounts of an arbitrage hold, and they begin
/// with the same.
fn covers_a_leg(config: &Config, key: &str, start: Decimal) -> Result<(), Failure> {
    let leg = config.risk.max_leg_usdt;
    let kept = start.checked_mul(config.risk.min_inventory_pct.fraction());
    let kept = kept.and_then(|kept| kept.checked_add(kept));
    if kept.and_then(|kept| start.checked_sub(kept)).is_ok_and(|free| free >= leg) {
        return Ok(());
    }
    let kept = kept.map_or_else(|error| error.to_string(), |kept| kept.to_string());
    let what = format!(
        "paper.{key} = {start}, of which risk.min_inventory_pct keeps {kept}, does not cover one leg, \
         risk.max_leg_usdt = {leg}: such legs would not be opened"
    );
    let fix = format!("raise paper.{key}, or lower risk.max_leg_usdt or risk.min_inventory_pct");
    Err(Failure::new(Exit::BadConfig, what, fix))
}

/// What an order came to, as an exchange would tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    /// The order at its end.
    pub order: Order,
    /// Its fills.
    pub fills: Vec<AccountEvent>,
}

/// What was taken of a level, and when that was last.
type Taken = (Qty, Timestamp);

/// What was taken of a level is missing there for so long.
const MISSING_FOR: Duration = Duration::from_secs(30);

/// Accounts on paper, one per exchange.
#[derive(Debug)]
pub struct Paper {
    latency: Duration,
    held: BTreeMap<(VenueId, Asset), Decimal>,
    fees: BTreeMap<(VenueId, SymbolId), Bps>,
    taken: HashMap<(VenueId, SymbolId, Side, Price), Taken>,
    orders: u64,
    trades: u64,
}

impl Paper {
    /// Accounts with nothing in them. Orders take `latency` to arrive, answers as long to come back.
    #[must_use]
    pub fn new(latency: Duration, fees: BTreeMap<(VenueId, SymbolId), Bps>) -> Self {
        Self { latency, held: BTreeMap::new(), fees, taken: HashMap::new(), orders: 0, trades: 0 }
    }

    /// How long an order, or an answer, is on its way.
    #[must_use]
    pub const fn latency(&self) -> Duration {
        self.latency
    }

    /// Puts so much into an account.
    pub fn deposit(&mut self, venue: VenueId, asset: Asset, amount: Decimal) {
        self.held.insert((venue, asset), amount);
    }

    /// What an account holds.
    #[must_use]
    pub fn account(&self, venue: VenueId, now: Timestamp) -> Account {
        let held = self.held.iter().filter(|((at, _), _)| *at == venue);
        let balance = |(&(_, asset), free): (&(VenueId, Asset), &Decimal)| Balance {
            asset,
            free: *free,
            locked: Decimal::ZERO,
            as_of: now,
        };
        Account { balances: held.map(balance).collect(), can_trade: Some(true), can_withdraw: Some(false) }
    }

    /// An order arrives: what of it the book fills at once, the rest is cancelled. `opposite` is the side of the book it
    /// takes from, best first; none of it when the book cannot be used, which fills nothing.
    ///
    /// # Errors
    /// When its money does not fit.
    pub fn arrive(
        &mut self,
        now: Timestamp,
        order: &OrderRequest,
        market: &Market,
        opposite: impl Iterator<Item = Level>,
    ) -> Result<Execution, NumError> {
        self.orders += 1;
        let number = format!("paper-{}", self.orders);
        let order_id = OrderId::new(&number).map_err(|_| NumError::Overflow)?;
        let (Some(limit), Some(qty)) = (order.kind.price(), order.kind.qty()) else {
            // Only limits are sent here.
            return Ok(Execution { order: told(now, order, order_id, market, &[])?, fills: Vec::new() });
        };
        let mut fills = Vec::new();
        let mut left = qty;
        for level in opposite.take(DEEPEST) {
            let reached = match order.side {
                Side::Buy => level.price <= limit,
                Side::Sell => level.price >= limit,
            };
            if !reached || left <= Qty::ZERO {
                break;
            }
            let key = (order.venue, order.symbol, order.side, level.price);
            let before = self
                .taken
                .get(&key)
                .filter(|(_, at)| now.since(*at) < MISSING_FOR)
                .map_or(Qty::ZERO, |(took, _)| *took);
            let qty = Qty(level.qty.0 - before.0).min(left).floor_to(market.lot);
            if qty <= Qty::ZERO {
                continue;
            }
            let Some(fill) = self.fill(now, order, order_id, market, (level.price, qty))? else { break };
            self.taken.insert(key, (Qty(before.0 + qty.0), now));
            left = Qty(left.0 - qty.0);
            fills.push(fill);
        }
        let order = told(now, order, order_id, market, &fills)?;
        Ok(Execution { order, fills: fills.into_iter().map(AccountEvent::Fill).collect() })
    }

    /// Moves the money of one fill; `None` when the account does not have it.
    fn fill(
        &mut self,
        now: Timestamp,
        order: &OrderRequest,
        order_id: OrderId,
        market: &Market,
        (price, qty): (Price, Qty),
    ) -> Result<Option<Fill>, NumError> {
        let Symbol { base, quote } = market.symbol();
        let (price, qty) = (market.scale.price_value(price), market.scale.qty_value(qty));
        let notional = price.checked_mul(qty)?;
        let ((spent, cost), (got, gain)) = match order.side {
            Side::Buy => ((quote, notional), (base, qty)),
            Side::Sell => ((base, qty), (quote, notional)),
        };
        // The list's may have risen above what is configured.
        let configured = self.fees.get(&(order.venue, order.symbol)).copied();
        let rate = configured.unwrap_or_default().max(market.info.taker_fee);
        // From what is received, as both exchanges do.
        let fee = gain.checked_mul(rate.fraction())?;
        let left = self.held_of(order.venue, spent).checked_sub(cost)?;
        if left.is_negative() {
            return Ok(None);
        }
        let more = self.held_of(order.venue, got).checked_add(gain)?.checked_sub(fee)?;
        self.held.insert((order.venue, spent), left);
        self.held.insert((order.venue, got), more);
        self.trades += 1;
        let trade_id: TradeId =
            Text::new(&format!("paper-{}", self.trades)).map_err(|_| NumError::Overflow)?;
        Ok(Some(Fill {
            venue: order.venue,
            symbol: order.symbol,
            trade_id,
            order_id,
            client_id: Some(order.client_id),
            side: order.side,
            price,
            qty,
            fee,
            fee_asset: got,
            second_fee: None,
            liquidity: Liquidity::Taker,
            exchange_ts: now,
        }))
    }

    fn held_of(&self, venue: VenueId, asset: Asset) -> Decimal {
        self.held.get(&(venue, asset)).copied().unwrap_or(Decimal::ZERO)
    }
}

/// The order at its end.
fn told(
    now: Timestamp,
    order: &OrderRequest,
    order_id: OrderId,
    market: &Market,
    fills: &[Fill],
) -> Result<Order, NumError> {
    let (mut filled_qty, mut filled_notional) = (Decimal::ZERO, Decimal::ZERO);
    for fill in fills {
        filled_qty = filled_qty.checked_add(fill.qty)?;
        filled_notional = filled_notional.checked_add(fill.notional()?)?;
    }
    let qty = order.kind.qty().map(|qty| market.scale.qty_value(qty));
    let status = if qty == Some(filled_qty) { OrderStatus::Filled } else { OrderStatus::Canceled };
    Ok(Order {
        venue: order.venue,
        symbol: order.symbol,
        order_id: Some(order_id),
        client_id: Some(order.client_id),
        side: order.side,
        order_type: Some(order.kind.order_type()),
        status,
        price: order.kind.price().map(|price| market.scale.price_value(price)),
        qty,
        filled_qty,
        filled_notional,
        fee: None,
        created_at: now,
        as_of: now,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Surroundings;
    use cex_core::{ClientOrderId, OrderKind, Scale, SymbolInfo, TimeInForce, TradingStatus};

    fn decimal(text: &str) -> Decimal {
        text.parse().expect("a decimal")
    }

    fn asset(name: &str) -> Asset {
        name.parse().expect("short")
    }

    fn market() -> Market {
        let info = SymbolInfo {
            symbol: "BTC/USDT".parse().expect("a symbol"),
            native: Text::new("BTCUSDT").expect("short"),
            status: TradingStatus::Trading,
            api_tradable: true,
            risk_flagged: false,
            tick: decimal("0.01"),
            lot: decimal("0.001"),
            price_dp: 2,
            lot_dp: 3,
            min_qty: Decimal::ZERO,
            min_notional: decimal("1"),
            max_qty: None,
            max_notional: None,
            price_band: None,
            maker_fee: Bps::ZERO,
            taker_fee: Bps::from_bps(10),
            opens_at: None,
            delists_at: None,
        };
        let venue = VenueId::new(0, "a").expect("short");
        Market::new(venue, SymbolId(0), info, Scale::new(2, 3).expect("small")).expect("rules fit")
    }

    fn order(side: Side, price: i64, qty: i64) -> OrderRequest {
        OrderRequest {
            venue: VenueId::new(0, "a").expect("short"),
            symbol: SymbolId(0),
            client_id: ClientOrderId::new("p-1").expect("plain"),
            side,
            kind: OrderKind::Limit { price: Price(price), qty: Qty(qty), tif: TimeInForce::Ioc },
            expires_in: Duration::from_secs(1),
        }
    }

    fn levels(rows: &[(i64, i64)]) -> impl Iterator<Item = Level> {
        rows.iter().map(|(price, qty)| Level { price: Price(*price), qty: Qty(*qty) })
    }

    fn paper(usdt: &str, btc: &str) -> Paper {
        let mut paper = Paper::new(Duration::ZERO, BTreeMap::new());
        let venue = market().venue;
        paper.deposit(venue, asset("USDT"), decimal(usdt));
        paper.deposit(venue, asset("BTC"), decimal(btc));
        paper
    }

    fn held(paper: &Paper) -> [String; 2] {
        let account = paper.account(market().venue, Timestamp::EPOCH);
        ["USDT", "BTC"].map(|name| {
            account.balance(asset(name)).map_or("-".to_owned(), |balance| balance.free.to_string())
        })
    }

    /// Whether a start on paper with the example's two symbols and these settings fits, or why not.
    fn start(sets: &[&str]) -> Result<(), String> {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join("arb.toml");
        std::fs::write(&path, crate::config::command::example()).expect("written");
        let around = Surroundings {
            vars: [("HOME".to_owned(), place.path().display().to_string())].into(),
            directory: place.path().to_owned(),
        };
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        let config = Config::load(Some(&path), &sets, &around).map_err(|problems| problems.to_string())?;
        fits(&config, config.symbols.include.len()).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_start_with_the_example_can_spend_a_whole_leg_of_everything() {
        assert_eq!(start(&[]), Ok(()));
        for (set, key) in [
            (
                "paper.start_coin_usdt=333",
                "paper.start_coin_usdt = 333, of which risk.min_inventory_pct keeps 133.2",
            ),
            ("paper.start_quote_usdt=0", "paper.start_quote_usdt = 0"),
            ("risk.min_inventory_pct=50", "keeps 1000"),
        ] {
            let refused = start(&[set]).expect_err(set);
            assert!(refused.contains(key) && refused.contains("does not cover one leg"), "{refused}");
            assert!(refused.contains("lower risk.max_leg_usdt"), "{refused}");
        }
        assert_eq!(start(&["paper.start_coin_usdt=334"]), Ok(()));
        let refused = start(&["paper.start_coin_usdt=501"]).expect_err("too much at one venue");
        assert!(refused.contains("risk.max_venue_equity_usdt = 2000"), "{refused}");
    }

    #[test]
    fn an_order_takes_what_its_limit_reaches_and_the_rest_is_cancelled() {
        let mut paper = paper("1000", "0");
        let asks = [(10_000, 2_000), (10_010, 1_000), (10_020, 9_000)];
        let done = paper.arrive(Timestamp::EPOCH, &order(Side::Buy, 10_010, 5_000), &market(), levels(&asks));
        let done = done.expect("fits");
        assert_eq!((done.order.status, done.order.filled_qty), (OrderStatus::Canceled, decimal("3")));
        assert_eq!((done.order.filled_notional, done.fills.len()), (decimal("300.1"), 2));
        assert_eq!(held(&paper), ["699.9", "2.997"], "a tenth of a per cent of what was received");
    }

    #[test]
    fn what_was_taken_is_gone_for_a_while_whatever_else_is_shown() {
        let mut paper = paper("1000", "0");
        let mut buy = |secs: i64, shown: i64| {
            let order = order(Side::Buy, 10_000, 1_500);
            let now = Timestamp::from_secs(secs);
            let done = paper.arrive(now, &order, &market(), levels(&[(10_000, shown)]));
            done.expect("fits").order.filled_qty
        };
        assert_eq!(buy(0, 2_000), decimal("1.5"));
        assert_eq!(buy(1, 2_000), decimal("0.5"));
        assert_eq!(buy(2, 2_000), Decimal::ZERO);
        assert_eq!(buy(3, 2_100), decimal("0.1"), "somebody put that there");
        assert_eq!(buy(4, 1_900), Decimal::ZERO, "somebody took some of it away");
        assert_eq!(buy(33, 1_900), decimal("1.5"), "it is somebody else's by now");
    }

    #[test]
    fn an_account_never_spends_what_it_does_not_have() {
        let mut paper = paper("150", "1");
        let done = paper.arrive(
            Timestamp::EPOCH,
            &order(Side::Buy, 10_010, 3_000),
            &market(),
            levels(&[(10_000, 1_000), (10_010, 2_000)]),
        );
        assert_eq!(done.expect("fits").order.filled_qty, decimal("1"), "fifty do not pay for two more");
        let sold = paper.arrive(
            Timestamp::EPOCH,
            &order(Side::Sell, 9_000, 5_000),
            &market(),
            levels(&[(9_500, 5_000)]),
        );
        assert_eq!(sold.expect("fits").order.filled_qty, Decimal::ZERO, "less than two are there");
        assert_eq!(held(&paper), ["50", "1.999"]);
    }
}
