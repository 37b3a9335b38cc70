//! The part of a side around its top: a ring with one quantity per tick.

use super::grid::Grid;
use cex_core::Level;
use std::hint::select_unpredictable;

/// Levels handled at a time; strays of a chunk are listed on the stack.
pub(super) const CHUNK: usize = 64;
/// The most slots kept free above the top.
const ROOM: i64 = 128;
/// Slots around the top that most frames change, a quarter of them above it.
const NEAR: usize = 256;
/// Slots looked at together when empty ones are skipped: a cache line.
const BLOCK: usize = 8;

/// Indices of the levels of a chunk that the window could not take.
pub(super) struct Strays {
    indices: [u8; CHUNK],
    len: usize,
}

impl Strays {
    pub(super) const fn none() -> Self {
        Self { indices: [0; CHUNK], len: 0 }
    }

    pub(super) fn indices(&self) -> impl Iterator<Item = usize> {
        self.indices.iter().take(self.len).map(|index| usize::from(*index))
    }
}

/// How a side orders its prices: a key is the price in ticks, bits flipped for asks, so that larger is better on both
/// sides and no negation can overflow.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keys {
    /// The multiples of the tick that prices lie on.
    pub(super) grid: Grid,
    /// Zero for bids, all bits for asks.
    pub(super) flip: i64,
}

impl Keys {
    /// The key of a price; `None` off the grid.
    #[inline]
    pub(super) fn of(self, price: i64) -> Option<i64> {
        Some(self.grid.ticks(price)? ^ self.flip)
    }

    /// The keys of prices that are not negative, worst and best.
    #[inline]
    const fn span(self) -> (i64, i64) {
        let (free, most) = (self.flip, self.grid.most() ^ self.flip);
        if free < most { (free, most) } else { (most, free) }
    }

    /// The price of a key.
    #[inline]
    pub(super) const fn price(self, key: i64) -> i64 {
        self.grid.price(key ^ self.flip)
    }
}

/// Quantities of the keys `base ..= last`; a key lives in the slot of its lowest bits, so sliding moves nothing.
#[derive(Debug, Clone)]
pub(super) struct Window {
    slots: Box<[i64]>,
    base: i64,
    len: usize,
}

impl Window {
    /// An empty window of `size` slots, brought to a power of two between 16 and 4096.
    pub(super) fn new(size: usize) -> Self {
        Self { slots: vec![0; size.clamp(16, 4_096).next_power_of_two()].into(), base: 0, len: 0 }
    }

    /// How many levels it holds.
    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// The worst key it can hold.
    #[inline]
    pub(super) const fn base(&self) -> i64 {
        self.base
    }

    /// The best key it can hold.
    #[inline]
    pub(super) const fn last(&self) -> i64 {
        self.base + self.reach()
    }

    /// Slots kept free above the top when the window is moved.
    #[inline]
    const fn room(&self) -> i64 {
        let quarter = self.reach() / 4;
        if quarter < ROOM { quarter } else { ROOM }
    }

    /// Whether the top has sunk so far that the window should follow: as far as it may rise.
    #[inline]
    pub(super) const fn is_low(&self, best: i64) -> bool {
        self.last() - best > 2 * self.room()
    }

    /// Where the window begins when `best` is its top. Ends of the number range are kept inside.
    pub(super) fn base_for(&self, best: i64) -> i64 {
        best.saturating_sub(self.reach() - self.room()).min(i64::MAX - self.reach())
    }

    /// Moves the window. What it holds must lie in both places.
    pub(super) const fn move_to(&mut self, base: i64) {
        self.base = base;
    }

    /// Reads the slots around a key, one of each cache line.
    pub(super) fn warm(&self, key: i64) -> i64 {
        let lines = (0..NEAR.min(self.slots.len())).step_by(BLOCK);
        lines.fold(0, |all, below| all ^ self.get(key.wrapping_add(ROOM / 2).wrapping_sub(below as i64)))
    }

    /// Forgets all levels.
    pub(super) fn clear(&mut self) {
        self.slots.fill(0);
        self.len = 0;
    }

    /// Whether this key has a slot.
    #[inline]
    pub(super) const fn holds(&self, key: i64) -> bool {
        key >= self.base && key <= self.last()
    }

    /// The quantity at a key that has a slot.
    #[inline]
    pub(super) fn get(&self, key: i64) -> i64 {
        self.slots[self.slot(key)]
    }

    /// Sets the quantity at a key that has a slot; answers the one before.
    #[inline]
    pub(super) fn set(&mut self, key: i64, qty: i64) -> i64 {
        let slot = self.slot(key);
        let before = std::mem::replace(&mut self.slots[slot], qty);
        self.len = self.len + usize::from(qty != 0) - usize::from(before != 0);
        before
    }

    /// Takes the levels of a chunk whose keys lie between `lowest` and the window's end, and lists the others, with
    /// those of a negative price. Answers the best key that was set, or `hint` if that is better.
    ///
    /// No branch depends on a price: half of a frame's levels would be mispredicted. A stray writes back what is in the
    /// slot its bits happen to name.
    pub(super) fn absorb(
        &mut self,
        chunk: &[Level],
        keys: Keys,
        lowest: i64,
        mut hint: i64,
        strays: &mut Strays,
    ) -> i64 {
        debug_assert!(chunk.len() <= CHUNK && lowest >= self.base && lowest <= self.last());
        let (worst, best) = keys.span();
        let lowest = lowest.max(worst);
        // An empty range takes nothing: no key is below its own distance from the lowest.
        let end = self.last().min(best).wrapping_sub(lowest).wrapping_add(1).max(0).cast_unsigned();
        let slots = &mut *self.slots;
        let mask = slots.len() - 1;
        let mut len = self.len;
        for (index, level) in chunk.iter().enumerate() {
            let key = keys.grid.ticks_or_outside(level.price.0) ^ keys.flip;
            let inside = key.wrapping_sub(lowest).cast_unsigned() < end;
            let slot = &mut slots[key as usize & mask];
            let before = *slot;
            let after = select_unpredictable(inside, level.qty.0.max(0), before);
            *slot = after;
            len = len.wrapping_add(usize::from(after != 0)).wrapping_sub(usize::from(before != 0));
            hint = hint.max(select_unpredictable(inside, key, i64::MIN));
            strays.indices[strays.len % CHUNK] = index as u8;
            strays.len += usize::from(!inside);
        }
        self.len = len;
        hint
    }

    /// The best level at or below `key`, which is not below the window.
    #[inline]
    pub(super) fn at_or_below(&self, key: i64) -> Option<i64> {
        let mut offset = usize::try_from(key.min(self.last()) - self.base).ok()?;
        loop {
            let slot = self.slot(self.base + offset as i64);
            if self.slots[slot] != 0 {
                return Some(self.base + offset as i64);
            }
            // A whole empty block is left in one step.
            let step = if slot % BLOCK == BLOCK - 1 && self.is_empty_block(slot) { BLOCK } else { 1 };
            offset = offset.checked_sub(step)?;
        }
    }

    /// The worst level at or above `key`.
    pub(super) fn at_or_above(&self, key: i64) -> Option<i64> {
        let mut offset = usize::try_from(key.max(self.base) - self.base).ok()?;
        while offset < self.slots.len() {
            let slot = self.slot(self.base + offset as i64);
            if self.slots[slot] != 0 {
                return Some(self.base + offset as i64);
            }
            offset += if slot.is_multiple_of(BLOCK) && self.is_empty_block(slot) { BLOCK } else { 1 };
        }
        None
    }

    /// Memory outside this value, in bytes.
    pub(super) const fn heap_bytes(&self) -> usize {
        self.slots.len() * size_of::<i64>()
    }

    /// Distance between the worst and the best key it can hold.
    #[inline]
    const fn reach(&self) -> i64 {
        self.slots.len() as i64 - 1
    }

    #[inline]
    const fn slot(&self, key: i64) -> usize {
        key as usize & (self.slots.len() - 1)
    }

    /// Whether the aligned block around this slot holds nothing. Slots of a block that belong to the other end of the
    /// window only make the answer more careful.
    #[inline]
    fn is_empty_block(&self, slot: usize) -> bool {
        let start = slot - slot % BLOCK;
        self.slots[start..start + BLOCK].iter().fold(0, |all, qty| all | qty) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_levels_across_the_seam_of_the_ring() {
        for base in [0, 5, 8, 13, 15, -3, -16, 1_000_003] {
            let mut window = Window::new(16);
            window.move_to(base);
            assert_eq!(window.at_or_below(window.last()), None);
            assert_eq!(window.at_or_above(base), None);
            for offset in 0..16 {
                window.set(base + offset, 1);
                for from in 0..16 {
                    let below = (offset <= from).then_some(base + offset);
                    let above = (offset >= from).then_some(base + offset);
                    assert_eq!(window.at_or_below(base + from), below, "{base} {offset} {from}");
                    assert_eq!(window.at_or_above(base + from), above, "{base} {offset} {from}");
                }
                assert_eq!((window.set(base + offset, 0), window.len()), (1, 0));
            }
        }
    }

    #[test]
    fn stays_inside_the_number_range() {
        let window = Window::new(16);
        for best in [i64::MIN, i64::MIN + 5, 0, i64::MAX - 5, i64::MAX] {
            let mut moved = window.clone();
            moved.move_to(window.base_for(best));
            assert!(moved.holds(best), "{best}");
            assert_eq!(moved.warm(best), 0, "{best}");
        }
    }
}
