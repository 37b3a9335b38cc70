//! What goes into the engine and what comes out of it.

use crate::execute::Outcome;
use crate::opportunity::Opportunity;
use cex_core::{
    AccountEvent, Asset, Balance, Bps, ClientOrderId, Decimal, Fill, Level, LinkEvent, Market, MarketEvent,
    Order, OrderId, OrderRequest, OrderStatus, Plan, SymbolId, Timestamp, VenueId,
};
use cex_risk::{Approved, ArbitrageId, JournalState, Mode, Trip, Wallet};
use std::time::Duration;

/// One thing that happened.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// Public news, with the levels of a book update beside it.
    Market {
        /// Where.
        venue: VenueId,
        /// What.
        event: &'a MarketEvent,
        /// The levels the update refers to.
        levels: &'a [Level],
    },
    /// The answer to [`Command::FetchBook`].
    Book {
        /// Where.
        venue: VenueId,
        /// Of what.
        symbol: SymbolId,
        /// When it was asked for, as the command says.
        asked_at: Timestamp,
        /// Version.
        seq: u64,
        /// When it was true, by the exchange.
        exchange_ts: Timestamp,
        /// Best first.
        bids: &'a [Level],
        /// Best first.
        asks: &'a [Level],
    },
    /// [`Command::FetchBook`] failed.
    BookFailed {
        /// Where.
        venue: VenueId,
        /// Of what.
        symbol: SymbolId,
        /// When it was asked for, as the command says.
        asked_at: Timestamp,
    },
    /// News about a connection that carries these symbols (none: the account's).
    Link {
        /// Where.
        venue: VenueId,
        /// What.
        event: LinkEvent,
        /// Whose data the connection carries.
        symbols: &'a [SymbolId],
    },
    /// Private news.
    Account {
        /// Where.
        venue: VenueId,
        /// What.
        event: &'a AccountEvent,
    },
    /// The answer to [`Command::ReadAccount`].
    AccountRead {
        /// Where.
        venue: VenueId,
        /// When it was asked for, as the command says.
        asked_at: Timestamp,
        /// Everything held; what is not listed is zero.
        balances: &'a [Balance],
    },
    /// The exchange accepted an order.
    Placed {
        /// Which.
        client_id: ClientOrderId,
        /// The exchange's identifier.
        order_id: OrderId,
        /// Its state, where the answer carries it.
        order: Option<&'a Order>,
    },
    /// An order was not accepted, or we cannot tell.
    PlaceFailed {
        /// Which.
        client_id: ClientOrderId,
        /// Whether the exchange acted on it.
        outcome: cex_errors::Outcome,
    },
    /// The answer to [`Command::QueryOrder`]: the order, or `None` when the exchange does not know it.
    OrderRead {
        /// Which.
        client_id: ClientOrderId,
        /// When it was asked for, as the command says: an answer tells of no later time.
        asked_at: Timestamp,
        /// Its state.
        order: Option<&'a Order>,
    },
    /// The answer to [`Command::QueryOpen`].
    OpenRead {
        /// Of which order it was asked.
        client_id: ClientOrderId,
        /// When, as the command says.
        asked_at: Timestamp,
        /// The account's open orders in the symbol.
        orders: &'a [Order],
        /// Whether those are all.
        whole: bool,
    },
    /// The answer to [`Command::QueryTrades`].
    TradesRead {
        /// Of which order it was asked.
        client_id: ClientOrderId,
        /// When, as the command says.
        asked_at: Timestamp,
        /// What the account traded in the symbol, whatever the order.
        fills: &'a [Fill],
        /// Whether those are all of the time that was asked for. Only then does it tell anything that an order is not in them.
        whole: bool,
    },
    /// The answer to [`Command::QueryFills`].
    FillsRead {
        /// Of which order.
        client_id: ClientOrderId,
        /// Its fills.
        fills: &'a [Fill],
    },
    /// Everything that came at once has been told; only now are decisions taken. A frame that a later frame of the same
    /// read has overtaken is never traded on.
    Settled,
    /// The time asked for by [`crate::Engine::wakeup_at`] has come.
    Wake,
    /// An operator stops all openings.
    Kill,
    /// What ended arbitrages left over is traded away, at most so far from the best prices. For the end of a run: openings
    /// must be stopped before.
    Flatten {
        /// How far.
        give: Bps,
    },
    /// An operator has looked at what stopped openings for good, and lets them go on.
    Acknowledge,
    /// An operator says what may be done.
    Mode(Mode),
    /// How the journal is.
    Journal(JournalState),
    /// How far the clock of a venue is from ours.
    Clock {
        /// Whose.
        venue: VenueId,
        /// What to add to our clock, in nanoseconds; `None` when it is not known.
        offset_nanos: Option<i64>,
    },
    /// What a venue says of its wallets. Once it was told, a coin it does not name is not traded.
    Wallets {
        /// Where.
        venue: VenueId,
        /// Of which coins.
        wallets: &'a [(Asset, Wallet)],
    },
    /// An exchange trades a symbol by these rules, and takes this much of it: adopted as soon as it can be.
    Rules {
        /// The market, in the scale it was registered with.
        market: &'a Market,
        /// What plans reckon with.
        taker_fee: Bps,
    },
    /// A symbol must not be traded any more, or may again.
    Blocked {
        /// Which.
        symbol: SymbolId,
        /// Why, in a few words; `None` when it may be traded.
        why: Option<&'static str>,
    },
    /// What may be sent to a venue is used up until then: nothing is opened there that could not leave.
    BudgetSpent {
        /// Where.
        venue: VenueId,
        /// When an order fits again.
        until: Timestamp,
    },
    /// A venue does not let us in any more: a key that is refused, a ban.
    ShutOut {
        /// Where.
        venue: VenueId,
        /// A short name of the reason: `auth`, `banned`.
        rule: &'static str,
    },
}

/// Whose a closing order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parent {
    /// The name of its arbitrage: the identifier of its first order.
    pub name: ClientOrderId,
    /// What ended arbitrages left over and this one trades away, in base; zero for one with legs of its own.
    pub carried: Decimal,
}

/// Something for whoever drives the engine to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// Ask for a book snapshot.
    FetchBook {
        /// Where.
        venue: VenueId,
        /// Of what.
        symbol: SymbolId,
        /// Levels a side.
        depth: u32,
        /// To be repeated in the answer.
        asked_at: Timestamp,
    },
    /// Have the stream send its snapshot again.
    Resubscribe {
        /// Where.
        venue: VenueId,
        /// Of what.
        symbol: SymbolId,
    },
    /// Place the two legs of an arbitrage: both now, or neither. No order is ever placed twice.
    Open {
        /// What the gate approved.
        legs: [Approved<OrderRequest>; 2],
    },
    /// Place an order that closes what is half open; it may use what is kept back of the exchange's budget.
    Close {
        /// What the gate approved.
        order: Approved<OrderRequest>,
        /// Whose it is.
        parent: Parent,
    },
    /// Ask for the state of an order.
    QueryOrder {
        /// Where.
        venue: VenueId,
        /// Of what.
        symbol: SymbolId,
        /// Ours.
        client_id: ClientOrderId,
        /// The exchange's, if known: it resolves longer than ours.
        order_id: Option<OrderId>,
        /// To be repeated in the answer.
        asked_at: Timestamp,
    },
    /// Ask for the fills of an order.
    QueryFills {
        /// Where.
        venue: VenueId,
        /// Of what.
        symbol: SymbolId,
        /// Ours.
        client_id: ClientOrderId,
        /// The exchange's.
        order_id: OrderId,
        /// Earlier than the order can have filled, whatever the exchange's clock says.
        since: Timestamp,
    },
    /// Cancel an order, which must not rest and does. Its answer tells nothing: what became of the order is asked for.
    Cancel {
        /// Where.
        venue: VenueId,
        /// Of what.
        symbol: SymbolId,
        /// Ours.
        client_id: ClientOrderId,
        /// The exchange's, if known.
        order_id: Option<OrderId>,
    },
    /// Ask for the account's open orders in a symbol: an order that is not found by its name may be among them.
    QueryOpen {
        /// Where.
        venue: VenueId,
        /// Of what.
        symbol: SymbolId,
        /// Of which order it is asked, to be repeated in the answer.
        client_id: ClientOrderId,
        /// To be repeated in the answer.
        asked_at: Timestamp,
    },
    /// Ask for all that the account traded in a symbol since then: an order that the exchange does not know any more may have
    /// filled all the same.
    QueryTrades {
        /// Where.
        venue: VenueId,
        /// Of what.
        symbol: SymbolId,
        /// Of which order it is asked, to be repeated in the answer.
        client_id: ClientOrderId,
        /// The exchange's name of it, if known: a trade may say no other.
        order_id: Option<OrderId>,
        /// Earlier than the order can have filled, whatever the exchange's clock says.
        since: Timestamp,
        /// To be repeated in the answer.
        asked_at: Timestamp,
    },
    /// Ask for everything an account holds.
    ReadAccount {
        /// Where.
        venue: VenueId,
        /// To be repeated in the answer.
        asked_at: Timestamp,
    },
}

/// What an order told of its venue, as the rules count it: what the next run must be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VenueNote {
    /// Where.
    pub venue: VenueId,
    /// Of what.
    pub symbol: SymbolId,
    /// Ours.
    pub client_id: ClientOrderId,
    /// What.
    pub told: Told,
}

/// What there is to be told of a venue by an order that left for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It was answered after this long.
    Answered(Duration),
    /// Its answer never came.
    Lost,
    /// It ended.
    Ended {
        /// Whether the exchange had taken it.
        worked: bool,
        /// How much more it was charged than expected, as a part of what it moved, where it was charged at all.
        fee_excess: Option<Bps>,
    },
}

/// Something worth telling people; nothing depends on it.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice {
    /// A rule stopped more than the plan at hand.
    Tripped(Trip),
    /// A book can be used from now.
    BookLive {
        /// Where.
        venue: VenueId,
        /// Of what.
        symbol: SymbolId,
    },
    /// A book can no longer be used.
    BookLost {
        /// Where.
        venue: VenueId,
        /// Of what.
        symbol: SymbolId,
    },
    /// An opportunity ended.
    Opportunity {
        /// Of what.
        symbol: SymbolId,
        /// What it was and what became of it.
        opportunity: Opportunity,
        /// When it ended.
        ended_at: Timestamp,
    },
    /// An arbitrage was started.
    Started {
        /// Number.
        id: ArbitrageId,
        /// What was decided.
        plan: Plan,
    },
    /// An order ended.
    OrderEnded {
        /// Of which arbitrage.
        id: ArbitrageId,
        /// Where.
        venue: VenueId,
        /// How.
        status: OrderStatus,
        /// What it filled.
        filled: Decimal,
    },
    /// An order told something of its venue.
    Noted(VenueNote),
    /// An arbitrage is over.
    Finished(Box<Outcome>),
    /// Something that must never happen happened, or nobody but a person can decide; the kill switch is thrown.
    Alarm(&'static str),
}

/// What the engine wants done and told; reused from event to event.
#[derive(Debug, Default)]
pub struct Commands {
    /// To do, in order.
    pub commands: Vec<Command>,
    /// To tell, in order.
    pub notices: Vec<Notice>,
}

impl Commands {
    /// Empties it, keeping the memory.
    pub fn clear(&mut self) {
        self.commands.clear();
        self.notices.clear();
    }
}
