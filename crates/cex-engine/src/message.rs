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
        /// Venue it comes from.
        venue: VenueId,
        /// The news.
        event: &'a MarketEvent,
        /// The levels the update refers to.
        levels: &'a [Level],
    },
    /// The answer to [`Command::FetchBook`].
    Book {
        /// Venue that was asked.
        venue: VenueId,
        /// Symbol of the book.
        symbol: SymbolId,
        /// When it was asked for, as the command says.
        asked_at: Timestamp,
        /// Version of the book, of the same counter as the stream's deltas.
        seq: u64,
        /// When it was true, by the exchange's clock; the epoch when not said.
        exchange_ts: Timestamp,
        /// Bids, best first.
        bids: &'a [Level],
        /// Asks, best first.
        asks: &'a [Level],
    },
    /// [`Command::FetchBook`] failed.
    BookFailed {
        /// Venue that was asked.
        venue: VenueId,
        /// Symbol of the book.
        symbol: SymbolId,
        /// When it was asked for, as the command says.
        asked_at: Timestamp,
    },
    /// News about a connection that carries these symbols (none: the account's).
    Link {
        /// Venue the connection goes to.
        venue: VenueId,
        /// What the connection did or learned.
        event: LinkEvent,
        /// Symbols whose data the connection carries; none for the account's connection.
        symbols: &'a [SymbolId],
    },
    /// Private news.
    Account {
        /// Venue of the account.
        venue: VenueId,
        /// The news: an order, a fill or a balance.
        event: &'a AccountEvent,
    },
    /// The answer to [`Command::ReadAccount`].
    AccountRead {
        /// Venue of the account.
        venue: VenueId,
        /// When it was asked for, as the command says.
        asked_at: Timestamp,
        /// Everything held; what is not listed is zero.
        balances: &'a [Balance],
    },
    /// The exchange accepted an order.
    Placed {
        /// Our identifier of the order.
        client_id: ClientOrderId,
        /// The exchange's identifier of the order.
        order_id: OrderId,
        /// Its state, where the answer carries it.
        order: Option<&'a Order>,
    },
    /// An order was not accepted, or we cannot tell.
    PlaceFailed {
        /// Our identifier of the order.
        client_id: ClientOrderId,
        /// Whether the exchange acted on the placement.
        outcome: cex_errors::Outcome,
    },
    /// The answer to [`Command::QueryOrder`]: the order, or `None` when the exchange does not know it.
    OrderRead {
        /// Our identifier of the order.
        client_id: ClientOrderId,
        /// When it was asked for, as the command says: an answer tells of no later time.
        asked_at: Timestamp,
        /// The order's state; `None` when the exchange does not know it.
        order: Option<&'a Order>,
    },
    /// The answer to [`Command::QueryOpen`].
    OpenRead {
        /// Our identifier of the order that is looked for.
        client_id: ClientOrderId,
        /// When it was asked for, as the command says.
        asked_at: Timestamp,
        /// The account's open orders in the symbol.
        orders: &'a [Order],
        /// Whether those are all.
        whole: bool,
    },
    /// The answer to [`Command::QueryTrades`].
    TradesRead {
        /// Our identifier of the order that is looked for.
        client_id: ClientOrderId,
        /// When it was asked for, as the command says.
        asked_at: Timestamp,
        /// What the account traded in the symbol, whatever the order.
        fills: &'a [Fill],
        /// Whether those are all of the time that was asked for. Only then does it tell anything that an order is not in them.
        whole: bool,
    },
    /// The answer to [`Command::QueryFills`].
    FillsRead {
        /// Our identifier of the order.
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
        /// Farthest a closing order may go from the best price.
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
        /// Venue whose clock was measured.
        venue: VenueId,
        /// What to add to our clock, in nanoseconds; `None` when it is not known.
        offset_nanos: Option<i64>,
    },
    /// What a venue says of its wallets. Once it was told, a coin it does not name is not traded.
    Wallets {
        /// Venue of the wallets.
        venue: VenueId,
        /// Each coin it names, with the chains it can be moved in and out over.
        wallets: &'a [(Asset, Wallet)],
    },
    /// An exchange trades a symbol by these rules, and takes this much of it: adopted as soon as it can be.
    Rules {
        /// The market, in the scale it was registered with.
        market: &'a Market,
        /// Taker fee that plans reckon with from now on.
        taker_fee: Bps,
    },
    /// A symbol must not be traded any more, or may again.
    Blocked {
        /// Symbol that is blocked or free again, on all venues.
        symbol: SymbolId,
        /// Why, in a few words; `None` when it may be traded.
        why: Option<&'static str>,
    },
    /// What may be sent to a venue is used up until then: nothing is opened there that could not leave.
    BudgetSpent {
        /// Venue whose budget is spent.
        venue: VenueId,
        /// When an order fits again, by our clock.
        until: Timestamp,
    },
    /// A venue does not let us in any more: a key that is refused, a ban.
    ShutOut {
        /// Venue that does not let us in.
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
        /// Venue to ask.
        venue: VenueId,
        /// Symbol of the book.
        symbol: SymbolId,
        /// Levels a side.
        depth: u32,
        /// When it is asked for, by our clock; to be repeated in the answer.
        asked_at: Timestamp,
    },
    /// Have the stream send its snapshot again.
    Resubscribe {
        /// Venue whose stream is meant.
        venue: VenueId,
        /// Symbol of the book.
        symbol: SymbolId,
    },
    /// Place the two legs of an arbitrage: both now, or neither. No order is ever placed twice.
    Open {
        /// The two legs as the gate approved them, the buying leg first.
        legs: [Approved<OrderRequest>; 2],
    },
    /// Place an order that closes what is half open; it may use what is kept back of the exchange's budget.
    Close {
        /// The order as the gate approved it.
        order: Approved<OrderRequest>,
        /// The arbitrage it closes.
        parent: Parent,
    },
    /// Ask for the state of an order.
    QueryOrder {
        /// Venue the order was sent to.
        venue: VenueId,
        /// Symbol of the order.
        symbol: SymbolId,
        /// Our identifier of the order.
        client_id: ClientOrderId,
        /// The exchange's identifier, if known: it resolves longer than ours.
        order_id: Option<OrderId>,
        /// When it is asked for, by our clock; to be repeated in the answer.
        asked_at: Timestamp,
    },
    /// Ask for the fills of an order.
    QueryFills {
        /// Venue the order was sent to.
        venue: VenueId,
        /// Symbol of the order.
        symbol: SymbolId,
        /// Our identifier of the order.
        client_id: ClientOrderId,
        /// The exchange's identifier of the order.
        order_id: OrderId,
        /// Earlier than the order can have filled, whatever the exchange's clock says.
        since: Timestamp,
    },
    /// Cancel an order, which must not rest and does. Its answer tells nothing: what became of the order is asked for.
    Cancel {
        /// Venue the order was sent to.
        venue: VenueId,
        /// Symbol of the order.
        symbol: SymbolId,
        /// Our identifier of the order.
        client_id: ClientOrderId,
        /// The exchange's identifier of the order, if known.
        order_id: Option<OrderId>,
    },
    /// Ask for the account's open orders in a symbol: an order that is not found by its name may be among them.
    QueryOpen {
        /// Venue of the account.
        venue: VenueId,
        /// Symbol whose open orders are asked for.
        symbol: SymbolId,
        /// Our identifier of the order that is looked for; to be repeated in the answer.
        client_id: ClientOrderId,
        /// When it is asked for, by our clock; to be repeated in the answer.
        asked_at: Timestamp,
    },
    /// Ask for all that the account traded in a symbol since then: an order that the exchange does not know any more may have
    /// filled all the same.
    QueryTrades {
        /// Venue of the account.
        venue: VenueId,
        /// Symbol whose trades are asked for.
        symbol: SymbolId,
        /// Our identifier of the order that is looked for; to be repeated in the answer.
        client_id: ClientOrderId,
        /// The exchange's name of it, if known: a trade may say no other.
        order_id: Option<OrderId>,
        /// Earlier than the order can have filled, whatever the exchange's clock says.
        since: Timestamp,
        /// When it is asked for, by our clock; to be repeated in the answer.
        asked_at: Timestamp,
    },
    /// Ask for everything an account holds.
    ReadAccount {
        /// Venue of the account.
        venue: VenueId,
        /// When it is asked for, by our clock; to be repeated in the answer.
        asked_at: Timestamp,
    },
}

/// What an order told of its venue, as the rules count it: what the next run must be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VenueNote {
    /// Venue the order was sent to.
    pub venue: VenueId,
    /// Symbol of the order.
    pub symbol: SymbolId,
    /// Our identifier of the order.
    pub client_id: ClientOrderId,
    /// What the order told of the venue.
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
    /// A fill was told that an account showed already which was adopted before: what is held stays so.
    HeldAlready {
        /// Venue of the account.
        venue: VenueId,
    },
    /// A book can be used from now.
    BookLive {
        /// Venue of the book.
        venue: VenueId,
        /// Symbol of the book.
        symbol: SymbolId,
    },
    /// A book can no longer be used.
    BookLost {
        /// Venue of the book.
        venue: VenueId,
        /// Symbol of the book.
        symbol: SymbolId,
    },
    /// An opportunity ended.
    Opportunity {
        /// Symbol whose books crossed.
        symbol: SymbolId,
        /// What it was and what became of it.
        opportunity: Opportunity,
        /// When it ended, by our clock.
        ended_at: Timestamp,
    },
    /// An arbitrage was started.
    Started {
        /// Number of the arbitrage in this run.
        id: ArbitrageId,
        /// The plan as decided.
        plan: Plan,
    },
    /// An order ended.
    OrderEnded {
        /// Arbitrage the order belongs to.
        id: ArbitrageId,
        /// Venue the order was sent to.
        venue: VenueId,
        /// Final state of the order.
        status: OrderStatus,
        /// Filled quantity, in base.
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
    /// What to do, in order.
    pub commands: Vec<Command>,
    /// What to tell, in order.
    pub notices: Vec<Notice>,
}

impl Commands {
    /// Empties it, keeping the memory.
    pub fn clear(&mut self) {
        self.commands.clear();
        self.notices.clear();
    }
}
