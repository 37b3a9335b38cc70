//! A small ordered map of prices, as one side of a book needs it: what is asked for most lies at one end of one piece of
//! memory.

/// Values by key, the smallest key first. Keys are prices of asks, or negative prices of bids, so that the first is the
/// best on both sides.
///
/// They are kept the other way round in a vector: what comes and goes at the best prices moves little. A change in the middle
/// moves what is better; a book of thousands of levels has its changes at the top.
#[derive(Debug, Clone)]
pub(crate) struct Ranked<V>(Vec<(i64, V)>);

impl<V> Default for Ranked<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V> Ranked<V> {
    /// Nothing.
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    /// How many there are.
    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    /// Where a key is, or where it would be.
    fn find(&self, key: i64) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| key.cmp(known))
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: i64) -> Option<&V> {
        self.find(key).ok().map(|at| &self.0[at].1)
    }

    /// The value of a key.
    pub(crate) fn get_mut(&mut self, key: i64) -> Option<&mut V> {
        self.find(key).ok().map(|at| &mut self.0[at].1)
    }

    /// The value of a key, or the place where [`Self::insert_at`] may put one.
    pub(crate) fn seek(&mut self, key: i64) -> Result<&mut V, usize> {
        self.find(key).map(|at| &mut self.0[at].1)
    }

    /// Puts in a new key, where [`Self::seek`] said.
    pub(crate) fn insert_at(&mut self, place: usize, key: i64, value: V) {
        self.0.insert(place, (key, value));
    }

    /// Gives a key this value.
    pub(crate) fn insert(&mut self, key: i64, value: V) {
        match self.find(key) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => self.insert_at(at, key, value),
        }
    }

    /// Changes the value of a key by `change`, and takes it out when that answers `None`. Answers what `change` did.
    pub(crate) fn update<T>(&mut self, key: i64, change: impl FnOnce(&mut V) -> Option<T>) -> Option<T> {
        let at = self.find(key).ok()?;
        let changed = change(&mut self.0[at].1);
        if changed.is_none() {
            self.0.remove(at);
        }
        changed
    }

    /// Takes out a key.
    pub(crate) fn remove(&mut self, key: i64) -> Option<V> {
        self.find(key).ok().map(|at| self.0.remove(at).1)
    }

    /// The smallest key.
    pub(crate) fn first(&self) -> Option<(i64, &V)> {
        self.0.last().map(|(key, value)| (*key, value))
    }

    /// The value of the smallest key.
    pub(crate) fn first_mut(&mut self) -> Option<&mut V> {
        self.0.last_mut().map(|(_, value)| value)
    }

    /// Takes out the smallest key.
    pub(crate) fn pop_first(&mut self) -> Option<(i64, V)> {
        self.0.pop()
    }

    /// The largest key.
    pub(crate) fn last(&self) -> Option<(i64, &V)> {
        self.0.first().map(|(key, value)| (*key, value))
    }

    /// Takes out the largest key.
    pub(crate) fn pop_last(&mut self) -> Option<(i64, V)> {
        (!self.0.is_empty()).then(|| self.0.remove(0))
    }

    /// All, the smallest key first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (i64, &V)> {
        self.0.iter().rev().map(|(key, value)| (*key, value))
    }

    /// All from this key on, the smallest first.
    pub(crate) fn range_from(&self, key: i64) -> impl Iterator<Item = (i64, &V)> {
        let end = self.find(key).map_or_else(|at| at, |at| at + 1);
        self.0[..end].iter().rev().map(|(key, value)| (*key, value))
    }
}

#[cfg(test)]
mod tests {
    use super::Ranked;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// Whatever is done, it is what a plain ordered map is.
        #[test]
        fn it_is_an_ordered_map(steps in prop::collection::vec((0u8..7, 0i64..24, any::<u8>()), 0..200)) {
            let (mut ranked, mut map) = (Ranked::new(), BTreeMap::new());
            for (step, key, value) in steps {
                match step {
                    0 | 1 => {
                        ranked.insert(key, value);
                        map.insert(key, value);
                    }
                    2 => prop_assert_eq!(ranked.remove(key), map.remove(&key)),
                    3 => prop_assert_eq!(ranked.pop_first(), map.pop_first()),
                    4 => prop_assert_eq!(ranked.pop_last(), map.pop_last()),
                    5 => {
                        let change = |known: &mut u8| { *known ^= value; (*known > 99).then_some(*known) };
                        let changed = map.get_mut(&key).and_then(change);
                        if changed.is_none() {
                            map.remove(&key);
                        }
                        prop_assert_eq!(ranked.update(key, change), changed);
                    }
                    _ => {
                        if let Err(place) = ranked.seek(key).map(|known| *known = value) {
                            ranked.insert_at(place, key, value);
                        }
                        map.insert(key, value);
                        if let (Some(ours), Some(mut theirs)) = (ranked.first_mut(), map.first_entry()) {
                            (*ours, *theirs.get_mut()) = (value, value);
                        }
                    }
                }
                prop_assert_eq!(ranked.len(), map.len());
                prop_assert_eq!(ranked.get(key).copied(), map.get(&key).copied());
                prop_assert_eq!(ranked.get_mut(key).copied(), map.get(&key).copied());
                prop_assert_eq!(ranked.first().map(|(key, _)| key), map.keys().next().copied());
                prop_assert_eq!(ranked.last().map(|(key, _)| key), map.keys().next_back().copied());
                prop_assert!(ranked.iter().eq(map.iter().map(|(key, value)| (*key, value))));
                prop_assert!(ranked.range_from(key).eq(map.range(key..).map(|(key, value)| (*key, value))));
            }
        }
    }
}
