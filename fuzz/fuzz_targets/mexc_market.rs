//! Public frames of MEXC, binary and text, on links of every stream.
#![no_main]

use cex_fuzz::{Desk, config, market_links, markets};
use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;

thread_local! {
    static DESK: RefCell<Desk> = RefCell::new(Desk::new(false, || {
        let protocol = cex_mexc::protocol(config("mexc")).expect("valid");
        market_links(protocol.as_ref(), &markets("mexc", ""))
    }));
}

fuzz_target!(|data: &[u8]| DESK.with_borrow_mut(|desk| desk.feed(data)));
