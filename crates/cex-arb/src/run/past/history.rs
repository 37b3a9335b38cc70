//! What the rules that look back must be told of earlier runs, in order.

use super::decimal;
use cex_core::{Bps, ClientOrderId, Decimal, NumError, Symbol, SymbolId, Timestamp, VenueId};
use cex_engine::{Ending, Engine};
use cex_journal::messages::{self, Told};
use cex_risk::{CycleEnd, CycleSums, DustBook, Limits, OrderResult, Recall, Rows, Scope, Trip, Until, trip};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Older events are not told one by one: sums stand for their money, and rows for what no clock ends. What a clock ends is over
/// by then: a day, the longest pause and the longest window are shorter.
const KEPT: Duration = Duration::from_secs(2 * 86_400);

/// Something that happened in an earlier run.
#[derive(Debug, Clone, PartialEq)]
pub enum Recalled {
    /// Two orders left.
    Opening {
        /// What they may have moved, in quote.
        gross: Decimal,
    },
    /// An order left for its venue.
    Sent {
        /// Venue the order was sent to.
        venue: String,
        /// BASE/QUOTE.
        symbol: String,
        /// Our identifier of the order.
        client_id: String,
        /// Whether the order opens an arbitrage, or closes what others opened.
        opens: bool,
    },
    /// An order told something of its venue.
    Noted(messages::VenueNote),
    /// An arbitrage ended.
    End {
        /// How the arbitrage ended, as the journal has it.
        end: messages::ArbitrageEnd,
        /// When it was opened and with how much, where that was written down.
        opened: Option<(Timestamp, Decimal)>,
    },
    /// A rule was tripped.
    Trip(messages::RiskTrip),
    /// An operator has looked.
    Acknowledged,
}

/// What happened, oldest first; before that, sums and rows.
#[derive(Debug, Default)]
pub struct History {
    total: Decimal,
    peak: Decimal,
    /// What was left over since an operator last looked.
    left_over: DustBook,
    /// Trips older than what is kept, which wait for an operator.
    standing: Vec<messages::RiskTrip>,
    /// Rows of what is older than what is kept; `None` when no gate that has limits will be told.
    older: Option<Older>,
    events: VecDeque<(Timestamp, Recalled)>,
}

/// Where the rules that count in rows stand, with numbers of their own for names: who reads a journal knows of no market yet,
/// and one that is traded no more may be traded again.
#[derive(Debug)]
struct Older {
    rows: Rows,
    names: Numbered,
}

/// Who has numbers for names.
pub trait Names {
    /// The symbol of this name.
    fn symbol(&mut self, name: &str) -> Option<SymbolId>;
    /// The venue of this name.
    fn venue(&mut self, name: &str) -> Option<VenueId>;
}

/// Gives each name the next number.
#[derive(Debug, Default)]
pub(super) struct Nameless {
    symbols: BTreeMap<String, SymbolId>,
}

impl Names for Nameless {
    fn symbol(&mut self, name: &str) -> Option<SymbolId> {
        let next = SymbolId(u32::try_from(self.symbols.len()).ok()?);
        Some(*self.symbols.entry(name.to_owned()).or_insert(next))
    }

    fn venue(&mut self, _: &str) -> Option<VenueId> {
        None
    }
}

/// Gives each symbol and each venue the next number.
#[derive(Debug, Default)]
struct Numbered {
    symbols: Nameless,
    venues: BTreeMap<String, VenueId>,
}

impl Names for Numbered {
    fn symbol(&mut self, name: &str) -> Option<SymbolId> {
        self.symbols.symbol(name)
    }

    fn venue(&mut self, name: &str) -> Option<VenueId> {
        if let Some(known) = self.venues.get(name) {
            return Some(*known);
        }
        let next = VenueId::new(u8::try_from(self.venues.len()).ok()?, name).ok()?;
        self.venues.insert(name.to_owned(), next);
        Some(next)
    }
}

/// The names of an engine's markets.
pub struct Traded {
    symbols: BTreeMap<String, SymbolId>,
    venues: BTreeMap<String, VenueId>,
}

impl Traded {
    /// Those of these symbols and venues.
    pub fn new(
        symbols: impl IntoIterator<Item = (String, SymbolId)>,
        venues: impl IntoIterator<Item = VenueId>,
    ) -> Self {
        Self {
            symbols: symbols.into_iter().collect(),
            venues: venues.into_iter().map(|venue| (venue.to_string(), venue)).collect(),
        }
    }
}

impl Names for Traded {
    fn symbol(&mut self, name: &str) -> Option<SymbolId> {
        self.symbols.get(name).copied()
    }

    fn venue(&mut self, name: &str) -> Option<VenueId> {
        self.venues.get(name).copied()
    }
}

impl Older {
    /// Takes in the next event that is kept no longer.
    fn count(&mut self, at: Timestamp, event: &Recalled) {
        let Self { rows, names } = self;
        let mut recall = rows.recall();
        // What is no number was told as such when it happened, and moved no row either.
        let _ = match event {
            Recalled::Sent { .. } | Recalled::Noted(_) | Recalled::Trip(_) => {
                tell_event(at, event, &mut recall, names)
            }
            Recalled::End { end, opened } => read_end(end).and_then(|(ending, sums)| {
                // The sums have its money.
                let sums = CycleSums { profit: Decimal::ZERO, base: Decimal::ZERO, ..sums };
                recall.end(at, names.symbol(&end.symbol), ending, sums, *opened)
            }),
            Recalled::Opening { .. } | Recalled::Acknowledged => Ok(()),
        };
    }

    /// Tells a gate where they stand.
    fn tell(&self, recall: &mut Recall<'_>, names: &mut impl Names) {
        let symbols = self.names.symbols.symbols.iter();
        let symbols: Vec<_> =
            symbols.filter_map(|(name, there)| Some((*there, names.symbol(name)?))).collect();
        let venues = self.names.venues.iter();
        let venues: Vec<_> = venues.filter_map(|(name, there)| Some((*there, names.venue(name)?))).collect();
        recall.rows(&self.rows, &symbols, &venues);
    }
}

impl History {
    /// One that will be told to a gate with these limits.
    pub(super) fn under(limits: Limits) -> Self {
        let older = Older { rows: Rows::new(limits), names: Numbered::default() };
        Self { older: Some(older), ..Self::default() }
    }

    pub(super) fn push(&mut self, at: Timestamp, event: Recalled) {
        if event == Recalled::Acknowledged {
            self.standing.clear();
        }
        self.events.push_back((at, event));
        while let Some((oldest, _)) = self.events.front()
            && at.since(*oldest) > KEPT
            && let Some((at, event)) = self.events.pop_front()
        {
            if let Some(older) = &mut self.older {
                older.count(at, &event);
            }
            self.sum_up(event);
        }
    }

    fn sum_up(&mut self, event: Recalled) {
        match event {
            Recalled::End { end, .. } => {
                let Ok((end, sums)) = read_end(&end) else { return };
                self.total = self.total.checked_add(sums.profit).unwrap_or(self.total);
                self.peak = self.peak.max(self.total);
                if !matches!(end, CycleEnd::Withheld { .. }) {
                    let parked = matches!(end, CycleEnd::Parked | CycleEnd::Unswept);
                    // What does not fit was told as such when it happened.
                    let _ = self.left_over.add(sums.symbol, sums.base, sums.mark, parked);
                }
            }
            Recalled::Trip(trip) if trip.until_ns == 0 => self.standing.push(trip),
            Recalled::Acknowledged => {
                self.standing.clear();
                self.left_over.clear();
                // As the gate counts it (R21).
                self.peak = self.total;
            }
            Recalled::Trip(_) | Recalled::Opening { .. } | Recalled::Sent { .. } | Recalled::Noted(_) => {}
        }
    }

    /// Tells it to a gate.
    ///
    /// # Errors
    /// When a number is none, or does not fit.
    pub fn tell(&self, recall: &mut Recall<'_>, names: &mut impl Names) -> Result<(), NumError> {
        recall.profit(self.total, self.peak);
        for (symbol, dust) in self.left_over.iter() {
            recall.left_over(names.symbol(&symbol.to_string()), symbol, dust)?;
        }
        if let Some(older) = &self.older {
            older.tell(recall, names);
        }
        for tripped in &self.standing {
            tell_trip(recall, tripped, names);
        }
        for (at, event) in &self.events {
            tell_event(*at, event, recall, names)?;
        }
        Ok(())
    }

    /// Tells it to an engine.
    ///
    /// # Errors
    /// As [`Self::tell`].
    pub fn tell_engine(&self, engine: &mut Engine, names: &mut impl Names) -> Result<(), NumError> {
        self.tell(&mut engine.recall(), names)
    }
}

/// Tells a gate of one event.
fn tell_event(
    at: Timestamp,
    event: &Recalled,
    recall: &mut Recall<'_>,
    names: &mut impl Names,
) -> Result<(), NumError> {
    match event {
        Recalled::Opening { gross } => recall.opening(at, *gross)?,
        Recalled::Sent { venue, symbol, client_id, opens } => {
            if let Some((venue, symbol, order)) = order_of((venue, symbol, client_id), names) {
                recall.sent(at, venue, symbol, (order, *opens));
            }
        }
        Recalled::Noted(note) => tell_note(at, recall, note, names),
        Recalled::End { end, opened } => tell_end(at, recall, end, *opened, names)?,
        Recalled::Trip(tripped) => tell_trip(recall, tripped, names),
        Recalled::Acknowledged => recall.acknowledged(),
    }
    Ok(())
}

/// Tells a gate of the end of an arbitrage; `opened` is when it was opened and with how much, where that is known.
///
/// # Errors
/// When a number is none, or does not fit.
pub fn tell_end(
    at: Timestamp,
    recall: &mut Recall<'_>,
    end: &messages::ArbitrageEnd,
    opened: Option<(Timestamp, Decimal)>,
    names: &mut impl Names,
) -> Result<(), NumError> {
    let (ending, sums) = read_end(end)?;
    recall.end(at, names.symbol(&end.symbol), ending, sums, opened)
}

/// The end of an arbitrage as the rules see it.
fn read_end(end: &messages::ArbitrageEnd) -> Result<(CycleEnd, CycleSums), NumError> {
    // An ending this version does not know counts as one that did not go well.
    let ending = Ending::from_name(&end.ending).unwrap_or(Ending::Parked);
    let sums = CycleSums {
        symbol: end.symbol.parse::<Symbol>().map_err(|_| NumError::Overflow)?,
        profit: decimal(&end.realised)?,
        edge: Bps::from_e8(end.edge_e8),
        base: decimal(&end.base_change)?,
        mark: decimal(&end.mark)?,
    };
    Ok((ending.cycle_end(), sums))
}

/// An order by its names, where its symbol and venue are still traded.
fn order_of(
    (venue, symbol, client_id): (&str, &str, &str),
    names: &mut impl Names,
) -> Option<(VenueId, SymbolId, ClientOrderId)> {
    Some((names.venue(venue)?, names.symbol(symbol)?, ClientOrderId::new(client_id)?))
}

/// What an order told of its venue; one of another program's names, or of a venue that is not traded, tells nothing.
fn tell_note(at: Timestamp, recall: &mut Recall<'_>, note: &messages::VenueNote, names: &mut impl Names) {
    let names_of = (note.venue.as_str(), note.symbol.as_str(), note.client_id.as_str());
    let Some((venue, symbol, order)) = order_of(names_of, names) else { return };
    match note.told() {
        Told::Answered => recall.answered(at, venue, Some(Duration::from_nanos(note.took_ns))),
        Told::Lost => recall.answered(at, venue, None),
        Told::Worked => recall.order_ended(at, venue, order, OrderResult::Worked),
        Told::Failed => recall.order_ended(at, venue, order, OrderResult::Failed),
        Told::Unspecified => {}
    }
    if let Some(excess) = note.fee_excess_e8 {
        recall.charged(at, symbol, venue, Bps::from_e8(excess));
    }
}

/// A rule this version does not know, and what is not traded here any more, stop nothing.
fn tell_trip(recall: &mut Recall<'_>, tripped: &messages::RiskTrip, names: &mut impl Names) {
    let Some(rule) = trip::rule(&tripped.rule) else { return };
    let scope = match (tripped.venue.as_str(), tripped.symbol.as_str()) {
        ("", "") => Some(Scope::All),
        (venue, "") => names.venue(venue).map(Scope::Venue),
        (_, symbol) => names.symbol(symbol).map(Scope::Symbol),
    };
    let until = match tripped.until_ns {
        0 => Until::Operator,
        nanos => Until::Time(Timestamp::from_nanos(nanos)),
    };
    if let Some(scope) = scope {
        recall.trip(Trip { rule, scope, until });
    }
}

#[cfg(test)]
mod tests;
