//! Calls as they pass, and what faults wait for.

/// When another answer than the exchange's is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The exchange never saw the call.
    Before,
    /// The exchange acted on the call.
    After,
}

/// A call as it passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Method, upper case.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// All headers as sent, without the request line.
    pub headers: String,
    /// Body.
    pub body: Vec<u8>,
}

impl Asked {
    /// Whether a text stands in the target, the headers or the body.
    #[must_use]
    pub fn contains(&self, text: &str) -> bool {
        self.target.contains(text) || self.headers.contains(text) || holds(&self.body, text.as_bytes())
    }
}

/// Which calls or messages are meant: of this method, and holding all these texts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Match {
    method: Option<&'static str>,
    texts: Vec<String>,
}

impl Match {
    /// All of them.
    #[must_use]
    pub fn any() -> Self {
        Self::default()
    }

    /// Those of this method.
    #[must_use]
    pub fn method(method: &'static str) -> Self {
        Self { method: Some(method), texts: Vec::new() }
    }

    /// Those holding this text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self { method: None, texts: vec![text.into()] }
    }

    /// And this text.
    #[must_use]
    pub fn and(mut self, text: impl Into<String>) -> Self {
        self.texts.push(text.into());
        self
    }

    pub(super) fn fits_call(&self, asked: &Asked) -> bool {
        self.method.is_none_or(|method| method == asked.method)
            && self
                .texts
                .iter()
                .all(|text| asked.target.contains(text) || holds(&asked.body, text.as_bytes()))
    }

    pub(super) fn fits_bytes(&self, payload: &[u8]) -> bool {
        self.texts.iter().all(|text| holds(payload, text.as_bytes()))
    }
}

fn holds(bytes: &[u8], text: &[u8]) -> bool {
    text.is_empty() || bytes.windows(text.len()).any(|window| window == text)
}
