//! Private frames of MEXC on the account's link.
#![no_main]

use cex_fuzz::{Desk, config, markets, now};
use cex_interface::{Effect, Input, Link, Outbox, Reply};
use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;

/// A link that was given its key and is connected.
fn account() -> Vec<Box<dyn Link>> {
    let protocol = cex_mexc::protocol(config("mexc")).expect("valid");
    let mut link = protocol.account_link(&markets("mexc", "")).expect("there are keys");
    let mut out = Outbox::default();
    link.handle(now(), Input::Start, &mut out).expect("it begins");
    let key = Ok(Reply::ListenKey("k".to_owned()));
    for effect in std::mem::take(&mut out.effects) {
        if let Effect::Request { tag, .. } = effect {
            link.handle(now(), Input::Reply { tag, result: &key }, &mut out).expect("it goes on");
        }
    }
    link.handle(now(), Input::Connected, &mut out).expect("it begins");
    vec![link]
}

thread_local! {
    static DESK: RefCell<Desk> = RefCell::new(Desk::new(false, account));
}

fuzz_target!(|data: &[u8]| DESK.with_borrow_mut(|desk| desk.feed(data)));
