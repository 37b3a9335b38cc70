//! Bodies of MEXC's REST as answers to every request.
#![no_main]

use cex_core::Markets;
use cex_fuzz::{config, decode, markets, requests};
use cex_interface::{Protocol, Request};
use libfuzzer_sys::fuzz_target;
use std::sync::{Arc, LazyLock};

type Desk = (Arc<dyn Protocol>, Arc<Markets>, Vec<Request>);

static DESK: LazyLock<Desk> = LazyLock::new(|| {
    let protocol = cex_mexc::protocol(config("mexc")).expect("valid");
    (protocol, markets("mexc", ""), requests("mexc"))
});

fuzz_target!(|data: &[u8]| {
    let (protocol, markets, requests) = &*DESK;
    decode(protocol.as_ref(), markets, requests, data);
});
