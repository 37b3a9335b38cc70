//! Private frames of Gate.io on the account's link.
#![no_main]

use cex_fuzz::{Desk, config, markets, stand};
use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;

thread_local! {
    static DESK: RefCell<Desk> = RefCell::new(Desk::new(true, || {
        let protocol = cex_gateio::protocol(config("gateio")).expect("valid");
        let mut link = protocol.account_link(&markets("gateio", "_")).expect("there are keys");
        stand(link.as_mut());
        vec![link]
    }));
}

fuzz_target!(|data: &[u8]| DESK.with_borrow_mut(|desk| desk.feed(data)));
