//! Whether the last records of a session may be missing: a machine that loses its power loses what was not on disk yet, and with
//! intents written in groups an order can have left whose record was in the last group.
//!
//! A process that dies alone loses nothing it wrote. So only a session is doubted that did not end, did not put intents on disk
//! before their orders left, and is followed by one of another run of the machine.

use cex_core::Timestamp;
use cex_journal::messages::{Mode, SessionStart};
use std::collections::BTreeSet;
use std::time::Duration;

/// Sessions of which orders may have left that no record tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// When the last record was written that is there: what left before has one.
    pub since: Timestamp,
    /// Numbers of these sessions: the names of their orders begin with them.
    pub epochs: BTreeSet<u64>,
    /// The longest that an order was taken after it was sent, of those that were written down.
    pub expires_in: Duration,
    /// An operator has looked since.
    pub acknowledged: bool,
}

/// The sessions of a journal, in order.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    last: Option<Session>,
    longest: Duration,
    doubt: Option<Doubt>,
}

#[derive(Debug)]
struct Session {
    epoch: u64,
    boot: String,
    /// It sends orders whose intents may not be on disk.
    may_lack: bool,
    last_at: Timestamp,
}

impl Sessions {
    /// A session begins.
    pub(super) fn begin(&mut self, start: &SessionStart) {
        let unended = self.last.take().filter(|last| last.may_lack);
        if let Some(last) = unended.filter(|last| last.boot.is_empty() || last.boot != start.boot) {
            let (since, expires_in) = (last.last_at, self.longest);
            let new = || Doubt { since, epochs: BTreeSet::new(), expires_in, acknowledged: false };
            let doubt = self.doubt.get_or_insert_with(new);
            doubt.epochs.insert(last.epoch);
            doubt.expires_in = expires_in;
            // What an operator looked at was before this one.
            doubt.acknowledged = false;
        }
        self.last = Some(Session {
            epoch: start.seed,
            boot: start.boot.clone(),
            may_lack: start.mode() == Mode::Live && !start.strict,
            last_at: Timestamp::EPOCH,
        });
    }

    /// A record of the session was written then.
    pub(super) fn saw(&mut self, at: Timestamp) {
        if let Some(last) = &mut self.last {
            last.last_at = at;
        }
    }

    /// An order that is taken for so long was written down.
    pub(super) fn sends(&mut self, expires_in: Duration) {
        self.longest = self.longest.max(expires_in);
    }

    /// The session ended orderly: everything is on disk.
    pub(super) fn end(&mut self) {
        self.last = None;
    }

    /// What may be missing was looked for.
    pub(super) fn sought(&mut self) {
        self.doubt = None;
    }

    /// An operator has looked.
    pub(super) fn acknowledge(&mut self) {
        if let Some(doubt) = &mut self.doubt {
            doubt.acknowledged = true;
        }
    }

    pub(super) const fn doubt(&self) -> Option<&Doubt> {
        self.doubt.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(epoch: u64, mode: Mode, boot: &str, strict: bool) -> SessionStart {
        SessionStart { seed: epoch, mode: mode.into(), boot: boot.to_owned(), strict, ..Default::default() }
    }

    /// The doubt after a session that wrote a record at 7 and did not end, and the start of another one.
    fn after(first: &SessionStart, second: &SessionStart) -> Option<Doubt> {
        let mut sessions = Sessions::default();
        sessions.begin(first);
        sessions.sends(Duration::from_secs(2));
        sessions.sends(Duration::from_secs(1));
        sessions.saw(Timestamp::from_secs(7));
        sessions.begin(second);
        sessions.doubt().cloned()
    }

    #[test]
    fn only_a_live_session_of_another_run_of_the_machine_is_doubted() {
        let second = start(2, Mode::Live, "there", false);
        for (what, first, doubted) in [
            ("of another run of the machine", start(1, Mode::Live, "here", false), true),
            ("of which run nobody knows", start(1, Mode::Live, "", false), true),
            ("of the same run", start(1, Mode::Live, "there", false), false),
            ("whose intents were on disk", start(1, Mode::Live, "here", true), false),
            ("that sent nothing", start(1, Mode::Observe, "here", false), false),
            ("on paper", start(1, Mode::Paper, "here", false), false),
        ] {
            let doubt = after(&first, &second);
            let expected = Doubt {
                since: Timestamp::from_secs(7),
                epochs: [1].into(),
                expires_in: Duration::from_secs(2),
                acknowledged: false,
            };
            assert_eq!(doubt, doubted.then_some(expected), "{what}");
        }
    }

    #[test]
    fn a_doubt_lasts_over_sessions_until_it_was_looked_into() {
        let mut sessions = Sessions::default();
        for (epoch, boot) in [(1, "a"), (2, "b"), (3, "b"), (4, "c")] {
            sessions.begin(&start(epoch, Mode::Live, boot, false));
            sessions.saw(Timestamp::from_secs(i64::try_from(epoch).unwrap_or(0)));
            if epoch == 2 {
                sessions.acknowledge();
            }
        }
        let doubt = sessions.doubt().expect("two losses of power");
        assert_eq!((doubt.since, doubt.acknowledged), (Timestamp::from_secs(1), false));
        assert_eq!(doubt.epochs, [1, 3].into(), "the second process of `b` died alone");
        sessions.sought();
        assert_eq!(sessions.doubt(), None);
        sessions.end();
        sessions.begin(&start(5, Mode::Live, "d", false));
        assert_eq!(sessions.doubt(), None, "it ended");
    }
}
