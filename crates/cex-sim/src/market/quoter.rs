//! The makers of one market: a ladder on each side of a fair price, and bait while the market has diverged.

use super::catalogue::{Class, Coin};
use super::config::{Mood, VenueConfig};
use super::desk::{Desk, House};
use super::dice::Dice;
use super::drift::{BPS, Drift};
use super::ladder::{Ladder, Shape};
use crate::matching::{MarketIndex, Resting};
use cex_core::{Price, Qty, Side, Timestamp};

/// How far the fair price may run from the quoted one before the makers must follow at once.
const TOLERANCE: f64 = BPS;

/// An exchange's own price stays this near to the common one.
const BASIS_BOUND: f64 = BPS;

/// How many levels of bait a divergence has at most, and what each is worth.
const BAIT_LEVELS: (usize, usize) = (3, 6);
const BAIT_VALUE: (f64, f64) = (300.0, 4_000.0);

/// What a class of coins looks like in a book.
struct Profile {
    /// Half the spread, and the distance of the first levels, relative to the price.
    half_spread: f64,
    first_gap: f64,
    /// Usual worth of the top level, in quote.
    top_value: f64,
}

const fn profile(class: Class) -> Profile {
    match class {
        Class::Major => Profile { half_spread: 0.3 * BPS, first_gap: 0.05 * BPS, top_value: 6_000.0 },
        Class::Mid => Profile { half_spread: 1.2 * BPS, first_gap: 0.2 * BPS, top_value: 2_000.0 },
        Class::Small => Profile { half_spread: 2.5 * BPS, first_gap: 0.5 * BPS, top_value: 800.0 },
    }
}

/// A market whose makers see the price elsewhere than the rest of the world does.
///
/// The side that gives something away holds `bait`: a few levels at the departed price. Nobody puts more there once
/// it is taken. The other side has moved away with the price.
#[derive(Debug, Clone)]
struct Divergence {
    shift: f64,
    bait: Vec<Resting>,
    /// Price of the best bait.
    best: i64,
}

impl Divergence {
    fn bait_side(&self) -> Side {
        if self.shift > 0.0 { Side::Buy } else { Side::Sell }
    }
}

/// The makers of one market.
#[derive(Debug, Clone)]
pub(super) struct Quoter {
    pub(super) market: MarketIndex,
    pub(super) house: House,
    bids: Ladder,
    asks: Ladder,
    shape: Shape,
    /// The starting price, and half the spread, in ticks.
    start: f64,
    half_spread: f64,
    lots_per_quote: f64,
    basis: Drift,
    /// Where the makers thought fair was when they last quoted, relative to the start.
    quoted: f64,
    divergence: Option<Divergence>,
}

impl Quoter {
    pub(super) fn new(
        now: Timestamp,
        market: MarketIndex,
        house: House,
        coin: &Coin,
        venue: &VenueConfig,
        mood: &Mood,
    ) -> Self {
        let profile = profile(coin.class);
        let (start, lots_per_quote) = (coin.price_in_ticks(venue), coin.lots_per_quote(venue));
        let shape = Shape {
            levels: mood.levels,
            first_gap: profile.first_gap * start,
            largest_gap: 4.0 * BPS * start,
            doubling: 10.0 * BPS * start,
            top_size: mood.size(profile.top_value) * lots_per_quote,
            // Prices wander, so what is worth the least notional now gets some room.
            least_size: 2.0 * f64::from(venue.min_notional) * lots_per_quote,
        };
        Self {
            market,
            house,
            bids: Ladder::new(Side::Buy),
            asks: Ladder::new(Side::Sell),
            shape,
            start,
            half_spread: profile.half_spread * start,
            lots_per_quote,
            basis: Drift::new(now, 0.1 * BPS, 0.05, BASIS_BOUND),
            quoted: 1.0,
            divergence: None,
        }
    }

    /// Moves the exchange's own part of the price on.
    pub(super) fn advance(&mut self, now: Timestamp, dice: &mut Dice) {
        self.basis.advance(now, dice);
    }

    fn fair(&self, common: f64) -> f64 {
        common * (1.0 + self.basis.value())
    }

    /// Whether the makers must follow the price now and not at their leisure.
    pub(super) fn is_off(&self, common: f64) -> bool {
        (self.fair(common) / self.quoted - 1.0).abs() > TOLERANCE
    }

    /// Quotes around the price as it is. Whatever became too good a price goes before anything is placed.
    pub(super) fn requote(&mut self, desk: &mut Desk<'_>, common: f64, dice: &mut Dice) {
        self.quoted = self.fair(common);
        let (bid, ask) = self.tops();
        let (bid, ask) = (self.bids.key(bid), self.asks.key(ask));
        self.bids.retreat(desk, bid);
        self.asks.retreat(desk, ask);
        self.bids.advance(desk, bid, &self.shape, dice);
        self.asks.advance(desk, ask, &self.shape, dice);
        self.bids.stir(desk, bid, &self.shape, dice);
        self.asks.stir(desk, ask, &self.shape, dice);
    }

    /// The best bid and ask of the ladders.
    fn tops(&self) -> (i64, i64) {
        let fair = self.start * self.quoted;
        let (mut bid_mid, mut ask_mid) = (fair, fair);
        match &self.divergence {
            Some(divergence) if divergence.shift > 0.0 => ask_mid = fair * (1.0 + divergence.shift),
            Some(divergence) => bid_mid = fair * (1.0 + divergence.shift),
            None => {}
        }
        let bid = (bid_mid - self.half_spread).floor() as i64;
        let ask = ((ask_mid + self.half_spread).ceil() as i64).max(bid + 1);
        // Bait stays where it is while the price moves on: the ladder must not run into it.
        match &self.divergence {
            Some(divergence) if divergence.shift > 0.0 => (bid, ask.max(divergence.best + 1)),
            Some(divergence) => (bid.min(divergence.best - 1), ask),
            None => (bid, ask),
        }
    }

    /// So many coins became one, and every order is gone: the same worth at so many times the price.
    pub(super) fn redenominate(&mut self, times: f64) {
        (self.bids, self.asks, self.divergence) = (Ladder::new(Side::Buy), Ladder::new(Side::Sell), None);
        self.start *= times;
        self.half_spread *= times;
        self.lots_per_quote /= times;
        self.shape.first_gap *= times;
        self.shape.largest_gap *= times;
        self.shape.doubling *= times;
        self.shape.top_size = (self.shape.top_size / times).max(1.0);
        self.shape.least_size = (self.shape.least_size / times).max(1.0);
    }

    /// Whether the market has diverged.
    pub(super) const fn has_diverged(&self) -> bool {
        self.divergence.is_some()
    }

    /// The makers of this exchange see the price move by `shift` while the rest of the world does not.
    pub(super) fn diverge(&mut self, desk: &mut Desk<'_>, common: f64, shift: f64, dice: &mut Dice) {
        self.quoted = self.fair(common);
        let mid = self.start * self.quoted * (1.0 + shift);
        let best = if shift > 0.0 { mid - self.half_spread } else { mid + self.half_spread };
        let best = if shift > 0.0 { best.floor() } else { best.ceil() } as i64;
        self.divergence = Some(Divergence { shift, bait: Vec::new(), best });
        self.requote(desk, common, dice);
        self.lay_bait(desk, dice);
    }

    fn lay_bait(&mut self, desk: &mut Desk<'_>, dice: &mut Dice) {
        let (bid, ask) = self.tops();
        let Some(divergence) = &mut self.divergence else { return };
        let side = divergence.bait_side();
        let (fewest, most) = BAIT_LEVELS;
        let mut price = divergence.best;
        for _ in 0..fewest + dice.below(most - fewest + 1) {
            let step = (dice.between(0.5, 3.0) * BPS * self.start).max(1.0) as i64;
            let is_ahead_of_ladder = if side == Side::Buy { price > bid } else { price < ask };
            if !is_ahead_of_ladder {
                break;
            }
            let size = dice.octaves(BAIT_VALUE.0, BAIT_VALUE.1) * self.lots_per_quote;
            divergence.bait.extend(desk.quote(side, Price(price), Qty(size as i64)));
            price += if side == Side::Buy { -step } else { step };
        }
    }

    /// The makers come to their senses.
    pub(super) fn converge(&mut self, desk: &mut Desk<'_>, common: f64, dice: &mut Dice) {
        let Some(divergence) = self.divergence.take() else { return };
        for order in divergence.bait {
            desk.cancel(order);
        }
        self.requote(desk, common, dice);
    }
}
