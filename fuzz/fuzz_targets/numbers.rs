//! Numbers out of text: wide loads against byte loops, exact decimals against themselves.
#![no_main]

use cex_core::Decimal;
use cex_wide::{Finer, Wide, portable};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((first, text)) = data.split_first() else { return };
    let dp = first % 19;
    for finer in [Finer::Refuse, Finer::Cut] {
        assert_eq!(Wide::detect().parse_scaled(text, dp, finer), portable::parse_scaled(text, dp, finer));
        assert_eq!(cex_wide::parse_scaled(text, dp, finer), portable::parse_scaled(text, dp, finer));
    }
    assert_eq!(cex_wide::parse_u64(text), portable::parse_u64(text));
    assert_eq!(cex_wide::find_byte(text, 0, b'"'), portable::find_byte(text, 0, b'"'));
    if let Ok(number) = Decimal::parse(text) {
        assert_eq!(Decimal::parse(number.to_string().as_bytes()), Ok(number), "{number}");
    }
});
