//! Public frames of Gate.io on links of every stream.
#![no_main]

use cex_fuzz::{Desk, config, market_links, markets};
use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;

thread_local! {
    static DESK: RefCell<Desk> = RefCell::new(Desk::new(true, || {
        let protocol = cex_gateio::protocol(config("gateio")).expect("valid");
        market_links(protocol.as_ref(), &markets("gateio", "_"))
    }));
}

fuzz_target!(|data: &[u8]| DESK.with_borrow_mut(|desk| desk.feed(data)));
