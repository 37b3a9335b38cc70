//! Faults of calls: before the exchange sees them, or after it has acted on them.

use std::fmt;
use std::time::Duration;

/// A fault of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestFault {
    /// Upper-case method; empty for any.
    pub method: String,
    /// What the path begins with; empty for any.
    pub path: String,
    /// Whether the exchange acts on the call.
    pub moment: Moment,
    /// What happens to the call.
    pub effect: RestEffect,
}

/// Whether the exchange acts on a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// It never sees the call (O2). With [`RestEffect::Late`] it sees it late.
    Before,
    /// It acts on the call, and the answer is lost or changed (O1).
    After,
}

/// What happens to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestEffect {
    /// The connection is closed without an answer (T13, O1, O2).
    Close,
    /// The connection is reset without an answer (T1).
    Reset,
    /// No answer ever comes; the connection stays open (T2, T3, T4).
    Stall,
    /// The call arrives late (before), or its answer comes late (after), on a connection that stays open (T8, T14).
    Late(Duration),
    /// Another answer instead (H1, H2, H3, H9, H11, T15, O9).
    Answer(Canned),
    /// The body ends after so many bytes, and says so honestly (T15).
    Truncate(usize),
    /// The body ends after so many of the promised bytes, and the connection with it (T1, T13).
    CutBody(usize),
    /// The answer claims to be compressed and is not (T15).
    Gzip,
    /// The answer comes, and then the connection is closed although it was to be kept alive (T13).
    HangUp,
}

/// An answer made in advance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canned {
    /// Status code.
    pub status: u16,
    /// Seconds of `Retry-After`; `None` for no such header.
    pub retry_after: Option<u64>,
    /// Content type.
    pub content_type: String,
    /// Body.
    pub body: Vec<u8>,
}

impl Canned {
    /// A JSON answer.
    #[must_use]
    pub fn json(status: u16, body: &str) -> Self {
        let content_type = "application/json".to_owned();
        Self { status, retry_after: None, content_type, body: body.as_bytes().to_vec() }
    }

    /// What a gateway says in front of the exchange: a page for people (H2, H3).
    #[must_use]
    pub fn html(status: u16) -> Self {
        let body = format!(
            "<html>\r\n<head><title>{status}</title></head>\r\n<body>\r\n<center><h1>{status}</h1></center>\r\n\
             </body>\r\n</html>\r\n"
        );
        let content_type = "text/html; charset=utf-8".to_owned();
        Self { status, retry_after: None, content_type, body: body.into_bytes() }
    }

    /// Nothing but a status (T15).
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self { status, retry_after: None, content_type: "application/json".to_owned(), body: Vec::new() }
    }

    /// With a `Retry-After` header (H1).
    #[must_use]
    pub const fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

impl RestFault {
    /// Whether a call is meant.
    pub(super) fn matches(&self, moment: Moment, method: &str, path: &str) -> bool {
        self.moment == moment
            && (self.method.is_empty() || self.method == method)
            && path.starts_with(&self.path)
    }

    pub(super) fn problem(&self) -> Option<&'static str> {
        let needs_answer = matches!(
            self.effect,
            RestEffect::Truncate(_) | RestEffect::CutBody(_) | RestEffect::Gzip | RestEffect::HangUp
        );
        if needs_answer && self.moment == Moment::Before {
            return Some("there is no answer yet that could be changed; use the moment `after`");
        }
        if self.method.bytes().any(|byte| !byte.is_ascii_uppercase()) {
            return Some("methods are upper-case words such as POST; empty means any");
        }
        match &self.effect {
            RestEffect::Answer(canned) if !(200..600).contains(&canned.status) => {
                Some("a final status is 200 to 599")
            }
            RestEffect::Answer(canned)
                if canned.content_type.bytes().any(|byte| !(b' '..=b'~').contains(&byte)) =>
            {
                Some("a content type is one line of plain text")
            }
            RestEffect::Close
            | RestEffect::Reset
            | RestEffect::Stall
            | RestEffect::Late(_)
            | RestEffect::Answer(_)
            | RestEffect::Truncate(_)
            | RestEffect::CutBody(_)
            | RestEffect::Gzip
            | RestEffect::HangUp => None,
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Before => "before",
            Self::After => "after",
        })
    }
}

impl fmt::Display for RestFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let any = |text: &'static str, given| if given { "" } else { text };
        let (method, path) = (&self.method, &self.path);
        write!(f, "rest.{} {}{method} ", self.moment, any("any", !method.is_empty()))?;
        write!(f, "{path}{}: {}", any("any path", !path.is_empty()), self.effect)
    }
}

impl fmt::Display for RestEffect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Close => f.write_str("close"),
            Self::Reset => f.write_str("reset"),
            Self::Stall => f.write_str("stall"),
            Self::Late(by) => write!(f, "late by {} ms", by.as_millis()),
            Self::Answer(canned) => write!(f, "answer {} with {} bytes", canned.status, canned.body.len()),
            Self::Truncate(at) => write!(f, "truncate at {at} bytes"),
            Self::CutBody(at) => write!(f, "cut after {at} bytes"),
            Self::Gzip => f.write_str("claim gzip"),
            Self::HangUp => f.write_str("hang up after the answer"),
        }
    }
}
