//! Answers of Gate.io's trading interface on a link that carries calls of every kind: each is answered once at most, and
//! an acknowledgement answers none.
#![no_main]

use cex_fuzz::{call, config, markets, now, requests, stand};
use cex_interface::{Input, Outbox};
use libfuzzer_sys::fuzz_target;

const LOGIN: &[u8] = br#"{"request_id":"login","header":{"status":"200"},"data":{"result":{}}}"#;

fuzz_target!(|data: &[u8]| {
    let protocol = cex_gateio::protocol(config("gateio")).expect("valid");
    let mut link = protocol.order_link(&markets("gateio", "_")).expect("there are keys");
    stand(link.as_mut());
    let mut out = Outbox::default();
    link.handle(now(), Input::Text(LOGIN), &mut out).expect("logged in");
    let taken = call(link.as_mut(), &requests("gateio"));
    assert!(taken > 5, "{taken} calls");
    out.clear();
    let mut ended = 0;
    // Frames are separated by line breaks, so that one input can be a conversation.
    for frame in data.split(|byte| *byte == b'\n') {
        let _ = link.handle(now(), Input::Text(frame), &mut out);
        ended += out.answers.len();
        out.clear();
    }
    link.handle(now(), Input::Disconnected, &mut out).expect("it ends");
    ended += out.answers.len();
    assert_eq!(ended, taken, "each call ends once");
});
