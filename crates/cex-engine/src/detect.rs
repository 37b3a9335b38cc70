//! Where: which two venues of one symbol cross, after one of them changed.
//!
//! The tops of a symbol's venues lie side by side with their fee-adjusted twins, so a change of one venue costs one
//! pass over the other venues of that symbol and nothing else: not the number of symbols, not the depth of books.

use cex_core::{Bps, Price};
use ordered_float::OrderedFloat;

/// Two venues (by index) whose books cross.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crossing {
    /// Index of the venue to buy at.
    pub buy: usize,
    /// Index of the venue to sell at.
    pub sell: usize,
    /// Best bid over best ask, before fees.
    pub gross: Bps,
    /// After both taker fees, at the tops; negative when fees eat it.
    pub net: Bps,
}

/// Which crossing of a symbol comes before which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// What a sale leaves over what the purchase costs.
    score: OrderedFloat<f64>,
    /// Of equal ones there is an order too.
    buy: usize,
    sell: usize,
}

/// The best prices of one symbol on every venue, before and after fees.
#[derive(Debug, Clone, Default)]
pub struct Tops(Vec<Top>);

/// Those of one venue. Two of them share a cache line: what is compared has left the caches when it is needed.
#[derive(Debug, Clone, Copy)]
struct Top {
    /// Zero where there is none.
    bid: i64,
    /// The largest integer where there is none.
    ask: i64,
    /// What a sale leaves of its value, and what a purchase costs, in 10^-8 of it.
    keep: i64,
    pay: i64,
}

impl Top {
    const fn absent(fee: Bps) -> Self {
        Self { bid: 0, ask: i64::MAX, keep: Bps::ONE - fee.e8(), pay: Bps::ONE + fee.e8() }
    }
}

impl Tops {
    /// Tops of venues with these taker fees, all absent.
    #[must_use]
    pub fn new(taker_fees: &[Bps]) -> Self {
        Self(taker_fees.iter().map(|fee| Top::absent(*fee)).collect())
    }

    /// A venue takes this much from now on.
    pub fn set_fee(&mut self, venue: usize, fee: Bps) {
        let Top { bid, ask, .. } = self.0[venue];
        self.0[venue] = Top { bid, ask, ..Top::absent(fee) };
    }

    /// Sets the top of one venue; `None` for an empty side, both `None` for a book that must not be used. Whether
    /// anything changed.
    pub fn set(&mut self, venue: usize, bid: Option<Price>, ask: Option<Price>) -> bool {
        let (bid, ask) = (bid.map_or(0, |price| price.0), ask.map_or(i64::MAX, |price| price.0));
        let top = &mut self.0[venue];
        let changed = top.bid != bid || top.ask != ask;
        (top.bid, top.ask) = (bid, ask);
        changed
    }

    /// The best bid of a venue, if there is one.
    #[must_use]
    pub fn bid(&self, venue: usize) -> Option<Price> {
        self.0.get(venue).map(|top| Price(top.bid)).filter(|bid| bid.0 > 0)
    }

    /// The crossing with the largest edge after fees that involves `changed`, if its book crosses any other; of those that rank below
    /// `above`, where that is given.
    #[must_use]
    pub fn crossing(&self, changed: usize, above: Option<Rank>) -> Option<(Rank, Crossing)> {
        let Top { bid, ask, .. } = self.0[changed];
        let mut best: Option<Rank> = None;
        let mut rank = |buy, sell| {
            let rank = self.rank(buy, sell);
            if above.is_none_or(|above| rank < above) && best.is_none_or(|best| rank > best) {
                best = Some(rank);
            }
        };
        for (index, other) in self.0.iter().enumerate() {
            // A book is never compared with itself: crossed within one venue means broken, not profitable.
            if index == changed {
                continue;
            }
            if bid > other.ask {
                rank(index, changed);
            }
            if other.bid > ask {
                rank(changed, index);
            }
        }
        let best = best?;
        Some((best, self.between(best.buy, best.sell)?))
    }

    /// The crossing of this pair now, if it still crosses.
    #[must_use]
    pub fn pair(&self, buy: usize, sell: usize) -> Option<Crossing> {
        if self.0[sell].bid <= self.0[buy].ask { None } else { self.between(buy, sell) }
    }

    fn rank(&self, buy: usize, sell: usize) -> Rank {
        let (ask, bid) = (&self.0[buy], &self.0[sell]);
        let gain = bid.bid as f64 * bid.keep as f64;
        Rank { score: OrderedFloat(gain / (ask.ask as f64 * ask.pay as f64)), buy, sell }
    }

    fn between(&self, buy: usize, sell: usize) -> Option<Crossing> {
        let (ask, bid) = (&self.0[buy], &self.0[sell]);
        let gross = ratio(i128::from(bid.bid), i128::from(ask.ask))?;
        let gain = i128::from(bid.bid) * i128::from(bid.keep);
        let net = ratio(gain, i128::from(ask.ask) * i128::from(ask.pay))?;
        Some(Crossing { buy, sell, gross, net })
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

    fn best(tops: &Tops, changed: usize) -> Option<Crossing> {
        tops.crossing(changed, None).map(|(_, crossing)| crossing)
    }

    #[test]
    fn finds_the_pair_with_the_largest_net_edge() {
        let tops = tops(&[10, 10, 50], &[(9_990, 10_000), (10_050, 10_060), (10_060, 10_070)]);
        let crossing = best(&tops, 0).expect("crosses both");
        assert_eq!((crossing.buy, crossing.sell), (0, 1), "the higher bid costs more in fees");
        assert_eq!(crossing.gross, Bps::from_bps(50));
        assert!(crossing.net > Bps::from_bps(29) && crossing.net < Bps::from_bps(30));
        assert_eq!(best(&tops, 1).map(|found| (found.buy, found.sell)), Some((0, 1)));
    }

    #[test]
    fn locked_absent_and_own_books_do_not_cross() {
        assert_eq!(best(&tops(&[0, 0], &[(99, 100), (100, 101)]), 0), None, "locked is not crossed");
        assert_eq!(best(&tops(&[0, 0], &[(105, 100), (90, 110)]), 0), None, "crossed within one venue");
        let mut gone = tops(&[0, 0], &[(99, 100), (105, 106)]);
        assert!(best(&gone, 1).is_some());
        assert!(gone.set(1, None, None) && !gone.set(1, None, None));
        assert_eq!((best(&gone, 0), best(&gone, 1)), (None, None));
    }

    proptest! {
        #[test]
        fn tells_every_crossing_of_the_changed_venue_once_the_best_first(
            venues in proptest::collection::vec((1i64..50, 51i64..99, 0i32..3), 2..9),
            bid in 1i64..150,
        ) {
            let fees: Vec<_> = venues.iter().map(|venue| venue.2).collect();
            let mut prices: Vec<_> = venues.iter().map(|venue| (10_000 + venue.0, 10_000 + venue.1)).collect();
            prices[0] = (10_000 + bid, 10_000 + bid + 1);
            let tops = tops(&fees, &prices);
            let mut found = Vec::new();
            let mut above = None;
            while let Some((rank, crossing)) = tops.crossing(0, above) {
                found.push(crossing);
                above = Some(rank);
            }
            prop_assert!(found.is_sorted_by(|one, next| one.net >= next.net));
            let mut pairs: Vec<_> = found.iter().map(|crossing| (crossing.buy, crossing.sell)).collect();
            let all = (1..venues.len()).flat_map(|other| [(0, other), (other, 0)]);
            let mut expected: Vec<_> = all.filter(|(buy, sell)| tops.pair(*buy, *sell).is_some()).collect();
            pairs.sort_unstable();
            expected.sort_unstable();
            prop_assert_eq!(pairs, expected);
        }

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
            prop_assert_eq!(best(&tops, changed).map(|crossing| crossing.net), expected);
        }
    }
}
