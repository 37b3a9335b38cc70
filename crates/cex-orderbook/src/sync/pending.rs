//! Deltas kept until a snapshot joins them: bounded, contiguous, in reused memory.

use cex_core::{BookUpdate, Level, Timestamp};

/// A decoded delta or snapshot with its levels at hand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'a> {
    pub(super) first_seq: u64,
    pub(super) last_seq: u64,
    pub(super) exchange_ts: Timestamp,
    pub(super) received_at: Timestamp,
    pub(super) bids: &'a [Level],
    pub(super) asks: &'a [Level],
}

impl<'a> Frame<'a> {
    /// The frame an update describes; `None` when its levels do not lie in the buffer, so that half a frame is never
    /// taken for a whole one.
    #[inline]
    pub(super) fn of(received_at: Timestamp, update: &BookUpdate, levels: &'a [Level]) -> Option<Self> {
        let slice = |start: u32, end: u32| levels.get(start as usize..end as usize);
        Some(Self {
            first_seq: update.first_seq,
            last_seq: update.last_seq,
            exchange_ts: update.exchange_ts,
            received_at,
            bids: slice(update.bids.start, update.bids.end)?,
            asks: slice(update.asks.start, update.asks.end)?,
        })
    }
}

/// A kept delta: its levels are those up to `bids_end`, then `asks_end`, in the common buffer.
#[derive(Debug, Clone, Copy)]
struct Head {
    first_seq: u64,
    last_seq: u64,
    exchange_ts: Timestamp,
    received_at: Timestamp,
    start: usize,
    bids_end: usize,
    asks_end: usize,
}

/// The buffer.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    heads: Vec<Head>,
    levels: Vec<Level>,
    newest: Option<u64>,
    max_frames: usize,
    max_levels: usize,
}

impl Pending {
    pub(super) const fn new(max_frames: usize, max_levels: usize) -> Self {
        Self { heads: Vec::new(), levels: Vec::new(), newest: None, max_frames, max_levels }
    }

    /// Forgets all frames, keeps the memory. `newest` is the newest version known to have passed: a snapshot that is
    /// older and has no frame to follow it cannot be joined.
    pub(super) fn restart(&mut self, newest: Option<u64>) {
        self.heads.clear();
        self.levels.clear();
        self.newest = newest;
    }

    /// The newest version that was offered.
    pub(super) const fn newest(&self) -> Option<u64> {
        self.newest
    }

    pub(super) const fn len(&self) -> usize {
        self.heads.len()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// Keeps a frame. `false` when the buffer was full: then all before it is forgotten, and also the frame itself if
    /// it alone is too large.
    pub(super) fn push(&mut self, frame: &Frame<'_>) -> bool {
        let room = |pending: &Self| {
            pending.heads.len() < pending.max_frames
                && pending.levels.len() + frame.bids.len() + frame.asks.len() <= pending.max_levels
        };
        let roomy = room(self);
        if !roomy {
            self.restart(None);
        }
        self.newest = Some(frame.last_seq);
        if room(self) {
            self.keep(frame);
        }
        roomy
    }

    /// The frames that bring a book at version `seq` further, oldest first.
    pub(super) fn after(&self, seq: u64) -> impl Iterator<Item = Frame<'_>> {
        self.heads.iter().filter(move |head| head.last_seq > seq).map(|head| Frame {
            first_seq: head.first_seq,
            last_seq: head.last_seq,
            exchange_ts: head.exchange_ts,
            received_at: head.received_at,
            bids: &self.levels[head.start..head.bids_end],
            asks: &self.levels[head.bids_end..head.asks_end],
        })
    }

    /// Memory outside this value, in bytes.
    pub(super) const fn heap_bytes(&self) -> usize {
        self.heads.capacity() * size_of::<Head>() + self.levels.capacity() * size_of::<Level>()
    }

    fn keep(&mut self, frame: &Frame<'_>) {
        let start = self.levels.len();
        self.levels.extend_from_slice(frame.bids);
        let bids_end = self.levels.len();
        self.levels.extend_from_slice(frame.asks);
        self.heads.push(Head {
            first_seq: frame.first_seq,
            last_seq: frame.last_seq,
            exchange_ts: frame.exchange_ts,
            received_at: frame.received_at,
            start,
            bids_end,
            asks_end: self.levels.len(),
        });
    }
}
