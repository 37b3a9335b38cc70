//! The error every exchange call returns.

use crate::kind::{ErrorKind, Outcome, Retry};
use crate::op::Op;
use cex_core::{Text, VenueId};
use std::fmt;

/// The exchange's own code or label, untouched: `30004`, `BALANCE_NOT_ENOUGH`.
pub type ApiCode = Text<47>;

/// What failed, where, and what the exchange said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeError {
    /// Venue the call was for.
    pub venue: VenueId,
    /// Call that failed.
    pub op: Op,
    /// What went wrong, in our own terms.
    pub kind: ErrorKind,
    /// The exchange's own code, if it sent one. Boxed, so that a `Result` stays small.
    pub api_code: Option<Box<ApiCode>>,
    /// The exchange's own words, or where a connection was to go and why there is none; for people only: no code may look at
    /// them.
    pub message: Option<Box<str>>,
}

impl ExchangeError {
    /// An error without a code of the exchange.
    #[must_use]
    pub const fn new(venue: VenueId, op: Op, kind: ErrorKind) -> Self {
        Self { venue, op, kind, api_code: None, message: None }
    }

    /// With the exchange's own code (cut to what fits) and words.
    #[must_use]
    pub fn with_code(mut self, code: &str, message: &str) -> Self {
        const LONGEST_MESSAGE: usize = 300;
        let cut = |text: &str, most: usize| text.chars().take(most).collect::<String>();
        self.api_code = ApiCode::new(code).or_else(|_| ApiCode::new(&cut(code, 11))).ok().map(Box::new);
        self.message = (!message.is_empty()).then(|| cut(message, LONGEST_MESSAGE).into_boxed_str());
        self
    }

    /// When the same call may be made again.
    #[must_use]
    pub fn retry(&self) -> Retry {
        self.kind.retry(self.op)
    }

    /// Whether the exchange acted on the call.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        self.kind.outcome()
    }
}

impl fmt::Display for ExchangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.venue, self.op, self.kind)?;
        match (&self.api_code, &self.message) {
            (Some(code), Some(message)) => write!(f, " ({}: {})", Plain(code.as_str()), Plain(message)),
            (Some(code), None) => write!(f, " ({})", Plain(code.as_str())),
            (None, Some(message)) => write!(f, " ({})", Plain(message)),
            (None, None) => Ok(()),
        }
    }
}

impl std::error::Error for ExchangeError {}

/// Words of somebody else as one line of a log or terminal can show them: what would steer it, begin a line, or turn the
/// direction of writing, is spelt out.
#[derive(Debug, Clone, Copy)]
pub struct Plain<'a>(pub &'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let turns = |char: char| matches!(char, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        self.0.chars().try_for_each(|char| {
            if char.is_control() || turns(char) {
                write!(f, "{}", char.escape_default())
            } else {
                write!(f, "{char}")
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Phase;
    use std::time::Duration;

    fn error(op: Op, kind: ErrorKind) -> ExchangeError {
        ExchangeError::new(VenueId::new(0, "mexc").expect("short"), op, kind)
    }

    #[test]
    fn a_placement_is_never_repeated_while_unknown() {
        for kind in [
            ErrorKind::Timeout(Phase::AfterSend),
            ErrorKind::Connection(Phase::AfterSend),
            ErrorKind::ServerBusy,
            ErrorKind::Undecodable("html"),
            ErrorKind::Unmapped,
            ErrorKind::DuplicateClientId,
        ] {
            let placed = error(Op::PlaceOrder, kind.clone());
            assert_eq!((placed.outcome(), placed.retry()), (Outcome::Unknown, Retry::Never), "{kind:?}");
        }
        let read = error(Op::QueryOrder, ErrorKind::Timeout(Phase::AfterSend));
        assert!(matches!(read.retry(), Retry::After(_)));
        let unsent = error(Op::PlaceOrder, ErrorKind::Connection(Phase::BeforeSend));
        assert_eq!(unsent.outcome(), Outcome::NotSent);
    }

    #[test]
    fn a_rate_limit_is_obeyed_and_means_not_executed() {
        let wait = Duration::from_secs(7);
        let limited = error(Op::PlaceOrder, ErrorKind::RateLimited { retry_after: Some(wait) });
        assert_eq!((limited.outcome(), limited.retry()), (Outcome::Refused, Retry::After(wait)));
    }

    /// X7: what an exchange says is shown and not obeyed.
    #[test]
    fn words_of_an_exchange_cannot_forge_a_line_or_steer_a_terminal() {
        let hostile = "no\r\n2026-11-28 INFO all is well\u{1b}[2J\u{9b}31m\u{202e}lla\u{2028}x\u{0}\u{7f}";
        let shown = error(Op::PlaceOrder, ErrorKind::Unmapped).with_code("1\n2\u{1b}", hostile).to_string();
        assert!(
            !shown.chars().any(|char| char.is_control() || "\u{202e}\u{2028}".contains(char)),
            "{shown:?}"
        );
        assert!(shown.contains(r"(1\n2\u{1b}: no\r\n2026-11-28 INFO all is well\u{1b}[2J"), "{shown}");
        let words = "餘額不足 \"é\"";
        let plain = error(Op::PlaceOrder, ErrorKind::Unmapped).with_code("1", words).to_string();
        assert!(plain.contains(words), "what is writing stays: {plain}");
    }

    #[test]
    fn says_what_where_and_the_exchanges_words() {
        let refused =
            error(Op::PlaceOrder, ErrorKind::InsufficientBalance).with_code("30004", "Insufficient position");
        assert_eq!(
            refused.to_string(),
            "mexc place order: not enough balance (30004: Insufficient position)"
        );
        let long = error(Op::PlaceOrder, ErrorKind::Unmapped).with_code(&"x".repeat(200), "");
        assert_eq!(long.api_code.map(|code| code.as_str().len()), Some(11));
    }
}
