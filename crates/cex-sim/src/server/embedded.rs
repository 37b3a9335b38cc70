//! The same HTTP and WebSocket servers inside somebody else's runtime, over streams of theirs and by a clock of theirs.

use super::clock::Clock;
use super::config::{SimConfig, SimExchange};
use super::error::SimError;
use super::host::{Host, Shared};
use super::ledger::Ledger;
use super::line::Wire;
use super::listen;
use super::world::BookTruth;
use crate::fault::{Fault, FaultId, Fired};
use cex_core::{Decimal, Scale, Symbol, Timestamp};
use std::cell::RefCell;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Simulated exchanges that bind no port and read no clock: whoever has a simulated network gives them its connections
/// ([`EmbeddedSim::serve`]) and tells them the time ([`EmbeddedSim::advance`]). Everything else, HTTP and WebSocket
/// framing included, is what [`SimServer`](super::SimServer) does. Cheap to clone; never leaves its thread.
#[derive(Clone)]
pub struct EmbeddedSim(Shared);

impl EmbeddedSim {
    /// Opens the exchanges at this time. Ports, TLS and the control interface of the configuration mean nothing here.
    #[must_use]
    pub fn new(config: SimConfig, starts_at: Timestamp) -> Self {
        Self(Rc::new(RefCell::new(Host::new(config, Clock::standing(starts_at)))))
    }

    /// Moves time on to `now`, never back, and does what is due then. To be called every few milliseconds.
    pub fn advance(&self, now: Timestamp) {
        let mut host = self.0.borrow_mut();
        let now = now.max(host.clock.now());
        host.clock.stand_at(now);
        host.tick();
    }

    /// Serves a client's connection to an exchange in a task of its own. Needs a tokio runtime with time, and a
    /// [`tokio::task::LocalSet`] around the caller.
    pub fn serve(
        &self,
        exchange: SimExchange,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: IpAddr,
    ) {
        listen::start(&self.0, exchange, Given(stream), peer, None);
    }

    /// Pulls the plug: nothing more is said or heard on any connection of an exchange. New ones are accepted.
    pub fn cut_connections(&self, exchange: SimExchange) {
        self.0.borrow_mut().cut_all(exchange);
    }

    /// Connections an exchange has now.
    #[must_use]
    pub fn connections(&self, exchange: SimExchange) -> usize {
        self.0.borrow().connection_count(exchange)
    }

    /// Lets something go wrong at an exchange.
    ///
    /// # Errors
    /// When the fault makes no sense, or names a symbol or an account that is not there.
    pub fn inject(&self, exchange: SimExchange, fault: &Fault) -> Result<FaultId, SimError> {
        self.0.borrow_mut().inject(exchange, fault)
    }

    /// Lets nothing go wrong any more.
    pub fn clear_all(&self) {
        self.0.borrow_mut().clear_all();
    }

    /// Every fault that happened so far, oldest first.
    #[must_use]
    pub fn fired(&self) -> Vec<Fired> {
        self.0.borrow().fired_faults()
    }

    /// The exact books of all accounts.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.0.borrow().ledger()
    }

    /// Replaces what was put into a book by these levels (price and quantity), as
    /// [`SimHandle::set_book`](super::SimHandle::set_book) does.
    ///
    /// # Errors
    /// When the symbol does not trade there, or a level does not fit its grid.
    pub fn set_book(
        &self,
        exchange: SimExchange,
        symbol: Symbol,
        bids: &[(Decimal, Decimal)],
        asks: &[(Decimal, Decimal)],
    ) -> Result<(), SimError> {
        self.0.borrow_mut().set_book(exchange, symbol, bids, asks)
    }

    /// Remembers from now on what a book was at each version, in a client's scale.
    ///
    /// # Errors
    /// When the symbol does not trade there.
    pub fn watch(&self, exchange: SimExchange, symbol: Symbol, scale: Scale) -> Result<(), SimError> {
        self.0.borrow_mut().watch(exchange, symbol, scale)
    }

    /// What a client's book of this version and [hash](super::world::book_hash) is worth. The book must be watched.
    #[must_use]
    pub fn truth(&self, exchange: SimExchange, symbol: Symbol, version: u64, hash: u64) -> BookTruth {
        self.0.borrow().history.truth(exchange, symbol, version, hash)
    }
}

impl std::fmt::Debug for EmbeddedSim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EmbeddedSim")
    }
}

/// A stream that was given: its end is whatever dropping it means to its owner.
#[derive(Debug)]
struct Given<S>(S);

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Wire for Given<S> {}

impl<S: AsyncRead + Unpin> AsyncRead for Given<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Given<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
