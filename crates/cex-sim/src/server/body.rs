//! Bodies of answers, which may end before they promised to.

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};

/// The connection ends in the middle of a body.
#[derive(Debug, thiserror::Error)]
#[error("cut short on request")]
pub(super) struct CutShort;

/// How a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum End {
    /// As promised.
    #[default]
    Whole,
    /// Early, once what is there has been written.
    CutSoon,
    /// Early, now.
    CutNow,
}

/// The body of an answer.
#[derive(Debug, Default)]
pub(super) struct Content {
    bytes: Option<Bytes>,
    /// What is promised and never comes.
    missing: u64,
    end: End,
}

impl Content {
    /// A whole body.
    pub(super) fn new(bytes: Bytes) -> Self {
        Self { bytes: Some(bytes).filter(|bytes| !bytes.is_empty()), ..Self::default() }
    }

    /// The same promise, and after so many bytes the connection ends.
    pub(super) fn cut_after(self, at: usize) -> Self {
        let whole = self.bytes.unwrap_or_default();
        let kept = whole.slice(..at.min(whole.len()));
        // A body that is cut behind its end would be whole: one byte more is promised.
        let missing = (whole.len() - kept.len()).max(1) as u64;
        Self { missing, end: End::CutSoon, ..Self::new(kept) }
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = CutShort;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutShort>>> {
        if let Some(bytes) = self.bytes.take() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        match self.end {
            End::Whole => Poll::Ready(None),
            End::CutSoon => {
                // What is there goes out first: the server flushes while it waits for more.
                self.end = End::CutNow;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            End::CutNow => Poll::Ready(Some(Err(CutShort))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none() && self.end == End::Whole
    }

    fn size_hint(&self) -> SizeHint {
        let length = self.bytes.as_ref().map_or(0, Bytes::len) as u64;
        SizeHint::with_exact(length + self.missing)
    }
}
