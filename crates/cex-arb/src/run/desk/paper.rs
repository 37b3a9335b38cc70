//! A desk whose orders go nowhere: commands that would reach a private endpoint are answered here.

use super::{Core, Desk};
use crate::run::paper::{Execution, Paper};
use cex_core::{Account, Asset, Decimal, LinkEvent, OrderRequest, Side, SymbolId, Timestamp, VenueId};
use cex_engine::{Command, Event};
use cex_errors::Outcome as CallOutcome;
use std::collections::BTreeSet;
use std::time::Duration;

/// Books may take so long to come before accounts are filled without them.
const UNTIL_BOOKS: Duration = Duration::from_secs(10);

impl Desk {
    /// From now on orders go nowhere.
    pub fn on_paper(&self, paper: Paper) {
        self.0.borrow_mut().paper = Some(paper);
    }

    /// What the accounts on paper hold; `None` when orders are real.
    #[must_use]
    pub fn paper_accounts(&self) -> Option<Vec<(VenueId, Account)>> {
        let core = self.0.borrow();
        let (paper, now) = (core.paper.as_ref()?, core.clock.now());
        Some(core.venues.iter().map(|venue| (venue.id, paper.account(venue.id, now))).collect())
    }

    /// Fills the accounts once books tell what coins are worth, and has the engine trade.
    pub async fn fill_paper_accounts(self, quote: Decimal, value: Decimal) {
        let clock = self.0.borrow().clock;
        let until = clock.now() + UNTIL_BOOKS;
        let waits = || {
            self.look(|_, view, _, _| view.venues.iter().any(|venue| venue.books_live.0 < venue.books_live.1))
        };
        while waits() && clock.now() < until {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let venues: Vec<VenueId> = {
            let mut core = self.0.borrow_mut();
            core.deposit(quote, value);
            core.venues.iter().map(|venue| venue.id).collect()
        };
        for venue in venues {
            self.tell_engine(Event::Link { venue, event: LinkEvent::AccountReady, symbols: &[] });
        }
    }

    /// Carries out what would reach a private endpoint; what is left is for the exchange.
    pub(super) fn paper(&self, core: &mut Core, read_at: Timestamp, command: Command) -> Option<Command> {
        let latency = core.paper.as_ref()?.latency();
        match command {
            Command::Open { legs } => {
                let orders = legs.map(cex_risk::Approved::into_inner);
                let in_time = |core: &Core| !core.is_late(read_at);
                if in_time(core) && core.is_recorded(read_at, [&orders[0], &orders[1]]) && in_time(core) {
                    orders.into_iter().for_each(|order| self.send_on_paper(order, latency));
                } else {
                    for order in orders {
                        let failed =
                            Event::PlaceFailed { client_id: order.client_id, outcome: CallOutcome::NotSent };
                        core.engine.handle(core.clock.now(), failed, &mut core.out);
                    }
                }
                None
            }
            Command::Close { order, parent } => {
                let order = order.into_inner();
                if let Some(recorder) = &mut core.recorder {
                    recorder.closing(core.clock.now(), parent, &order);
                }
                self.send_on_paper(order, latency);
                None
            }
            Command::ReadAccount { venue, asked_at } => {
                let desk = self.clone();
                tokio::task::spawn_local(async move {
                    tokio::time::sleep(latency * 2).await;
                    let account = desk.paper_account(venue);
                    let balances = &account.balances;
                    desk.tell_engine(Event::AccountRead { venue, asked_at, balances });
                });
                None
            }
            // An order is over when it arrives, and its answer never gets lost: there is nothing to ask.
            Command::QueryOrder { .. }
            | Command::QueryFills { .. }
            | Command::QueryOpen { .. }
            | Command::QueryTrades { .. }
            | Command::Cancel { .. } => None,
            public @ (Command::FetchBook { .. } | Command::Resubscribe { .. }) => Some(public),
        }
    }

    fn paper_account(&self, venue: VenueId) -> Account {
        let core = self.0.borrow();
        let nothing = Account { balances: Vec::new(), can_trade: None, can_withdraw: None };
        core.paper.as_ref().map_or(nothing, |paper| paper.account(venue, core.clock.now()))
    }

    fn send_on_paper(&self, order: OrderRequest, latency: Duration) {
        let desk = self.clone();
        tokio::task::spawn_local(async move {
            tokio::time::sleep(latency).await;
            let done = desk.0.borrow_mut().arrive(&order);
            tokio::time::sleep(latency).await;
            let now = desk.now();
            let client_id = order.client_id;
            let Some(Execution { order: told, fills }) = done else {
                return desk.feed(now, Event::PlaceFailed { client_id, outcome: CallOutcome::Refused });
            };
            desk.record(|recorder| {
                recorder.order(now, &told);
                fills.iter().for_each(|fill| recorder.account(now, told.venue, fill));
            });
            for event in &fills {
                desk.feed(now, Event::Account { venue: told.venue, event });
            }
            if let Some(order_id) = told.order_id {
                desk.feed(now, Event::Placed { client_id, order_id, order: Some(&told) });
            }
        });
    }
}

impl Core {
    /// An order arrives at the book as it stands now; `None` when its money does not fit.
    fn arrive(&mut self, order: &OrderRequest) -> Option<Execution> {
        let now = self.clock.now();
        let paper = self.paper.as_mut()?;
        let rest = &self.venues[order.venue.index()].rest;
        let markets = rest.markets();
        let market = markets.get(order.symbol)?;
        let levels: Vec<_> = match (self.engine.book(order.venue, order.symbol), order.side) {
            (Some(book), Side::Buy) => book.asks().collect(),
            (Some(book), Side::Sell) => book.bids().collect(),
            (None, _) => Vec::new(),
        };
        paper.arrive(now, order, market, levels.into_iter()).ok()
    }

    /// So much quote into each account, and of every coin so much as is worth `value` by the account's own book.
    fn deposit(&mut self, quote: Decimal, value: Decimal) {
        let Some(paper) = self.paper.as_mut() else { return };
        for venue in &self.venues {
            let markets = venue.rest.markets();
            let quotes: BTreeSet<Asset> = markets.iter().map(|market| market.symbol().quote).collect();
            quotes.into_iter().for_each(|asset| paper.deposit(venue.id, asset, quote));
            for market in markets.iter() {
                let symbol: SymbolId = market.id;
                let Some(best) = self.engine.book(venue.id, symbol).and_then(cex_orderbook::Book::best_bid)
                else {
                    continue;
                };
                let price = market.scale.price_value(best.price);
                let dp = market.scale.qty_dp();
                // A price that leaves nothing leaves nothing to sell.
                if let Ok(qty) = value.checked_div(price, dp, cex_core::Rounding::Down) {
                    paper.deposit(venue.id, market.symbol().base, qty);
                }
            }
        }
    }
}
