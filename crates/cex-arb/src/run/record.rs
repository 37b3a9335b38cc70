//! What the desk does and hears, into the journal: intents before anything leaves, everything else right after.

use super::control::Directory;
use super::past;
use crate::show::Names;
use cex_core::{
    AccountEvent, Asset, Balance, Bps, ClientOrderId, Decimal, Fill, Order, OrderRequest, OrderStatus, Plan,
    Timestamp, VenueId,
};
use cex_engine::{Notice, Outcome, Parent, Told, VenueNote};
use cex_journal::messages::{self, Source};
use cex_journal::{Entry, Health, JournalError, Payload, Writer, record};
use cex_risk::{JournalState, Scope, Standing, Until};
use std::collections::BTreeMap;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// How long the halt file is waited for at most: a disk that hangs must not keep a closing order from leaving.
const HALT_WITHIN: Duration = Duration::from_millis(50);
/// An acknowledgement may take longer, a disk that is only slow must not make a halt of it; but nothing is traded away meanwhile.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_millis(250);

/// Arbitrages on the way at once before their list must grow.
const OPEN_USUALLY: usize = 64;

/// So much of a coin at a venue.
pub type Held = (VenueId, Asset, Decimal);

/// When a journal counts as behind.
#[derive(Debug, Clone, Copy)]
pub struct Tolerance {
    /// Longest the disk may lag.
    pub lag: Duration,
    /// Least room on its disk, in bytes.
    pub free: u64,
}

/// Keeps the journal of a run. Messages are kept and filled anew, so that recording takes no memory.
pub struct Recorder {
    writer: Writer,
    health: Health,
    tolerance: Tolerance,
    names: Names,
    /// Where the halt file goes when the journal takes nothing any more.
    directory: Directory,
    failed: bool,
    /// Whether orders leave in this session: before the first one nothing can get lost.
    sends: bool,
    /// Whether the halt file was put for a journal that failed.
    held: bool,
    intent: messages::Intent,
    order: messages::OrderEvent,
    fill: messages::Fill,
    balance: messages::Balance,
    /// Names of arbitrages that were written down, and whose end was not.
    open: Vec<ClientOrderId>,
    /// Venues of which this session has written down all that they hold.
    listed: Vec<VenueId>,
    /// Whether this run knows what earlier ones did, so that its end can say what the journal's records come to.
    knows_past: bool,
}

impl Recorder {
    /// A recorder into an opened journal whose session has begun.
    #[must_use]
    pub fn new(writer: Writer, tolerance: Tolerance, names: Names, directory: Directory) -> Self {
        Self {
            health: writer.health(),
            writer,
            tolerance,
            names,
            directory,
            failed: false,
            sends: false,
            held: false,
            intent: messages::Intent::default(),
            order: messages::OrderEvent::default(),
            fill: messages::Fill::default(),
            balance: messages::Balance::default(),
            open: Vec::with_capacity(OPEN_USUALLY),
            listed: Vec::new(),
            knows_past: false,
        }
    }

    /// What earlier runs did is known, and these arbitrages of theirs are not over.
    pub fn knows_past(&mut self, open: impl IntoIterator<Item = ClientOrderId>) {
        self.open.extend(open);
        self.knows_past = true;
    }

    /// How the journal is (R34).
    #[must_use]
    pub fn state(&self) -> JournalState {
        if self.has_failed() {
            JournalState::Failed
        } else if self.health.starved()
            || self.health.lag(Instant::now()) > self.tolerance.lag
            || self.health.free_bytes() < self.tolerance.free
        {
            JournalState::Behind
        } else {
            JournalState::Well
        }
    }

    /// Whether nothing can be written any more. One whose next segment cannot be made yet still takes what the current one holds.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.failed || self.health.failed()
    }

    /// Whether it takes nothing any more although orders leave. What leaves from then on no later run can know of: it waits for an
    /// operator.
    #[must_use]
    pub const fn loses_orders(&self) -> bool {
        self.failed && self.sends
    }

    /// Both legs of a plan are about to leave. Whether that was written: if not, they must not.
    #[must_use]
    pub fn opening(&mut self, now: Timestamp, id: u64, plan: &Plan, legs: [&OrderRequest; 2]) -> bool {
        let Some((symbol, scale)) = self.names.symbols.get(&plan.symbol) else { return false };
        self.sends = true;
        record::intent(&mut self.intent, id, symbol, *scale, plan, legs);
        let written = self.append_intent(now);
        if written {
            self.open.push(legs[0].client_id);
        }
        written
    }

    /// An order that closes what is half open is about to leave. It leaves whether that can be written or not; if not, the halt
    /// file is there before, so that no later run closes the same once more.
    pub fn closing(&mut self, now: Timestamp, parent: Parent, order: &OrderRequest) {
        let Some((symbol, scale)) = self.names.symbols.get(&order.symbol) else { return };
        let notional = match (order.kind.price(), order.kind.qty()) {
            (Some(price), Some(qty)) => scale.notional_value(price.times(qty)),
            (None, _) | (_, None) => Decimal::ZERO,
        };
        let purpose = if parent.carried.is_zero() { "unwind" } else { "flatten" };
        let of = (parent.name, parent.carried);
        self.sends = true;
        record::mending(&mut self.intent, of, symbol, *scale, purpose, order, notional);
        let written = self.append_intent(now);
        if written && parent.name == order.client_id {
            self.open.push(parent.name);
        }
    }

    fn append_intent(&mut self, now: Timestamp) -> bool {
        let result = self.writer.append(now, &self.intent).map(|_| ());
        self.note(result)
    }

    /// News of an account.
    pub fn account(&mut self, now: Timestamp, venue: VenueId, event: &AccountEvent) {
        match event {
            AccountEvent::Order(order) => self.order(now, order),
            AccountEvent::Fill(fill) => self.fill(now, fill),
            AccountEvent::Balance(balance) => {
                record::balance(&mut self.balance, venue, Source::Stream, balance);
                let result = self.writer.stage(now, &self.balance).map(|_| ());
                self.note(result);
            }
        }
    }

    /// An order as an exchange tells it.
    pub fn order(&mut self, now: Timestamp, order: &Order) {
        let Some((symbol, _)) = self.names.symbols.get(&order.symbol) else { return };
        record::order_event(&mut self.order, symbol, order);
        let result = self.writer.stage(now, &self.order).map(|_| ());
        self.note(result);
    }

    /// An order that an exchange refused, or that never left us: nobody need ask for it.
    pub fn refused(&mut self, now: Timestamp, order: &OrderRequest) {
        self.order(
            now,
            &Order {
                venue: order.venue,
                symbol: order.symbol,
                order_id: None,
                client_id: Some(order.client_id),
                side: order.side,
                order_type: None,
                status: OrderStatus::Rejected,
                price: None,
                qty: None,
                filled_qty: Decimal::ZERO,
                filled_notional: Decimal::ZERO,
                fee: None,
                created_at: now,
                as_of: now,
            },
        );
    }

    /// An account was read, and the engine took other amounts for held than before: with them, what is held follows from the
    /// fills. Both lists are in order of venue and coin. The first time in a session, and where the fills tell another story, all that
    /// a venue holds is written down, because it begins the records of it anew; then what changed.
    pub fn adopted(&mut self, now: Timestamp, before: &[Held], after: &[Held]) {
        for rows in after.chunk_by(|row, next| row.0 == next.0) {
            let Some((venue, ..)) = rows.first().copied() else { continue };
            let known = before.iter().filter(|row| row.0 == venue).map(|(_, asset, held)| (*asset, *held));
            let known: BTreeMap<Asset, Decimal> = known.collect();
            let all = !self.listed.contains(&venue);
            // Of what was never held, that it is not held is no news, but in a list of everything.
            let is_news = |(_, asset, held): &Held| match known.get(asset) {
                Some(known) => known != held,
                None => all || !held.is_zero(),
            };
            if !all && !rows.iter().any(is_news) {
                continue;
            }
            if all {
                self.listed.push(venue);
            }
            for row in rows.iter().filter(|row| all || is_news(row)) {
                let balance = Balance { asset: row.1, free: row.2, locked: Decimal::ZERO, as_of: now };
                record::balance(&mut self.balance, venue, Source::Answer, &balance);
                let result = self.writer.stage(now, &self.balance).map(|_| ());
                self.note(result);
            }
        }
    }

    /// What a start found out of earlier runs.
    pub fn learned(&mut self, now: Timestamp, entry: &Entry) {
        match entry {
            Entry::Intent(intent) => self.stage(now, intent),
            Entry::OrderEvent(order) => self.stage(now, order),
            Entry::Fill(fill) => self.stage(now, fill),
            Entry::ArbitrageEnd(end) => self.stage(now, end),
            Entry::PastSought(sought) => self.stage(now, sought),
            Entry::PastUnsought(unsought) => self.stage(now, unsought),
            other => tracing::error!(?other, "no start finds this out"),
        }
    }

    /// The end of an arbitrage of an earlier run that needs nothing done.
    pub fn ended_before(&mut self, now: Timestamp, end: &messages::ArbitrageEnd) {
        self.stage(now, end);
    }

    /// An arbitrage that was written down is over.
    fn ended(&mut self, now: Timestamp, outcome: &Outcome) {
        let Some(name) = outcome.orders.first() else { return };
        let Some(at) = self.open.iter().position(|open| open == name) else { return };
        self.open.swap_remove(at);
        let mut other_fees: Vec<_> = outcome.other_fees.iter().collect();
        other_fees.sort_by_key(|(asset, _)| *asset);
        let row = |(asset, fee): (Asset, Decimal)| messages::Fee {
            amount: fee.to_string(),
            asset: asset.to_string(),
        };
        let end = messages::ArbitrageEnd {
            name: name.to_string(),
            symbol: self.names.symbol(outcome.symbol),
            ending: outcome.ending.name().to_owned(),
            realised: outcome.realised.to_string(),
            quote_change: outcome.quote_change.to_string(),
            base_change: outcome.base_change.to_string(),
            mark: outcome.mark.to_string(),
            left_over: outcome.left_over.to_string(),
            edge_e8: outcome.edge.e8(),
            other_fees: other_fees.into_iter().map(row).collect(),
            other_fee: outcome.other_fee.to_string(),
        };
        self.stage(now, &end);
    }

    /// A fill; one that is told twice is recorded twice and counts once.
    pub fn fill(&mut self, now: Timestamp, fill: &Fill) {
        let Some((symbol, _)) = self.names.symbols.get(&fill.symbol) else { return };
        record::fill(&mut self.fill, symbol, fill);
        let result = self.writer.stage(now, &self.fill).map(|_| ());
        self.note(result);
    }

    /// What the engine told, as far as it moves what may be done.
    pub fn notice(&mut self, now: Timestamp, notice: &Notice) {
        match notice {
            Notice::Tripped(trip) => {
                let (venue, symbol) = match trip.scope {
                    Scope::All => (String::new(), String::new()),
                    Scope::Venue(venue) => (venue.to_string(), String::new()),
                    Scope::Symbol(symbol) => (String::new(), self.names.symbol(symbol)),
                };
                self.stage(
                    now,
                    &messages::RiskTrip {
                        rule: trip.rule.to_owned(),
                        venue,
                        symbol,
                        state: "close_only".to_owned(),
                        reason: trip.to_string(),
                        until_ns: match trip.until {
                            Until::Time(until) => until.as_nanos(),
                            Until::Operator => 0,
                        },
                    },
                );
            }
            Notice::Alarm(what) => self.halt(now, "engine", what),
            Notice::BookLive { .. }
            | Notice::BookLost { .. }
            | Notice::Opportunity { .. }
            | Notice::Started { .. }
            | Notice::OrderEnded { .. } => {}
            // By the records it moved the account once more: all of it is written down again with its next answer.
            Notice::HeldAlready { venue } => self.listed.retain(|listed| listed != venue),
            Notice::Noted(note) => self.venue_note(now, note),
            Notice::Finished(outcome) => self.ended(outcome.times.1, outcome),
        }
    }

    /// What an order told of its venue: counts that the next run goes on with.
    fn venue_note(&mut self, now: Timestamp, note: &VenueNote) {
        let (told, took, fee_excess) = match note.told {
            Told::Answered(took) => (messages::Told::Answered, took, None),
            Told::Lost => (messages::Told::Lost, Duration::ZERO, None),
            Told::Ended { worked: true, fee_excess } => (messages::Told::Worked, Duration::ZERO, fee_excess),
            Told::Ended { worked: false, fee_excess } => (messages::Told::Failed, Duration::ZERO, fee_excess),
        };
        let note = messages::VenueNote {
            venue: note.venue.to_string(),
            symbol: self.names.symbol(note.symbol),
            client_id: note.client_id.to_string(),
            told: told.into(),
            took_ns: u64::try_from(took.as_nanos()).unwrap_or(u64::MAX),
            fee_excess_e8: fee_excess.map(Bps::e8),
        };
        self.stage(now, &note);
    }

    /// Everything stops until an operator has looked, over restarts too.
    pub fn halt(&mut self, now: Timestamp, by: &str, reason: &str) {
        self.stage(now, &messages::Halt { by: by.to_owned(), reason: reason.to_owned() });
        // A journal that cannot be written, or a disk that hangs, must neither be all that keeps the next run from trading, nor keep
        // this one from cancelling and closing.
        if !self.is_on_disk(HALT_WITHIN) {
            self.put_halt_file(&format!("{now} {by}: {reason}"));
        }
    }

    /// Whether everything is on disk, which is waited for a little.
    fn is_on_disk(&mut self, within: Duration) -> bool {
        let synced = self.writer.sync_within(within);
        let is_done = matches!(synced, Ok(true));
        self.note(synced.map(|_| ())) && is_done
    }

    /// Puts the halt file there, by a thread of its own, and waits for it a little.
    fn put_halt_file(&self, what: &str) {
        let (told, put) = mpsc::channel();
        let (directory, text) = (self.directory.clone(), what.to_owned());
        let putting = move || {
            let outcome = directory.put_halt_file(&text);
            if let Err(error) = &outcome {
                tracing::error!(%error, what = text, "the halt could not be written down: start nothing before you have looked");
            }
            // Whoever waited may have gone on.
            let _ = told.send(());
        };
        match thread::Builder::new().name("halt-file".to_owned()).spawn(putting) {
            Ok(_) if put.recv_timeout(HALT_WITHIN).is_ok() => {}
            Ok(_) => tracing::error!(what, "the halt is not written down yet: the disk hangs"),
            Err(error) => {
                tracing::error!(%error, what, "the halt could not be written down: start nothing before you have looked");
            }
        }
    }

    /// An operator has looked. Whether that is on disk; it may be so later.
    pub fn acknowledged(&mut self, now: Timestamp, by: &str) -> bool {
        let ack = messages::OperatorAck { by: by.to_owned(), ..Default::default() };
        self.stage(now, &ack);
        self.is_on_disk(ACKNOWLEDGED_WITHIN)
    }

    /// What a run goes by was changed in it.
    pub fn changed(&mut self, now: Timestamp, key: &str, old: &str, new: &str, by: &str) {
        let [key, old, new, by] = [key, old, new, by].map(str::to_owned);
        self.stage(now, &messages::ConfigChange { key, old, new, by });
    }

    /// How far a venue's clock is from ours.
    pub fn clock(&mut self, now: Timestamp, venue: VenueId, offset_ns: i64, error: Duration) {
        let error_ns = u64::try_from(error.as_nanos()).unwrap_or(u64::MAX);
        self.stage(now, &messages::ClockOffset { venue: venue.to_string(), offset_ns, error_ns });
    }

    fn stage<P: Payload>(&mut self, now: Timestamp, payload: &P) {
        let result = self.writer.stage(now, payload).map(|_| ());
        self.note(result);
    }

    /// Hands what was staged to the system.
    pub fn flush(&mut self) {
        let result = self.writer.flush();
        self.note(result);
    }

    /// The session ends, with this state: what reading the journal must give again.
    ///
    /// # Errors
    /// When its last records could not be written.
    pub fn close(
        self,
        now: Timestamp,
        reason: &str,
        orders_left: u32,
        standing: &Standing,
    ) -> Result<(), JournalError> {
        let state = past::state(standing, self.open.len());
        let state_hash = if self.knows_past { past::state_hash(&state) } else { Vec::new() };
        let end = messages::SessionEnd { reason: reason.to_owned(), state_hash, orders_left };
        let closed = self.writer.close(now, &end);
        // Its last orders may be in no record. Nothing waits for the disk any more.
        if let Err(error) = &closed
            && self.sends
            && let Err(unput) = self.directory.put_halt_file(&format_args!("{now} R34: {error}"))
        {
            tracing::error!(error = %unput, "the halt could not be written down: start nothing before you have looked");
        }
        closed
    }

    /// The session ends before it did anything. What keeps its end from being written is told; why it ends is its caller's.
    pub fn abandon(self, now: Timestamp, orders_left: u32) {
        let end = messages::SessionEnd { reason: "failed".to_owned(), state_hash: Vec::new(), orders_left };
        if let Err(error) = self.writer.close(now, &end) {
            tracing::error!(%error, "the session's end could not be written");
        }
    }

    fn note(&mut self, result: Result<(), JournalError>) -> bool {
        match result {
            Ok(()) => true,
            Err(error) => {
                if !std::mem::replace(&mut self.failed, true) {
                    tracing::error!(%error, "the journal cannot be written: nothing new is opened");
                }
                // What is closed from here on, and what was in the last group, the next run would not know of: it would close it
                // once more.
                if self.sends && !std::mem::replace(&mut self.held, true) {
                    self.put_halt_file(&format!("R34: the journal cannot be written: {error}"));
                }
                false
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
