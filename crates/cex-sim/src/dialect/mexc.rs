//! MEXC's side of the wire: spot v3 REST and the protobuf WebSocket streams, over one exchange.
//!
//! | module | what |
//! |---|---|
//! | `config` | what can be chosen |
//! | `endpoints`, `rest` | paths, rights, limits; dispatch |
//! | `public`, `tickers`, `klines` | market data |
//! | `orders`, `place`, `batch`, `account` | signed endpoints |
//! | `sessions`, `control`, `channel` | connections, what clients say on them, names of channels |
//! | `feeds`, `frame` | public channels: gathering, shared frames |
//! | `private`, `listen` | an account's orders, fills and balances; listen keys |
//! | `shape`, `ids` | orders and fills in the exchange's own shapes and numbers |
//! | `sign`, `limit`, `refusal`, `listings`, `params` | signatures, budgets, errors, spelling, reading |
//!
//! Strategy groups, deposit addresses, withdrawals and transfers are refused by code: the reference names their paths and
//! not their shapes. An order that must fill completely and cannot is refused rather than accepted and cancelled.

mod account;
mod batch;
mod channel;
mod config;
mod control;
mod endpoints;
mod feeds;
mod frame;
mod ids;
mod klines;
mod limit;
mod listen;
mod listings;
mod orders;
mod params;
mod place;
mod private;
mod public;
mod refusal;
mod rest;
mod sessions;
mod shape;
mod sign;
mod tickers;

pub use config::{
    ConnectionRules, ExpiredStreams, KeyRules, MarketFlags, MarketStatus, MexcConfig, Permission, PriceBand,
    TradeSides,
};

use super::bars::{Bar, Bars};
use super::{
    ConnId, Dialect, DuplicateClientIds, HttpAnswer, HttpCall, Manners, Message, Outgoing, nanos_ago,
};
use crate::matching::{AccountIndex, Exchange, ExchangeEvent, MarketIndex, OrderNo, OrderView, PublicTrade};
use cex_core::{Price, Timestamp};
use feeds::{Feeds, Source};
use limit::Limits;
use listen::ListenKeys;
use listings::Listings;
use params::Params;
use private::Readers;
use rustc_hash::FxHashMap;
use sessions::Sessions;
use shape::Shown;
use std::time::Duration;

/// Below which paths orders are changed.
const ORDER_PATHS: [&str; 3] = ["/api/v3/order", "/api/v3/openOrders", "/api/v3/batchOrders"];

/// MEXC over one [`Exchange`].
#[derive(Debug)]
pub struct Mexc {
    config: MexcConfig,
    listings: Listings,
    limits: Limits,
    listen_keys: ListenKeys,
    sessions: Sessions,
    feeds: Feeds,
    private: Readers,
    /// By market.
    bars: Vec<Bars>,
    /// What market orders show as their price.
    protective: FxHashMap<OrderNo, Price>,
    /// The modes of orders that were to meet none of their own.
    stp: FxHashMap<OrderNo, &'static str>,
    manners: Manners,
    refused_for_maintenance: u64,
    /// Channels with this text in their names are refused during the message at hand.
    refused: Option<String>,
}

impl Mexc {
    /// A dialect for the markets of `exchange`; the host hands it all events from then on.
    #[must_use]
    pub fn new(config: MexcConfig, exchange: &Exchange) -> Self {
        let markets = exchange.markets().len();
        Self {
            listings: Listings::new(&config, exchange),
            limits: Limits::default(),
            listen_keys: ListenKeys::default(),
            sessions: Sessions::default(),
            feeds: Feeds::new(markets, config.june_2026_fields),
            private: Readers::default(),
            bars: vec![Bars::default(); markets],
            protective: FxHashMap::default(),
            stp: FxHashMap::default(),
            manners: Manners::default(),
            refused_for_maintenance: 0,
            refused: None,
            config,
        }
    }

    fn duplicate_client_ids(&self) -> DuplicateClientIds {
        self.manners.duplicate_client_ids.unwrap_or(self.config.duplicate_client_ids)
    }

    /// Everybody in an account's group for self-trade prevention.
    fn stp_group(&self, exchange: &Exchange, account: AccountIndex) -> Option<Vec<AccountIndex>> {
        let group = self.config.stp_groups.get(&exchange.account(account).key)?;
        let members = self.config.stp_groups.iter().filter(|(_, other)| *other == group);
        Some(members.filter_map(|(key, _)| exchange.account_by_key(key)).collect())
    }

    fn bars(&self, market: MarketIndex) -> &Bars {
        &self.bars[market.0 as usize]
    }

    fn day(&self, market: MarketIndex, now: Timestamp) -> Option<Bar> {
        self.bars(market).day(now)
    }

    fn shown<'a>(&'a self, exchange: &'a Exchange, order: &'a OrderView) -> Shown<'a> {
        let market = order.request.market;
        let protective = self.protective.get(&order.no).copied().unwrap_or_default();
        let stp_mode = self.stp.get(&order.no).copied().unwrap_or_default();
        Shown { stp_mode, order, name: self.listings.name(market), rules: exchange.rules(market), protective }
    }
}

impl Dialect for Mexc {
    fn http(&mut self, now: Timestamp, exchange: &mut Exchange, call: &HttpCall<'_>) -> HttpAnswer {
        if self.manners.maintenance && call.changes(&ORDER_PATHS) {
            self.refused_for_maintenance += 1;
            return refusal::maintenance(self.refused_for_maintenance);
        }
        rest::answer(self, now, exchange, call)
    }

    fn open(&mut self, now: Timestamp, conn: ConnId, path: &str, query: &str) -> Result<(), HttpAnswer> {
        let params = Params::parse(query, "");
        sessions::open(self, now, conn, path, params.get("listenKey"))
    }

    fn message(
        &mut self,
        now: Timestamp,
        _exchange: &mut Exchange,
        conn: ConnId,
        message: Message<'_>,
        out: &mut Outgoing,
    ) {
        control::message(self, now, conn, message, out);
    }

    fn message_refused(
        &mut self,
        now: Timestamp,
        exchange: &mut Exchange,
        conn: ConnId,
        message: Message<'_>,
        refused: &str,
        out: &mut Outgoing,
    ) {
        self.refused = Some(refused.to_owned());
        self.message(now, exchange, conn, message, out);
        self.refused = None;
    }

    fn behave(&mut self, manners: Manners) {
        self.manners = manners;
    }

    fn step_clock(&mut self, by_nanos: i64) {
        self.feeds.step_clock(by_nanos);
        self.sessions.step_clock(by_nanos);
        self.listen_keys.step_clock(by_nanos);
    }

    fn age(&mut self, by: Duration) {
        self.step_clock(nanos_ago(by));
        self.limits.age(by);
    }

    fn expire_listen_keys(&mut self, now: Timestamp) {
        self.listen_keys.expire_all();
        self.sessions.check_soon(now);
    }

    fn deauthorize(&mut self) {
        sessions::deauthorize(self);
    }

    fn closed(&mut self, conn: ConnId) {
        sessions::close(self, conn);
    }

    fn events(&mut self, now: Timestamp, exchange: &Exchange, events: &[ExchangeEvent], out: &mut Outgoing) {
        for event in events {
            if let ExchangeEvent::Trade { trade, market_trade, market, taker, price, qty, at } = event {
                let (trade, market_trade, taker) = (*trade, *market_trade, *taker);
                let trade = PublicTrade { trade, market_trade, taker, price: *price, qty: *qty, at: *at };
                self.bars[market.0 as usize].add(&trade);
            }
        }
        private::events(self, now, exchange, events, out);
        self.feeds.events(now, events);
    }

    fn wake(&mut self, now: Timestamp, exchange: &Exchange, out: &mut Outgoing) {
        let Self { feeds, listings, bars, .. } = self;
        feeds.wake(now, Source { exchange, listings, bars }, out);
        sessions::close_what_ended(self, now, out);
    }

    fn wakeup_at(&self) -> Option<Timestamp> {
        [self.feeds.next_at(), self.sessions.next_at()].into_iter().flatten().min()
    }
}
