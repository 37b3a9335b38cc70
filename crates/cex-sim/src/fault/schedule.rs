//! A hostile day: faults one after the other, drawn by a seed.

use super::{Canned, Fault, Moment, OrderEffect, Refused, RestEffect, Stream, WsEffect};
use crate::server::SimExchange;
use cex_core::{Bps, Timestamp};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

/// Least and most time between two faults, in milliseconds.
const PAUSE_MS: (u64, u64) = (500, 4_000);

/// A fault that met nobody is gone after this time.
const PATIENCE: Duration = Duration::from_secs(20);

/// Faults that come by themselves.
#[derive(Debug)]
pub(crate) struct Schedule {
    dice: ChaCha8Rng,
    next_at: Timestamp,
}

impl Schedule {
    /// The faults of this seed, from this time on.
    pub(crate) fn new(seed: u64, now: Timestamp) -> Self {
        let mut schedule =
            Self { dice: ChaCha8Rng::seed_from_u64(seed ^ 0x686f_7374_696c_6521), next_at: now };
        schedule.pause(now);
        schedule
    }

    /// When the next one comes.
    pub(crate) const fn next_at(&self) -> Timestamp {
        self.next_at
    }

    /// So much time has passed (a negative step).
    pub(crate) fn age(&mut self, by_nanos: i64) {
        self.next_at = self.next_at.shifted(by_nanos);
    }

    /// The next one.
    pub(crate) fn draw(&mut self, now: Timestamp) -> (SimExchange, Fault) {
        let exchange = SimExchange::ALL[self.below(SimExchange::ALL.len() as u64) as usize];
        let millis = Duration::from_millis(1 + self.below(800));
        let fault = self.pick(exchange, millis).lasting(PATIENCE);
        self.pause(now);
        (exchange, fault)
    }

    fn pick(&mut self, exchange: SimExchange, millis: Duration) -> Fault {
        let (orders, all, books) = match exchange {
            SimExchange::Mexc => ("/api/v3/order", "/api/v3", "depth"),
            SimExchange::Gateio => ("/api/v4/spot/orders", "/api/v4", "spot.o"),
        };
        let moment = if self.below(2) == 0 { Moment::Before } else { Moment::After };
        let data = |effect| Fault::ws(Stream::Any, &[], effect);
        let count = 1 + self.below(3);
        match self.below(22) {
            0 => Fault::rest("POST", orders, moment, RestEffect::Close),
            1 => Fault::rest("POST", orders, moment, RestEffect::Late(millis)),
            2 => Fault::rest("POST", orders, moment, RestEffect::Answer(Canned::html(502))),
            3 => Fault::rest("", all, Moment::Before, RestEffect::Answer(too_many(exchange))),
            4 => Fault::rest("GET", all, Moment::After, RestEffect::Truncate(40)),
            5 => Fault::rest("", all, Moment::After, RestEffect::HangUp),
            6 => Fault::rest("", all, Moment::After, RestEffect::Late(millis)).times(count),
            7 => data(WsEffect::Drop).times(count),
            8 => data(WsEffect::Duplicate).times(count),
            9 => data(WsEffect::Reorder),
            10 => data(WsEffect::Delay(millis)).times(count),
            11 => data(WsEffect::FlipBytes(3)),
            12 => data(WsEffect::Close),
            13 => data(WsEffect::Reset),
            14 => Fault::order(OrderEffect::Reject(Refused::Overloaded)),
            15 => Fault::order(OrderEffect::Partial(Bps::from_bps(4_000))),
            16 => Fault::order(OrderEffect::LateFill(millis)),
            17 => Fault::order(OrderEffect::LateAccept(millis)),
            18 => Fault::order(OrderEffect::Hide(millis)),
            19 => Fault::order(OrderEffect::Echo(millis)),
            20 => Fault::ws(Stream::Public, &[books], WsEffect::Cross),
            _ => Fault::order(OrderEffect::FillAfterCancel { part: Bps::from_bps(10_000), after: millis }),
        }
    }

    fn pause(&mut self, now: Timestamp) {
        let (least, most) = PAUSE_MS;
        self.next_at = now + Duration::from_millis(least + self.below(most - least));
    }

    fn below(&mut self, count: u64) -> u64 {
        self.dice.next_u64() % count
    }
}

fn too_many(exchange: SimExchange) -> Canned {
    let body = match exchange {
        SimExchange::Mexc => r#"{"code":429,"msg":"Too Many Requests"}"#,
        SimExchange::Gateio => r#"{"label":"TOO_MANY_REQUESTS","message":"Request Rate limit exceeded"}"#,
    };
    Canned::json(429, body).retry_after(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_seed_means_the_same_day_and_every_fault_comes() {
        let day = |seed| {
            let mut now = Timestamp::from_secs(1_800_000_000);
            let mut schedule = Schedule::new(seed, now);
            let mut faults = Vec::new();
            for _ in 0..400 {
                now = schedule.next_at();
                let (exchange, fault) = schedule.draw(now);
                assert_eq!(fault.check(), Ok(()), "seed {seed}");
                assert!(schedule.next_at() > now, "seed {seed}");
                faults.push(format!("{now} {exchange} {fault}"));
            }
            faults
        };
        assert_eq!(day(7), day(7));
        assert_ne!(day(7), day(8));
        let words: BTreeSet<String> = day(7)
            .iter()
            .filter_map(|fault| fault.split(": ").last().map(|text| text.chars().take(6).collect()))
            .collect();
        assert!(words.len() > 12, "{words:?}");
    }
}
