//! What trading is allowed to do, by the operator's word (R1).

use std::fmt;

/// What the engine may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// It watches and decides, and sends nothing.
    #[default]
    Observe,
    /// It closes what is half open, and opens nothing.
    CloseOnly,
    /// It trades.
    Active,
}

impl Mode {
    /// A stable name: `close_only`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::CloseOnly => "close_only",
            Self::Active => "active",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
