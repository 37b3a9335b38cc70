//! Client order ids: unique for ever, and telling which run, arbitrage and leg they belong to.

use cex_core::ClientOrderId;

/// Base 36 digits of the largest number.
const DIGITS: usize = 13;

/// What an identifier of ours tells: which run gave it, as its how many-th, and to what kind of order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct IdParts {
    /// Epoch of the run that gave it: the run's start, in milliseconds since 1970.
    pub epoch: u64,
    /// The how many-th of it, from 1. The two legs of a plan have neighbouring numbers, the buying leg the lower one.
    pub counter: u64,
    /// `b`uy, `s`ell, `c`lose.
    pub leg: char,
}

impl IdParts {
    /// Of this identifier; `None` for one that no [`IdSource`] makes.
    #[must_use]
    pub fn of(id: &str) -> Option<Self> {
        let (epoch, rest) = id.split_once('-')?;
        let leg = rest.chars().next_back().filter(char::is_ascii_lowercase)?;
        let digits = |text: &str| {
            // A sign would be read too, and capitals.
            let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase());
            u64::from_str_radix(text, 36).ok().filter(|_| plain)
        };
        let counter = digits(rest.get(..rest.len() - 1)?)?;
        Some(Self { epoch: digits(epoch)?, counter, leg })
    }

    /// The identifier that has these parts.
    #[must_use]
    pub fn id(self) -> ClientOrderId {
        let mut source = IdSource::new(self.epoch);
        source.counter = self.counter.saturating_sub(1);
        source.next(self.leg)
    }
}

/// Whether a name is of the form that this program gives its orders: `<start>-<count><leg>` in base 36.
#[must_use]
pub fn is_our_form(name: &str) -> bool {
    let base36 = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
    };
    name.split_once('-').is_some_and(|(start, rest)| {
        // Starts are milliseconds since the epoch: eight digits from 1972 to 2059.
        start.len() == 8
            && base36(start)
            && rest.len() >= 2
            && base36(rest)
            && rest.ends_with(['b', 's', 'c', 'p'])
    })
}

/// Makes client order ids: `<epoch>-<counter><leg>` in base 36. The epoch must be larger in every later run.
#[derive(Debug, Clone)]
pub struct IdSource {
    /// The epoch and the dash.
    prefix: Vec<u8>,
    counter: u64,
}

impl IdSource {
    /// Ids of one run; `epoch` is a number no earlier run used, such as the start in milliseconds.
    #[must_use]
    pub fn new(epoch: u64) -> Self {
        let mut prefix = Vec::with_capacity(2 * DIGITS + 2);
        push_base36(epoch, &mut prefix);
        prefix.push(b'-');
        Self { prefix, counter: 0 }
    }

    /// A fresh id for this leg (`b`uy, `s`ell, `c`lose). At most 13 + 1 + 13 + 1 bytes, always within bounds.
    pub fn next(&mut self, leg: char) -> ClientOrderId {
        self.counter += 1;
        let length = self.prefix.len();
        push_base36(self.counter, &mut self.prefix);
        self.prefix.push(u8::try_from(leg).unwrap_or(b'x'));
        let id = std::str::from_utf8(&self.prefix).ok().and_then(ClientOrderId::new);
        self.prefix.truncate(length);
        id.expect("28 bytes of base 36 digits, a dash and a letter are a client order id")
    }
}

/// Appends the digits of a number; allocates nothing while they fit.
fn push_base36(mut value: u64, to: &mut Vec<u8>) {
    const ALL: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut digits = [0; DIGITS];
    let mut at = DIGITS;
    loop {
        at -= 1;
        digits[at] = ALL[usize::try_from(value % 36).unwrap_or(0)];
        value /= 36;
        if value == 0 {
            return to.extend_from_slice(&digits[at..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_and_fit() {
        let mut ids = IdSource::new(u64::MAX);
        ids.counter = u64::MAX - 2;
        let (first, second) = (ids.next('b'), ids.next('s'));
        assert_ne!(first, second);
        assert!(first.as_str().len() <= 28);
        assert_eq!(IdSource::new(1_781_690_000_123).next('b').as_str(), "mqhw82kb-1b");
    }

    #[test]
    fn an_id_tells_what_it_was_made_of() {
        let mut ids = IdSource::new(1_781_690_000_123);
        for (counter, leg) in (1..2_000).zip(['b', 's', 'c'].into_iter().cycle()) {
            let (id, parts) = (ids.next(leg), IdParts { epoch: 1_781_690_000_123, counter, leg });
            assert_eq!((IdParts::of(id.as_str()), parts.id()), (Some(parts), id));
        }
        for other in ["", "mqhw82kb", "mqhw82kb-", "mqhw82kb-b", "-1b", "+1-1b", "mqhw82kb-1B", "MQHW82KB-1b"]
        {
            assert_eq!(IdParts::of(other), None, "{other}");
        }
    }
}
