//! The channel of all markets' tickers: a frame a second, of the markets that traded since the last one.

use super::frames::mini_ticker;
use super::{Pace, Source};
use crate::dialect::mexc::channel::Zone;
use crate::dialect::{ConnId, Frame, Outgoing};
use crate::matching::MarketIndex;
use bytes::Bytes;
use cex_core::Timestamp;
use cex_proto::mexc::{PublicMiniTickers, PushDataV3ApiWrapper, push_data_v3_api_wrapper as wrapper};
use prost::Message as _;

/// Who reads the channel of a zone.
#[derive(Debug)]
struct Channel {
    zone: Zone,
    name: String,
    readers: Vec<ConnId>,
    /// Readers that have had nothing yet: their first frame is of all markets.
    fresh: Vec<ConnId>,
    sent_at: Option<Timestamp>,
}

/// The channel, in every zone that is read.
#[derive(Debug)]
pub(in crate::dialect::mexc) struct Every {
    channels: Vec<Channel>,
    has_traded: Vec<bool>,
    due_at: Option<Timestamp>,
}

impl Every {
    /// Nobody reads.
    pub(super) fn new(markets: usize) -> Self {
        Self { channels: Vec::new(), has_traded: vec![false; markets], due_at: None }
    }

    /// Adds a reader.
    pub(in crate::dialect::mexc) fn join(&mut self, now: Timestamp, conn: ConnId, zone: Zone, name: &str) {
        let known = self.channels.iter().position(|channel| channel.zone == zone);
        let index = known.unwrap_or_else(|| {
            let (readers, fresh) = (Vec::new(), Vec::new());
            self.channels.push(Channel { zone, name: name.to_owned(), readers, fresh, sent_at: None });
            self.channels.len() - 1
        });
        self.channels[index].fresh.push(conn);
        self.due_at.get_or_insert(Pace::Second.next(now));
    }

    /// Takes a reader away.
    pub(in crate::dialect::mexc) fn leave(&mut self, conn: ConnId, zone: Zone) {
        self.channels.retain_mut(|channel| {
            if channel.zone == zone {
                channel.readers.retain(|reader| *reader != conn);
                channel.fresh.retain(|reader| *reader != conn);
            }
            !channel.readers.is_empty() || !channel.fresh.is_empty()
        });
    }

    /// When a connection was last sent a frame of it.
    pub(in crate::dialect::mexc) fn sent_at(&self, conn: ConnId, zone: Zone) -> Option<Timestamp> {
        self.channels.iter().find(|channel| channel.zone == zone && channel.readers.contains(&conn))?.sent_at
    }

    /// A market traded.
    pub(super) fn traded(&mut self, now: Timestamp, market: MarketIndex) {
        if self.channels.is_empty() {
            return;
        }
        self.has_traded[market.0 as usize] = true;
        self.due_at.get_or_insert(Pace::Second.next(now));
    }

    /// The clock was moved.
    pub(super) fn step_clock(&mut self, by_nanos: i64) {
        self.due_at = self.due_at.map(|at| at.shifted(by_nanos));
        for channel in &mut self.channels {
            channel.sent_at = channel.sent_at.map(|at| at.shifted(by_nanos));
        }
    }

    /// When something is due next.
    pub(super) const fn next_at(&self) -> Option<Timestamp> {
        self.due_at
    }

    /// Sends what is due.
    pub(super) fn wake(&mut self, now: Timestamp, source: Source<'_>, out: &mut Outgoing) {
        if self.due_at.is_none_or(|at| at > now) {
            return;
        }
        self.due_at = None;
        for channel in &mut self.channels {
            let changed = frame(&channel.name, now, source, |market| self.has_traded[market]);
            if let Some(frame) = changed {
                out.extend(channel.readers.iter().map(|conn| (*conn, Frame::Binary(frame.clone()))));
                channel.sent_at = Some(now);
            }
            if !channel.fresh.is_empty()
                && let Some(frame) = frame(&channel.name, now, source, |_| true)
            {
                out.extend(channel.fresh.iter().map(|conn| (*conn, Frame::Binary(frame.clone()))));
                channel.sent_at = Some(now);
            }
            channel.readers.append(&mut channel.fresh);
        }
        self.has_traded.fill(false);
    }
}

/// The tickers of the markets that are wanted and have traded today; nothing when there are none.
fn frame(name: &str, now: Timestamp, source: Source<'_>, is_wanted: impl Fn(usize) -> bool) -> Option<Bytes> {
    let item = |(index, bars): (usize, &crate::dialect::bars::Bars)| {
        let market = MarketIndex(u32::try_from(index).ok()?);
        let day = is_wanted(index).then(|| bars.day(now)).flatten()?;
        Some(mini_ticker(source.listings.name(market), source.exchange.rules(market).scale, &day))
    };
    let items: Vec<_> = source.bars.iter().enumerate().filter_map(item).collect();
    if items.is_empty() {
        return None;
    }
    let frame = PushDataV3ApiWrapper {
        channel: name.to_owned(),
        send_time: Some(now.as_millis()),
        body: Some(wrapper::Body::PublicMiniTickers(PublicMiniTickers { items })),
        ..Default::default()
    };
    Some(frame.encode_to_vec().into())
}
