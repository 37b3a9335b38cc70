//! Connections and what passes over them.

use crate::dialect::HttpAnswer;
use crate::server::SimExchange;
use crate::server::host::Queued;
use bytes::Bytes;
use cex_core::Timestamp;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;

/// A connection, numbered through over all exchanges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LineId(pub u64);

/// An HTTP call as a client makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Upper-case method.
    pub method: &'static str,
    /// Path without query.
    pub path: String,
    /// Raw query, without the question mark.
    pub query: String,
    /// Header names (lower case) and values.
    pub headers: Vec<(String, String)>,
    /// Raw body.
    pub body: Vec<u8>,
}

/// What a client says on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It connects. [`World::dial`](super::World::dial) says this.
    Dial,
    /// It wants a WebSocket.
    Upgrade {
        /// Path without query.
        path: String,
        /// Raw query.
        query: String,
    },
    /// A call.
    Call(Call),
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A protocol-level ping.
    Ping,
    /// A protocol-level pong.
    Pong,
    /// It leaves. [`World::hang_up`](super::World::hang_up) says this.
    Bye,
}

/// What reaches a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival {
    /// The connection stands.
    Dialed,
    /// The WebSocket stands.
    Upgraded,
    /// There will be no WebSocket.
    Refused(HttpAnswer),
    /// The answer to a call, whole.
    Answer(HttpAnswer),
    /// A text message.
    Text(Bytes),
    /// A binary message.
    Binary(Bytes),
    /// A protocol-level ping.
    Ping,
    /// A protocol-level pong.
    Pong,
    /// The exchange closes the WebSocket.
    Closed,
    /// The connection is gone.
    Lost,
}

/// Something on its way.
#[derive(Debug)]
pub(super) enum Parcel {
    /// To an exchange.
    Said(LineId, Said),
    /// A call that was held up, at the exchange.
    Serve(LineId, Call),
    /// To the client.
    Arrival(LineId, Arrival),
    /// Time to see whether the client has been silent for too long.
    Silence(LineId),
    /// Every connection of an exchange breaks.
    CutAll(SimExchange),
}

/// A connection.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) exchange: SimExchange,
    /// The exchange knows of it.
    pub(super) is_entered: bool,
    /// Pulled by the exchange.
    pub(super) is_cut: Arc<AtomicBool>,
    /// Of a WebSocket.
    pub(super) queue: Option<Receiver<Queued>>,
    pub(super) silence_max: Option<Duration>,
    pub(super) heard_at: Timestamp,
    /// Nothing is taken from the client any more.
    pub(super) exchange_left: bool,
    /// Nothing reaches the client any more.
    pub(super) client_left: bool,
    /// It broke: what was on the way to the client is lost, but that it broke.
    pub(super) is_broken: bool,
    /// When the last thing said arrives, each way: nothing overtakes.
    pub(super) last_at: [Timestamp; 2],
}

impl Line {
    pub(super) fn new(exchange: SimExchange) -> Self {
        Self {
            exchange,
            is_entered: false,
            is_cut: Arc::new(AtomicBool::new(false)),
            queue: None,
            silence_max: None,
            heard_at: Timestamp::EPOCH,
            exchange_left: false,
            client_left: false,
            is_broken: false,
            last_at: [Timestamp::EPOCH; 2],
        }
    }
}
