//! Time that passes for all that waits while clocks stand: a listen key's hour, a connection's day, a dead man's switch.
//!
//! The clocks of exchanges must stay near those of clients, whose calls carry the time. So it is not the clock that is
//! advanced but the age of everything that counts from it.

use super::config::SimExchange;
use super::host::Host;
use std::time::Duration;

impl Host {
    /// Lets so much time have passed, and does what is due then. The market goes on where it was.
    pub(super) fn elapse(&mut self, by: Duration) {
        for exchange in SimExchange::ALL {
            self.exchanges[exchange.index()].age(by);
            self.venues[exchange.index()].dialect.age(by);
        }
        self.faults.age(by);
        SimExchange::ALL.into_iter().for_each(|exchange| self.behave(exchange));
        self.tick();
        self.wake_ticker();
    }
}
