//! Why legs that were decided did not leave, for people: to the engine and in the journal they are not sent, whatever kept them.

use cex_core::{Timestamp, VenueId};
use cex_errors::{ErrorKind, ExchangeError};
use std::collections::BTreeMap;
use std::time::Duration;

/// From one telling of a reason to the next: what lasts keeps back every opportunity, and comes by the hundred.
const AGAIN: Duration = Duration::from_secs(60);

/// What was told of each reason: when, and how often it kept something back since.
#[derive(Debug, Default)]
pub(super) struct Withheld(BTreeMap<(Option<VenueId>, &'static str), (Timestamp, u64)>);

impl Withheld {
    /// A decision was too old before its orders could leave (R22).
    pub(super) fn late(&mut self, now: Timestamp, age: Duration, limit: Duration) {
        if let Some(before) = self.is_news(now, (None, "late")) {
            let (age_us, limit_us) = (age.as_micros(), limit.as_micros());
            tracing::warn!(
                age_us,
                limit_us,
                before,
                "legs withheld: the decision was too old (risk.decision_ttl_ms)"
            );
        }
    }

    /// An order could not be sent to an exchange: its clock is not known well enough (R29), the request budget is spent (R19), there
    /// is no connection, or something else.
    pub(super) fn refused(&mut self, now: Timestamp, venue: VenueId, error: &ExchangeError) {
        let reason = match &error.kind {
            ErrorKind::ClockUnknown => "clock",
            ErrorKind::Throttled { .. } => "budget",
            ErrorKind::Connection(_) => "connection",
            _other => "other",
        };
        if let Some(before) = self.is_news(now, (Some(venue), reason)) {
            tracing::warn!(%venue, reason, %error, before, "legs withheld");
        }
    }

    /// Whether this is to be told, and how often it happened since it was told last.
    fn is_news(&mut self, now: Timestamp, reason: (Option<VenueId>, &'static str)) -> Option<u64> {
        match self.0.get_mut(&reason) {
            Some((told_at, since)) if now.since(*told_at) < AGAIN => {
                *since += 1;
                None
            }
            _other => Some(self.0.insert(reason, (now, 0)).map_or(0, |(_, since)| since)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cex_errors::{Op, Phase};
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("no panic").write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_keeps_legs_back_is_told_with_its_reason_and_not_each_time() {
        let said = Buffer::default();
        let writer = said.clone();
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        let venue = VenueId::new(0, "mexc").expect("short");
        let error = |kind| ExchangeError::new(venue, Op::PlaceOrder, kind);
        let mut withheld = Withheld::default();
        tracing::subscriber::with_default(subscriber, || {
            for second in 0..61 {
                let now = Timestamp::from_secs(second);
                withheld.refused(now, venue, &error(ErrorKind::ClockUnknown));
            }
            let now = Timestamp::from_secs(61);
            withheld.refused(now, venue, &error(ErrorKind::Connection(Phase::BeforeSend)));
            withheld.late(now, Duration::from_millis(80), Duration::from_millis(50));
            withheld.late(now, Duration::from_millis(80), Duration::from_millis(50));
        });
        let text = String::from_utf8(said.0.lock().expect("no panic").clone()).expect("text");
        let lines: Vec<&str> = text.lines().collect();
        let [first, again, connection, late] = lines.as_slice() else { panic!("{text}") };
        assert!(first.contains("reason=\"clock\"") && first.contains("before=0"), "{first}");
        assert!(again.contains("reason=\"clock\"") && again.contains("before=59"), "{again}");
        assert!(connection.contains("reason=\"connection\"") && connection.contains("mexc"), "{connection}");
        assert!(late.contains("age_us=80000") && late.contains("WARN"), "{late}");
    }
}
