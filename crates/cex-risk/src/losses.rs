//! What may be lost: by arbitrage, hour and day, and from the highest profit so far (R20, R21).

use crate::limits::Limits;
use crate::pace::{DAY, day_end};
use crate::trip::{Scope, Trip, Until};
use cex_core::{Decimal, NumError, Timestamp};

const HOUR: i64 = 3_600;

/// Profit and loss so far, in quote. Profit is what ended arbitrages came to, leftovers valued as they do.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    day: Period,
    hour: Period,
    total: Decimal,
    peak: Decimal,
}

/// The sum of one day or hour.
#[derive(Debug, Default)]
struct Period {
    number: i64,
    sum: Decimal,
}

impl Period {
    /// The sum of this day or hour: nothing when the last one noted was another.
    fn of(&self, number: i64) -> Decimal {
        if self.number == number { self.sum } else { Decimal::ZERO }
    }
}

impl Period {
    fn add(&mut self, number: i64, profit: Decimal) -> Result<Decimal, NumError> {
        if number != self.number {
            *self = Self { number, sum: Decimal::ZERO };
        }
        self.sum = self.sum.checked_add(profit)?;
        Ok(self.sum)
    }
}

impl Losses {
    /// Takes in what an arbitrage came to; the limits it broke.
    pub(crate) fn note(
        &mut self,
        now: Timestamp,
        profit: Decimal,
        limits: &Limits,
    ) -> Result<[Option<Trip>; 4], NumError> {
        let secs = now.as_secs();
        let day = self.day.add(secs.div_euclid(DAY), profit)?;
        let hour = self.hour.add(secs.div_euclid(HOUR), profit)?;
        self.total = self.total.checked_add(profit)?;
        self.peak = self.peak.max(self.total);
        let hour_end = Timestamp::from_secs((secs.div_euclid(HOUR) + 1) * HOUR);
        let drawdown = self.total.checked_sub(self.peak)?;
        let broken = |rule, sum: Decimal, max: Decimal, until| -> Result<Option<Trip>, NumError> {
            Ok((sum.negated()? > max).then_some(Trip { rule, scope: Scope::All, until }))
        };
        Ok([
            broken("cycle_loss", profit, limits.max_cycle_loss, Until::Operator)?,
            broken("hour_loss", hour, limits.max_hour_loss, Until::Time(hour_end))?,
            broken("day_loss", day, limits.max_day_loss, Until::Time(day_end(now)))?,
            broken("drawdown", drawdown, limits.max_drawdown, Until::Operator)?,
        ])
    }
}

impl Losses {
    /// What all arbitrages before those that are told one by one came to, and the most that ever was.
    pub(crate) fn begin_at(&mut self, total: Decimal, peak: Decimal) {
        (self.total, self.peak) = (total, peak.max(total));
    }

    /// An operator has looked at how far profit fell: from now on it is counted from here. Hours and days end by themselves.
    pub(crate) const fn acknowledge(&mut self) {
        self.peak = self.total;
    }

    /// Profit of the day and of the hour of `now`, in all, and at its highest.
    pub(crate) fn standing(&self, now: Timestamp) -> [Decimal; 4] {
        let secs = now.as_secs();
        [self.day.of(secs.div_euclid(DAY)), self.hour.of(secs.div_euclid(HOUR)), self.total, self.peak]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn each_loss_trips_just_above_its_limit_for_as_long_as_it_counts() {
        let limits = Limits {
            max_cycle_loss: Decimal::from(5),
            max_hour_loss: Decimal::from(8),
            max_day_loss: Decimal::from(12),
            max_drawdown: Decimal::from(22),
            ..Limits::boundless()
        };
        let start = Timestamp::from_secs(100 * DAY + 2 * HOUR + 100);
        let mut losses = Losses::default();
        let mut told = |after: u64, profit: i64| -> Vec<(&'static str, Until)> {
            let now = start + Duration::from_secs(after);
            let trips = losses.note(now, Decimal::from(profit), &limits).expect("fits");
            trips.iter().flatten().map(|trip| (trip.rule, trip.until)).collect()
        };
        let next_hour = Until::Time(Timestamp::from_secs(100 * DAY + 3 * HOUR));
        let next_day = Until::Time(Timestamp::from_secs(101 * DAY));
        assert_eq!(told(0, 10), [], "a profit");
        assert_eq!(told(1, -5), []);
        assert_eq!(told(2, -6), [("cycle_loss", Until::Operator)]);
        assert_eq!(told(3, -5), []);
        assert_eq!(told(4, -2), [], "eight within the hour is what may be lost");
        assert_eq!(told(5, -1), [("hour_loss", next_hour)]);
        assert_eq!(told(3_600, -3), [], "a new hour, and twelve within the day");
        assert_eq!(told(3_601, -1), [("day_loss", next_day), ("drawdown", Until::Operator)]);
        assert_eq!(
            told(86_400, -1),
            [("drawdown", Until::Operator)],
            "it is counted from the highest, until an operator has looked"
        );
        losses.acknowledge();
        let mut told = |profit: i64| {
            let now = start + Duration::from_secs(10 * 86_400);
            let trips = losses.note(now, Decimal::from(profit), &limits).expect("fits");
            trips.iter().flatten().map(|trip| trip.rule).collect::<Vec<_>>()
        };
        assert_eq!(told(-5), [] as [&str; 0], "an operator has looked");
        assert_eq!(told(20), [] as [&str; 0]);
    }
}
