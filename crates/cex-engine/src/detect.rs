//! Where: which two venues of one symbol cross, after one of them changed.
//!
//! The tops of a symbol's venues lie side by side with their fee-adjusted twins, so a change of one venue costs one
//! pass over the other venues of that symbol and nothing else: not the number of symbols, not the depth of books.

use cex_core::{Bps, Price};
use ordered_float::OrderedFloat;

/// Two venues (by index) whose books cross.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crossing {
    /// Where to buy.
    pub buy: usize,
    /// Where to sell.
    pub sell: usize,
    /// Best bid over best ask, before fees.
    pub gross: Bps,
    /// After both taker fees, at the tops; negative when fees eat it.
    pub net: Bps,
}

/// The best prices of one symbol on every venue, before and after fees.
#[derive(Debug, Clone, Default)]
pub struct Tops {
    /// Zero where there is none.
    bids: Vec<i64>,
    /// The largest integer where there is none.
    asks: Vec<i64>,
    keep: Vec<i64>,
    pay: Vec<i64>,
}

impl Tops {
    /// Tops of venues with these taker fees, all absent.
    #[must_use]
    pub fn new(taker_fees: &[Bps]) -> Self {
        Self {
            bids: vec![0; taker_fees.len()],
            asks: vec![i64::MAX; taker_fees.len()],
            keep: taker_fees.iter().map(|fee| Bps::ONE - fee.e8()).collect(),
            pay: taker_fees.iter().map(|fee| Bps::ONE + fee.e8()).collect(),
        }
    }

    /// A venue takes this much from now on.
    pub fn set_fee(&mut self, venue: usize, fee: Bps) {
        (self.keep[venue], self.pay[venue]) = (Bps::ONE - fee.e8(), Bps::ONE + fee.e8());
    }

    /// Sets the top of one venue; `None` for an empty side, both `None` for a book that must not be used. Whether
    /// anything changed.
    pub fn set(&mut self, venue: usize, bid: Option<Price>, ask: Option<Price>) -> bool {
        let (bid, ask) = (bid.map_or(0, |price| price.0), ask.map_or(i64::MAX, |price| price.0));
        let changed = self.bids[venue] != bid || self.asks[venue] != ask;
        (self.bids[venue], self.asks[venue]) = (bid, ask);
        changed
    }

    /// The crossing with the largest edge after fees that involves `changed`, if its book crosses any other.
    #[must_use]
    pub fn crossing(&self, changed: usize) -> Option<Crossing> {
        let (bid, ask) = (self.bids[changed], self.asks[changed]);
        let mut best: Option<(OrderedFloat<f64>, usize, usize)> = None;
        for other in 0..self.bids.len() {
            // A book is never compared with itself: crossed within one venue means broken, not profitable.
            if other == changed {
                continue;
            }
            if bid > self.asks[other] {
                self.rank(other, changed, &mut best);
            }
            if self.bids[other] > ask {
                self.rank(changed, other, &mut best);
            }
        }
        let (_, buy, sell) = best?;
        Some(Crossing { buy, sell, gross: self.gross(buy, sell)?, net: self.net(buy, sell)? })
    }

    /// The crossing of this pair now, if it still crosses.
    #[must_use]
    pub fn pair(&self, buy: usize, sell: usize) -> Option<Crossing> {
        if self.bids[sell] <= self.asks[buy] {
            return None;
        }
        Some(Crossing { buy, sell, gross: self.gross(buy, sell)?, net: self.net(buy, sell)? })
    }

    fn rank(&self, buy: usize, sell: usize, best: &mut Option<(OrderedFloat<f64>, usize, usize)>) {
        let gain = self.bids[sell] as f64 * self.keep[sell] as f64;
        let score = OrderedFloat(gain / (self.asks[buy] as f64 * self.pay[buy] as f64));
        if best.is_none_or(|(known, ..)| score > known) {
            *best = Some((score, buy, sell));
        }
    }

    fn gross(&self, buy: usize, sell: usize) -> Option<Bps> {
        ratio(i128::from(self.bids[sell]), i128::from(self.asks[buy]))
    }

    fn net(&self, buy: usize, sell: usize) -> Option<Bps> {
        let gain = i128::from(self.bids[sell]) * i128::from(self.keep[sell]);
        let cost = i128::from(self.asks[buy]) * i128::from(self.pay[buy]);
        ratio(gain, cost)
    }
}

fn ratio(gain: i128, cost: i128) -> Option<Bps> {
    Bps::ratio(cex_core::Notional(gain - cost), cex_core::Notional(cost))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tops(fees_bps: &[i32], prices: &[(i64, i64)]) -> Tops {
        let fees: Vec<_> = fees_bps.iter().map(|fee| Bps::from_bps(*fee)).collect();
        let mut tops = Tops::new(&fees);
        for (venue, (bid, ask)) in prices.iter().enumerate() {
            tops.set(venue, Some(Price(*bid)), Some(Price(*ask)));
        }
        tops
    }

    #[test]
    fn finds_the_pair_with_the_largest_net_edge() {
        let tops = tops(&[10, 10, 50], &[(9_990, 10_000), (10_050, 10_060), (10_060, 10_070)]);
        let crossing = tops.crossing(0).expect("crosses both");
        assert_eq!((crossing.buy, crossing.sell), (0, 1), "the higher bid costs more in fees");
        assert_eq!(crossing.gross, Bps::from_bps(50));
        assert!(crossing.net > Bps::from_bps(29) && crossing.net < Bps::from_bps(30));
        assert_eq!(tops.crossing(1).map(|found| (found.buy, found.sell)), Some((0, 1)));
    }

    #[test]
    fn locked_absent_and_own_books_do_not_cross() {
        assert_eq!(tops(&[0, 0], &[(99, 100), (100, 101)]).crossing(0), None, "locked is not crossed");
        assert_eq!(tops(&[0, 0], &[(105, 100), (90, 110)]).crossing(0), None, "crossed within one venue");
        let mut gone = tops(&[0, 0], &[(99, 100), (105, 106)]);
        assert!(gone.crossing(1).is_some());
        assert!(gone.set(1, None, None) && !gone.set(1, None, None));
        assert_eq!((gone.crossing(0), gone.crossing(1)), (None, None));
    }

    proptest! {
        #[test]
        fn equals_comparing_all_pairs_of_the_changed_venue(
            venues in proptest::collection::vec((1i64..50, 1i64..50, 0i32..30), 2..17),
            pick in any::<proptest::sample::Index>(),
        ) {
            let fees: Vec<_> = venues.iter().map(|venue| venue.2).collect();
            let prices: Vec<_> = venues.iter().map(|venue| (10_000 + venue.0, 10_000 + venue.1)).collect();
            let changed = pick.index(venues.len());
            let tops = tops(&fees, &prices);
            let expected = (0..venues.len())
                .flat_map(|buy| (0..venues.len()).map(move |sell| (buy, sell)))
                .filter(|(buy, sell)| buy != sell && (*buy == changed || *sell == changed))
                .filter_map(|(buy, sell)| tops.pair(buy, sell))
                .map(|crossing| crossing.net)
                .max();
            prop_assert_eq!(tops.crossing(changed).map(|crossing| crossing.net), expected);
        }
    }
}
