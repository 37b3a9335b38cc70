//! How a delta stands to the version a book has.

use cex_core::Continuity;

/// How a delta stands to a book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// The book has all of it already.
    Old,
    /// It continues the book.
    Next,
    /// Something between the book and it is missing.
    Gap,
}

/// Judges a delta `first_seq ..= last_seq` against a book at version `last`; `after_snapshot` when no delta was applied
/// since the snapshot.
pub(super) const fn fit(
    rule: Continuity,
    last: u64,
    after_snapshot: bool,
    first_seq: u64,
    last_seq: u64,
) -> Fit {
    if last_seq <= last {
        return Fit::Old;
    }
    let next = last + 1;
    let follows = match rule {
        Continuity::Overlapping => first_seq <= next,
        Continuity::Contiguous => first_seq == next || (after_snapshot && first_seq <= next),
        Continuity::Strict => first_seq == next,
    };
    if follows { Fit::Next } else { Fit::Gap }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_takes_what_it_says_and_nothing_else() {
        use Continuity::{Contiguous, Overlapping, Strict};
        use Fit::{Gap, Next, Old};
        for (first_seq, last_seq, overlapping, joining, contiguous, strict) in [
            (90, 99, Old, Old, Old, Old),
            (90, 100, Old, Old, Old, Old),
            (100, 100, Old, Old, Old, Old),
            (90, 101, Next, Next, Gap, Gap),
            (100, 105, Next, Next, Gap, Gap),
            (101, 101, Next, Next, Next, Next),
            (101, 105, Next, Next, Next, Next),
            (102, 105, Gap, Gap, Gap, Gap),
            (102, 102, Gap, Gap, Gap, Gap),
            (u64::MAX, u64::MAX, Gap, Gap, Gap, Gap),
            // A range turned round is never applied.
            (105, 101, Gap, Gap, Gap, Gap),
        ] {
            let fits = |rule, after_snapshot| fit(rule, 100, after_snapshot, first_seq, last_seq);
            let found = [
                fits(Overlapping, false),
                fits(Contiguous, true),
                fits(Contiguous, false),
                fits(Strict, true),
            ];
            assert_eq!(found, [overlapping, joining, contiguous, strict], "{first_seq}..={last_seq}");
        }
        assert_eq!(fit(Overlapping, u64::MAX, false, 1, u64::MAX), Old);
    }
}
