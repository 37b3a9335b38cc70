//! What others may ask of a running link.

use cex_core::SymbolId;
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// A wish addressed to a running link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    /// The book of this symbol is lost and needs the stream's own snapshot.
    Resubscribe(SymbolId),
    /// Everything this link fed is lost: close and begin again.
    Reconnect,
}

/// Asks a running link for something. Cheap to clone; when the last one is dropped, the link stops.
#[derive(Debug, Clone)]
pub struct LinkHandle {
    commands: mpsc::Sender<Command>,
    /// Apart from the others, so that a full queue of wishes cannot hold up the end.
    stop: mpsc::Sender<()>,
}

/// The receiving end, for [`super::drive`].
#[derive(Debug)]
pub struct LinkCommands {
    commands: mpsc::Receiver<Command>,
    stop: mpsc::Receiver<()>,
}

/// A handle and its receiving end; at most `waiting` wishes queue up.
#[must_use]
pub fn link_channel(waiting: usize) -> (LinkHandle, LinkCommands) {
    let (commands, commands_end) = mpsc::channel(waiting.max(1));
    let (stop, stop_end) = mpsc::channel(1);
    (LinkHandle { commands, stop }, LinkCommands { commands: commands_end, stop: stop_end })
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

    /// Ready when the link shall end.
    pub(crate) fn poll_stop(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.stop.poll_recv(cx).map(|_| ())
    }
}
