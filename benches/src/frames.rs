//! The workload as bytes: MEXC's protobuf and Gate.io's JSON, as their streams send it (texts without trailing zeros).

use crate::workload::Frame;
use cex_core::{Level, Scale};
use cex_proto::mexc::{DepthLevel, PublicAggreDepths, PushDataV3ApiWrapper, push_data_v3_api_wrapper::Body};
use prost::Message;
use std::fmt::Write;

/// A `PushDataV3ApiWrapper` with aggregated depth.
#[must_use]
pub fn mexc(native: &str, scale: Scale, frame: &Frame, seqs: (u64, u64)) -> Vec<u8> {
    let items = |levels: &[Level]| {
        levels
            .iter()
            .map(|level| DepthLevel {
                price: scale.price_value(level.price).to_string(),
                quantity: scale.qty_value(level.qty).to_string(),
            })
            .collect()
    };
    PushDataV3ApiWrapper {
        channel: format!("spot@public.aggre.depth.v3.api.pb@10ms@{native}"),
        symbol: Some(native.to_owned()),
        send_time: Some(1_754_741_322_152),
        body: Some(Body::PublicAggreDepths(PublicAggreDepths {
            asks: items(&frame.asks),
            bids: items(&frame.bids),
            event_type: "spot@public.aggre.depth.v3.api.pb@10ms".to_owned(),
            from_version: seqs.0.to_string(),
            to_version: seqs.1.to_string(),
            ..PublicAggreDepths::default()
        })),
        ..PushDataV3ApiWrapper::default()
    }
    .encode_to_vec()
}

/// A `spot.order_book_update` frame.
#[must_use]
pub fn gateio(native: &str, scale: Scale, frame: &Frame, seqs: (u64, u64)) -> Vec<u8> {
    let levels = |levels: &[Level]| {
        let mut text = String::from("[");
        for (at, level) in levels.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            let (price, qty) = (scale.price_value(level.price), scale.qty_value(level.qty));
            // Writing to a `String` cannot fail.
            let _ = write!(text, "{comma}[\"{price}\",\"{qty}\"]");
        }
        text + "]"
    };
    format!(
        "{{\"time\":1606294781,\"time_ms\":1606294781236,\"channel\":\"spot.order_book_update\",\"event\":\"update\",\
         \"result\":{{\"t\":1606294781123,\"l\":\"100\",\"e\":\"depthUpdate\",\"E\":1606294781,\"s\":\"{native}\",\"U\":{},\
         \"u\":{},\"b\":{},\"a\":{}}}}}",
        seqs.0,
        seqs.1,
        levels(&frame.bids),
        levels(&frame.asks)
    )
    .into_bytes()
}
