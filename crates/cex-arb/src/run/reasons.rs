//! Why symbols are left alone (R2): several who look at different things say so, and a symbol is traded again when none does
//! any more.

use cex_core::{SymbolId, VenueId};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Who says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// What exchanges tell of its coin.
    Coin,
    /// The rules of a venue.
    Rules(VenueId),
    /// The fee of a venue.
    Fee(VenueId),
}

/// The reasons of a run, shared by all who have some.
#[derive(Debug, Clone, Default)]
pub struct Reasons(Rc<RefCell<BTreeMap<(SymbolId, Source), &'static str>>>);

impl Reasons {
    /// One says why a symbol must be left alone, or that it has no reason any more. Whether that is news.
    pub fn set(&self, symbol: SymbolId, source: Source, why: Option<&'static str>) -> bool {
        let mut all = self.0.borrow_mut();
        let before = match why {
            Some(why) => all.insert((symbol, source), why),
            None => all.remove(&(symbol, source)),
        };
        before != why
    }

    /// Why a symbol must be left alone, if so.
    #[must_use]
    pub fn why(&self, symbol: SymbolId) -> Option<&'static str> {
        let all = self.0.borrow();
        all.range((symbol, Source::Coin)..).next().filter(|((its, _), _)| *its == symbol).map(|(_, why)| *why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_is_left_alone_until_nobody_says_so_any_more() {
        let (reasons, one, other) = (Reasons::default(), SymbolId(1), SymbolId(2));
        let venue = |index| VenueId::new(index, "x").expect("short");
        assert_eq!(reasons.why(one), None);
        assert!(reasons.set(one, Source::Rules(venue(0)), Some("changed")));
        assert!(!reasons.set(one, Source::Rules(venue(0)), Some("changed")), "no news");
        assert!(reasons.set(one, Source::Rules(venue(1)), Some("halted")));
        assert_eq!(
            (reasons.why(one), reasons.why(other), reasons.why(SymbolId(0))),
            (Some("changed"), None, None)
        );
        assert!(reasons.set(one, Source::Coin, Some("another coin")));
        assert!(
            reasons.set(one, Source::Rules(venue(0)), None)
                && !reasons.set(one, Source::Rules(venue(0)), None)
        );
        assert_eq!(reasons.why(one), Some("another coin"));
        reasons.set(one, Source::Coin, None);
        assert_eq!(reasons.why(one), Some("halted"));
        reasons.set(one, Source::Rules(venue(1)), None);
        assert_eq!(reasons.why(one), None);
    }
}
