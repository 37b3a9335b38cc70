//! The hot reader of MEXC's depth against prost: what it accepts prost accepts, and reads alike, whichever way numbers
//! are parsed.
#![no_main]

use cex_core::{Level, Market, Markets, Price, Qty, Timestamp};
use cex_fuzz::markets;
use cex_mexc::config::DepthInterval;
use cex_mexc::depth::{DepthReader, Reading};
use cex_proto::mexc::PushDataV3ApiWrapper;
use cex_proto::mexc::push_data_v3_api_wrapper::Body;
use libfuzzer_sys::fuzz_target;
use prost::Message;
use std::sync::{Arc, LazyLock};

static MARKETS: LazyLock<Arc<Markets>> = LazyLock::new(|| markets("mexc", ""));
static READERS: LazyLock<[DepthReader; 2]> =
    LazyLock::new(|| [DepthReader::new(DepthInterval::Ms10), DepthReader::portable(DepthInterval::Ms10)]);

/// Versions, time, bids, asks.
type Update = (u64, u64, i64, Vec<Level>, Vec<Level>);

fn ours(reader: &DepthReader, frame: &[u8]) -> Option<Update> {
    let before = vec![Level { price: Price(7), qty: Qty(7) }];
    let mut levels = before.clone();
    match reader.read(frame, &MARKETS, &mut levels) {
        Ok(Reading::Book(update)) => Some((
            update.first_seq,
            update.last_seq,
            update.exchange_ts.as_millis(),
            update.bids.of(&levels).to_vec(),
            update.asks.of(&levels).to_vec(),
        )),
        Ok(Reading::Unregistered | Reading::Other) | Err(_) => {
            assert_eq!(levels, before, "what is no book leaves nothing behind");
            None
        }
    }
}

fn oracle(frame: &[u8]) -> Option<Update> {
    let wrapper = PushDataV3ApiWrapper::decode(frame).ok()?;
    let Some(Body::PublicAggreDepths(depth)) = &wrapper.body else { return None };
    let by_channel = wrapper.channel.rsplit_once('@').map(|(_, native)| native);
    let market = MARKETS.by_native(by_channel.or(wrapper.symbol.as_deref())?.as_bytes())?;
    let level = |row: &cex_proto::mexc::DepthLevel| level(market, row);
    Some((
        depth.from_version.parse().ok()?,
        depth.to_version.parse().ok()?,
        Timestamp::from_millis(wrapper.send_time.unwrap_or(0)).as_millis(),
        depth.bids.iter().map(level).collect::<Option<_>>()?,
        depth.asks.iter().map(level).collect::<Option<_>>()?,
    ))
}

fn level(market: &Market, row: &cex_proto::mexc::DepthLevel) -> Option<Level> {
    Some(Level {
        price: market.scale.parse_price(row.price.as_bytes()).ok()?,
        qty: market.scale.parse_qty(row.quantity.as_bytes()).ok()?,
    })
}

fuzz_target!(|data: &[u8]| {
    let [wide, portable] = READERS.each_ref().map(|reader| ours(reader, data));
    assert_eq!(wide, portable);
    if wide.is_some() {
        assert_eq!(wide, oracle(data));
    }
});
