//! One symbol on all exchanges: its price and the makers of its markets.

use super::catalogue::Class;
use super::config::Mood;
use super::desk::Desk;
use super::dice::Dice;
use super::drift::{BPS, Drift, growth};
use super::quoter::Quoter;
use crate::matching::Exchange;
use cex_core::{Side, Timestamp};
use std::time::Duration;

/// How restless a class of coins is.
#[derive(Debug, Clone, Copy)]
struct Temper {
    /// Deviation of the symbol's own part of the price after a second.
    deviation: f64,
    /// How much of the common factor the symbol follows.
    beta: f64,
    /// Least and most time between two changes of a book, in milliseconds.
    pause_ms: (f64, f64),
    /// How likely someone takes between two changes.
    crowd: f64,
}

const fn temper(class: Class) -> Temper {
    match class {
        Class::Major => Temper { deviation: 0.3 * BPS, beta: 1.0, pause_ms: (10.0, 30.0), crowd: 0.12 },
        Class::Mid => Temper { deviation: 0.6 * BPS, beta: 1.2, pause_ms: (25.0, 60.0), crowd: 0.08 },
        Class::Small => Temper { deviation: 0.8 * BPS, beta: 1.4, pause_ms: (50.0, 100.0), crowd: 0.05 },
    }
}

/// Part of a symbol's own price change that is lost per second, and how far it can ever go.
const PULL: f64 = 0.000_2;
const OWN_BOUND: f64 = 0.1;

/// After a divergence a symbol stays in line at least this long.
const CALM: Duration = Duration::from_millis(250);

/// One symbol on all exchanges.
#[derive(Debug, Clone)]
pub(super) struct Traded {
    dice: Dice,
    own: Drift,
    temper: Temper,
    /// By exchange.
    quoters: Vec<Quoter>,
    /// The exchange that has diverged.
    diverged: Option<usize>,
    calm_until: Timestamp,
}

impl Traded {
    pub(super) fn new(now: Timestamp, dice: Dice, class: Class, mood: &Mood, quoters: Vec<Quoter>) -> Self {
        let temper = temper(class);
        let own = Drift::new(now, mood.deviation(temper.deviation), PULL, OWN_BOUND);
        Self { dice, own, temper, quoters, diverged: None, calm_until: now }
    }

    /// Fills the empty books, and lets each market have a last price.
    pub(super) fn open(&mut self, now: Timestamp, factor: f64, exchanges: &mut [Exchange]) {
        let common = self.advance(now, factor);
        for (quoter, exchange) in self.quoters.iter_mut().zip(exchanges) {
            let mut desk = seat(quoter, now, exchange);
            quoter.requote(&mut desk, common, &mut self.dice);
            desk.hit(Side::Buy, 0.2);
        }
    }

    /// The makers of one exchange quote anew; those of the others too if the price has run away from them, so that
    /// no exchange's quotes are ever much older than another's.
    pub(super) fn requote(&mut self, now: Timestamp, factor: f64, at: usize, exchanges: &mut [Exchange]) {
        let common = self.advance(now, factor);
        for (index, (quoter, exchange)) in self.quoters.iter_mut().zip(exchanges).enumerate() {
            if index == at || quoter.is_off(common) {
                let mut desk = seat(quoter, now, exchange);
                if index == at && !quoter.has_diverged() && self.dice.chance(self.temper.crowd) {
                    let side = if self.dice.chance(0.5) { Side::Buy } else { Side::Sell };
                    desk.hit(side, self.dice.between(0.02, 0.6));
                }
                quoter.requote(&mut desk, common, &mut self.dice);
            }
        }
    }

    /// Whether the symbol may diverge now.
    pub(super) fn may_diverge(&self, now: Timestamp) -> bool {
        self.diverged.is_none() && now >= self.calm_until
    }

    /// So many coins became one on an exchange, whose orders are all gone.
    pub(super) fn redenominate(&mut self, at: usize, times: f64) {
        if let Some(quoter) = self.quoters.get_mut(at) {
            quoter.redenominate(times);
        }
    }

    /// Whether the symbol has diverged.
    pub(super) const fn has_diverged(&self) -> bool {
        self.diverged.is_some()
    }

    /// One exchange's price departs. All makers quote first, so that the rest of the world is where it should be.
    pub(super) fn diverge(
        &mut self,
        now: Timestamp,
        factor: f64,
        at: usize,
        shift: f64,
        exchanges: &mut [Exchange],
    ) {
        let common = self.advance(now, factor);
        self.diverged = Some(at);
        for (index, (quoter, exchange)) in self.quoters.iter_mut().zip(exchanges).enumerate() {
            let mut desk = seat(quoter, now, exchange);
            if index == at {
                quoter.diverge(&mut desk, common, shift, &mut self.dice);
            } else {
                quoter.requote(&mut desk, common, &mut self.dice);
            }
        }
    }

    /// The departed price comes back.
    pub(super) fn converge(&mut self, now: Timestamp, factor: f64, exchanges: &mut [Exchange]) {
        let common = self.advance(now, factor);
        for (quoter, exchange) in self.quoters.iter_mut().zip(exchanges) {
            let mut desk = seat(quoter, now, exchange);
            if quoter.has_diverged() {
                quoter.converge(&mut desk, common, &mut self.dice);
            } else {
                quoter.requote(&mut desk, common, &mut self.dice);
            }
        }
        self.diverged = None;
        self.calm_until = now + CALM;
    }

    /// How long until one of the symbol's books changes again.
    pub(super) fn pause(&mut self) -> Duration {
        let (least, most) = self.temper.pause_ms;
        Duration::from_nanos((self.dice.between(least, most) * 1e6) as u64)
    }

    /// Moves the price on. Answers it relative to the starting price.
    fn advance(&mut self, now: Timestamp, factor: f64) -> f64 {
        self.own.advance(now, &mut self.dice);
        for quoter in &mut self.quoters {
            quoter.advance(now, &mut self.dice);
        }
        growth(self.temper.beta * factor + self.own.value())
    }
}

fn seat<'a>(quoter: &Quoter, now: Timestamp, exchange: &'a mut Exchange) -> Desk<'a> {
    Desk { now, exchange, market: quoter.market, house: quoter.house }
}

#[cfg(test)]
mod tests {
    use super::{Dice, Exchange, Quoter, Side, Timestamp, Traded};
    use crate::market::catalogue::coins;
    use crate::market::config::{Mood, VenueConfig};
    use crate::market::desk::House;
    use crate::matching::MarketIndex;
    use std::time::Duration;

    /// Bitcoin, whose ticks are too small to matter, on two exchanges.
    fn bitcoin(now: Timestamp) -> (Traded, Vec<Exchange>) {
        let coin = &coins(1, false)[0];
        let rich = [("BTC", 1_000_000), ("USDT", 1_000_000_000)];
        let rich =
            rich.map(|(name, amount)| (name.parse().expect("a short name"), cex_core::Decimal::from(amount)));
        let venues = [VenueConfig::mexc(), VenueConfig::mexc()];
        let mut exchanges = Vec::new();
        let mut quoters = Vec::new();
        for venue in &venues {
            let mut exchange = Exchange::new("sim", vec![coin.rules(venue)]);
            let mut account = || exchange.open_house_account(now, "house", &rich);
            let house = House { maker: account(), taker: account() };
            quoters.push(Quoter::new(now, MarketIndex(0), house, coin, venue, &Mood::default()));
            exchanges.push(exchange);
        }
        (Traded::new(now, Dice::new(5, 1), coin.class, &Mood::default(), quoters), exchanges)
    }

    #[test]
    fn no_exchange_stays_behind_even_when_it_is_never_its_turn() {
        let mut now = Timestamp::from_secs(1_800_000_000);
        let (mut traded, mut exchanges) = bitcoin(now);
        traded.open(now, 0.0, &mut exchanges);
        for step in 0..2_000 {
            now += Duration::from_secs(1);
            traded.requote(now, f64::from(step) * 0.000_02, 0, &mut exchanges);
            let mid = |exchange: &Exchange| {
                let best = [Side::Buy, Side::Sell].map(|side| match side {
                    Side::Buy => exchange.bids(MarketIndex(0)).next(),
                    Side::Sell => exchange.asks(MarketIndex(0)).next(),
                });
                best.into_iter().flatten().map(|(price, _)| price.0 as f64).sum::<f64>() / 2.0
            };
            let apart = (mid(&exchanges[0]) / mid(&exchanges[1]) - 1.0).abs();
            assert!(apart < 4.1 * super::BPS, "step {step}: {apart}");
        }
    }
}
