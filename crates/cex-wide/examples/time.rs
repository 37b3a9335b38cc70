//! Nanoseconds per text: byte loop and wide path over the same texts, in turns, in one run.
//!
//! `cargo run --release -p cex-wide --example time`
//!
//! Texts stand one behind the other as in a frame and vary in length. Each figure is the median of the rounds; the
//! ratio is the median of the rounds' ratios, which neighbours on the machine disturb less.

use std::hint::black_box;
use std::time::Instant;

use cex_wide::{
    Finer, NumberFault, Wide, find_byte, parse_quoted_in, parse_scaled, parse_scaled_in, parse_u64, portable,
};

const TEXTS: usize = 4096;
const ROUNDS: usize = 301;
const BETWEEN: &[u8] = b"\",\"";

struct Texts {
    what: &'static str,
    dp: u8,
    buffer: Vec<u8>,
    spans: Vec<(usize, usize)>,
}

impl Texts {
    fn new(what: &'static str, dp: u8, mut text: impl FnMut(&mut Noise) -> String) -> Self {
        let mut noise = Noise(42);
        let (mut buffer, mut spans) = (Vec::new(), Vec::new());
        for _ in 0..TEXTS {
            let start = buffer.len();
            buffer.extend_from_slice(text(&mut noise).as_bytes());
            spans.push((start, buffer.len()));
            buffer.extend_from_slice(BETWEEN);
        }
        buffer.extend_from_slice(&[0; 64]);
        Self { what, dp, buffer, spans }
    }

    #[inline(always)]
    fn ranges(&self, parse: impl Fn(&[u8], usize, usize) -> u64) -> u64 {
        let mut sum = 0_u64;
        for (start, end) in &self.spans {
            sum = sum.wrapping_add(parse(&self.buffer, *start, *end));
        }
        sum
    }

    /// Each start follows from the end before it, as in JSON.
    #[inline(always)]
    fn chain(&self, parse: impl Fn(&[u8], usize) -> (u64, usize)) -> u64 {
        let (mut sum, mut at) = (0_u64, 0);
        for _ in 0..TEXTS {
            let (count, quote) = parse(&self.buffer, at);
            sum = sum.wrapping_add(count);
            at = quote + BETWEEN.len();
        }
        sum
    }
}

/// xorshift64: the same texts in every run.
struct Noise(u64);

impl Noise {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}

type Way<'a> = (&'static str, Box<dyn Fn() -> u64 + 'a>);

#[expect(clippy::disallowed_methods, reason = "a stopwatch needs a clock")]
fn now() -> Instant {
    Instant::now()
}

/// The first way is the byte loop the others are compared with.
fn compare(texts: &str, how: &str, ways: &[Way<'_>]) {
    let sum = ways[0].1();
    let mut rounds = vec![[0.0; ROUNDS]; ways.len()];
    for round in 0..ROUNDS {
        for (way, times) in ways.iter().zip(&mut rounds) {
            let started = now();
            assert_eq!(black_box(&way.1)(), sum, "{texts}, {how}: {}", way.0);
            times[round] = started.elapsed().as_nanos() as f64 / TEXTS as f64;
        }
    }
    println!("{texts}, {how}");
    for (way, times) in ways.iter().zip(&rounds) {
        let ratios = std::array::from_fn(|round| rounds[0][round] / times[round]);
        println!("  {:<28} {:6.2} ns  {:5.2}x", way.0, median(*times), median(ratios));
    }
}

fn median(mut values: [f64; ROUNDS]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[ROUNDS / 2]
}

fn way<'a>(name: &'static str, run: impl Fn() -> u64 + 'a) -> Way<'a> {
    (name, Box::new(run))
}

const GOOD: &str = "the texts are numbers";

fn ranges(texts: &Texts, wide: Wide) {
    let dp = texts.dp;
    let through = |wide: Wide| {
        texts.ranges(|buffer, start, end| plain(wide.parse_scaled_in(buffer, start, end, dp, Finer::Cut)))
    };
    let ways = [
        way("byte loop", || {
            texts.ranges(|buffer, start, end| {
                plain(portable::parse_scaled_in(buffer, start, end, dp, Finer::Cut))
            })
        }),
        way("free function", || {
            texts.ranges(|buffer, start, end| plain(parse_scaled_in(buffer, start, end, dp, Finer::Cut)))
        }),
        way("Wide", || through(wide)),
        way("Wide, inside enter", || wide.enter(through)),
        way("free function, text alone", || {
            texts.ranges(|buffer, start, end| plain(parse_scaled(&buffer[start..end], dp, Finer::Cut)))
        }),
    ];
    compare(texts.what, "ranges of a buffer", &ways);
}

fn quoted(texts: &Texts, wide: Wide) {
    let dp = texts.dp;
    let through =
        |wide: Wide| texts.chain(|buffer, at| chained(wide.parse_quoted_in(buffer, at, dp, Finer::Cut)));
    let ways = [
        way("byte loop", || {
            texts.chain(|buffer, at| chained(portable::parse_quoted_in(buffer, at, dp, Finer::Cut)))
        }),
        way("free function", || {
            texts.chain(|buffer, at| chained(parse_quoted_in(buffer, at, dp, Finer::Cut)))
        }),
        way("Wide", || through(wide)),
        way("Wide, inside enter", || wide.enter(through)),
    ];
    compare(texts.what, "up to the quote, each behind the other", &ways);
}

fn plain(count: Result<i64, NumberFault>) -> u64 {
    count.expect(GOOD).cast_unsigned()
}

fn chained(found: Result<(i64, usize), NumberFault>) -> (u64, usize) {
    let (count, quote) = found.expect(GOOD);
    (count.cast_unsigned(), quote)
}

fn integers(texts: &Texts) {
    let ways = [
        way("byte loop", || {
            texts.ranges(|buffer, start, end| portable::parse_u64(&buffer[start..end]).expect(GOOD))
        }),
        way("words", || texts.ranges(|buffer, start, end| parse_u64(&buffer[start..end]).expect(GOOD))),
    ];
    compare(texts.what, "whole texts", &ways);
    let next = |found: Option<usize>| (1, found.expect("a quote follows every text"));
    let ways = [
        way("byte loop", || texts.chain(|buffer, at| next(portable::find_byte(buffer, at, b'"')))),
        way("sixteen at a time", || texts.chain(|buffer, at| next(find_byte(buffer, at, b'"')))),
    ];
    compare(texts.what, "only the quote behind them", &ways);
}

fn price(noise: &mut Noise) -> String {
    format!("{}.{:02}", 116_000 + noise.below(2_000), noise.below(100))
}

fn qty(noise: &mut Noise) -> String {
    let digits = u32::try_from(noise.below(11)).expect("below 11");
    let units = noise.below(10_u64.pow(digits + 1));
    let text = format!("{}.{:08}", units / 100_000_000, units % 100_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn in_turns() -> impl FnMut(&mut Noise) -> String {
    let mut turn = false;
    move |noise| {
        turn = !turn;
        if turn { price(noise) } else { qty(noise) }
    }
}

fn main() {
    let wide = Wide::detect();
    println!("wide path: {}; {TEXTS} texts, {ROUNDS} rounds", wide.is_wide());
    let decimals = [
        Texts::new("prices such as 117053.41", 2, price),
        Texts::new("prices such as 0.000000123", 9, |noise| format!("0.{:09}", noise.below(1_000))),
        Texts::new("quantities such as 1.86837271, trimmed", 8, qty),
        Texts::new("117053.41 and 1.86837271 in turns, as in a book", 8, in_turns()),
    ];
    for texts in &decimals {
        ranges(texts, wide);
        quoted(texts, wide);
    }
    let version = |noise: &mut Noise| (48_776_301_000 + noise.below(1_000_000)).to_string();
    integers(&Texts::new("versions such as 48776301000", 0, version));
}
