//! The trips that stop one scope now.

use crate::trip::{Trip, Until};
use cex_core::Timestamp;

/// What stops one scope: the longest of the trips that time ends, and every rule that an operator ends. An operator who has
/// looked at the one kind has not ended the other, and must be told of each rule to have looked at it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stops {
    timed: Option<Trip>,
    /// One of each rule, in the order they came: few, and mostly none.
    held: Vec<Trip>,
}

impl Stops {
    /// One more trip; whether it changes anything, and so must be told.
    pub(crate) fn add(&mut self, trip: Trip) -> bool {
        match trip.until {
            Until::Operator => {
                let is_new = self.held.iter().all(|held| held.rule != trip.rule);
                if is_new {
                    self.held.push(trip);
                }
                is_new
            }
            Until::Time(_) => {
                let next = self.timed.map_or(trip, |before| before.longer(trip));
                self.timed.replace(next) != Some(next)
            }
        }
    }

    /// The one that stops openings now. What time has ended is forgotten.
    pub(crate) fn in_force(&mut self, now: Timestamp) -> Option<Trip> {
        self.timed = self.timed.filter(|trip| trip.is_in_force(now));
        self.held.first().copied().or(self.timed)
    }

    /// An operator has looked.
    pub(crate) fn acknowledge(&mut self) {
        self.held.clear();
    }

    /// All of them, ended by time or not.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Trip> {
        self.held.iter().copied().chain(self.timed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trip::Scope;

    fn trip(rule: &'static str, until: Until) -> Trip {
        Trip { rule, scope: Scope::All, until }
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn every_rule_that_an_operator_ends_is_held_and_told_by_itself() {
        let mut stops = Stops::default();
        let [cycle, drawdown] = ["cycle_loss", "drawdown"].map(|rule| trip(rule, Until::Operator));
        assert!(stops.add(cycle) && stops.add(drawdown), "both are told");
        assert!(!stops.add(cycle) && !stops.add(drawdown), "once");
        assert_eq!(stops.in_force(at(10)), Some(cycle), "the first is what refuses");
        assert_eq!(stops.iter().collect::<Vec<_>>(), [cycle, drawdown]);
        stops.acknowledge();
        assert_eq!((stops.in_force(at(10)), stops.iter().count()), (None, 0));
        assert!(stops.add(drawdown), "a rule that breaks again is told again");
    }

    #[test]
    fn an_operator_does_not_end_what_time_ends() {
        let mut stops = Stops::default();
        let (day, cycle) = (trip("day_loss", Until::Time(at(100))), trip("cycle_loss", Until::Operator));
        assert!(stops.add(cycle) && stops.add(day), "both are told");
        assert!(!stops.add(cycle) && !stops.add(day), "once");
        assert!(!stops.add(trip("hour_loss", Until::Time(at(50)))), "the day is longer");
        assert_eq!(stops.in_force(at(10)), Some(cycle));
        stops.acknowledge();
        assert_eq!(stops.in_force(at(99)), Some(day));
        assert_eq!(stops.in_force(at(100)), None);
        assert_eq!(stops.iter().count(), 0);
    }
}
