//! Keeps the trading thread from sleeping while frames come: what wakes a thread costs more than a decision.

use super::{Core, Desk};
use crate::run::pace::ALERT_FOR;
use cex_core::Timestamp;
use std::rc::Rc;
use tokio::sync::Notify;

/// When something was last heard, and who waits for the next.
#[derive(Default)]
pub(super) struct Hearing {
    last_at: Timestamp,
    dozing: bool,
    heard: Rc<Notify>,
}

impl Hearing {
    /// A frame came.
    pub(super) fn heard(&mut self, at: Timestamp) {
        self.last_at = at;
        if std::mem::take(&mut self.dozing) {
            self.heard.notify_one();
        }
    }
}

impl Core {
    /// Whom to wait for, when nothing has come for so long that the thread may sleep.
    fn doze(&mut self) -> Option<Rc<Notify>> {
        self.hearing.dozing = self.clock.now().since(self.hearing.last_at) >= ALERT_FOR;
        self.hearing.dozing.then(|| Rc::clone(&self.hearing.heard))
    }
}

impl Desk {
    /// A task that is ready as long as frames come, so that the runtime does not wait in the kernel; until it is dropped.
    pub async fn stay_alert(self) {
        loop {
            let doze = self.0.borrow_mut().doze();
            match doze {
                Some(heard) => heard.notified().await,
                None => tokio::task::yield_now().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_frame_wakes_who_dozes_and_nobody_else() {
        let mut hearing = Hearing::default();
        let at = Timestamp::EPOCH + Duration::from_secs(1);
        hearing.heard(at);
        let woken = |hearing: &Hearing| {
            let mut waiting = std::pin::pin!(hearing.heard.notified());
            waiting.as_mut().enable()
        };
        assert_eq!((hearing.last_at, woken(&hearing)), (at, false), "nobody dozed");
        hearing.dozing = true;
        hearing.heard(at);
        assert_eq!((hearing.dozing, woken(&hearing)), (false, true));
    }
}
