//! HTTP as an adapter sees it: what to send, what came back.

use std::fmt;

/// HTTP methods the exchanges use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Method {
    /// GET
    #[default]
    Get,
    /// POST
    Post,
    /// PUT
    Put,
    /// PATCH
    Patch,
    /// DELETE
    Delete,
}

impl Method {
    /// Upper-case name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// A request ready for the wire, built into buffers that are reused from call to call.
///
/// `Debug` shows method and path only: headers and query carry keys and signatures.
#[derive(Default)]
pub struct HttpRequest {
    /// Method.
    pub method: Method,
    /// Path and query, percent-encoded, beginning with `/`; the host is the transport's business.
    pub target: String,
    /// Beyond what every request carries.
    pub headers: Headers,
    /// Body; empty for none.
    pub body: Vec<u8>,
}

/// Header names (lower case) and values, in the order they are sent. All values share one buffer, so that a request which
/// is built anew takes no memory anew.
#[derive(Default)]
pub struct Headers {
    values: String,
    /// Each name, and where its value ends.
    ends: Vec<(&'static str, usize)>,
}

impl HttpRequest {
    /// Empties everything, keeping the buffers.
    pub fn clear(&mut self) {
        self.method = Method::Get;
        self.target.clear();
        self.headers.clear();
        self.body.clear();
    }

    /// Adds a header.
    pub fn header(&mut self, name: &'static str, value: &str) {
        self.headers.push(name, value);
    }
}

impl Headers {
    /// Adds one.
    pub fn push(&mut self, name: &'static str, value: &str) {
        self.values.push_str(value);
        self.ends.push((name, self.values.len()));
    }

    /// Empties it, keeping the buffers.
    pub fn clear(&mut self) {
        self.values.clear();
        self.ends.clear();
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let mut begin = 0;
        self.ends.iter().map(move |(name, end)| {
            let value = self.values.get(begin..*end).unwrap_or_default();
            begin = *end;
            (*name, value)
        })
    }

    /// All values in one piece, one after the other.
    #[must_use]
    pub fn values(&self) -> &str {
        &self.values
    }

    /// The value of one; `None` when absent.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.iter().find_map(|(known, value)| (known == name).then_some(value))
    }
}

/// Shows names only: values carry keys and signatures.
impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ends.iter().map(|(name, _)| name)).finish()
    }
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.target.split('?').next().unwrap_or_default();
        write!(f, "{} {path}", self.method.as_str())
    }
}

/// A response as it came.
#[derive(Debug, Clone, Copy)]
pub struct HttpResponse<'a> {
    /// Status code.
    pub status: u16,
    /// Header names (lower case) and values.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// Whole body.
    pub body: &'a [u8],
}

impl<'a> HttpResponse<'a> {
    /// The value of a header, by its lower-case name; `None` when absent or not text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let (_, value) = self.headers.iter().find(|(known, _)| *known == name)?;
        std::str::from_utf8(value).ok()
    }

    /// Whether the status is 2xx.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_keep_their_order_and_their_buffer() {
        let mut request = HttpRequest::default();
        for round in ["one", "two"] {
            request.clear();
            request.header("key", round);
            request.header("empty", "");
            request.header("sign", "canary");
            assert_eq!(
                request.headers.iter().collect::<Vec<_>>(),
                [("key", round), ("empty", ""), ("sign", "canary")]
            );
        }
        assert_eq!((request.headers.value("empty"), request.headers.value("other")), (Some(""), None));
        assert_eq!(format!("{:?}", request.headers), "[\"key\", \"empty\", \"sign\"]");
    }
}
