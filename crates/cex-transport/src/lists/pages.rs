//! Lists longer than one answer: a span is asked for, and halved where its answer is full.
//!
//! Exchanges do not agree on which end of a span a full answer shows, nor on whether an end belongs to it. Halving asks
//! nothing of that: neighbours share their end, and what is seen twice counts once.

use cex_core::Timestamp;
use cex_errors::ErrorKind;
use cex_interface::{PageRule, TimeRange};
use std::time::Duration;

/// Most calls one list may take; beyond it the span is a mistake.
const CALLS_MAX: u32 = 2_000;

/// The spans that are still to be asked for, the oldest first.
#[derive(Debug)]
pub(super) struct Pages {
    grain: i64,
    rows: usize,
    /// In grains, both ends included; the next one last.
    waiting: Vec<(i64, i64)>,
    calls: u32,
}

impl Pages {
    /// Everything from `from` to `to`.
    pub(super) fn new(
        rule: PageRule,
        from: Timestamp,
        to: Timestamp,
        now: Timestamp,
    ) -> Result<Self, ErrorKind> {
        if to < from {
            return Err(ErrorKind::InvalidInput("a span that ends before it begins"));
        }
        if rule.kept.is_some_and(|kept| from < now - kept) {
            return Err(ErrorKind::InvalidInput("the exchange no longer keeps the beginning of the span"));
        }
        let nanos = |span: Duration| i64::try_from(span.as_nanos()).unwrap_or(i64::MAX).max(1);
        let grain = nanos(rule.grain);
        let (first, last) =
            (from.as_nanos().div_euclid(grain), to.as_nanos().div_euclid(grain).saturating_add(1));
        let step = (nanos(rule.span) / grain).max(1);
        if (last - first) / step >= i64::from(CALLS_MAX) {
            return Err(ErrorKind::InvalidInput("a span that takes too many calls"));
        }
        let begins = (0..).map(|index| first + index * step).take_while(|begin| *begin < last);
        let mut waiting: Vec<_> = begins.map(|begin| (begin, (begin + step).min(last))).collect();
        waiting.reverse();
        Ok(Self { grain, rows: rule.rows as usize, waiting, calls: 0 })
    }

    /// The next span to ask for, if any is left.
    pub(super) fn next(&mut self) -> Result<Option<Page>, ErrorKind> {
        let Some((first, last)) = self.waiting.pop() else { return Ok(None) };
        self.calls += 1;
        if self.calls > CALLS_MAX {
            return Err(ErrorKind::AboveMaximum);
        }
        let at = |grains: i64| Some(Timestamp::from_nanos(grains.saturating_mul(self.grain)));
        Ok(Some(Page { first, last, range: TimeRange { from: at(first), to: at(last) } }))
    }

    /// How many rows a span was answered with, readable or not, and what that means. The halves of a span that may hold
    /// more are asked for next.
    pub(super) fn answered(&mut self, page: &Page, rows: usize) -> Answered {
        if rows < self.rows {
            return Answered::Whole;
        }
        if page.last - page.first < 2 {
            return Answered::Dense;
        }
        let middle = page.first + (page.last - page.first) / 2;
        self.waiting.extend([(middle, page.last), (page.first, middle)]);
        Answered::Halved
    }
}

/// What an answer is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answered {
    /// It is all there is.
    Whole,
    /// There may be more; its halves are asked for.
    Halved,
    /// There may be more, and the span has no halves.
    Dense,
}

/// A span that was asked for.
#[derive(Debug)]
pub(super) struct Page {
    first: i64,
    last: i64,
    /// The span as it is asked for.
    pub(super) range: TimeRange,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn rule(rows: u32, span_ms: u64, grain_ms: u64) -> PageRule {
        let ms = Duration::from_millis;
        PageRule { rows, rows_perhaps: rows, span: ms(span_ms), grain: ms(grain_ms), kept: None }
    }

    /// What an exchange answers that shows the oldest or the newest rows of a span, with its end or without.
    fn answer(
        rows: &[i64],
        page: &Page,
        most: usize,
        newest: bool,
        end_belongs: bool,
        grain: i64,
    ) -> Vec<usize> {
        let ms = |at: Option<Timestamp>| at.expect("both ends").as_millis();
        let (from, to) = (ms(page.range.from), ms(page.range.to));
        let within = |at: i64| {
            let at = at.div_euclid(grain) * grain;
            at >= from && (at < to || (end_belongs && at == to))
        };
        let mut found: Vec<usize> = (0..rows.len()).filter(|index| within(rows[*index])).collect();
        found.sort_by_key(|index| rows[*index]);
        if newest {
            found.reverse();
        }
        found.truncate(most);
        found
    }

    proptest! {
        #[test]
        fn every_row_of_the_span_is_seen_whatever_the_exchange_shows_first(
            rows in prop::collection::vec(0i64..20_000, 0..200),
            newest: bool,
            end_belongs: bool,
            grain in prop::sample::select(vec![1i64, 100]),
        ) {
            let most = 40;
            let at = Timestamp::from_millis;
            let rule = rule(most as u32, 7_000, grain as u64);
            let mut pages = Pages::new(rule, at(0), at(20_000), at(20_000)).expect("a span");
            let mut seen = BTreeSet::new();
            while let Ok(Some(page)) = pages.next() {
                let found = answer(&rows, &page, most, newest, end_belongs, grain);
                match pages.answered(&page, found.len()) {
                    Answered::Whole => seen.extend(found),
                    Answered::Halved => {}
                    // Only where one moment holds more than an answer.
                    Answered::Dense => {
                        let begin = page.range.from.expect("from").as_millis();
                        let close = rows.iter().filter(|at| (begin..=begin + 3 * grain).contains(at)).count();
                        prop_assert!(close >= most);
                        return Ok(());
                    }
                }
            }
            prop_assert_eq!(seen.len(), rows.len());
        }
    }

    #[test]
    fn senseless_spans_are_refused() {
        let at = Timestamp::from_secs;
        let month = PageRule { kept: Some(Duration::from_secs(100)), ..rule(10, 1_000, 1) };
        assert!(Pages::new(month, at(5), at(4), at(10)).is_err());
        assert!(Pages::new(month, at(5), at(100), at(106)).is_err(), "gone");
        assert!(Pages::new(month, at(5), at(100), at(105)).is_ok());
        assert!(Pages::new(rule(10, 1_000, 1), Timestamp::EPOCH, Timestamp::MAX, at(0)).is_err());
    }

    #[test]
    fn a_moment_that_holds_more_than_an_answer_has_no_halves() {
        let at = Timestamp::from_millis;
        let mut pages = Pages::new(rule(10, 1_000, 1), at(0), at(0), at(0)).expect("a moment");
        let page = pages.next().expect("few calls").expect("one");
        assert_eq!(pages.answered(&page, 10), Answered::Dense);
        assert_eq!(pages.answered(&page, 9), Answered::Whole);
    }
}
