//! The listen key of a private stream: from where it comes, how long it is good, and when it is looked after.
//!
//! A key lives 60 minutes from its last renewal and leaks when it is not given back (MEXC-ACCOUNT-01,
//! MEXC-ACCOUNT-02): it is kept across reconnects while it lives, renewed every 22 minutes, replaced when a renewal
//! is refused, and the old one is deleted once the new connection is complete.
//!
//! A renewal may be answered as a success and renew nothing, and a stream whose key died may say nothing (W6). So the
//! living keys are listed (MEXC-ACCOUNT-09) after each renewal and every few minutes: one that was listed and no longer is, is dead.
//!
//! Keys that crashes left behind count against what an account may have, for up to an hour. When there can be no new one,
//! a listed one is renewed and taken over (several connections may share one); it is not ours to delete.

use crate::symbol::push_encoded;
use cex_core::Timestamp;
use cex_errors::{ErrorKind, Outcome};
use cex_interface::ListenKeys;
use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

/// How often a key is renewed: far inside its hour, and never the only chance.
pub(super) const KEEP_EVERY: Duration = Duration::from_secs(22 * 60);

/// A renewal that was neither done nor refused is tried again after this. Longer waits that the exchange asks for are kept by
/// the budgets, which let no call leave before.
pub(super) const KEEP_RETRY: Duration = Duration::from_secs(30);

/// From this age a key is not trusted with another connection or another retry.
const KEY_WORN_OUT: Duration = Duration::from_secs(50 * 60);

/// How often the living keys are listed: the longest that a stream may be dead unnoticed.
pub(super) const CHECK_EVERY: Duration = Duration::from_secs(5 * 60);

/// Keys that wait to be deleted; older ones die by themselves within the hour.
const MOST_SPENT_KEYS: usize = 8;

/// Keys an account may have, where a list of them does not say how many are left (MEXC-ACCOUNT-02).
const DOCUMENTED_MOST: usize = 60;

/// Listed keys that are tried before it is given up for now.
const MOST_ADOPTED: usize = 3;

/// The key of a private stream: as good as a password for reading, so it is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct ListenKey {
    pub(super) text: String,
    /// Creation or last renewal.
    pub(super) renewed_at: Timestamp,
    /// Made by us, so that it is ours to delete.
    pub(super) is_ours: bool,
    /// The exchange has listed it, so that its absence from a list means something.
    pub(super) was_listed: bool,
}

impl ListenKey {
    pub(super) const fn new(text: String, renewed_at: Timestamp, is_ours: bool) -> Self {
        // One that was taken over came from the list.
        Self { text, renewed_at, is_ours, was_listed: !is_ours }
    }

    pub(super) fn is_worn_out(&self, now: Timestamp) -> bool {
        now.since(self.renewed_at) >= KEY_WORN_OUT
    }

    /// What a list of all living keys says of it: `false` when it is dead.
    pub(super) fn lives(&mut self, listed: &[String]) -> bool {
        if listed.contains(&self.text) {
            self.was_listed = true;
            return true;
        }
        !self.was_listed
    }
}

impl fmt::Debug for ListenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// When something is done with the key that lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Care {
    Never,
    Due(Timestamp),
    /// Asked for with this tag.
    Asked(u32),
}

impl Care {
    pub(super) const fn due_at(self) -> Option<Timestamp> {
        match self {
            Self::Due(at) => Some(at),
            Self::Never | Self::Asked(_) => None,
        }
    }

    /// The answer to what was asked may never reach us.
    pub(super) fn doubt(&mut self, now: Timestamp) {
        if matches!(self, Self::Asked(_)) {
            *self = Self::Due(now);
        }
    }
}

/// Keys that wait to be deleted when a new connection is complete.
#[derive(Debug, Default)]
pub(super) struct SpentKeys(VecDeque<ListenKey>);

impl SpentKeys {
    pub(super) fn push(&mut self, key: Option<ListenKey>) {
        self.0.extend(key.filter(|key| key.is_ours));
        if self.0.len() > MOST_SPENT_KEYS {
            self.0.pop_front();
        }
    }

    pub(super) fn pop(&mut self) -> Option<ListenKey> {
        self.0.pop_front()
    }

    fn holds(&self, text: &str) -> bool {
        self.0.iter().any(|key| key.text == text)
    }
}

/// Whether a refusal to make a key may mean that there are too many of them. The reference names no code for that
/// (MEXC-ACCOUNT-09), so whatever does not say something else is taken for it.
pub(super) const fn may_be_too_many(kind: &ErrorKind) -> bool {
    matches!(kind, ErrorKind::InvalidRequest | ErrorKind::AboveMaximum | ErrorKind::Unmapped)
}

/// Whether a failed renewal says something of the key (MEXC-ACCOUNT-01). Trouble on the way, of the exchange or with our
/// budget and clock does not: the key lives on as long as it did, and renewing it twice is as good as once.
pub(super) fn speaks_of_the_key(kind: &ErrorKind) -> bool {
    let of_something_else = matches!(
        kind,
        ErrorKind::RateLimited { .. }
            | ErrorKind::Banned { .. }
            | ErrorKind::ServerBusy
            | ErrorKind::Maintenance
            | ErrorKind::ClockSkew
            | ErrorKind::Timeout(_)
            | ErrorKind::Connection(_)
            | ErrorKind::Undecodable(_)
    );
    !of_something_else && kind.outcome() != Outcome::NotSent
}

/// Which of the living keys are tried, the last one first. None while another could be made: the refusal meant something
/// else, and of few keys the one that is taken over may be that of the connection we replace, which deletes it when it goes.
pub(super) fn adoptable(listed: &ListenKeys, spent: &SpentKeys) -> Vec<String> {
    let are_short = listed.left.map_or(listed.living.len() >= DOCUMENTED_MOST, |left| left == 0);
    let most = if are_short { MOST_ADOPTED } else { 0 };
    listed.living.iter().filter(|text| !spent.holds(text)).take(most).cloned().collect()
}

/// The stream's address with its key as the query.
pub(super) fn with_key(url: &str, key: &str) -> String {
    let mut address = String::with_capacity(url.len() + key.len() + 16);
    address.push_str(url);
    address.push_str("?listenKey=");
    push_encoded(&mut address, key);
    address
}
