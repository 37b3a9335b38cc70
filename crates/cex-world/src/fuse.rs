//! Where a process dies: at an effect, counted. An effect is whatever somebody else could find afterwards (a journal's write or
//! sync, something said on a socket) or what the process learned that moves money.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// It is killed: what it wrote is there, its connections are closed for it.
    Kill,
    /// The machine is gone: what was not synced may be lost, in any part, and nobody says goodbye.
    PowerLoss,
}

/// Counts effects, and blows at one. Clones are the same fuse.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fuse(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    effects: AtomicU64,
    blows_at: AtomicU64,
    is_blown: AtomicBool,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            effects: AtomicU64::new(0),
            blows_at: AtomicU64::new(u64::MAX),
            is_blown: AtomicBool::new(false),
        }
    }
}

impl Fuse {
    /// An effect is about to happen. Whether it does: not when the process dies at it, or is dead.
    pub(crate) fn effect(&self) -> bool {
        if self.is_blown() {
            return false;
        }
        let number = self.0.effects.fetch_add(1, Ordering::Relaxed);
        let blows = number >= self.0.blows_at.load(Ordering::Relaxed);
        self.0.is_blown.store(blows, Ordering::Relaxed);
        !blows
    }

    /// The process dies at the effect after so many more.
    pub(crate) fn blow_after(&self, effects: u64) {
        self.0.blows_at.store(self.effects().saturating_add(effects), Ordering::Relaxed);
    }

    /// Whether the process is dead.
    pub(crate) fn is_blown(&self) -> bool {
        self.0.is_blown.load(Ordering::Relaxed)
    }

    /// Effects so far, of all processes.
    pub(crate) fn effects(&self) -> u64 {
        self.0.effects.load(Ordering::Relaxed)
    }

    /// A new process begins, and dies at no effect unless it is told to.
    pub(crate) fn renew(&self) {
        self.0.blows_at.store(u64::MAX, Ordering::Relaxed);
        self.0.is_blown.store(false, Ordering::Relaxed);
    }
}
