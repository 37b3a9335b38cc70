//! Reading what was recorded: text frames of the public streams, without a connection.
//!
//! Recorded answers of calls need nothing of their own: [`cex_interface::Protocol::decode`] reads them, given
//! the request they answered.

use crate::market::decode::MarketDecoder;
use crate::session::{self, Message};
use cex_core::{LinkEvent, Markets, VenueId};
use cex_errors::{ErrorKind, ExchangeError, Op};
use cex_interface::Outbox;
use std::sync::Arc;

/// Decodes recorded frames of every market it is given.
pub struct RecordedFrames {
    venue: VenueId,
    decoder: MarketDecoder,
}

impl RecordedFrames {
    /// A reader for frames of these markets; frames of others decode to nothing.
    #[must_use]
    pub fn new(venue: VenueId, markets: &Arc<Markets>) -> Self {
        Self { venue, decoder: MarketDecoder::new(venue, Arc::clone(markets)) }
    }

    /// Decodes one text frame of the server, exactly as a live link would: events and levels are appended to
    /// `out`. Answers, pongs and notices decode to nothing.
    ///
    /// # Errors
    /// `Undecodable`, after [`LinkEvent::Undecodable`] was appended, for a frame that is malformed.
    pub fn decode(&self, frame: &[u8], out: &mut Outbox) -> Result<(), ExchangeError> {
        if self.decoder.usual_book(frame, out) {
            return Ok(());
        }
        match session::read(frame) {
            Ok(Message::News(news)) => self.decoder.news(frame, &news, out),
            Ok(
                Message::Answer(_)
                | Message::Upgrade
                | Message::Pong
                | Message::Strange(_)
                | Message::Trading
                | Message::Nothing,
            ) => Ok(()),
            Err(fault) => {
                out.link.push(LinkEvent::Undecodable { symbol: None });
                Err(ExchangeError::new(self.venue, Op::Stream, ErrorKind::Undecodable(fault)))
            }
        }
    }
}
