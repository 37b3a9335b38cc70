//! What exchanges say of coins: whether they can be moved (R3), and whether one ticker is one coin (R2, D14).

use super::choice;
use super::desk::Desk;
use super::reasons::{Reasons, Source};
use cex_core::{Asset, AssetInfo, Symbol, SymbolId, VenueId};
use cex_engine::{Event, VenueSetup};
use cex_interface::{Reply, Request};
use cex_risk::{Chains, Wallet};
use cex_transport::Rest;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Wallets are asked about this often: well within what counts as fresh.
const WALLETS_EVERY: Duration = Duration::from_secs(20);

fn symbols_of(setups: &[VenueSetup]) -> Vec<(SymbolId, Symbol)> {
    let first = setups.first().map(|setup| &setup.markets);
    first
        .map(|markets| markets.iter().map(|market| (market.id, market.symbol())).collect())
        .unwrap_or_default()
}

/// Asks the exchanges, and tells the engine.
pub struct Coins {
    desk: Desk,
    rests: Vec<(VenueId, Arc<Rest>)>,
    symbols: Vec<(SymbolId, Symbol)>,
    /// All exchanges have told of their coins once.
    known: Cell<bool>,
    /// Kept over looks: one that an exchange did not answer leaves its wallets as they were told before.
    chains: RefCell<ChainNumbers>,
    reasons: Reasons,
}

impl Coins {
    /// For the symbols of these venues.
    #[must_use]
    pub fn new(
        desk: Desk,
        rests: Vec<(VenueId, Arc<Rest>)>,
        setups: &[VenueSetup],
        reasons: Reasons,
    ) -> Self {
        Self {
            desk,
            rests,
            symbols: symbols_of(setups),
            known: Cell::new(false),
            chains: RefCell::default(),
            reasons,
        }
    }

    fn block_all(&self, why: &'static str) {
        for (symbol, _) in &self.symbols {
            self.reasons.set(*symbol, Source::Coin, Some(why));
            self.desk.tell_engine(Event::Blocked { symbol: *symbol, why: self.reasons.why(*symbol) });
        }
    }

    /// Looks again and again, until the task is dropped.
    pub async fn keep_looking(self) {
        loop {
            tokio::time::sleep(WALLETS_EVERY).await;
            self.look().await;
        }
    }

    /// Asks every exchange once. A symbol is not opened before all have told of its coin.
    pub async fn look(&self) {
        let mut told = BTreeMap::new();
        for (venue, rest) in &self.rests {
            match rest.call(&Request::Assets).await {
                Ok(Reply::Assets(assets)) => {
                    told.insert(*venue, assets);
                }
                Ok(other) => {
                    tracing::error!(%venue, reply = ?other, "coins were answered with something else");
                }
                // What was known grows old, and stops openings by itself.
                Err(error) => tracing::warn!(%error, "coins could not be read"),
            }
        }
        for (venue, assets) in &told {
            let mut chains = self.chains.borrow_mut();
            let wallets: Vec<(Asset, Wallet)> =
                assets.iter().map(|info| (info.asset, chains.wallet(info))).collect();
            drop(chains);
            self.desk.tell_engine(Event::Wallets { venue: *venue, wallets: &wallets });
        }
        if told.len() < self.rests.len() {
            // What was proven stays so, and what is known of wallets grows old by itself.
            if !self.known.get() {
                self.block_all("what its exchanges say of the coin could not be read");
            }
            return;
        }
        let is_first = !self.known.replace(true);
        let known: Vec<_> = told.values().map(|assets| choice::by_asset(assets)).collect();
        let mut left_alone = BTreeMap::new();
        for (symbol, coins) in &self.symbols {
            let why = known.windows(2).find_map(|pair| {
                let info = |at: usize| pair[at].get(&coins.base).copied();
                choice::difference(info(0), info(1))
            });
            if let Some(why) = why {
                tracing::debug!(symbol = %coins, why, "left alone");
                left_alone.entry(why).or_insert_with(Vec::new).push(coins.to_string());
            }
            self.reasons.set(*symbol, Source::Coin, why);
            self.desk.tell_engine(Event::Blocked { symbol: *symbol, why: self.reasons.why(*symbol) });
        }
        // Once: nobody would otherwise know why they are never traded.
        for (why, symbols) in left_alone.into_iter().filter(|_| is_first) {
            tracing::warn!(symbols = symbols.join(" "), why, "left alone");
        }
    }
}

/// A number for each chain of each coin, the same whichever exchange tells of it and whenever.
#[derive(Default)]
struct ChainNumbers(BTreeMap<Asset, Vec<choice::Way>>);

impl ChainNumbers {
    fn wallet(&mut self, info: &AssetInfo) -> Wallet {
        let known = self.0.entry(info.asset).or_default();
        let mut wallet = Wallet { deposits: Chains::NONE, withdrawals: Chains::NONE };
        for network in &info.networks {
            let way = choice::Way::of(network);
            let number = known.iter().position(|known| *known == way).unwrap_or_else(|| {
                known.push(way);
                known.len() - 1
            });
            if network.deposit_enabled {
                wallet.deposits = wallet.deposits.with(number);
            }
            if network.withdraw_enabled {
                wallet.withdrawals = wallet.withdrawals.with(number);
            }
        }
        wallet
    }
}

#[cfg(test)]
mod tests {
    use super::super::choice::testing::coin;
    use super::*;

    #[test]
    fn a_way_is_one_chain_open_at_both_ends() {
        let mut here = coin(&[("BSC", Some("0xcd")), ("ERC20", Some("0xab"))]);
        let mut there = coin(&[("ETH", Some("0xAB")), ("SOL", Some("9x"))]);
        let meet = |here: &AssetInfo, there: &AssetInfo| {
            let mut chains = ChainNumbers::default();
            let (here, there) = (chains.wallet(here), chains.wallet(there));
            !here.withdrawals.and(there.deposits).is_empty()
        };
        assert!(meet(&here, &there), "over Ethereum");
        here.networks[1].withdraw_enabled = false;
        assert!(!meet(&here, &there), "only over the other chain it can leave");
        here.networks[1].withdraw_enabled = true;
        there.networks[0].deposit_enabled = false;
        assert!(!meet(&here, &there), "only over the other chain it can arrive");
        there.networks[0].deposit_enabled = true;
        let mut chains = ChainNumbers::default();
        let (before, _) = (chains.wallet(&here), chains.wallet(&there));
        let later = chains.wallet(&there);
        assert!(!before.withdrawals.and(later.deposits).is_empty(), "a later look at one side numbers alike");
        let other = coin(&[("ETH", Some("0xef"))]);
        assert!(!meet(&here, &other), "another coin of the same name on the same chain");
    }
}
