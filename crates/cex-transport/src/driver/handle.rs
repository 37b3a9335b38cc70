//! What others may ask of a running link.

use cex_core::{SymbolId, Timestamp};
use cex_errors::ErrorKind;
use cex_interface::{LinkCall, Request};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

/// A wish addressed to a running link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    /// The book of this symbol is lost and needs the stream's own snapshot.
    Resubscribe(SymbolId),
    /// Everything this link fed is lost: close and begin again.
    Reconnect,
}

/// A call for a link that carries calls, on its way to it.
#[derive(Debug)]
pub(crate) struct QueuedCall {
    pub(crate) tag: u32,
    pub(crate) request: Request,
    pub(crate) venue_now: Timestamp,
    pub(crate) give_up_at: Timestamp,
}

impl QueuedCall {
    pub(super) const fn for_link(&self) -> LinkCall<'_> {
        let Self { tag, request, venue_now, give_up_at } = self;
        LinkCall { tag: *tag, request, venue_now: *venue_now, give_up_at: *give_up_at }
    }
}

/// Asks a running link for something. Cheap to clone; when the last one is dropped, the link stops.
#[derive(Debug, Clone)]
pub struct LinkHandle {
    commands: mpsc::Sender<Command>,
    calls: mpsc::Sender<QueuedCall>,
    /// Apart from the others, so that a full queue of wishes cannot hold up the end.
    stop: mpsc::Sender<()>,
}

/// The receiving end, for [`super::drive`].
#[derive(Debug)]
pub struct LinkCommands {
    commands: mpsc::Receiver<Command>,
    calls: mpsc::Receiver<QueuedCall>,
    stop: mpsc::Receiver<()>,
}

/// A handle and its receiving end; at most `waiting` wishes, and as many calls, queue up.
#[must_use]
pub fn link_channel(waiting: usize) -> (LinkHandle, LinkCommands) {
    let (commands, commands_end) = mpsc::channel(waiting.max(1));
    let (calls, calls_end) = mpsc::channel(waiting.max(1));
    let (stop, stop_end) = mpsc::channel(1);
    let ends = LinkCommands { commands: commands_end, calls: calls_end, stop: stop_end };
    (LinkHandle { commands, calls, stop }, ends)
}

impl LinkHandle {
    /// Asks for the stream's own snapshot of a book again. `false` when too many wishes wait already, or the link has
    /// ended: ask again later.
    #[must_use]
    pub fn resubscribe(&self, symbol: SymbolId) -> bool {
        self.commands.try_send(Command::Resubscribe(symbol)).is_ok()
    }

    /// Asks the link to close its connection and begin again. `false` as in [`Self::resubscribe`].
    #[must_use]
    pub fn reconnect(&self) -> bool {
        self.commands.try_send(Command::Reconnect).is_ok()
    }

    /// Gives the link a call to carry. Its answer goes to the link's sink; unless this fails, there will be one or the
    /// sink is dropped.
    pub(crate) fn call(&self, call: QueuedCall) -> Result<(), ErrorKind> {
        const PAUSE: Duration = Duration::from_millis(100);
        self.calls.try_send(call).map_err(|refused| match refused {
            TrySendError::Full(_) => ErrorKind::Throttled { retry_after: PAUSE },
            TrySendError::Closed(_) => ErrorKind::ShuttingDown,
        })
    }

    /// Asks for an orderly end. Always heard, also twice.
    pub fn stop(&self) {
        // Full means that it was said before; closed means that it has ended. Both are what is wanted.
        let _ = self.stop.try_send(());
    }
}

impl LinkCommands {
    /// The next wish, if any waits.
    pub(crate) fn poll_command(&mut self, cx: &mut Context<'_>) -> Poll<Option<Command>> {
        self.commands.poll_recv(cx)
    }

    /// The next call, if any waits.
    pub(crate) fn poll_call(&mut self, cx: &mut Context<'_>) -> Poll<Option<QueuedCall>> {
        self.calls.poll_recv(cx)
    }

    /// Ready when the link shall end.
    pub(crate) fn poll_stop(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.stop.poll_recv(cx).map(|_| ())
    }
}
