//! What accounts hold by the records alone: what a run took for held when it read an account, moved by the fills since then.
//! It outlives the run, so that the next start can tell whether everything that moved an account is written down.

use super::decimal;
use cex_core::{Asset, Decimal, NumError, Symbol, Timestamp};
use cex_journal::messages::{self, Mode, Side, Source};
use std::collections::{BTreeMap, BTreeSet};

/// Holdings, by venue and coin.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    held: BTreeMap<String, BTreeMap<String, Decimal>>,
    /// Venues whose account was read in this session.
    read: BTreeSet<String>,
    /// The first list of a venue in this session, as far as it was read: a list that the power cut short is none.
    listing: Option<(String, BTreeMap<String, Decimal>)>,
    /// When the last fill of a venue was written down: what it moved may not show in its account yet.
    moved_at: BTreeMap<String, Timestamp>,
    /// Whether the session that writes knows what earlier ones left undecided.
    settles: bool,
}

impl Ledger {
    /// A session begins: what its accounts hold it reads for itself, and until then what was known before stays.
    /// Only one that trades has first written down what earlier ones had filled: what another one reads has it twice, in the
    /// account and later as fills.
    pub(super) fn begin(&mut self, mode: Mode) {
        self.settles = mode == Mode::Live;
        self.read.clear();
        self.listing = None;
        // Accounts on paper begin anew.
        if mode == Mode::Paper {
            self.moved_at.clear();
        }
    }

    /// The run takes so much for held from here on. Only what it took from the answer of an exchange is meant: streams tell
    /// balances in the middle of things.
    pub(super) fn adopt(&mut self, balance: &messages::Balance) -> Result<(), NumError> {
        if balance.source() != Source::Answer || !self.settles {
            return Ok(());
        }
        let total = decimal(&balance.free)?.checked_add(decimal(&balance.locked)?)?;
        let Some(held) = self.held.get_mut(&balance.venue).filter(|_| self.read.contains(&balance.venue))
        else {
            // The first of a session begins a list of everything; what is not in it is not held any more.
            if self.listing.as_ref().is_none_or(|(venue, _)| *venue != balance.venue) {
                self.listed();
                self.listing = Some((balance.venue.clone(), BTreeMap::new()));
            }
            if let Some((_, list)) = &mut self.listing {
                list.insert(balance.asset.clone(), total);
            }
            return Ok(());
        };
        held.insert(balance.asset.clone(), total);
        Ok(())
    }

    /// Something else was written down after a list, so it is whole.
    pub(super) fn listed(&mut self) {
        if let Some((venue, list)) = self.listing.take() {
            self.read.insert(venue.clone());
            self.held.insert(venue, list);
        }
    }

    /// A fill that was not told before.
    pub(super) fn fill(&mut self, at: Timestamp, fill: &messages::Fill) -> Result<(), NumError> {
        self.moved_at.insert(fill.venue.clone(), at);
        let Some(held) = self.held.get_mut(&fill.venue) else { return Ok(()) };
        let symbol: Symbol = fill.symbol.parse().map_err(|_| NumError::Overflow)?;
        let (price, qty) = (decimal(&fill.price)?, decimal(&fill.qty)?);
        let notional = price.checked_mul(qty)?;
        let (base, quote) = match fill.side() {
            Side::Buy | Side::Unspecified => (qty, notional.negated()?),
            Side::Sell => (qty.negated()?, notional),
        };
        let mut moves = vec![(symbol.base.to_string(), base), (symbol.quote.to_string(), quote)];
        for fee in &fill.fees {
            moves.push((fee.asset.clone(), decimal(&fee.amount)?.negated()?));
        }
        for (asset, change) in moves {
            let sum = held.entry(asset).or_default();
            *sum = sum.checked_add(change)?;
        }
        Ok(())
    }

    /// What is held of a coin; `None` when no account of the venue was ever read.
    pub(super) fn held(&self, venue: &str, asset: Asset) -> Option<Decimal> {
        Some(self.held.get(venue)?.get(asset.as_str()).copied().unwrap_or_default())
    }

    /// What is held of every coin; `None` when no account of the venue was ever read.
    pub(super) fn all_held(&self, venue: &str) -> Option<BTreeMap<Asset, Decimal>> {
        let held = self.held.get(venue)?.iter();
        held.map(|(asset, held)| Some((asset.parse().ok()?, *held))).collect()
    }

    /// When the last fill of a venue was written down.
    pub(super) fn moved_at(&self, venue: &str) -> Option<Timestamp> {
        self.moved_at.get(venue).copied()
    }

    /// Something did not fit: nothing is known of this venue until its account is read again.
    pub(super) fn lose(&mut self, venue: &str) {
        self.listing.take_if(|(listing, _)| listing == venue);
        self.held.remove(venue);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::from_secs(7);

    fn balance(asset: &str, free: &str, source: Source) -> messages::Balance {
        messages::Balance {
            venue: "mexc".to_owned(),
            asset: asset.to_owned(),
            free: free.to_owned(),
            locked: "1".to_owned(),
            source: source.into(),
            ..Default::default()
        }
    }

    fn held(ledger: &Ledger, asset: &str) -> Option<String> {
        Some(ledger.held("mexc", asset.parse().expect("a coin"))?.to_string())
    }

    #[test]
    fn what_was_read_and_what_filled_since_is_held() {
        let mut ledger = Ledger::default();
        ledger.begin(Mode::Live);
        let fill = |side: Side| messages::Fill {
            venue: "mexc".to_owned(),
            symbol: "BTC/USDT".to_owned(),
            side: side.into(),
            price: "100".to_owned(),
            qty: "2".to_owned(),
            fees: vec![messages::Fee { amount: "0.5".to_owned(), asset: "MX".to_owned() }],
            ..Default::default()
        };
        ledger.fill(AT, &fill(Side::Buy)).expect("fits");
        assert_eq!(held(&ledger, "BTC"), None, "nobody knows what was there before");
        assert_eq!((ledger.all_held("mexc"), ledger.moved_at("mexc")), (None, Some(AT)));
        for (asset, free) in [("BTC", "4"), ("USDT", "999"), ("MX", "9")] {
            ledger.adopt(&balance(asset, free, Source::Answer)).expect("fits");
        }
        assert_eq!(held(&ledger, "BTC"), None, "the list may have been cut short");
        ledger.listed();
        ledger.adopt(&balance("BTC", "77", Source::Stream)).expect("fits");
        ledger.fill(AT, &fill(Side::Buy)).expect("fits");
        let all =
            |ledger: &Ledger| ["BTC", "USDT", "MX", "ETH"].map(|asset| held(ledger, asset).expect("read"));
        assert_eq!(all(&ledger), ["7", "800", "9.5", "0"]);
        ledger.fill(AT, &fill(Side::Sell)).expect("fits");
        assert_eq!(all(&ledger), ["5", "1000", "9", "0"]);
        let whole = ledger.all_held("mexc").expect("read");
        let whole: Vec<_> = whole.iter().map(|(asset, held)| format!("{held} {asset}")).collect();
        assert_eq!(whole, ["5 BTC", "9 MX", "1000 USDT"]);
        // A later session: what was known holds until it has read the account itself, and then only what it read.
        ledger.begin(Mode::Observe);
        ledger.adopt(&balance("BTC", "6", Source::Answer)).expect("fits");
        ledger.begin(Mode::Live);
        assert_eq!(all(&ledger), ["5", "1000", "9", "0"]);
        ledger.adopt(&balance("USDT", "7", Source::Answer)).expect("fits");
        ledger.listed();
        assert_eq!(all(&ledger), ["0", "8", "0", "0"]);
        assert_eq!(ledger.moved_at("mexc"), Some(AT));
        ledger.begin(Mode::Paper);
        assert_eq!(ledger.moved_at("mexc"), None, "what filled on paper is in no account");
    }
}
