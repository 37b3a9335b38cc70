//! Gate.io's side of the wire: API v4 REST and the spot WebSocket streams, over one exchange.
//!
//! | module | what |
//! |---|---|
//! | `endpoints`, `rest` | paths; authorization, limits, headers |
//! | `public`, `candles` | market data |
//! | `orders`, `place`, `batch`, `triggers`, `account`, `wallet`, `transfers` | private endpoints |
//! | `trading` | the same over WebSocket |
//! | `stream` | requests on a WebSocket |
//! | `feed`, `frames`, `view` | public channels: intervals, shared frames, incremental books |
//! | `private` | an account's orders, fills and balances |
//! | `shape` | orders, fills, balances in the exchange's own shapes |
//! | `sign`, `limit`, `refusal`, `names` | signatures, budgets, errors, spelling |
//! | `body`, `query` | reading |
//!
//! Not served: icebergs, slippage, and margin, unified and futures accounts. Their parameters are refused, their channels are
//! silent, and their lists are empty.

mod account;
mod batch;
mod body;
mod candles;
mod endpoints;
mod feed;
mod frames;
mod limit;
mod names;
mod orders;
mod place;
mod private;
mod public;
mod query;
mod refusal;
mod rest;
mod shape;
mod sign;
mod stream;
mod trading;
mod transfers;
mod triggers;
mod view;
mod wallet;

use super::{ConnId, Dialect, Frame, HttpAnswer, HttpCall, Message, Outgoing, bars, json};
use super::{DuplicateClientIds, Manners, nanos_ago};
use crate::matching::{AccountIndex, Exchange, ExchangeEvent, MarketIndex, OrderNo, OrderView};
use bars::Bars;
use cex_core::{Asset, Decimal, Timestamp};
use feed::Feeds;
use limit::{Budget, Limits, Quota};
use names::Names;
use private::Subscription;
use refusal::Refusal;
use shape::Shown;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;
use triggers::Triggers;
use wallet::AccountBook;

/// How often the exchange pings every connection.
const PING_EVERY: Duration = Duration::from_secs(20);

/// After how long a connection without a word, pongs included, is closed.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// Says that the connection will be closed soon; no channel, no event.
pub const UPGRADE: &str = concat!(
    r#"{"type":"upgrade","msg":"The connection will soon be closed for a service upgrade. "#,
    r#"Please reconnect."}"#
);

/// What a key may not do. The default is everything but wallets, from everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyRules {
    /// Addresses it may be used from; none for any.
    pub addresses: Vec<IpAddr>,
    /// Whether it is too old: then it is as unknown as one that never was.
    pub is_expired: bool,
    /// Whether it may only read.
    pub is_read_only: bool,
    /// Whether it may use wallets, which tells that it can withdraw.
    pub has_wallet: bool,
}

/// How far from the last price a limit may be. Parts of that price; the exchange's own reckoning is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceBand {
    /// A bid may be so much above it at most.
    pub up_rate: Decimal,
    /// An ask may be so much below it at most.
    pub down_rate: Decimal,
}

/// What can be chosen about Gate.io.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GateioConfig {
    /// Whether too many requests are refused. Otherwise the headers report whole budgets.
    pub rate_limits: bool,
    /// Whether a client order id that the account used before is refused. Sources disagree; by default it is
    /// accepted, and a lookup finds the newest.
    pub refuse_duplicate_client_ids: bool,
    /// How far from the last price a limit may be; `None` for as far as anybody likes.
    pub price_band: Option<PriceBand>,
    /// API keys with rules of their own.
    pub keys: BTreeMap<String, KeyRules>,
    /// Which keys belong to which group for self-trade prevention.
    pub stp_groups: BTreeMap<String, u32>,
}

/// Gate.io over one [`Exchange`].
#[derive(Debug)]
pub struct Gateio {
    config: GateioConfig,
    names: Names,
    limits: Limits,
    feeds: Feeds,
    bars: Vec<Bars>,
    private: Vec<Subscription>,
    conns: BTreeSet<ConnId>,
    ping_at: Option<Timestamp>,
    /// Dead man's switches: of an account, for one market or all.
    switches: BTreeMap<(AccountIndex, Option<MarketIndex>), Timestamp>,
    /// How many times each balance has changed.
    balance_versions: BTreeMap<(AccountIndex, Asset), u64>,
    /// Market orders that had to fill at once and completely, which the matching engine does not tell from others.
    market_foks: BTreeSet<OrderNo>,
    traces: u64,
    /// Who logged in on which connection, and with which key.
    logins: BTreeMap<ConnId, (AccountIndex, String)>,
    /// What clients called the last change of an order.
    amend_texts: BTreeMap<OrderNo, String>,
    /// Orders that were to meet none of their own: the group, and who had to go.
    stp: BTreeMap<OrderNo, (u32, &'static str)>,
    /// Orders that wait for a price.
    triggers: Triggers,
    /// What became of balances, for the account book.
    book: AccountBook,
    /// Number of the last transfer.
    transfers: u64,
    manners: Manners,
    refused_for_maintenance: u64,
    /// Channels with this text in their names are refused during the message at hand.
    refused: Option<String>,
}

impl Gateio {
    /// A dialect for the markets of `exchange`; the host hands it all events from then on.
    #[must_use]
    pub fn new(config: GateioConfig, exchange: &Exchange) -> Self {
        let markets = exchange.markets().len();
        Self {
            config,
            names: Names::new(exchange),
            limits: Limits::default(),
            feeds: Feeds::new(markets),
            bars: vec![Bars::default(); markets],
            private: Vec::new(),
            conns: BTreeSet::new(),
            ping_at: None,
            switches: BTreeMap::new(),
            balance_versions: BTreeMap::new(),
            market_foks: BTreeSet::new(),
            traces: 0,
            logins: BTreeMap::new(),
            amend_texts: BTreeMap::new(),
            stp: BTreeMap::new(),
            triggers: Triggers::default(),
            book: AccountBook::default(),
            transfers: 0,
            manners: Manners::default(),
            refused_for_maintenance: 0,
            refused: None,
        }
    }

    fn count(&mut self, now: Timestamp, budget: Budget, quota: &mut Option<Quota>) -> Result<(), Refusal> {
        let (told, taken) = self.limits.take(now, budget, self.config.rate_limits);
        *quota = Some(told);
        taken
    }

    /// 32 hex digits, different every time and the same in every run.
    fn next_trace(&mut self) -> String {
        self.traces += 1;
        format!("{}{}", hex_id(self.traces), hex_id(!self.traces))
    }

    fn bars(&self, market: MarketIndex) -> Option<&Bars> {
        self.bars.get(market.0 as usize)
    }

    fn changed_at(&self, market: MarketIndex) -> Option<Timestamp> {
        self.feeds.changed_at(market)
    }

    fn duplicate_client_ids(&self) -> DuplicateClientIds {
        let configured = if self.config.refuse_duplicate_client_ids {
            DuplicateClientIds::Reject
        } else {
            DuplicateClientIds::Accept
        };
        self.manners.duplicate_client_ids.unwrap_or(configured)
    }

    /// The group of an account for self-trade prevention, and everybody in it.
    fn stp_group(&self, exchange: &Exchange, account: AccountIndex) -> Option<(u32, Vec<AccountIndex>)> {
        let group = *self.config.stp_groups.get(&exchange.account(account).key)?;
        let members = self.config.stp_groups.iter().filter(|(_, other)| **other == group);
        Some((group, members.filter_map(|(key, _)| exchange.account_by_key(key)).collect()))
    }

    fn balance_version(&self, account: AccountIndex, asset: Asset) -> u64 {
        self.balance_versions.get(&(account, asset)).copied().unwrap_or(0)
    }

    fn shown<'a>(&'a self, exchange: &'a Exchange, order: &'a OrderView) -> Shown<'a> {
        let market = order.request.market;
        let is_market_fok = self.market_foks.contains(&order.no);
        let amend_text = self.amend_texts.get(&order.no).map_or("", String::as_str);
        let (pair, rules) = (self.names.of(market), exchange.rules(market));
        let stp = self.stp.get(&order.no).copied().unwrap_or((0, "-"));
        Shown { order, pair, rules, is_market_fok, amend_text, stp }
    }
}

impl Dialect for Gateio {
    fn http(&mut self, now: Timestamp, exchange: &mut Exchange, call: &HttpCall<'_>) -> HttpAnswer {
        if self.manners.maintenance && call.changes(&["/api/v4/spot/"]) {
            self.refused_for_maintenance += 1;
            return refusal::maintenance(self.refused_for_maintenance);
        }
        rest::answer(self, now, exchange, call)
    }

    fn open(&mut self, now: Timestamp, conn: ConnId, path: &str, _query: &str) -> Result<(), HttpAnswer> {
        if !matches!(path, "/ws/v4" | "/ws/v4/") {
            return Err(Refusal::not_found().answer());
        }
        self.conns.insert(conn);
        self.ping_at.get_or_insert(now + PING_EVERY);
        Ok(())
    }

    fn silence_max(&self) -> Option<Duration> {
        Some(SILENCE_MAX)
    }

    fn message(
        &mut self,
        now: Timestamp,
        exchange: &mut Exchange,
        conn: ConnId,
        message: Message<'_>,
        out: &mut Outgoing,
    ) {
        // What is not text cannot follow the schema either.
        let text = match message {
            Message::Text(text) => text,
            Message::Binary(_) => "",
        };
        stream::message(self, now, exchange, conn, text, out);
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
        self.triggers.step_clock(by_nanos);
        for at in self.ping_at.iter_mut().chain(self.switches.values_mut()) {
            *at = at.shifted(by_nanos);
        }
    }

    fn age(&mut self, by: Duration) {
        self.step_clock(nanos_ago(by));
        self.limits.age(by);
    }

    fn deauthorize(&mut self) {
        self.private.clear();
        self.logins.clear();
    }

    fn closed(&mut self, conn: ConnId) {
        self.conns.remove(&conn);
        self.logins.remove(&conn);
        self.feeds.leave_all(conn);
        private::leave_all(self, conn);
    }

    fn events(&mut self, now: Timestamp, exchange: &Exchange, events: &[ExchangeEvent], out: &mut Outgoing) {
        for event in events {
            if let ExchangeEvent::Balance(change) = event {
                *self.balance_versions.entry((change.account, change.asset)).or_default() += 1;
                self.book.enter(change);
            }
        }
        self.triggers.watch(events);
        private::events(self, now, exchange, events, out);
        feed::events(self, now, exchange, events, out);
    }

    fn act(&mut self, now: Timestamp, exchange: &mut Exchange) {
        let is_due = |(_, at): &(&(AccountIndex, Option<MarketIndex>), &Timestamp)| **at <= now;
        let due: Vec<_> = self.switches.iter().filter(is_due).map(|(switch, _)| *switch).collect();
        for (account, market) in due {
            self.switches.remove(&(account, market));
            orders::cancel_matching(exchange, now, account, market, None);
        }
        triggers::act(self, now, exchange);
    }

    fn wake(&mut self, now: Timestamp, exchange: &Exchange, out: &mut Outgoing) {
        if self.ping_at.is_some_and(|at| at <= now) {
            out.extend(self.conns.iter().map(|conn| (*conn, Frame::Ping)));
            self.ping_at = (!self.conns.is_empty()).then(|| now + PING_EVERY);
        }
        private::trigger_news(self, now, exchange, out);
        feed::wake(self, now, exchange, out);
    }

    fn wakeup_at(&self) -> Option<Timestamp> {
        let switch = self.switches.values().min().copied();
        [self.feeds.next_at(), self.ping_at, switch, self.triggers.next_at()].into_iter().flatten().min()
    }
}

/// The user number of an account.
fn user_id(account: AccountIndex) -> u64 {
    10_000_001 + u64::from(account.0)
}

/// 16 hex digits that look random: a number, well mixed.
fn hex_id(number: u64) -> String {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    format!("{:016x}", mixed ^ (mixed >> 31))
}
