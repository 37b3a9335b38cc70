//! Whether the last records of a session may be missing: a machine that loses its power loses what was not on disk yet, and with
//! intents written in groups an order can have left whose record was in the last group.
//!
//! A process that dies alone loses nothing it wrote. So only a session is doubted that did not end, did not put intents on disk
//! before their orders left, and is followed by one of another run of the machine.

use crate::run::machine::UNKNOWN;
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
    /// Those of which an operator has looked at the accounts, told by a start that could not go on: what they left is theirs.
    pub looked: BTreeSet<u64>,
    /// Of one of them nobody knows of which run of the machine it was.
    pub unplaced: bool,
    /// A start has told of all of them that an operator must look, and ended.
    pub told: bool,
    /// An operator has looked since of whom nobody had told this: what one of them left open may be evened out already.
    pub overlooked: bool,
}

impl Doubt {
    /// Whether an operator has looked because of all of them.
    #[must_use]
    pub fn is_acknowledged(&self) -> bool {
        self.looked.is_superset(&self.epochs)
    }
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
    /// It trades with live money.
    is_live: bool,
    /// It sends orders whose intents may not be on disk.
    may_lack: bool,
    last_at: Timestamp,
}

impl Sessions {
    /// A session begins.
    pub(super) fn begin(&mut self, start: &SessionStart) {
        let unended = self.last.take().filter(|last| last.may_lack);
        if let Some(last) = unended.filter(|last| may_have_lost_power(&last.boot, &start.boot)) {
            let (since, expires_in) = (last.last_at, self.longest);
            let (epochs, looked) = (BTreeSet::new(), BTreeSet::new());
            let [unplaced, told, overlooked] = [false; 3];
            let new = || Doubt { since, epochs, expires_in, looked, unplaced, told, overlooked };
            let doubt = self.doubt.get_or_insert_with(new);
            doubt.epochs.insert(last.epoch);
            doubt.expires_in = expires_in;
            doubt.unplaced |= [&last.boot, &start.boot].iter().any(|boot| !is_told(boot));
            // What an operator looks at now is not known to have to do with this one.
            doubt.told = false;
        }
        self.last = Some(Session {
            epoch: start.seed,
            boot: start.boot.clone(),
            is_live: start.mode() == Mode::Live,
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

    /// A start could not look for what may be missing, and said so.
    pub(super) fn told(&mut self) {
        if let Some(doubt) = &mut self.doubt {
            doubt.told = true;
        }
    }

    /// An operator has looked; at all that was traded only if they were told to.
    pub(super) fn acknowledge(&mut self) {
        let Some(doubt) = &mut self.doubt else { return };
        doubt.overlooked = !doubt.told;
        if doubt.told {
            doubt.looked.clone_from(&doubt.epochs);
        }
    }

    /// Number of the session that writes, if it trades with live money.
    pub(super) fn sending(&self) -> Option<u64> {
        self.last.as_ref().filter(|last| last.is_live).map(|last| last.epoch)
    }

    pub(super) const fn doubt(&self) -> Option<&Doubt> {
        self.doubt.as_ref()
    }
}

fn is_told(boot: &str) -> bool {
    !boot.is_empty() && boot != UNKNOWN
}

/// Whether the machine can have been started anew between two sessions. Those of earlier versions name no run of it, and went on
/// with what they found: only the last of them can have left what nobody looked for.
fn may_have_lost_power(last: &str, next: &str) -> bool {
    let by_earlier_versions = last.is_empty() && next.is_empty();
    !by_earlier_versions && (!is_told(last) || last != next)
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
            ("of an earlier version", start(1, Mode::Live, "", false), true),
            ("of which run nobody knows", start(1, Mode::Live, UNKNOWN, false), true),
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
                looked: BTreeSet::new(),
                unplaced: !is_told(&first.boot),
                told: false,
                overlooked: false,
            };
            assert_eq!(doubt, doubted.then_some(expected), "{what}");
        }
    }

    #[test]
    fn earlier_versions_are_doubted_only_in_their_last_session() {
        let mut sessions = Sessions::default();
        for epoch in [1, 2] {
            sessions.begin(&start(epoch, Mode::Live, "", false));
        }
        sessions.end();
        sessions.begin(&start(3, Mode::Live, "here", false));
        assert_eq!(sessions.doubt(), None, "what the first left the second went on with, and it ended");
        assert!(
            after(&start(1, Mode::Live, UNKNOWN, false), &start(2, Mode::Live, UNKNOWN, false)).is_some()
        );
    }

    #[test]
    fn a_doubt_lasts_over_sessions_until_it_was_looked_into() {
        let mut sessions = Sessions::default();
        for (epoch, boot) in [(1, "a"), (2, "b"), (3, "b"), (4, "c")] {
            sessions.begin(&start(epoch, Mode::Live, boot, false));
            sessions.saw(Timestamp::from_secs(i64::try_from(epoch).unwrap_or(0)));
            if epoch == 2 {
                sessions.acknowledge();
                let is = |sessions: &Sessions| {
                    sessions.doubt().map(|doubt| (doubt.is_acknowledged(), doubt.overlooked))
                };
                assert_eq!(is(&sessions), Some((false, true)), "nobody was told of it");
                sessions.told();
                sessions.acknowledge();
                assert_eq!(is(&sessions), Some((true, false)));
            }
        }
        sessions.acknowledge();
        let doubt = sessions.doubt().expect("two losses of power");
        assert_eq!((doubt.since, doubt.is_acknowledged()), (Timestamp::from_secs(1), false));
        assert_eq!(doubt.epochs, [1, 3].into(), "the second process of `b` died alone");
        assert_eq!(doubt.looked, [1].into(), "nobody was told of the other");
        sessions.sought();
        assert_eq!(sessions.doubt(), None);
        sessions.end();
        sessions.begin(&start(5, Mode::Live, "d", false));
        assert_eq!(sessions.doubt(), None, "it ended");
    }
}
