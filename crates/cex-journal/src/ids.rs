//! Numbers for client order ids, in blocks that are on disk before they are used.

/// Numbers in a block.
pub(crate) const BLOCK: u32 = 1_024;
/// The next block is reserved when so few are left, so that the disk has time and the trading thread need not wait.
const EARLY: u64 = BLOCK as u64 / 2;

/// A block that has been written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Block {
    first: u64,
    end: u64,
    /// It may be used when records below this number are on disk.
    safe_at: u64,
}

/// Which numbers are ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ids {
    next: u64,
    end: u64,
    reserved: Option<Block>,
    /// First number that no block reserves.
    unreserved: u64,
}

/// What must happen before a number can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing.
    Nothing,
    /// Records below this number must be on disk first.
    Durable(u64),
    /// A block must be written first.
    Block,
}

impl Ids {
    /// Numbers from `unreserved` on; none is ours yet.
    pub(crate) fn new(unreserved: u64) -> Self {
        Self { next: unreserved, end: unreserved, reserved: None, unreserved }
    }

    /// First number that no block reserves.
    pub(crate) fn unreserved(&self) -> u64 {
        self.unreserved
    }

    /// What must happen before [`Ids::take`].
    pub(crate) fn need(&self) -> Need {
        match (self.next < self.end, self.reserved) {
            (true, _) => Need::Nothing,
            (false, Some(block)) => Need::Durable(block.safe_at),
            (false, None) => Need::Block,
        }
    }

    /// Whether it is time to write the next block.
    pub(crate) fn is_low(&self) -> bool {
        self.reserved.is_none() && self.end - self.next <= EARLY
    }

    /// A block beginning at [`Ids::unreserved`] has been written; it is safe once records below `safe_at` are on disk.
    pub(crate) fn reserved(&mut self, safe_at: u64) {
        let first = self.unreserved;
        self.unreserved = first.saturating_add(u64::from(BLOCK));
        self.reserved = Some(Block { first, end: self.unreserved, safe_at });
    }

    /// The next number. Must need nothing, or only what has been seen to.
    pub(crate) fn take(&mut self) -> Option<u64> {
        if self.next == self.end {
            let block = self.reserved.take()?;
            (self.next, self.end) = (block.first, block.end);
        }
        let taken = self.next;
        self.next += 1;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_from_written_blocks_only_and_never_twice() {
        let mut ids = Ids::new(5);
        assert_eq!((ids.need(), ids.take(), ids.is_low()), (Need::Block, None, true));
        ids.reserved(3);
        assert_eq!((ids.need(), ids.unreserved(), ids.is_low()), (Need::Durable(3), 1_029, false));
        let first: Vec<u64> = (0..512).filter_map(|_| ids.take()).collect();
        assert_eq!((first.first(), first.last(), ids.is_low()), (Some(&5), Some(&516), true));
        ids.reserved(9);
        assert_eq!((ids.need(), ids.is_low()), (Need::Nothing, false));
        let rest: Vec<u64> = (0..512).filter_map(|_| ids.take()).collect();
        assert_eq!((rest.last(), ids.need()), (Some(&1_028), Need::Durable(9)));
        assert_eq!((ids.take(), ids.unreserved()), (Some(1_029), 2_053));
    }
}
