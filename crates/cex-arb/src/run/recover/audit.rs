//! Whether an account holds what the records explain: whatever an order had filled that is said to be absent would show there. As
//! [`super::Inquiry`] it has no IO and no clock.

use super::inquiry::{NotKnown, PAUSE, Turn};
use cex_core::{Asset, Balance, Decimal, Timestamp};
use cex_errors::ExchangeError;
use cex_interface::{Reply, Request};
use std::time::Duration;

/// Balances lag behind fills by less than this.
const PATIENCE: Duration = Duration::from_secs(30);

/// That it does, or what does not fit.
pub type Explained = Result<(), NotKnown>;

/// What must be held of a coin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// The asset.
    pub asset: Asset,
    /// What is held of it by the records, in units of the asset.
    pub held: Decimal,
    /// What is less than this is rounding.
    pub unit: Decimal,
}

/// The question about one account, asked until it fits or must be looked at.
#[derive(Debug)]
pub struct Audit {
    expected: Vec<Expected>,
    /// Counted from the first question: accounts are looked at one after the other, and a slow one must not take the time of the
    /// next.
    until: Option<Timestamp>,
    /// When the next question is due; `None` when all is known.
    ask_at: Option<Timestamp>,
    explained: Explained,
}

impl Audit {
    /// A question about these coins, to be asked from `now` on.
    #[must_use]
    pub fn new(now: Timestamp, expected: Vec<Expected>) -> Self {
        Self { expected, until: None, ask_at: Some(now), explained: Ok(()) }
    }

    /// What is to be done next.
    pub fn turn(&mut self, now: Timestamp) -> Turn<Explained> {
        match self.ask_at {
            None => Turn::Done(self.explained.clone()),
            Some(at) if now < at => Turn::Wait(at),
            Some(_) => {
                self.until.get_or_insert(now + PATIENCE);
                Turn::Ask(Request::Account)
            }
        }
    }

    /// The answer to the last call that was wanted.
    pub fn answered(&mut self, now: Timestamp, answer: Result<Reply, ExchangeError>) {
        let explained = match answer {
            Ok(Reply::Account(account)) => self.compare(&account.balances),
            Ok(_) => Err("what the account holds was answered as something else".into()),
            Err(error) => Err(NotKnown::after("what the account holds could not be read", &error)),
        };
        match (&mut self.explained, explained) {
            (Err(before), Err(later)) => before.or_later(later),
            (before, later) => *before = later,
        }
        let over = self.explained.is_ok() || self.until.is_some_and(|until| now >= until);
        self.ask_at = (!over).then_some(now + PAUSE);
    }

    fn compare(&self, balances: &[Balance]) -> Explained {
        for Expected { asset, held, unit } in &self.expected {
            let told = balances.iter().find(|balance| balance.asset == *asset);
            let told = told.map_or(Ok(Decimal::ZERO), Balance::total);
            let off = told.and_then(|told| told.checked_sub(*held)?.abs());
            if !off.is_ok_and(|off| off < *unit) {
                let told = told.map_or_else(|error| error.to_string(), |told| told.to_string());
                return Err(
                    format!("the account holds {told} {asset}, and the records explain {held}").into()
                );
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cex_core::{Account, VenueId};
    use cex_errors::{ErrorKind, Op};

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    fn decimal(text: &str) -> Decimal {
        text.parse().expect("a decimal")
    }

    /// What comes of it when the account answers the `n`-th question so, and when.
    fn audited(answer: impl Fn(u32) -> Result<Reply, ExchangeError>) -> (Explained, Duration) {
        let expected =
            Expected { asset: "BTC".parse().expect("a coin"), held: decimal("2"), unit: decimal("0.001") };
        let (mut audit, mut now, mut asked) = (Audit::new(NOW, vec![expected]), NOW, 0);
        loop {
            match audit.turn(now) {
                Turn::Ask(Request::Account) => {
                    asked += 1;
                    audit.answered(now, answer(asked));
                }
                Turn::Wait(until) => now = until,
                Turn::Done(explained) => return (explained, now.since(NOW)),
                other => panic!("{other:?}"),
            }
        }
    }

    fn holding(free: &str, locked: &str) -> Result<Reply, ExchangeError> {
        let balance = Balance {
            asset: "BTC".parse().expect("a coin"),
            free: decimal(free),
            locked: decimal(locked),
            as_of: Timestamp::EPOCH,
        };
        Ok(Reply::Account(Account { balances: vec![balance], can_trade: None, can_withdraw: None }))
    }

    #[test]
    fn an_account_that_is_looked_at_late_has_its_own_time() {
        let expected =
            Expected { asset: "BTC".parse().expect("a coin"), held: decimal("2"), unit: decimal("0.001") };
        let (mut audit, mut now) = (Audit::new(NOW, vec![expected]), NOW + PATIENCE * 3);
        assert_eq!(audit.turn(now), Turn::Ask(Request::Account), "the one before it took so long");
        audit.answered(now, holding("3", "0"));
        now += PAUSE;
        assert_eq!(audit.turn(now), Turn::Ask(Request::Account), "balances lag, here too");
        audit.answered(now, holding("2", "0"));
        assert_eq!(audit.turn(now), Turn::Done(Ok(())));
    }

    #[test]
    fn an_account_is_explained_to_the_least_quantity_or_must_be_looked_at() {
        for (free, locked, fits) in [
            ("2", "0", true),
            ("1.5", "0.5", true),
            ("2.0009", "0", true),
            ("2.001", "0", false),
            ("0", "0", false),
        ] {
            let (explained, waited) = audited(|_| holding(free, locked));
            assert_eq!(
                (explained.is_ok(), waited >= PATIENCE),
                (fits, !fits),
                "{free} {locked}: {explained:?}"
            );
        }
        let (explained, waited) = audited(|asked| holding(if asked < 4 { "3" } else { "2" }, "0"));
        assert_eq!((explained, waited), (Ok(()), PAUSE * 3), "balances lag");
        let venue = VenueId::new(0, "a").expect("short");
        let (explained, _) = audited(|_| Err(ExchangeError::new(venue, Op::Account, ErrorKind::ServerBusy)));
        assert!(explained.is_err());
    }
}
