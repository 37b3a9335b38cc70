//! Connections: what each has subscribed, and when the server has had enough of it.

use super::Mexc;
use super::channel::{Channel, Private};
use super::config::{ConnectionRules, ExpiredStreams};
use super::feeds::Feeds;
use super::listen::ListenKeys;
use super::refusal::Refusal;
use crate::dialect::{ConnId, Frame, HttpAnswer, Outgoing};
use crate::matching::AccountIndex;
use cex_core::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// Subscriptions of one connection.
pub(super) const MOST_CHANNELS: usize = 30;
/// Connections that one listen key opens.
const MOST_PER_KEY: usize = 5;
/// Messages a client may send in a second.
const MOST_MESSAGES: u32 = 100;
/// How long a connection that is turned away stays open after it was told: whoever writes on it meanwhile, as clients
/// do that subscribe at once, must get to read why rather than fail to write.
const TURNED_AWAY_STAYS: Duration = Duration::from_secs(1);

/// A connection.
#[derive(Debug)]
pub(super) struct Session {
    /// Whose private channels it may read.
    pub(super) account: Option<AccountIndex>,
    /// What it has subscribed, in that order.
    pub(super) channels: Vec<Channel>,
    listen_key: Option<String>,
    opened_at: Timestamp,
    /// Since when it has had nothing subscribed.
    pub(super) idle_since: Timestamp,
    /// When it last sent a message, or was last sent a private frame.
    pub(super) active_at: Timestamp,
    /// The second in which it last sent messages, and how many.
    messages: (i64, u32),
}

/// A connection that was opened with a listen key that is not good.
#[derive(Debug)]
struct TurnedAway {
    conn: ConnId,
    is_told: bool,
    close_at: Timestamp,
}

/// All connections.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    by_conn: BTreeMap<ConnId, Session>,
    /// They are told, and closed a little later.
    turned_away: Vec<TurnedAway>,
    /// No connection ends before this.
    check_at: Option<Timestamp>,
}

impl Sessions {
    /// A connection that is open.
    pub(super) fn get_mut(&mut self, conn: ConnId) -> Option<&mut Session> {
        self.by_conn.get_mut(&conn)
    }

    /// Forgets a connection. Answers what it was.
    pub(super) fn remove(&mut self, conn: ConnId) -> Option<Session> {
        self.turned_away.retain(|known| known.conn != conn);
        self.by_conn.remove(&conn)
    }

    /// The clock was moved: nobody's patience is longer or shorter for it.
    pub(super) fn step_clock(&mut self, by_nanos: i64) {
        self.check_at = self.check_at.map(|at| at.shifted(by_nanos));
        for away in &mut self.turned_away {
            away.close_at = away.close_at.shifted(by_nanos);
        }
        for session in self.by_conn.values_mut() {
            for at in [&mut session.opened_at, &mut session.idle_since, &mut session.active_at] {
                *at = at.shifted(by_nanos);
            }
        }
    }

    /// When [`close_what_ended`] is wanted next.
    pub(super) const fn next_at(&self) -> Option<Timestamp> {
        self.check_at
    }

    /// Something happened that may end a connection.
    pub(super) fn check_soon(&mut self, at: Timestamp) {
        self.check_at = Some(self.check_at.map_or(at, |known| known.min(at)));
    }
}

/// Lets a connection in, with its account if it brings a good listen key.
pub(super) fn open(
    mexc: &mut Mexc,
    now: Timestamp,
    conn: ConnId,
    path: &str,
    listen_key: Option<&str>,
) -> Result<(), HttpAnswer> {
    if !matches!(path, "/ws" | "/ws/") {
        return Err(Refusal::not_found().answer());
    }
    let Mexc { sessions, listen_keys, feeds, config, .. } = mexc;
    let account = match listen_key {
        None => None,
        Some(key) => {
            let opened = sessions.by_conn.values();
            let opened = opened.filter(|session| session.listen_key.as_deref() == Some(key)).count();
            let known = listen_keys.get(now, key).filter(|_| opened < MOST_PER_KEY);
            let Some(known) = known else {
                let close_at = now + TURNED_AWAY_STAYS;
                sessions.turned_away.push(TurnedAway { conn, is_told: false, close_at });
                sessions.check_soon(now);
                return Ok(());
            };
            Some(known.account)
        }
    };
    let session = Session {
        account,
        channels: Vec::new(),
        listen_key: listen_key.map(str::to_owned),
        opened_at: now,
        idle_since: now,
        active_at: now,
        messages: (0, 0),
    };
    if let Some(end) = session.ends_at(now, conn, config.connections, listen_keys, feeds) {
        sessions.check_soon(end.at());
    }
    sessions.by_conn.insert(conn, session);
    Ok(())
}

/// Why and when a connection ends unless something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    /// Its listen key ends.
    Key(Timestamp),
    /// The server has had enough.
    Rules(Timestamp),
}

impl End {
    const fn at(self) -> Timestamp {
        match self {
            Self::Key(at) | Self::Rules(at) => at,
        }
    }
}

impl Session {
    /// Counts a message; whether that is too many.
    pub(super) fn counts_too_many(&mut self, now: Timestamp) -> bool {
        let second = now.as_secs();
        if self.messages.0 != second {
            self.messages = (second, 0);
        }
        self.messages.1 = self.messages.1.saturating_add(1);
        self.messages.1 > MOST_MESSAGES
    }

    fn ends_at(
        &self,
        now: Timestamp,
        conn: ConnId,
        rules: Option<ConnectionRules>,
        keys: &ListenKeys,
        feeds: &Feeds,
    ) -> Option<End> {
        // A key that is gone was deleted or has ended: the end is now.
        let key = self.listen_key.as_deref();
        let by_key = key.map(|key| End::Key(keys.get(now, key).map_or(now, |known| known.expires_at)));
        let by_rules = rules.map(|rules| {
            let patience = if self.channels.is_empty() {
                self.idle_since + rules.unsubscribed
            } else {
                self.last_word(conn, feeds) + rules.silent
            };
            End::Rules(patience.min(self.opened_at + rules.life))
        });
        [by_key, by_rules].into_iter().flatten().min_by_key(|end| end.at())
    }

    fn last_word(&self, conn: ConnId, feeds: &Feeds) -> Timestamp {
        let sent = self.channels.iter().filter_map(|channel| match channel {
            Channel::Public(market, topic) => feeds.sent_at(conn, *market, *topic),
            Channel::Everything(zone) => feeds.every.sent_at(conn, *zone),
            Channel::Private(_) => None,
        });
        sent.max().unwrap_or(self.active_at).max(self.active_at)
    }

    /// The listen key is no longer good, but the connection stays.
    fn forget_key(&mut self) {
        self.listen_key = None;
        self.account = None;
    }
}

/// Closes connections that ended, and finds out when the next one may.
pub(super) fn close_what_ended(mexc: &mut Mexc, now: Timestamp, out: &mut Outgoing) {
    if mexc.sessions.check_at.is_none_or(|at| at > now) {
        return;
    }
    let mut next = turn_away(&mut mexc.sessions.turned_away, now, out);
    let mut ended = Vec::new();
    let goes_silent =
        mexc.manners.listen_keys_end_silently || mexc.config.expired_streams == ExpiredStreams::GoSilent;
    let Mexc { sessions, listen_keys, feeds, config, private, .. } = &mut *mexc;
    for (conn, session) in &mut sessions.by_conn {
        let mut end = session.ends_at(now, *conn, config.connections, listen_keys, feeds);
        if goes_silent && end.is_some_and(|end| matches!(end, End::Key(at) if at <= now)) {
            leave_private(private, *conn, session);
            session.forget_key();
            end = session.ends_at(now, *conn, config.connections, listen_keys, feeds);
        }
        match end.map(End::at) {
            Some(at) if at <= now => ended.push(*conn),
            Some(at) => next = Some(next.map_or(at, |known| known.min(at))),
            None => {}
        }
    }
    sessions.check_at = next;
    for conn in ended {
        close(mexc, conn);
        out.push((conn, Frame::Close));
    }
}

/// Tells those that are turned away why, and closes them when it is time. Answers when the next one is due.
fn turn_away(waiting: &mut Vec<TurnedAway>, now: Timestamp, out: &mut Outgoing) -> Option<Timestamp> {
    for away in waiting.iter_mut().filter(|away| !away.is_told) {
        away.is_told = true;
        out.push((away.conn, Frame::Text("Invalid listen key".to_owned())));
    }
    waiting.retain(|away| {
        let stays = away.close_at > now;
        if !stays {
            out.push((away.conn, Frame::Close));
        }
        stays
    });
    waiting.iter().map(|away| away.close_at).min()
}

fn leave_private(private: &mut super::private::Readers, conn: ConnId, session: &Session) {
    let Some(account) = session.account else { return };
    for channel in [Private::Account, Private::Deals, Private::Orders] {
        private.leave(account, channel, conn);
    }
}

/// No connection reads what is private any more. They stay, and so do their subscriptions.
pub(super) fn deauthorize(mexc: &mut Mexc) {
    let Mexc { sessions, private, .. } = mexc;
    for (conn, session) in &mut sessions.by_conn {
        leave_private(private, *conn, session);
        session.forget_key();
    }
}

/// Forgets a connection and all it read.
pub(super) fn close(mexc: &mut Mexc, conn: ConnId) {
    let Some(session) = mexc.sessions.remove(conn) else { return };
    leave_private(&mut mexc.private, conn, &session);
    for channel in session.channels {
        match channel {
            Channel::Public(market, topic) => mexc.feeds.leave(conn, market, topic),
            Channel::Everything(zone) => mexc.feeds.every.leave(conn, zone),
            Channel::Private(_) => {}
        }
    }
}
