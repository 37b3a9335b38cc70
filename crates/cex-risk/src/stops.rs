//! The trips that stop one scope now.

use crate::trip::{Trip, Until};
use cex_core::Timestamp;

/// What stops one scope: the longest of the trips that time ends, and one that an operator ends. Two, because an operator
/// who has looked at the one has not ended the other.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Stops {
    timed: Option<Trip>,
    held: Option<Trip>,
}

impl Stops {
    /// One more trip; whether it changes anything, and so must be told.
    pub(crate) fn add(&mut self, trip: Trip) -> bool {
        let place = match trip.until {
            Until::Operator => &mut self.held,
            Until::Time(_) => &mut self.timed,
        };
        let next = place.map_or(trip, |before| before.longer(trip));
        place.replace(next) != Some(next)
    }

    /// The one that stops openings now. What time has ended is forgotten.
    pub(crate) fn in_force(&mut self, now: Timestamp) -> Option<Trip> {
        self.timed = self.timed.filter(|trip| trip.is_in_force(now));
        self.held.or(self.timed)
    }

    /// An operator has looked.
    pub(crate) fn acknowledge(&mut self) {
        self.held = None;
    }

    /// All of them, ended by time or not.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Trip> + use<> {
        self.held.into_iter().chain(self.timed)
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
