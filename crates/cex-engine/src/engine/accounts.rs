//! Accounts as exchanges tell them, against our own ledger: whose word counts when.
//!
//! An answer may show an account as it was up to [`EngineConfig::venue_lag`](super::EngineConfig::venue_lag) before it was asked
//! for. So an answer undoes no fill that we heard of later than that:
//!
//! | our last fill there, as far as the records and this run know | the answer |
//! |---|---|
//! | must be in it | is adopted; at once when it is the run's first, at a second look when it is far off (R32) |
//! | may be missing, and it shows what we held at some moment since, or next to it | is adopted, with what filled since that moment |
//! | may be missing, and it shows something else | is asked for again |
//!
//! How far it is off (R32) is how far from the moment it is nearest to.

use super::{Engine, proof};
use crate::message::{Command, Commands};
use cex_core::{Asset, Balance, Decimal, Fill, NumError, Qty, Symbol, Timestamp, VenueId};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// The exchange's word on holdings is adopted only when nothing of ours moved there for this long.
const QUIET_BEFORE_ADOPTING: Duration = Duration::from_secs(1);

/// Fills kept to recognise an answer from before them: far more than an account has while an exchange lags. With more of them
/// such an answer is asked for again.
const FILLS_KEPT: usize = 1_000;

/// An answer is next to a moment when it is nearer to it than this part of what the least fill moved: then it is no other.
const NEXT_TO: Decimal = Decimal::new(1, 2);

/// What is told of an account in more digits than this is rounding.
const TOLD_DP: u8 = 8;

/// A first answer is awaited for so many times what an exchange lags at most. By then it shows all of ours, and what else moves
/// there is somebody else's.
const PATIENCE: u32 = 3;

/// An account is not traded on when for so many times the pause between two looks no answer could be compared with our ledger: where
/// orders follow each other too fast for a quiet moment, there must be one.
const COMPARED_WITHIN: u32 = 6;

/// How much of each coin.
type Held = BTreeMap<Asset, Decimal>;

/// The moment that an answer is nearest to.
struct Nearest {
    /// How far it is from what we held then, in quote.
    drift: Decimal,
    /// Whether that is rounding, or as good as.
    is_it: bool,
    /// Whether all of it has a price.
    priced: bool,
    /// How much more than we held, in quote, or less.
    gain: Decimal,
    /// What the answer says, and what filled since.
    held: Held,
}

/// What our ledger of an account begins with.
#[derive(Debug, Default)]
enum Opening {
    /// Nobody knows.
    #[default]
    Unknown,
    /// What earlier runs wrote down; what this run had filled comes on top.
    Records(Held),
    /// An answer of the exchange to a question of then, adopted: it is in the ledger.
    Adopted(Timestamp),
}

/// What our ledger of an account rests on, and which fills an answer may not show yet.
#[derive(Debug)]
pub(super) struct Basis {
    opening: Opening,
    /// When we heard of the last fill, whichever run it was.
    moved_at: Option<Timestamp>,
    /// The newest fills of this run, and when each was heard of.
    fills: VecDeque<(Timestamp, Symbol, Fill)>,
}

impl Default for Basis {
    /// Its table never grows: a fill must not wait for memory.
    fn default() -> Self {
        let fills = VecDeque::with_capacity(FILLS_KEPT);
        Self { opening: Opening::default(), moved_at: None, fills }
    }
}

impl Basis {
    /// A fill was booked.
    pub(super) fn moved(&mut self, now: Timestamp, symbol: Symbol, fill: &Fill) {
        self.moved_at = Some(now);
        if self.fills.len() >= FILLS_KEPT {
            self.fills.pop_front();
        }
        self.fills.push_back((now, symbol, *fill));
    }

    /// When the account was asked for that was adopted last.
    pub(super) const fn adopted(&self) -> Option<Timestamp> {
        match self.opening {
            Opening::Adopted(asked_at) => Some(asked_at),
            Opening::Unknown | Opening::Records(_) => None,
        }
    }

    /// Whether an answer to a question of then shows every fill.
    fn is_all_in(&self, asked_at: Timestamp, lag: Duration) -> bool {
        self.moved_at.is_none_or(|moved_at| asked_at >= moved_at + lag)
    }

    /// The fills that an answer may not show, as the exchange made them, the newest first.
    fn perhaps_missing(&self, asked_at: Timestamp, lag: Duration) -> Vec<(Symbol, Fill)> {
        let late = self.fills.iter().rev().take_while(|(heard_at, _, _)| asked_at < *heard_at + lag);
        let mut late: Vec<_> = late.map(|(_, symbol, fill)| (*symbol, *fill)).collect();
        // Calls tell of fills later than streams do, so that we may have heard of them in another order.
        late.sort_by_key(|(_, fill)| std::cmp::Reverse(fill.exchange_ts));
        late
    }
}

/// How far an answer is from what we held at a moment.
#[derive(Default)]
struct Off {
    coins: BTreeMap<Asset, OffCoin>,
    /// Coins off by more than rounding.
    count: usize,
    /// Those of them that nobody knows the worth of.
    unpriced: usize,
    /// All together, in quote; coins without a price count as they are when they are a quote, and not at all otherwise.
    worth: Decimal,
    /// What is more less what is less, in quote.
    gain: Decimal,
}

struct OffCoin {
    by: Decimal,
    gain: Decimal,
    counts: bool,
}

impl Off {
    /// A coin is off by so much more.
    fn add(&mut self, engine: &Engine, asset: Asset, change: Decimal) -> Result<(), NumError> {
        let mut by = change;
        if let Some(known) = self.coins.remove(&asset) {
            by = known.by.checked_add(change)?;
            self.worth = self.worth.checked_sub(known.gain.abs()?)?;
            self.gain = self.gain.checked_sub(known.gain)?;
            self.count -= usize::from(known.counts);
            self.unpriced -= usize::from(known.counts && known.gain.is_zero());
        }
        let size = by.abs()?;
        if size.is_zero() {
            return Ok(());
        }
        let gain = by.checked_mul(engine.worth(asset))?;
        let counts = engine.unit(asset).is_some_and(|unit| size >= unit);
        self.worth = self.worth.checked_add(gain.abs()?)?;
        self.gain = self.gain.checked_add(gain)?;
        self.count += usize::from(counts);
        self.unpriced += usize::from(counts && gain.is_zero());
        self.coins.insert(asset, OffCoin { by, gain, counts });
        Ok(())
    }
}

impl Nearest {
    fn new(off: &Off, held: &Held) -> Self {
        let (drift, gain, priced) = (off.worth, off.gain, off.unpriced == 0);
        Self { drift, is_it: off.count == 0, priced, gain, held: held.clone() }
    }
}

impl Engine {
    /// What an account held by the records of earlier runs, where they tell it, and when the last fill in it was written down.
    /// The first account of a run is compared with that.
    pub fn recall_account(
        &mut self,
        now: Timestamp,
        venue: VenueId,
        held: Option<BTreeMap<Asset, Decimal>>,
        moved_at: Option<Timestamp>,
    ) {
        let Some(state) = self.venues.get_mut(venue.index()) else { return };
        state.basis.opening = held.map_or(Opening::Unknown, Opening::Records);
        // A clock that was set back must not keep the run waiting for as long.
        state.basis.moved_at = moved_at.map(|moved_at| moved_at.min(now));
    }

    pub(super) fn account_read(
        &mut self,
        now: Timestamp,
        venue: VenueId,
        asked_at: Timestamp,
        balances: &[Balance],
    ) {
        let lag = self.config.venue_lag;
        let Some(state) = self.venues.get_mut(venue.index()) else { return };
        let Some(since) = state.account_since.filter(|since| asked_at >= *since) else { return };
        let first = !state.account_ready;
        let quiet =
            asked_at >= state.active_at + QUIET_BEFORE_ADOPTING || state.active_at == Timestamp::EPOCH;
        if self.gate.funds().is_busy(venue) || !quiet {
            let since = *state.uncompared_since.get_or_insert(asked_at);
            let overdue_at = since + self.config.account_refresh * COMPARED_WITHIN;
            state.account_due_at = state.account_due_at.min(now.max(overdue_at) + QUIET_BEFORE_ADOPTING);
            return self.ask_soon(now, venue);
        }
        state.uncompared_since = None;
        // None of our orders is live there: what is locked is so for others, unless the answer is from before our last one ended.
        let is_late = asked_at < state.active_at + lag && state.active_at != Timestamp::EPOCH;
        let locked = balances.iter().map(|balance| (balance.asset, balance.locked));
        if is_late {
            self.gate.funds_mut().unlock(venue, locked);
        } else {
            self.gate.funds_mut().set_locked(venue, locked);
        }
        // An answer that may have been made before our last fill would undo it.
        let all_in = state.basis.is_all_in(asked_at, lag);
        let missing = if all_in { Vec::new() } else { state.basis.perhaps_missing(asked_at, lag) };
        let is_ours = |fill: &Fill| fill.client_id.is_some_and(|name| self.orders.contains_key(&name));
        let waited =
            first && asked_at >= since + lag * PATIENCE && !missing.iter().any(|(_, fill)| is_ours(fill));
        let knows = !matches!(state.basis.opening, Opening::Unknown);
        let opens = state.basis.adopted().is_none();
        let nearest = self.nearest(venue, &missing, balances);
        // What does not fit is more than any limit.
        let drift = nearest.as_ref().map_or(Decimal::from(i64::MAX), |nearest| nearest.drift);
        // Before an answer of this run was adopted there is nothing that the next could have drifted from.
        let drift = if opens { Decimal::ZERO } else { drift };
        self.gate.drifted(venue, drift);
        // What is small is rounding, and the exchange's word counts. What is not, or has no price to tell by, is looked at twice
        // before it does.
        let unpriced = !opens && nearest.as_ref().is_ok_and(|nearest| !nearest.priced);
        let over = unpriced || drift > self.config.limits.max_drift;
        let Some(state) = self.venues.get_mut(venue.index()) else { return };
        let doubted = over && !state.drifting;
        state.drifting = over;
        if doubted {
            return self.ask_soon(now, venue);
        }
        let adopted = match nearest {
            Ok(nearest) if all_in || (knows && nearest.is_it) => Some(nearest),
            Ok(_) if waited => self.nearest(venue, &[], balances).ok(),
            Ok(_) | Err(_) => None,
        };
        match adopted {
            Some(Nearest { gain, held, .. }) => {
                if !opens {
                    self.gate.adopted(venue, gain);
                }
                self.adopt_account(venue, asked_at, held);
            }
            None => self.ask_soon(now, venue),
        }
    }

    /// An account that is not ready is asked for again soon; any other when it is due.
    fn ask_soon(&mut self, now: Timestamp, venue: VenueId) {
        if let Some(state) = self.venues.get_mut(venue.index())
            && !state.account_ready
        {
            state.account_due_at = now + QUIET_BEFORE_ADOPTING;
        }
    }

    /// From now on we hold this there, and nothing else: so its exchange answered to a question of then.
    fn adopt_account(&mut self, venue: VenueId, asked_at: Timestamp, held: Held) {
        if let Some(state) = self.venues.get_mut(venue.index()) {
            (state.drifting, state.account_ready) = (false, true);
            state.basis.opening = Opening::Adopted(asked_at);
        }
        for (known, asset, _) in self.gate.funds().all_held() {
            if known == venue && !held.contains_key(&asset) {
                self.gate.funds_mut().set_held(venue, asset, Decimal::ZERO);
            }
        }
        for (asset, held) in held {
            self.gate.funds_mut().set_held(venue, asset, held);
        }
        // Before anything is opened with it.
        self.value_account(venue);
    }

    /// What an account holds by our ledger.
    fn ledger(&self, venue: VenueId) -> Result<Held, NumError> {
        let mut ours = match self.venues.get(venue.index()).map(|state| &state.basis.opening) {
            Some(Opening::Records(held)) => held.clone(),
            Some(Opening::Unknown | Opening::Adopted(_)) | None => Held::new(),
        };
        for (_, asset, held) in self.gate.funds().all_held().into_iter().filter(|row| row.0 == venue) {
            let sum = ours.entry(asset).or_default();
            *sum = sum.checked_add(held)?;
        }
        Ok(ours)
    }

    /// The moment an answer is nearest to: with all of these fills, or without the newest of them.
    fn nearest(
        &self,
        venue: VenueId,
        missing: &[(Symbol, Fill)],
        balances: &[Balance],
    ) -> Result<Nearest, NumError> {
        let mut held = Held::new();
        for balance in balances {
            held.insert(balance.asset, balance.total()?);
        }
        let mut off = Off::default();
        for (asset, ours) in self.ledger(venue)? {
            let told = held.get(&asset).copied().unwrap_or_default();
            off.add(self, asset, told.checked_sub(ours)?)?;
        }
        let mut nearest = Nearest::new(&off, &held);
        let mut least = None;
        for (symbol, fill) in missing {
            let ((base, quote), other_fees) = proof::moved(*symbol, fill)?;
            let mut changes = vec![(symbol.base, base), (symbol.quote, quote)];
            for (asset, fee) in other_fees.iter() {
                changes.push((asset, fee.negated()?));
            }
            for (asset, change) in changes {
                let sum = held.entry(asset).or_default();
                *sum = sum.checked_add(change)?;
                off.add(self, asset, change)?;
            }
            let moved = fill.notional()?;
            least = Some(least.map_or(moved, |least: Decimal| least.min(moved)));
            if !nearest.is_it && (off.count == 0 || off.worth < nearest.drift) {
                nearest = Nearest::new(&off, &held);
            }
        }
        if nearest.is_it {
            nearest.drift = Decimal::ZERO;
        } else if let Some(least) = least.filter(|_| nearest.priced) {
            nearest.is_it = nearest.drift <= least.checked_mul(NEXT_TO)?.min(self.config.limits.max_drift);
        }
        Ok(nearest)
    }

    /// What is less of a coin than this is rounding; `None` for a coin that is not traded, of which any amount is.
    #[must_use]
    pub fn unit(&self, asset: Asset) -> Option<Decimal> {
        let traded = || self.symbols.iter().flatten();
        let bases = traded().filter(|state| state.symbol.base == asset);
        let least = bases.map(|state| state.scale.qty_value(Qty(1))).max();
        least
            .or_else(|| traded().any(|state| state.symbol.quote == asset).then_some(Decimal::new(1, TOLD_DP)))
    }

    /// Whether an account may be traded on: it is known, and was compared with our ledger not too long ago (R32).
    pub(super) fn is_ready(&self, now: Timestamp, venue: usize) -> bool {
        let within = self.config.account_refresh * COMPARED_WITHIN;
        self.venues.get(venue).is_some_and(|state| {
            state.account_ready && state.uncompared_since.is_none_or(|since| now.since(since) <= within)
        })
    }

    fn ask_account(&mut self, now: Timestamp, venue: VenueId, out: &mut Commands) {
        if let Some(state) = self.venues.get_mut(venue.index()) {
            state.account_due_at = now + self.config.account_refresh;
            out.commands.push(Command::ReadAccount { venue, asked_at: now });
        }
    }

    pub(super) fn account_ready(&mut self, now: Timestamp, venue: VenueId, out: &mut Commands) {
        if let Some(state) = self.venues.get_mut(venue.index()) {
            state.account_since = Some(now);
        }
        self.account_doubted(now, venue, out);
    }

    /// News of the account may have been missed: holdings and the orders on the way are asked for.
    pub(super) fn account_doubted(&mut self, now: Timestamp, venue: VenueId, out: &mut Commands) {
        let runs = self.arbitrages.orders_mut();
        runs.filter(|run| run.request.venue == venue && !run.is_settled()).for_each(|run| run.doubt(now));
        if self.venues.get(venue.index()).is_some_and(|state| state.account_since.is_some()) {
            self.ask_account(now, venue, out);
        }
    }

    /// What we take it to hold may not be so: nothing is opened there before it was asked for again.
    pub(super) fn account_in_doubt(&mut self, now: Timestamp, venue: VenueId) {
        let state = self.venues.get_mut(venue.index());
        if let Some(state) = state.filter(|state| state.account_since.is_some()) {
            (state.account_ready, state.account_since, state.account_due_at) = (false, Some(now), now);
        }
    }

    pub(super) fn account_lost(&mut self, venue: VenueId) {
        if let Some(state) = self.venues.get_mut(venue.index()) {
            state.account_ready = false;
            // An answer already on its way must not make the account ready while its stream is down.
            state.account_since = None;
            state.account_due_at = Timestamp::MAX;
        }
    }

    pub(super) fn wake_accounts(&mut self, now: Timestamp, out: &mut Commands) {
        for index in 0..self.venues.len() {
            let state = &self.venues[index];
            if state.account_since.is_some() && now >= state.account_due_at {
                self.ask_account(now, state.id, out);
            }
        }
    }
}
