//! Bodies of Gate.io's REST as answers to every request.
#![no_main]

use cex_core::Markets;
use cex_fuzz::{config, decode, markets, requests};
use cex_interface::{Protocol, Request};
use libfuzzer_sys::fuzz_target;
use std::sync::{Arc, LazyLock};

type Desk = (Arc<dyn Protocol>, Arc<Markets>, Vec<Request>);

static DESK: LazyLock<Desk> = LazyLock::new(|| {
    let protocol = cex_gateio::protocol(config("gateio")).expect("valid");
    (protocol, markets("gateio", "_"), requests("gateio"))
});

fuzz_target!(|data: &[u8]| {
    let (protocol, markets, requests) = &*DESK;
    decode(protocol.as_ref(), markets, requests, data);
});
