//! The wide path against the byte loops, and both against plain arithmetic on 128 bits.

use cex_wide::{Finer, NumberFault, Wide, find_byte, parse_u64, portable};
use proptest::prelude::*;

/// Miri takes seconds for a case; it looks for undefined behaviour, not for rare texts.
fn cases(natively: u32) -> ProptestConfig {
    ProptestConfig {
        cases: if cfg!(miri) { 4 } else { natively },
        failure_persistence: None,
        ..Default::default()
    }
}

/// The count by the book: the text cut at the dot, brought to `dp` decimals as text, and only then read as a number.
fn by_arithmetic(text: &[u8], dp: u8, finer: Finer) -> Result<i64, NumberFault> {
    let text = std::str::from_utf8(text).map_err(|_| NumberFault::BadByte)?;
    if text.is_empty() {
        return Err(NumberFault::Empty);
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return Err(NumberFault::BadByte);
    }
    let (kept, cut) = fraction.split_at(fraction.len().min(dp.into()));
    if finer == Finer::Refuse && cut.contains(|digit| digit != '0') {
        return Err(NumberFault::TooFine);
    }
    let all = format!("{whole}{kept:0<width$}", width = usize::from(dp));
    let all = all.trim_start_matches('0');
    if all.len() > 30 {
        return Err(NumberFault::Overflow);
    }
    let count = if all.is_empty() { 0 } else { all.parse::<u128>().map_err(|_| NumberFault::BadByte)? };
    i64::try_from(count).map_err(|_| NumberFault::Overflow)
}

/// All ways to parse `text`, at `start` of a buffer with `behind` after it.
fn agree(before: &[u8], text: &[u8], behind: &[u8], dp: u8, finer: Finer) -> Result<(), TestCaseError> {
    let buffer = [before, text, behind].concat();
    let (start, end) = (before.len(), before.len() + text.len());
    let expected = by_arithmetic(text, dp, finer);
    prop_assert_eq!(portable::parse_scaled(text, dp, finer), expected);
    prop_assert_eq!(portable::parse_scaled_in(&buffer, start, end, dp, finer), expected);
    for wide in [Wide::detect(), Wide::portable()] {
        prop_assert_eq!(wide.parse_scaled(text, dp, finer), expected);
        prop_assert_eq!(wide.parse_scaled_in(&buffer, start, end, dp, finer), expected);
        prop_assert_eq!(wide.enter(|wide| wide.parse_scaled_in(&buffer, start, end, dp, finer)), expected);
        prop_assert_eq!(
            wide.parse_quoted_in(&buffer, start, dp, finer),
            portable::parse_quoted_in(&buffer, start, dp, finer)
        );
    }
    let quoted = [before, text, b"\"", behind].concat();
    let quoted = Wide::detect().parse_quoted_in(&quoted, start, dp, finer);
    if !text.contains(&b'"') {
        prop_assert_eq!(quoted, expected.map(|count| (count, end)));
    }
    Ok(())
}

fn finer() -> impl Strategy<Value = Finer> {
    prop_oneof![Just(Finer::Refuse), Just(Finer::Cut)]
}

/// Good numbers of every shape, and numbers one byte away from good.
fn number() -> impl Strategy<Value = Vec<u8>> {
    let digits =
        |longest| proptest::collection::vec(prop_oneof![1 => Just(b'0'), 2 => b'0'..=b'9'], 1..=longest);
    let good = (digits(20), proptest::option::of(digits(20))).prop_map(|(mut text, fraction)| {
        if let Some(fraction) = fraction {
            text.push(b'.');
            text.extend(fraction);
        }
        text
    });
    let spoilt =
        (good.clone(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(mut text, at, byte)| {
            let at = at.index(text.len());
            text[at] = byte;
            text
        });
    prop_oneof![4 => good, 1 => spoilt]
}

/// Bytes a number is made of and its neighbours in the table, in any order.
fn noise(longest: usize) -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        6 => b'0'..=b'9',
        2 => Just(b'.'),
        1 => prop::sample::select(b"/:\"-+ e,\0\x80\xff".to_vec()),
        1 => any::<u8>(),
    ];
    proptest::collection::vec(byte, 0..=longest)
}

proptest! {
    #![proptest_config(cases(20_000))]

    #[test]
    fn numbers_agree(
        before in noise(20), text in number(), behind in noise(40), dp in 0_u8..=18, finer in finer(),
    ) {
        agree(&before, &text, &behind, dp, finer)?;
    }

    #[test]
    fn any_bytes_agree(
        before in noise(20), text in noise(40), behind in noise(40), dp in any::<u8>(), finer in finer(),
    ) {
        agree(&before, &text, &behind, dp, finer)?;
    }

    #[test]
    fn any_range_agrees(buffer in noise(60), start in 0_usize..70, end in 0_usize..70, dp in 0_u8..=18, finer in finer()) {
        let expected = portable::parse_scaled_in(&buffer, start, end, dp, finer);
        prop_assert_eq!(Wide::detect().parse_scaled_in(&buffer, start, end, dp, finer), expected);
        let expected = portable::parse_quoted_in(&buffer, start, dp, finer);
        prop_assert_eq!(Wide::detect().parse_quoted_in(&buffer, start, dp, finer), expected);
    }

    #[test]
    fn counts_print_and_parse_back(count in 0..=i64::MAX, dp in 0_u8..=18) {
        let width = usize::from(dp) + 1;
        let digits = format!("{count:0width$}");
        let (whole, fraction) = digits.split_at(digits.len() - usize::from(dp));
        let text = if dp == 0 { whole.to_owned() } else { format!("{whole}.{fraction}") };
        agree(b"", text.as_bytes(), b"", dp, Finer::Refuse)?;
        prop_assert_eq!(Wide::detect().parse_scaled(text.as_bytes(), dp, Finer::Refuse), Ok(count));
    }

    #[test]
    fn integers_agree(text in prop_oneof![noise(24), "[0-9]{1,24}".prop_map(String::into_bytes)]) {
        prop_assert_eq!(parse_u64(&text), portable::parse_u64(&text));
    }

    #[test]
    fn every_integer_is_read(value in any::<u64>(), shift in 0_u32..64, zeros in 0_usize..6) {
        let value = value >> shift;
        let text = format!("{}{value}", "0".repeat(zeros));
        prop_assert_eq!(parse_u64(text.as_bytes()), Ok(value));
    }

    #[test]
    fn finds_agree(buffer in proptest::collection::vec(0_u8..6, 0..100), start in 0_usize..110, needle in 0_u8..8) {
        prop_assert_eq!(find_byte(&buffer, start, needle), portable::find_byte(&buffer, start, needle));
    }
}

/// Every length, every place of the dot, many distances to the end of the buffer.
#[test]
#[cfg(not(miri))]
fn every_shape_at_every_distance_from_the_end() {
    for len in 0..=40 {
        for dot in 0..=len {
            shape_agrees(
                len,
                dot,
                &[0, 1, 2, 3, 5, 7, 8, 9, 12, 15, 16, 17, 31],
                &[0, 1, 2, 5, 8, 9, 15, 16, 17, 18],
            );
        }
    }
}

#[test]
fn every_length_at_the_end_and_before_it() {
    for len in 0..=18 {
        shape_agrees(len, len / 2, &[0, 15], &[8]);
    }
}

fn shape_agrees(len: u8, dot: u8, distances: &[usize], scales: &[u8]) {
    let mut text: Vec<u8> = (0..len).map(|at| b'1' + at % 9).collect();
    if let Some(byte) = text.get_mut(usize::from(dot)) {
        *byte = b'.';
    }
    for behind in distances {
        for dp in scales {
            for finer in [Finer::Refuse, Finer::Cut] {
                agree(b"7", &text, &vec![b'7'; *behind], *dp, finer).expect("the twins agree");
            }
        }
    }
}

/// Else a run under Miri, which has the features of the build only, would never see the wide path.
#[test]
fn a_build_for_sse41_takes_the_wide_path() {
    if cfg!(target_feature = "sse4.1") {
        assert!(Wide::detect().is_wide());
    }
    assert!(!Wide::portable().is_wide());
}

/// Every byte value at every place of an otherwise good text.
#[test]
fn every_byte_at_every_place() {
    let bytes = if cfg!(miri) { vec![b'.', b'/', b'"', 0xff] } else { (0..=u8::MAX).collect() };
    for good in [&b"117053.412345678"[..], b"12345678", b"1234567890123456", b"1.5"] {
        for at in 0..good.len() {
            for byte in &bytes {
                let mut text = good.to_vec();
                text[at] = *byte;
                agree(b"", &text, b"", 9, Finer::Refuse).expect("the twins agree");
                agree(b"", &text, &[b'0'; 16], 4, Finer::Cut).expect("the twins agree");
                assert_eq!(parse_u64(&text), portable::parse_u64(&text), "{text:?}");
            }
        }
    }
}

/// Buffers of exactly their size, so that Miri sees a load that leaves them.
#[test]
fn loads_stay_in_their_buffer() {
    let sizes = if cfg!(miri) { 20 } else { 70 };
    for size in 0..sizes {
        let mut buffer: Box<[u8]> = vec![b'3'; size].into();
        for at in 0..size {
            assert_eq!(find_byte(&buffer, at, b'"'), None);
            buffer[at] = b'"';
            assert_eq!(find_byte(&buffer, at / 2, b'"'), Some(at));
            for start in [0, at / 2, at] {
                let expected = portable::parse_quoted_in(&buffer, start, 3, Finer::Cut);
                assert_eq!(Wide::detect().parse_quoted_in(&buffer, start, 3, Finer::Cut), expected);
            }
            buffer[at] = b'3';
        }
        assert_eq!(parse_u64(&buffer), portable::parse_u64(&buffer));
    }
}
