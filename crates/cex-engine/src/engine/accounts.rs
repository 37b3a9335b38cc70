//! Accounts as exchanges tell them, against our own ledger: whose word counts when.
//!
//! An answer may show an account as it was up to [`EngineConfig::venue_lag`](super::EngineConfig::venue_lag) before it was asked
//! for. So an answer undoes no fill that we heard of later than that:
//!
//! | our last fill there, as far as the records and this run know | the answer |
//! |---|---|
//! | must be in it | is adopted; at once when it is the first, at a second look when it is far off (R32) |
//! | may be missing, and it shows what we held at some moment since | is no news: our ledger stands |
//! | may be missing, and it shows something else | is asked for again |

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

/// What is told of an account in more digits than this is rounding.
const TOLD_DP: u8 = 8;

/// How much of each coin.
type Held = BTreeMap<Asset, Decimal>;

/// What our ledger of an account begins with.
#[derive(Debug, Default)]
enum Opening {
    /// Nobody knows.
    #[default]
    Unknown,
    /// What earlier runs wrote down; what this run had filled comes on top.
    Records(Held),
    /// An answer of the exchange, adopted: it is in the ledger.
    Adopted,
}

/// What our ledger of an account rests on, and which fills an answer may not show yet.
#[derive(Debug, Default)]
pub(super) struct Basis {
    opening: Opening,
    /// When we heard of the last fill, whichever run it was.
    moved_at: Option<Timestamp>,
    /// The newest fills of this run, and when each was heard of.
    fills: VecDeque<(Timestamp, Symbol, Fill)>,
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
        if state.account_since.is_none_or(|since| asked_at < since) {
            return;
        }
        // An answer that may have been made before our last fill would undo it.
        let (first, all_in) = (!state.account_ready, state.basis.is_all_in(asked_at, lag));
        let quiet =
            asked_at >= state.active_at + QUIET_BEFORE_ADOPTING || state.active_at == Timestamp::EPOCH;
        if self.gate.funds().is_busy(venue) || !quiet {
            return self.ask_soon(now, venue);
        }
        if !all_in && self.showed(venue, asked_at, balances) {
            self.gate.drifted(venue, Decimal::ZERO);
            return self.believe_ledger(venue, balances);
        }
        let drift = if first { Decimal::ZERO } else { self.drift(venue, balances) };
        self.gate.drifted(venue, drift);
        // What is small is rounding, and the exchange's word counts. What is not is looked at twice before it does.
        let over = drift > self.config.limits.max_drift;
        let Some(state) = self.venues.get_mut(venue.index()) else { return };
        let doubted = over && !state.drifting;
        state.drifting = over;
        if doubted {
            return;
        }
        if !all_in {
            return self.ask_soon(now, venue);
        }
        self.adopt_account(venue, balances);
    }

    /// An account that is not ready is asked for again soon; any other when it is due.
    fn ask_soon(&mut self, now: Timestamp, venue: VenueId) {
        if let Some(state) = self.venues.get_mut(venue.index())
            && !state.account_ready
        {
            state.account_due_at = now + QUIET_BEFORE_ADOPTING;
        }
    }

    /// What we hold there is what the exchange says.
    fn adopt_account(&mut self, venue: VenueId, balances: &[Balance]) {
        self.account_believed(venue);
        for (known, asset, _) in self.gate.funds().all_held() {
            if known == venue && !balances.iter().any(|balance| balance.asset == asset) {
                self.gate.funds_mut().set_held(venue, asset, Decimal::ZERO);
            }
        }
        for balance in balances {
            if let Ok(total) = balance.total() {
                self.gate.funds_mut().set_held(venue, balance.asset, total);
            }
        }
    }

    /// What we hold there is what our ledger says; of coins it does not know, what the exchange says.
    fn believe_ledger(&mut self, venue: VenueId, balances: &[Balance]) {
        let Ok(ours) = self.ledger(venue) else { return };
        self.account_believed(venue);
        let told = balances.iter().filter_map(|balance| Some((balance.asset, balance.total().ok()?)));
        let unknown: Vec<_> = told.filter(|(asset, _)| !ours.contains_key(asset)).collect();
        for (asset, held) in ours.into_iter().chain(unknown) {
            self.gate.funds_mut().set_held(venue, asset, held);
        }
    }

    fn account_believed(&mut self, venue: VenueId) {
        if let Some(state) = self.venues.get_mut(venue.index()) {
            (state.drifting, state.account_ready) = (false, true);
            state.basis.opening = Opening::Adopted;
        }
    }

    /// What an account holds by our ledger.
    fn ledger(&self, venue: VenueId) -> Result<Held, NumError> {
        let mut ours = match self.venues.get(venue.index()).map(|state| &state.basis.opening) {
            Some(Opening::Records(held)) => held.clone(),
            Some(Opening::Unknown | Opening::Adopted) | None => Held::new(),
        };
        for (_, asset, held) in self.gate.funds().all_held().into_iter().filter(|row| row.0 == venue) {
            let sum = ours.entry(asset).or_default();
            *sum = sum.checked_add(held)?;
        }
        Ok(ours)
    }

    /// Whether an answer shows what we held at some moment that an exchange which lags may still show.
    fn showed(&self, venue: VenueId, asked_at: Timestamp, balances: &[Balance]) -> bool {
        let Some(state) = self.venues.get(venue.index()) else { return false };
        if matches!(state.basis.opening, Opening::Unknown) {
            return false;
        }
        let missing = state.basis.perhaps_missing(asked_at, self.config.venue_lag);
        self.showed_before(venue, &missing, balances).unwrap_or(false)
    }

    /// As [`Self::showed`]: with all of these fills, or without the newest of them.
    fn showed_before(
        &self,
        venue: VenueId,
        missing: &[(Symbol, Fill)],
        balances: &[Balance],
    ) -> Result<bool, NumError> {
        let told = |asset| {
            balances.iter().find(|balance| balance.asset == asset).map_or(Ok(Decimal::ZERO), Balance::total)
        };
        let mut off = Held::new();
        for (asset, held) in self.ledger(venue)? {
            off.insert(asset, told(asset)?.checked_sub(held)?);
        }
        let units: Held = off.keys().map(|asset| (*asset, self.unit(*asset))).collect();
        let is_none = |off: &Held| -> Result<bool, NumError> {
            let mut rows = off.iter();
            rows.try_fold(true, |none, (asset, off)| Ok(none && off.abs()? < units[asset]))
        };
        if is_none(&off)? {
            return Ok(true);
        }
        for (symbol, fill) in missing {
            let ((base, quote), other_fees) = proof::moved(*symbol, fill)?;
            let mut without = |asset, change| -> Result<(), NumError> {
                if let Some(off) = off.get_mut(&asset) {
                    *off = off.checked_add(change)?;
                }
                Ok(())
            };
            without(symbol.base, base)?;
            without(symbol.quote, quote)?;
            other_fees.iter().try_for_each(|(asset, fee)| without(asset, fee.negated()?))?;
            if is_none(&off)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What is less of a coin than this is rounding.
    fn unit(&self, asset: Asset) -> Decimal {
        let traded = self.symbols.iter().flatten().filter(|state| state.symbol.base == asset);
        let least = traded.map(|state| state.scale.qty_value(Qty(1))).max();
        least.unwrap_or(Decimal::new(1, TOLD_DP))
    }

    /// How far an account is from our ledger, in quote; coins without a price count as they are when they are a quote, and
    /// not at all otherwise.
    fn drift(&self, venue: VenueId, balances: &[Balance]) -> Decimal {
        let told = |asset| {
            balances.iter().find(|balance| balance.asset == asset).map_or(Ok(Decimal::ZERO), Balance::total)
        };
        let ours = self.gate.funds().all_held().into_iter().filter(|(known, _, _)| *known == venue);
        ours.fold(Decimal::ZERO, |sum, (_, asset, held)| {
            let value = || -> Result<Decimal, NumError> {
                let off = told(asset)?.checked_sub(held)?.abs()?;
                sum.checked_add(off.checked_mul(self.worth(asset))?)
            };
            // What does not fit is more than any limit.
            value().unwrap_or(Decimal::from(i64::MAX))
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
