//! What each text means, by hand, through every way into the crate.

use cex_wide::{
    Finer, NumberFault, Wide, find_byte, parse_quoted_in, parse_scaled, parse_scaled_in, parse_u64,
};
use cex_wide::{NumberFault::*, portable};

use Finer::{Cut, Refuse};

type Answer = Result<i64, NumberFault>;

#[track_caller]
fn check(text: &str, dp: u8, finer: Finer, expected: Answer) {
    let text = text.as_bytes();
    let end = text.len();
    let tight = [text, b"\""].concat();
    let roomy = [text, b"\"9.99999999999999999"].concat();
    let quoted = expected.map(|count| (count, end));
    assert_eq!(parse_scaled(text, dp, finer), expected);
    assert_eq!(portable::parse_scaled(text, dp, finer), expected);
    for buffer in [tight, roomy] {
        assert_eq!(parse_scaled_in(&buffer, 0, end, dp, finer), expected);
        assert_eq!(portable::parse_scaled_in(&buffer, 0, end, dp, finer), expected);
        assert_eq!(parse_quoted_in(&buffer, 0, dp, finer), quoted);
        assert_eq!(portable::parse_quoted_in(&buffer, 0, dp, finer), quoted);
    }
}

#[track_caller]
fn both(text: &str, dp: u8, expected: Answer) {
    check(text, dp, Refuse, expected);
    check(text, dp, Cut, expected);
}

#[test]
fn plain_numbers() {
    both("0", 0, Ok(0));
    both("7", 0, Ok(7));
    both("7", 3, Ok(7_000));
    both("117053.41", 2, Ok(11_705_341));
    both("117053.41", 8, Ok(11_705_341_000_000));
    both("1.86837271", 8, Ok(186_837_271));
    both("0.000000123", 9, Ok(123));
    both("251.8481948663", 10, Ok(2_518_481_948_663));
    both("1234567890123456", 0, Ok(1_234_567_890_123_456));
    both("12345678.9012345", 7, Ok(123_456_789_012_345));
    both("1.23456789012345", 14, Ok(123_456_789_012_345));
    both("1.23456789012345", 18, Ok(1_234_567_890_123_450_000));
}

#[test]
fn leading_and_closing_zeros() {
    both("0000000000000000000000000000007.5", 1, Ok(75));
    both("00117053.41", 2, Ok(11_705_341));
    both("7.50000000000000000000000000000000", 1, Ok(75));
    both("7.000000", 0, Ok(7));
    both("0.0", 0, Ok(0));
    both("000", 18, Ok(0));
}

#[test]
fn digits_finer_than_asked() {
    check("251.8481948663", 8, Refuse, Err(TooFine));
    check("251.8481948663", 8, Cut, Ok(25_184_819_486));
    check("0.99", 0, Cut, Ok(0));
    check("0.99", 0, Refuse, Err(TooFine));
    check("1.9", 0, Cut, Ok(1));
    check("1.01", 1, Refuse, Err(TooFine));
    check("1.10", 1, Refuse, Ok(11));
    check("0.0000000000000000000000000000001", 18, Refuse, Err(TooFine));
    check("0.0000000000000000000000000000001", 18, Cut, Ok(0));
}

#[test]
fn texts_that_are_no_number() {
    both("", 2, Err(Empty));
    let bad = [
        ".",
        ".5",
        "5.",
        "1..2",
        "1.2.3",
        ".1.",
        "-1",
        "+1",
        "-",
        "1e5",
        "1E5",
        "1,000",
        "1_000",
        " 1",
        "1 ",
        "1\n",
        "0x10",
        "NaN",
        "inf",
        "1/2",
        "1:2",
        "1.2345678901234x",
        "x234567890123456",
        "1\u{b2}",
        "\0",
        "12\0",
        "1.\0",
        "12345678901234567890123456789.1.1",
        "1234567890123456789012345678x",
        "1.23456789012345678901234567.",
    ];
    for text in bad {
        both(text, 2, Err(BadByte));
    }
}

#[test]
fn largest_counts() {
    both("9223372036854775807", 0, Ok(i64::MAX));
    both("9223372036854775808", 0, Err(Overflow));
    both("18446744073709551616", 0, Err(Overflow));
    both("9.223372036854775807", 18, Ok(i64::MAX));
    both("9.223372036854775808", 18, Err(Overflow));
    check("9.2233720368547758079", 18, Cut, Ok(i64::MAX));
    both("9.22337203685478", 18, Err(Overflow));
    both("9.22337203685477", 18, Ok(9_223_372_036_854_770_000));
    both("9", 18, Ok(9_000_000_000_000_000_000));
    both("10", 18, Err(Overflow));
    both("9223372036854776", 3, Err(Overflow));
    both("9223372036854775", 3, Ok(9_223_372_036_854_775_000));
    both("99999999999999999999999999999999999999999999999999", 0, Err(Overflow));
}

#[test]
fn the_first_fault_in_order_is_told() {
    both("99999999999999999999999999999999x", 0, Err(BadByte));
    check("99999999999999999999999999999999.5", 0, Refuse, Err(TooFine));
    check("99999999999999999999999999999999.5", 0, Cut, Err(Overflow));
    check("9999999999999.55", 18, Refuse, Err(Overflow));
    check("1.5x", 0, Refuse, Err(BadByte));
}

#[test]
fn above_eighteen_decimals_only_small_numbers_fit() {
    both("0", 255, Ok(0));
    both("0.000", 200, Ok(0));
    both("1", 19, Err(Overflow));
    both("0.1", 19, Ok(1_000_000_000_000_000_000));
    both("0.00000000000000000001", 20, Ok(1));
}

#[test]
fn ranges_outside_the_buffer_hold_no_text() {
    let buffer = [b'1'; 40];
    for wide in [Wide::detect(), Wide::portable()] {
        for (start, end) in [
            (3, 3),
            (4, 3),
            (0, 41),
            (30, 41),
            (40, 40),
            (41, 41),
            (41, 42),
            (usize::MAX, 0),
            (5, usize::MAX),
        ] {
            assert_eq!(wide.parse_scaled_in(&buffer, start, end, 0, Cut), Err(Empty), "{start}..{end}");
        }
        for start in [40, 41, usize::MAX] {
            assert_eq!(wide.parse_quoted_in(&buffer, start, 0, Cut), Err(Empty), "{start}");
        }
        assert_eq!(wide.parse_scaled_in(&[], 0, 0, 0, Cut), Err(Empty));
    }
    for start in [40, 41, usize::MAX] {
        assert_eq!(find_byte(&buffer, start, b'1'), None);
    }
}

#[test]
fn a_quoted_text_needs_its_quote() {
    for len in 1..40 {
        let text = vec![b'1'; len];
        for wide in [Wide::detect(), Wide::portable()] {
            assert_eq!(wide.parse_quoted_in(&text, 0, 0, Cut), Err(BadByte), "{len}");
        }
    }
    for wide in [Wide::detect(), Wide::portable()] {
        assert_eq!(wide.parse_quoted_in(b"\"", 0, 0, Cut), Err(Empty));
        assert_eq!(wide.parse_quoted_in(b"[\"1.5\",\"2\"]", 2, 1, Refuse), Ok((15, 5)));
        assert_eq!(wide.parse_quoted_in(b"[\"1.5\",\"2\"]", 8, 1, Refuse), Ok((20, 9)));
        assert_eq!(wide.parse_quoted_in(b"1.5,\"2\"                ", 0, 1, Refuse), Err(BadByte));
    }
}

#[test]
fn integers() {
    let check = |text: &str, expected: Result<u64, NumberFault>| {
        assert_eq!(parse_u64(text.as_bytes()), expected, "{text}");
        assert_eq!(portable::parse_u64(text.as_bytes()), expected, "{text}");
    };
    check("", Err(Empty));
    check("0", Ok(0));
    check("48776301", Ok(48_776_301));
    check("487763010", Ok(487_763_010));
    check("1606294781123", Ok(1_606_294_781_123));
    check("9999999999999999", Ok(9_999_999_999_999_999));
    check("18446744073709551615", Ok(u64::MAX));
    check("18446744073709551616", Err(Overflow));
    check("000000000000000000000018446744073709551615", Ok(u64::MAX));
    check("99999999999999999999999x", Err(BadByte));
    for text in [
        "-1",
        "1.0",
        " 1",
        "1 ",
        "1234567x",
        "x2345678",
        "123456789012345:",
        "/234567890123456",
        "12345678\u{b2}",
    ] {
        check(text, Err(BadByte));
    }
}

#[test]
fn faults_read_as_sentences() {
    for fault in [Empty, BadByte, TooFine, Overflow] {
        assert!(fault.to_string().len() > 10);
    }
}
