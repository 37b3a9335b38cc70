//! Listen keys: what opens a private stream, for an hour at a time.

use super::refusal::Refusal;
use super::sign::hex;
use crate::matching::AccountIndex;
use cex_core::Timestamp;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a key is good for from its making or its last extension.
pub(super) const VALIDITY: Duration = Duration::from_secs(3_600);
/// Keys of one account.
const MOST_KEYS: usize = 60;

/// A key, as the table knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ListenKey {
    /// Account whose streams the key opens.
    pub(super) account: AccountIndex,
    /// When the key ends, by the exchange's clock.
    pub(super) expires_at: Timestamp,
}

/// All keys that were made; those that ended are dropped when the next one is made.
#[derive(Debug, Default)]
pub(super) struct ListenKeys {
    keys: BTreeMap<String, ListenKey>,
    made: u64,
}

impl ListenKeys {
    /// Makes a key: 64 hexadecimal digits, different every time and the same in every run.
    pub(super) fn create(&mut self, now: Timestamp, account: AccountIndex) -> Result<String, Refusal> {
        self.keys.retain(|_, key| key.expires_at > now);
        if self.of(now, account).count() >= MOST_KEYS {
            return Err(Refusal::new(730_003, "too many listen keys"));
        }
        self.made += 1;
        let key = hex(&Sha256::digest(format!("listen key {} of {}", self.made, account.0).as_bytes()));
        self.keys.insert(key.clone(), ListenKey { account, expires_at: now + VALIDITY });
        Ok(key)
    }

    /// The clock was moved: keys last as long as they would have.
    pub(super) fn step_clock(&mut self, by_nanos: i64) {
        for key in self.keys.values_mut() {
            key.expires_at = key.expires_at.shifted(by_nanos);
        }
    }

    /// Ends all keys.
    pub(super) fn expire_all(&mut self) {
        self.keys.clear();
    }

    /// A key that has not ended.
    pub(super) fn get(&self, now: Timestamp, key: &str) -> Option<ListenKey> {
        self.keys.get(key).copied().filter(|known| known.expires_at > now)
    }

    /// The keys of an account.
    pub(super) fn of(&self, now: Timestamp, account: AccountIndex) -> impl Iterator<Item = &str> {
        let is_theirs = move |key: &ListenKey| key.account == account && key.expires_at > now;
        self.keys.iter().filter(move |(_, key)| is_theirs(key)).map(|(key, _)| key.as_str())
    }

    /// How many keys an account may still make.
    pub(super) fn available(&self, now: Timestamp, account: AccountIndex) -> usize {
        MOST_KEYS - self.of(now, account).count()
    }

    /// How many keys an account may have.
    pub(super) const fn total() -> usize {
        MOST_KEYS
    }

    /// Extends a key of this account.
    pub(super) fn extend(&mut self, now: Timestamp, account: AccountIndex, key: &str) -> Result<(), Refusal> {
        let known = self.keys.get_mut(key).filter(|known| known.account == account && known.expires_at > now);
        known.ok_or_else(unknown_key)?.expires_at = now + VALIDITY;
        Ok(())
    }

    /// Ends a key of this account.
    pub(super) fn delete(&mut self, now: Timestamp, account: AccountIndex, key: &str) -> Result<(), Refusal> {
        self.get(now, key).filter(|known| known.account == account).ok_or_else(unknown_key)?;
        self.keys.remove(key);
        Ok(())
    }
}

/// No source names the code.
fn unknown_key() -> Refusal {
    Refusal::new(730_002, "Your input param is invalid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_lives_an_hour_from_its_last_extension() {
        let (owner, other) = (AccountIndex(0), AccountIndex(1));
        let start = Timestamp::from_secs(1_700_000_000);
        let mut keys = ListenKeys::default();
        let key = keys.create(start, owner).expect("the first");
        assert_eq!(key.len(), 64);
        assert_ne!(keys.create(start, owner).expect("the second"), key);
        let later = start + Duration::from_secs(1_800);
        assert!(keys.extend(later, other, &key).is_err(), "not theirs");
        assert!(keys.extend(later, owner, &key).is_ok());
        let almost = later + Duration::from_secs(3_599);
        assert_eq!(keys.get(almost, &key).map(|key| key.account), Some(owner));
        assert_eq!(keys.of(almost, owner).count(), 1, "the second has ended");
        let end = later + VALIDITY;
        assert_eq!(keys.get(end, &key), None);
        assert!(keys.extend(end, owner, &key).is_err() && keys.delete(end, owner, &key).is_err());
    }

    #[test]
    fn an_account_has_sixty_keys() {
        let (now, owner) = (Timestamp::from_secs(1_700_000_000), AccountIndex(0));
        let mut keys = ListenKeys::default();
        let made: Vec<_> = (0..60).map(|_| keys.create(now, owner).expect("room")).collect();
        assert!(keys.create(now, owner).is_err());
        assert_eq!(keys.available(now, owner), 0);
        keys.delete(now, owner, &made[0]).expect("theirs");
        assert!(keys.create(now, owner).is_ok());
        assert!(keys.create(now, AccountIndex(1)).is_ok());
    }
}
