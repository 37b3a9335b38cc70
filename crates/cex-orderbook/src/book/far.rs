//! The part of a side below its window: sorted leaves of a few dozen levels.
//!
//! A leaf is small enough to shift in place; the leaves lie in an arena that is reused, and a directory of their first
//! keys orders them. Keys ascend, so the best level is the last one.

use std::ops::Range;

/// Levels in a leaf.
const LEAF: usize = 32;
/// Key of a place without a level: no key is above it, so it never counts as being below one.
const UNUSED: i64 = i64::MAX;
/// Levels left in a leaf that is split.
const HALF: usize = LEAF / 2;
/// Neighbours that together hold no more than this are merged, which bounds the memory of a book that thins out.
const MERGED: usize = 24;

#[derive(Debug, Clone)]
struct Leaf {
    keys: [i64; LEAF],
    qtys: [i64; LEAF],
}

impl Leaf {
    const EMPTY: Self = Self { keys: [UNUSED; LEAF], qtys: [0; LEAF] };

    /// How many keys are below this one. Two rounds of comparisons that do not wait for each other: a binary search
    /// waits five times, a scan compares all of them.
    #[inline]
    fn rank(&self, key: i64) -> usize {
        let (octets, _) = self.keys.as_chunks::<8>();
        let below = |known: i64| usize::from(known < key);
        let whole: usize = octets[..octets.len() - 1].iter().map(|octet| below(octet[7])).sum();
        whole * 8 + octets[whole].iter().map(|known| below(*known)).sum::<usize>()
    }

    fn insert(&mut self, len: usize, at: usize, key: i64, qty: i64) {
        self.keys.copy_within(at..len, at + 1);
        self.qtys.copy_within(at..len, at + 1);
        (self.keys[at], self.qtys[at]) = (key, qty);
    }

    fn remove(&mut self, len: usize, at: usize) {
        self.keys.copy_within(at + 1..len, at);
        self.qtys.copy_within(at + 1..len, at);
        self.keys[len - 1] = UNUSED;
    }

    /// Takes over levels of another leaf, as the last ones here.
    fn append(&mut self, len: usize, other: &Self, from: Range<usize>) {
        let to = len..len + from.len();
        self.keys[to.clone()].copy_from_slice(&other.keys[from.clone()]);
        self.qtys[to].copy_from_slice(&other.qtys[from]);
    }
}

/// A leaf's place in the order. What decides about a leaf without its levels stands here, beside its neighbours.
#[derive(Debug, Clone, Copy)]
struct Entry {
    first: i64,
    leaf: u32,
    len: u32,
}

/// Where a key is, or would be inserted.
struct Place {
    entry: usize,
    at: usize,
    found: bool,
}

/// Sorted levels below a window.
#[derive(Debug, Clone, Default)]
pub(super) struct Far {
    arena: Vec<Leaf>,
    spare: Vec<u32>,
    order: Vec<Entry>,
    len: usize,
}

impl Far {
    /// How many levels there are.
    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Reads the best leaf, one key and one quantity of each cache line.
    pub(super) fn warm(&self) -> i64 {
        let best = self.order.last().and_then(|entry| self.arena.get(entry.leaf as usize));
        let lines = best.into_iter().flat_map(|leaf| leaf.keys.iter().chain(&leaf.qtys).step_by(8));
        lines.fold(0, |all, line| all ^ line)
    }

    /// Forgets all levels, keeps the memory.
    pub(super) fn clear(&mut self) {
        while let Some(last) = self.order.len().checked_sub(1) {
            self.drop_leaf(last);
        }
        self.len = 0;
    }

    /// The quantity at a key; zero when there is none.
    pub(super) fn get(&self, key: i64) -> i64 {
        match self.find(key) {
            Some(Place { entry, at, found: true }) => self.leaf(entry).qtys[at],
            Some(Place { found: false, .. }) | None => 0,
        }
    }

    /// Sets the quantity at a key; zero removes it.
    pub(super) fn set(&mut self, key: i64, qty: i64) {
        match self.find(key) {
            Some(Place { entry, at, found: true }) if qty == 0 => self.remove(entry, at),
            Some(Place { entry, at, found: true }) => self.leaf_mut(entry).qtys[at] = qty,
            Some(Place { .. }) | None if qty == 0 => {}
            Some(Place { entry, at, found: false }) => self.insert(entry, at, key, qty),
            None => self.insert_leaf(0, key, qty),
        }
    }

    /// Adds a level that is better than all others.
    pub(super) fn push_best(&mut self, key: i64, qty: i64) {
        match self.order.len().checked_sub(1) {
            Some(entry) => self.insert(entry, self.len_of(entry), key, qty),
            None => self.insert_leaf(0, key, qty),
        }
    }

    /// The best key.
    #[inline]
    pub(super) fn best_key(&self) -> Option<i64> {
        let entry = self.order.len().checked_sub(1)?;
        Some(self.leaf(entry).keys[self.len_of(entry) - 1])
    }

    /// The worst key.
    pub(super) fn worst_key(&self) -> Option<i64> {
        self.order.first().map(|entry| entry.first)
    }

    /// Takes out the best level, key and quantity.
    pub(super) fn pop_best(&mut self) -> Option<(i64, i64)> {
        let entry = self.order.len().checked_sub(1)?;
        let at = self.len_of(entry) - 1;
        let leaf = self.leaf(entry);
        let level = (leaf.keys[at], leaf.qtys[at]);
        self.remove(entry, at);
        Some(level)
    }

    /// Drops the worst levels, `count` of them or all there are; answers how many.
    pub(super) fn drop_worst(&mut self, count: usize) -> usize {
        let count = count.min(self.len);
        let mut left = count;
        while left > 0 && self.len_of(0) <= left {
            left -= self.len_of(0);
            self.len -= self.len_of(0);
            self.drop_leaf(0);
        }
        for _ in 0..left {
            self.remove(0, 0);
        }
        count
    }

    /// Moves on to the next worse level and answers its key and quantity.
    #[inline]
    pub(super) fn next_worse(&self, cursor: &mut Cursor) -> Option<(i64, i64)> {
        if cursor.left_in_leaf == 0 {
            cursor.entry = cursor.entry.checked_sub(1)?;
            cursor.left_in_leaf = self.len_of(cursor.entry);
        }
        cursor.left_in_leaf -= 1;
        let leaf = self.leaf(cursor.entry);
        Some((leaf.keys[cursor.left_in_leaf], leaf.qtys[cursor.left_in_leaf]))
    }

    /// A position before the best level.
    pub(super) const fn cursor(&self) -> Cursor {
        Cursor { entry: self.order.len(), left_in_leaf: 0 }
    }

    /// Memory outside this value, in bytes.
    pub(super) const fn heap_bytes(&self) -> usize {
        self.arena.capacity() * size_of::<Leaf>()
            + self.spare.capacity() * size_of::<u32>()
            + self.order.capacity() * size_of::<Entry>()
    }

    fn len_of(&self, entry: usize) -> usize {
        self.order[entry].len as usize
    }

    fn leaf(&self, entry: usize) -> &Leaf {
        &self.arena[self.order[entry].leaf as usize]
    }

    fn leaf_mut(&mut self, entry: usize) -> &mut Leaf {
        &mut self.arena[self.order[entry].leaf as usize]
    }

    /// `None` when there is no leaf at all.
    fn find(&self, key: i64) -> Option<Place> {
        if self.order.is_empty() {
            return None;
        }
        let entry = self.order.partition_point(|entry| entry.first <= key).saturating_sub(1);
        let leaf = self.leaf(entry);
        let at = leaf.rank(key);
        // The key of an unused place can be the key of a level, too.
        Some(Place { entry, at, found: at < self.len_of(entry) && leaf.keys[at] == key })
    }

    fn insert(&mut self, entry: usize, at: usize, key: i64, qty: i64) {
        let len = self.len_of(entry);
        if len < LEAF {
            self.leaf_mut(entry).insert(len, at, key, qty);
            let entry = &mut self.order[entry];
            entry.first = entry.first.min(key);
            entry.len += 1;
            self.len += 1;
            return;
        }
        // Levels that arrive in order, as snapshots do, begin a new leaf at either end and leave full ones behind.
        if at == LEAF && entry + 1 == self.order.len() {
            return self.insert_leaf(entry + 1, key, qty);
        }
        if at == 0 && entry == 0 {
            return self.insert_leaf(0, key, qty);
        }
        self.split(entry);
        if at <= HALF {
            self.insert(entry, at, key, qty);
        } else {
            self.insert(entry + 1, at - HALF, key, qty);
        }
    }

    /// Moves the better half of a full leaf into a new one behind it.
    fn split(&mut self, entry: usize) {
        let fresh = self.take_leaf();
        let pair = self.arena.get_disjoint_mut([self.order[entry].leaf as usize, fresh as usize]);
        let [whole, better] = pair.expect("a leaf taken from the spares has no place in the order");
        better.append(0, whole, HALF..LEAF);
        whole.keys[HALF..].fill(UNUSED);
        let first = better.keys[0];
        self.order[entry].len = HALF as u32;
        self.order.insert(entry + 1, Entry { first, leaf: fresh, len: (LEAF - HALF) as u32 });
    }

    fn insert_leaf(&mut self, entry: usize, key: i64, qty: i64) {
        let leaf = self.take_leaf();
        self.arena[leaf as usize].insert(0, 0, key, qty);
        self.order.insert(entry, Entry { first: key, leaf, len: 1 });
        self.len += 1;
    }

    fn take_leaf(&mut self) -> u32 {
        self.spare.pop().unwrap_or_else(|| {
            self.arena.push(Leaf::EMPTY);
            // Giving back a leaf must never allocate, so there is always room for all of them.
            self.spare.reserve(self.arena.len());
            self.arena.len() as u32 - 1
        })
    }

    fn drop_leaf(&mut self, entry: usize) {
        let Entry { leaf, .. } = self.order.remove(entry);
        self.arena[leaf as usize].keys.fill(UNUSED);
        self.spare.push(leaf);
    }

    fn remove(&mut self, entry: usize, at: usize) {
        let len = self.len_of(entry);
        self.len -= 1;
        if len == 1 {
            return self.drop_leaf(entry);
        }
        let leaf = self.leaf_mut(entry);
        leaf.remove(len, at);
        let first = leaf.keys[0];
        self.order[entry] = Entry { first, len: len as u32 - 1, ..self.order[entry] };
        if len <= MERGED {
            self.merge_around(entry);
        }
    }

    /// Joins a thin leaf with a neighbour that is as thin.
    fn merge_around(&mut self, entry: usize) {
        let joined =
            |one: usize| one + 1 < self.order.len() && self.len_of(one) + self.len_of(one + 1) <= MERGED;
        let pair =
            [entry, entry.wrapping_sub(1)].into_iter().find(|one| *one < self.order.len() && joined(*one));
        let Some(one) = pair else { return };
        let (worse, better) = (self.order[one], self.order[one + 1]);
        let leaves = self.arena.get_disjoint_mut([worse.leaf as usize, better.leaf as usize]);
        let [kept, emptied] = leaves.expect("a leaf has one place in the order");
        kept.append(worse.len as usize, emptied, 0..better.len as usize);
        self.order[one].len += better.len;
        self.drop_leaf(one + 1);
    }
}

/// A position in a [`Far`], moving from best to worst.
#[derive(Debug, Clone)]
pub(super) struct Cursor {
    entry: usize,
    left_in_leaf: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn levels(far: &Far) -> Vec<(i64, i64)> {
        let mut cursor = far.cursor();
        std::iter::from_fn(|| far.next_worse(&mut cursor)).collect()
    }

    #[test]
    fn loads_in_order_fill_their_leaves() {
        for descending in [false, true] {
            let mut far = Far::default();
            for step in 0..1_000 {
                far.set(if descending { -step } else { step }, 1);
            }
            assert_eq!((far.len(), far.order.len()), (1_000, 1_000_usize.div_ceil(LEAF)));
        }
    }

    #[test]
    fn thinning_out_gives_leaves_back() {
        let mut far = Far::default();
        (0..3_200).for_each(|key| far.set(key, 1));
        (0..3_200).filter(|key| key % 32 != 0).for_each(|key| far.set(key, 0));
        assert_eq!(far.len(), 100);
        assert!(far.order.len() <= 100 * 2 / MERGED + 1, "{} leaves for 100 levels", far.order.len());
    }

    proptest! {
        #[test]
        fn equals_an_ordered_map(changes in prop::collection::vec((0_i64..300, 0_i64..3, 0_u8..40), 1..1_500)) {
            let (mut far, mut map) = (Far::default(), BTreeMap::new());
            for (key, qty, what) in changes {
                match what {
                    0 => prop_assert_eq!(far.pop_best(), map.pop_last()),
                    1 => {
                        let dropped = far.drop_worst(key as usize / 10);
                        (0..dropped).for_each(|_| { map.pop_first(); });
                    }
                    2 => {
                        let best = map.last_key_value().map_or(key, |(best, _)| best + 1);
                        far.push_best(best, 7);
                        map.insert(best, 7);
                    }
                    _ => {
                        far.set(key, qty);
                        if qty == 0 { map.remove(&key) } else { map.insert(key, qty) };
                    }
                }
                prop_assert_eq!(far.get(key), map.get(&key).copied().unwrap_or(0));
                prop_assert_eq!(far.best_key(), map.last_key_value().map(|(key, _)| *key));
                prop_assert_eq!(far.worst_key(), map.first_key_value().map(|(key, _)| *key));
            }
            prop_assert_eq!(far.len(), map.len());
            prop_assert_eq!(levels(&far), map.into_iter().rev().collect::<Vec<_>>());
        }
    }
}
