//! Client order ids: unique for ever, and telling which run, arbitrage and leg they belong to.

use cex_core::ClientOrderId;

/// Makes client order ids: `<epoch>-<counter><leg>` in base 36. The epoch must be larger in every later run.
#[derive(Debug, Clone)]
pub struct IdSource {
    epoch: String,
    counter: u64,
}

impl IdSource {
    /// Ids of one run; `epoch` is a number no earlier run used, such as the start in milliseconds.
    #[must_use]
    pub fn new(epoch: u64) -> Self {
        Self { epoch: base36(epoch), counter: 0 }
    }

    /// A fresh id for this leg (`b`uy, `s`ell, `c`lose). At most 13 + 1 + 13 + 1 bytes, always within bounds.
    pub fn next(&mut self, leg: char) -> ClientOrderId {
        self.counter += 1;
        ClientOrderId::new(&format!("{}-{}{leg}", self.epoch, base36(self.counter)))
            .expect("28 bytes of base 36 digits, a dash and a letter are a client order id")
    }
}

fn base36(mut value: u64) -> String {
    let mut digits = Vec::new();
    loop {
        let digit = u32::try_from(value % 36).unwrap_or(0);
        digits.push(char::from_digit(digit, 36).unwrap_or('0'));
        value /= 36;
        if value == 0 {
            return digits.iter().rev().collect();
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
}
