//! A client's TCP connection with a plug that can be pulled.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;

/// What a connection runs over.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Has the end of the stream be a reset, where there is such a thing.
    fn end_with_reset(&self) {}
}

impl Wire for TcpStream {
    fn end_with_reset(&self) {
        // Fails only on a socket that is gone already.
        let _ = self.set_zero_linger();
    }
}

/// The stream of a connection. Once its plug is pulled it ends with a reset instead of a farewell.
#[derive(Debug)]
pub(super) struct Line<S: Wire> {
    stream: S,
    // Hyper hands upgraded streams through a type that must be `Send`, hence no `Rc<Cell>`.
    is_cut: Arc<AtomicBool>,
    /// In pieces of how many bytes what is sent leaves; 0 for as it comes.
    pieces: Arc<AtomicUsize>,
    /// Whether the last piece has just left: the next one waits until everybody else had a turn.
    is_resting: bool,
}

/// Ends a connection abruptly.
#[derive(Debug)]
pub(super) struct Plug {
    is_cut: Arc<AtomicBool>,
    /// `None` where nobody serves the connection in a task of its own.
    task: Option<AbortHandle>,
}

impl<S: Wire> Line<S> {
    /// Wraps a stream; answers the line and the switch that [`Plug::new`] takes.
    pub(super) fn new(stream: S, pieces: Arc<AtomicUsize>) -> (Self, Arc<AtomicBool>) {
        let is_cut = Arc::new(AtomicBool::new(false));
        (Self { stream, is_cut: Arc::clone(&is_cut), pieces, is_resting: false }, is_cut)
    }
}

impl Plug {
    /// The plug of the line with this switch, served by this task.
    pub(super) const fn new(is_cut: Arc<AtomicBool>, task: AbortHandle) -> Self {
        Self { is_cut, task: Some(task) }
    }

    /// The plug of a connection in memory: whoever carries it looks at the switch.
    pub(super) const fn of_memory(is_cut: Arc<AtomicBool>) -> Self {
        Self { is_cut, task: None }
    }

    /// Pulls it: nothing more is read or sent.
    pub(super) fn pull(&self) {
        self.is_cut.store(true, Ordering::Relaxed);
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl<S: Wire> Drop for Line<S> {
    fn drop(&mut self) {
        if self.is_cut.load(Ordering::Relaxed) {
            self.stream.end_with_reset();
        }
    }
}

impl<S: Wire> AsyncRead for Line<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: Wire> AsyncWrite for Line<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let most = self.pieces.load(Ordering::Relaxed);
        if most == 0 {
            return Pin::new(&mut self.stream).poll_write(cx, buf);
        }
        self.is_resting = !self.is_resting;
        if self.is_resting {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_write(cx, &buf[..buf.len().min(most)])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.pieces.load(Ordering::Relaxed) > 0 {
            let first = bufs.iter().find(|buf| !buf.is_empty());
            return self.poll_write(cx, first.map_or(&[], |buf| buf));
        }
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
