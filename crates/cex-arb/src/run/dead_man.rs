//! The dead man's switch of an exchange: it cancels all that is open there when it does not hear of us.

use super::desk::Desk;
use cex_interface::Request;
use cex_transport::Rest;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// The exchange cancels everything of ours when it does not hear of us for so long, ...
const SILENCE: Duration = Duration::from_secs(10);
/// ... so it hears this often, however long it takes to answer: one renewal may be lost, and the next is in time yet.
const RENEWED_EVERY: Duration = Duration::from_secs(3);

/// A switch that is renewed until it is ended.
pub(super) struct DeadMan {
    rest: Arc<Rest>,
    stop: Rc<Notify>,
    renewing: JoinHandle<()>,
}

impl DeadMan {
    /// Arms it now, for the run of this desk. While that is halted, and it is not proven that no order is open, it is not renewed: then
    /// the exchange cancels what we may not be able to.
    pub(super) fn arm(rest: Arc<Rest>, desk: Desk) -> Self {
        let stop = Rc::new(Notify::new());
        let renewing = tokio::task::spawn_local(renew(Arc::clone(&rest), desk, Rc::clone(&stop)));
        Self { rest, stop, renewing }
    }

    /// Renews it no more; `disarm` takes it back, when nothing of ours is open: it cancels orders that are not ours too. Otherwise
    /// it fires in some seconds.
    pub(super) async fn end(self, disarm: bool) {
        // A renewal on its way must not arrive after it was taken back.
        self.stop.notify_one();
        let _ = self.renewing.await;
        if !disarm {
            return;
        }
        let taken_back = set(&self.rest, Duration::ZERO).await;
        if let Err(error) = taken_back {
            tracing::warn!(%error, "the dead man's switch is armed yet: in some seconds it cancels all that is open");
        }
    }
}

async fn renew(rest: Arc<Rest>, desk: Desk, stop: Rc<Notify>) {
    let mut beat = interval(RENEWED_EVERY);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = stop.notified() => return,
            _ = beat.tick() => {}
        }
        if desk.is_halted() && desk.may_rest() {
            continue;
        }
        if let Err(error) = set(&rest, SILENCE).await {
            tracing::warn!(%error, "the dead man's switch was not renewed");
        }
    }
}

/// Sets it, or gives up when the next renewal is due.
async fn set(rest: &Rest, silence: Duration) -> Result<(), String> {
    match timeout(RENEWED_EVERY, rest.call(&Request::DeadManSwitch { timeout: silence })).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("{} does not answer", rest.venue())),
    }
}
