//! What exchanges say of coins: whether they can be moved (R3), and whether one ticker is one coin (R2, D14).

use super::choice;
use super::desk::Desk;
use super::reconcile::Changed;
use cex_core::{Asset, Symbol, SymbolId, VenueId};
use cex_engine::{Event, VenueSetup};
use cex_interface::{Reply, Request};
use cex_risk::Wallet;
use cex_transport::Rest;
use std::cell::Cell;
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
    /// Symbols that must be left alone for another reason.
    changed: Changed,
}

impl Coins {
    /// For the symbols of these venues.
    #[must_use]
    pub fn new(
        desk: Desk,
        rests: Vec<(VenueId, Arc<Rest>)>,
        setups: &[VenueSetup],
        changed: Changed,
    ) -> Self {
        Self { desk, rests, symbols: symbols_of(setups), known: Cell::new(false), changed }
    }

    fn block_all(&self, why: &'static str) {
        for (symbol, _) in &self.symbols {
            self.desk.tell_engine(Event::Blocked { symbol: *symbol, why: Some(why) });
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
        let mut told = Vec::new();
        for (venue, rest) in &self.rests {
            match rest.call(&Request::Assets).await {
                Ok(Reply::Assets(assets)) => {
                    let wallets: Vec<(Asset, Wallet)> = assets
                        .iter()
                        .map(|info| {
                            let any =
                                |open: fn(&cex_core::NetworkInfo) -> bool| info.networks.iter().any(open);
                            let wallet = Wallet {
                                deposits: any(|network| network.deposit_enabled),
                                withdrawals: any(|network| network.withdraw_enabled),
                            };
                            (info.asset, wallet)
                        })
                        .collect();
                    self.desk.tell_engine(Event::Wallets { venue: *venue, wallets: &wallets });
                    told.push(assets);
                }
                Ok(other) => {
                    tracing::error!(%venue, reply = ?other, "coins were answered with something else");
                }
                // What was known grows old, and stops openings by itself.
                Err(error) => tracing::warn!(%error, "coins could not be read"),
            }
        }
        if told.len() < self.rests.len() {
            // What was proven stays so, and what is known of wallets grows old by itself.
            if !self.known.get() {
                self.block_all("what its exchanges say of the coin could not be read");
            }
            return;
        }
        self.known.set(true);
        let known: Vec<_> = told.iter().map(|assets| choice::by_asset(assets)).collect();
        for (symbol, coins) in &self.symbols {
            let why = known.windows(2).find_map(|pair| {
                let info = |at: usize| pair[at].get(&coins.base).copied();
                choice::difference(info(0), info(1))
            });
            if let Some(why) = why {
                tracing::debug!(symbol = %coins, why, "left alone");
            }
            let why = why.or_else(|| self.changed.borrow().get(symbol).copied());
            self.desk.tell_engine(Event::Blocked { symbol: *symbol, why });
        }
    }
}
