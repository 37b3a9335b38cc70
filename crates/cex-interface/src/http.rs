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
    /// Header names (lower case) and values, beyond what every request carries.
    pub headers: Vec<(&'static str, String)>,
    /// Body; empty for none.
    pub body: Vec<u8>,
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
    pub fn header(&mut self, name: &'static str, value: impl Into<String>) {
        self.headers.push((name, value.into()));
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
