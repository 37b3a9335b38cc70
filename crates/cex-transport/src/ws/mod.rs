//! WebSocket connections.
//!
//! | module | what |
//! |---|---|
//! | [`handshake`] | the HTTP upgrade, checked; gives the raw stream back |
//! | [`reader`] | [`FrameReader`]: frames parsed in place, without IO |
//! | [`writer`] | [`FrameWriter`]: masked frames into one reused buffer |
//! | [`conn`] | [`WsConn`]: both on one stream, polled by one owner |

pub mod conn;
pub mod handshake;
pub mod reader;
pub mod writer;

pub use conn::{WsConn, WsError};
pub use handshake::HandshakeError;
pub use reader::{FrameError, FrameReader, Message, WsLimits};
pub use writer::FrameWriter;
