//! What may be kept: static data only.
//!
//! Books, balances, order states and trades are never cached; they carry the time they were true and go stale. The
//! rule is a type: [`Cache`] takes only [`StaticData`], a trait nobody outside this crate can implement.

use crate::account::{AssetInfo, TradingFee};
use crate::symbol::{Markets, SymbolInfo};
use crate::time::Timestamp;
use std::time::Duration;

mod sealed {
    pub trait Sealed {}
}

/// Data that changes by announcement, not by trading: rules, fees, coin status. Sealed.
pub trait StaticData: sealed::Sealed {}

macro_rules! static_data {
    ($($kind:ty),* $(,)?) => {
        $(impl sealed::Sealed for $kind {} impl StaticData for $kind {})*
    };
}

static_data!(SymbolInfo, Markets, AssetInfo, TradingFee);

impl<T: sealed::Sealed> sealed::Sealed for Vec<T> {}
impl<T: StaticData> StaticData for Vec<T> {}

/// A kept value with the time it was fetched and how long it may serve.
///
/// ```
/// use cex_core::{Cache, SymbolInfo, Timestamp};
/// let mut rules: Cache<Vec<SymbolInfo>> = Cache::new(std::time::Duration::from_secs(60));
/// rules.put(Timestamp::from_secs(0), Vec::new());
/// assert!(rules.get(Timestamp::from_secs(59)).is_some());
/// assert!(rules.get(Timestamp::from_secs(61)).is_none());
/// ```
///
/// Live data does not compile:
///
/// ```compile_fail,E0277
/// use cex_core::{BookUpdate, Cache};
/// let mut books: Cache<BookUpdate> = Cache::new(std::time::Duration::from_secs(60));
/// ```
///
/// ```compile_fail,E0277
/// use cex_core::{Balance, Cache};
/// let mut balances: Cache<Vec<Balance>> = Cache::new(std::time::Duration::from_secs(60));
/// ```
#[derive(Debug, Clone)]
pub struct Cache<T: StaticData> {
    kept: Option<(Timestamp, T)>,
    max_age: Duration,
}

impl<T: StaticData> Cache<T> {
    /// An empty cache whose values serve for `max_age`.
    #[must_use]
    pub const fn new(max_age: Duration) -> Self {
        Self { kept: None, max_age }
    }

    /// Keeps `value`, fetched at `now`.
    pub fn put(&mut self, now: Timestamp, value: T) {
        self.kept = Some((now, value));
    }

    /// The value, unless it is too old or there is none.
    #[must_use]
    pub fn get(&self, now: Timestamp) -> Option<&T> {
        self.kept.as_ref().filter(|(at, _)| now.since(*at) <= self.max_age).map(|(_, value)| value)
    }
}
