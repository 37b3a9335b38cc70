//! What must hold: books are what the exchange's were, no order is there twice, the money is what the ledgers say.

use crate::stage::{ACCOUNT, Trader};
use cex_arb::run::proof::{Proof, prove};
use cex_core::{Asset, ClientOrderId, Decimal, VenueId};
use cex_engine::EngineView;
use cex_errors::Op;
use cex_risk::Until;
use cex_sim::server::{LedgerFill, SimExchange};
use cex_sim::world::{BookTruth, book_hash};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How often books are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(25);

impl Trader {
    pub(crate) fn view(&self) -> EngineView {
        self.desk.look(|_, view, _, _| view.clone())
    }

    /// Whether every stream of an exchange stands.
    pub(crate) fn streams_stand(&self, exchange: SimExchange) -> bool {
        self.desk
            .look(|_, _, venues, _| venues[exchange as usize].metrics.iter().all(|link| link.snapshot().up))
    }

    /// Whether no stream of an exchange stands.
    pub(crate) fn streams_lie(&self, exchange: SimExchange) -> bool {
        self.desk
            .look(|_, _, venues, _| !venues[exchange as usize].metrics.iter().any(|link| link.snapshot().up))
    }

    /// Connections that were replaced before they were lost, so far.
    pub(crate) fn rotations(&self) -> u64 {
        self.desk.look(|_, _, venues, _| venues.iter().map(cex_arb::run::venue::Venue::rotations).sum())
    }

    /// Compares every usable book with what the exchange's was at its version; how many there were.
    pub(crate) fn check_books(&self) -> usize {
        let mut usable = 0;
        for (exchange, market) in self.all_markets() {
            self.desk.inspect(|now, engine| {
                let book = engine.book(market.venue, market.id);
                let (Some(book), Some(version)) = (book, engine.book_version(market.venue, market.id)) else {
                    return;
                };
                usable += 1;
                let level = |level: cex_core::Level| (level.price, level.qty);
                let hash = book_hash(book.bids().map(level), book.asks().map(level));
                let truth = self.stage.sim.truth(exchange, market.symbol(), version, hash);
                let (seed, symbol) = (self.stage.seed, market.symbol());
                assert_eq!(truth, BookTruth::Same, "seed {seed}: {symbol} at {exchange}, {version}, {now:?}");
                if book.best_ask().is_none() {
                    return;
                }
                // The comparison can fail: the same book without its best ask is another one.
                let spoilt = book_hash(book.bids().map(level), book.asks().map(level).skip(1));
                let truth = self.stage.sim.truth(exchange, market.symbol(), version, spoilt);
                assert_eq!(truth, BookTruth::Different, "seed {seed}: {symbol} at {exchange}, {version}");
            });
            let is_carried = !self.streams_lie(exchange);
            let is_usable = self.desk.inspect(|_, engine| engine.book(market.venue, market.id).is_some());
            assert!(is_carried || !is_usable, "seed {}: a book that no stream carries", self.stage.seed);
        }
        usable
    }

    /// Looks at the books until so much time has passed; how many were compared.
    pub(crate) async fn watch_for(&self, lasts: Duration) -> usize {
        let until = tokio::time::Instant::now() + lasts;
        let mut compared = 0;
        while tokio::time::Instant::now() < until {
            tokio::time::sleep(LOOK_EVERY).await;
            compared += self.check_books();
        }
        compared
    }

    /// What is not as it is when nothing is wrong.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let view = self.view();
        let mut wrong = Vec::new();
        for venue in &view.venues {
            if venue.books_live.0 != venue.books_live.1 {
                wrong.push(format!("{}: books live {:?}", venue.venue, venue.books_live));
            }
            if !venue.account_ready {
                wrong.push(format!("{}: account not ready", venue.venue));
            }
        }
        for exchange in SimExchange::ALL {
            if !self.streams_stand(exchange) {
                wrong.push(format!("{exchange}: a stream is down"));
            }
        }
        if view.unknown > 0 {
            wrong.push(format!("{} arbitrages unknown", view.unknown));
        }
        wrong
    }

    /// Waits until nothing is wrong any more, watching the books.
    pub(crate) async fn recovers_within(&self, most: Duration) -> Duration {
        let began = tokio::time::Instant::now();
        while !self.complaints().is_empty() {
            let waited = began.elapsed();
            assert!(waited < most, "seed {}: after {waited:?}: {:?}", self.stage.seed, self.complaints());
            self.watch_for(LOOK_EVERY).await;
        }
        began.elapsed()
    }

    /// Waits until so many more arbitrages were started, watching the books.
    pub(crate) async fn trades_within(&self, more: u64, most: Duration) {
        let (began, before) = (tokio::time::Instant::now(), self.view().totals.started);
        while self.view().totals.started < before + more {
            let view = self.view();
            assert!(
                began.elapsed() < most,
                "seed {}: {} arbitrages started in {most:?}; killed {}, trips {:?}, {:?}",
                self.stage.seed,
                view.totals.started - before,
                view.killed,
                view.trips,
                view.totals.opportunities,
            );
            self.watch_for(LOOK_EVERY).await;
        }
    }

    /// Trades again after what went wrong; whether somebody had to look first. A symbol whose holdings could not be made even
    /// meanwhile waits for an operator, and so does what an alarm stopped; everything else goes on by itself.
    pub(crate) async fn trades_again(&self) -> bool {
        // What was under way ends first, one way or the other.
        let began = tokio::time::Instant::now();
        while self.view().open > 0 {
            let (seed, waited) = (self.stage.seed, began.elapsed());
            assert!(waited < Duration::from_secs(60), "seed {seed}: something is under way after {waited:?}");
            self.watch_for(LOOK_EVERY).await;
        }
        let view = self.view();
        let waits = view.killed || view.trips.iter().any(|trip| trip.until == Until::Operator);
        if waits {
            assert!(self.desk.acknowledge("the operator"), "nothing is recorded here");
            self.desk.go_on();
        }
        self.trades_within(1, Duration::from_secs(60)).await;
        waits
    }

    /// Lets what is open end, stops everything, and compares with the exchanges' ledgers.
    pub(crate) async fn settle(self) -> EngineView {
        let (seed, view) = (self.stage.seed, self.desk.clone());
        let accounts = self.settle_with_others("").await;
        let view = view.look(|_, view, _, _| view.clone());
        assert_eq!(accounts.proof.mismatches, [], "seed {seed}: our books and the ledgers differ");
        // Fees in an exchange's own coin are in the ledgers in that coin.
        let profit = view.totals.realised.checked_add(view.totals.other_fee);
        assert_eq!(Ok(accounts.proof.profit), profit, "seed {seed}: profit");
        view
    }

    /// The same where somebody else traded too, under this client order id: what the accounts came to.
    pub(crate) async fn settle_with_others(mut self, others: &str) -> Accounts {
        let seed = self.stage.seed;
        self.end().await;
        let (idle, holdings, marks) = self.desk.close(|engine, _, tally| {
            let holdings: BTreeMap<(VenueId, Asset), Decimal> =
                engine.holdings().into_iter().map(|(venue, asset, held)| ((venue, asset), held)).collect();
            (engine.is_idle(), holdings, tally.marks)
        });
        let view = self.view();
        assert!(idle, "seed {seed}: {} open, {} unknown", view.open, view.unknown);
        let ledger = self.stage.sim.ledger();
        let mut ledgers = Vec::new();
        for (exchange, markets) in SimExchange::ALL.into_iter().zip(&self.markets) {
            let venue = markets.iter().next().expect("a market").venue;
            ledgers.push((venue, ledger.account(exchange, ACCOUNT).expect("our account")));
        }
        let is_ours = |client_id: &str| others.is_empty() || client_id != others;
        let mut seen = BTreeSet::new();
        for (venue, account) in &ledgers {
            for order in account.orders.iter().filter(|order| is_ours(&order.client_id)) {
                let ours = order.client_id.strip_prefix("t-").unwrap_or(&order.client_id);
                let id = ClientOrderId::new(ours).expect("an id of ours");
                assert!(seen.insert(id), "seed {seed}: {id} is at {venue} twice, or at both");
            }
        }
        let sent = self.desk.look(|_, _, venues, _| {
            venues.iter().fold((0, 0), |(sent, repeats), venue| {
                let placements = venue.rest.metrics().of(Op::PlaceOrder);
                (sent + placements.sent.value(), repeats + placements.repeats.value())
            })
        });
        assert!(seen.len() as u64 <= sent.0, "seed {seed}: {} orders of {} sent", seen.len(), sent.0);
        assert_eq!(sent.1, 0, "seed {seed}: a placement was repeated");
        let all = ledgers.iter().map(|(venue, _)| *venue).collect();
        let proof = prove(&ledgers, &marks, &holdings, &all).expect("ledgers that add up");
        let others = ledgers.iter().flat_map(|(_, account)| &account.fills);
        let others = others.filter(|fill| !is_ours(&fill.client_id));
        let fees_of_others =
            others.fold(Decimal::ZERO, |sum, fill| sum.checked_add(worth(fill)).expect("small"));
        Accounts { proof, fees_of_others }
    }
}

/// What the accounts came to.
#[derive(Debug)]
pub(crate) struct Accounts {
    /// Ours against the ledgers.
    pub(crate) proof: Proof,
    /// What somebody else paid in fees, in quote.
    pub(crate) fees_of_others: Decimal,
}

/// What a fill's fee is worth in quote, at the fill's price.
fn worth(fill: &LedgerFill) -> Decimal {
    if fill.fee_asset == fill.symbol.base {
        fill.fee.checked_mul(fill.price).expect("small")
    } else {
        fill.fee
    }
}
