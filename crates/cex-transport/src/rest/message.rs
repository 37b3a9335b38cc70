//! Between the adapter's words for HTTP and the library's.

use bytes::Bytes;
use cex_interface::{HttpRequest, Method};
use http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_LENGTH, HOST, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};
use http_body_util::Full;

/// Builds the request that goes out.
///
/// # Errors
/// What in it cannot be written, in words for the adapter's author.
pub(super) fn outgoing(
    mut request: HttpRequest,
    host: &HeaderValue,
) -> Result<Request<Full<Bytes>>, &'static str> {
    let body = std::mem::take(&mut request.body);
    let mut out = Request::new(Full::new(Bytes::new()));
    *out.method_mut() = method(request.method);
    *out.uri_mut() = Uri::try_from(request.target.as_str()).map_err(|_| "a path that cannot be written")?;
    let headers = out.headers_mut();
    headers.insert(HOST, host.clone());
    headers.insert(USER_AGENT, HeaderValue::from_static(crate::USER_AGENT));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    if body.is_empty() && may_carry_body(request.method) {
        // Some gateways answer 411 to such a request without it, and the library adds it to no empty body.
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    for (name, value) in request.headers.iter() {
        let name =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| "a header name that cannot be written")?;
        let mut value = HeaderValue::from_str(value).map_err(|_| "a header value that cannot be written")?;
        // Keys and signatures travel in headers; a sensitive value shows itself in no debug output.
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    *out.body_mut() = Full::new(Bytes::from(body));
    Ok(out)
}

/// Name and value of every header, as the adapter sees them.
pub(super) fn header_list(headers: &HeaderMap) -> Vec<(&str, &[u8])> {
    headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect()
}

/// Whether a body came compressed although that was never offered: it would decode to something else, or to too much.
pub(super) fn is_compressed(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_ENCODING).is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
}

const fn may_carry_body(method: Method) -> bool {
    match method {
        Method::Post | Method::Put | Method::Patch => true,
        Method::Get | Method::Delete => false,
    }
}

const fn method(method: Method) -> http::Method {
    match method {
        Method::Get => http::Method::GET,
        Method::Post => http::Method::POST,
        Method::Put => http::Method::PUT,
        Method::Patch => http::Method::PATCH,
        Method::Delete => http::Method::DELETE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(request: HttpRequest) -> Result<Request<Full<Bytes>>, &'static str> {
        outgoing(request, &HeaderValue::from_static("example.com"))
    }

    #[test]
    fn requests_are_written_as_the_adapter_says_and_keys_are_never_shown() {
        let mut request =
            HttpRequest { method: Method::Post, target: "/a?b=c%2Cd".to_owned(), ..Default::default() };
        request.header("x-key", "canary");
        let out = built(request).expect("plain");
        assert_eq!((out.method().as_str(), out.uri().to_string().as_str()), ("POST", "/a?b=c%2Cd"));
        assert_eq!(out.headers()[CONTENT_LENGTH], "0");
        assert_eq!(out.headers()["x-key"], "canary");
        assert!(!format!("{:?}", out.headers()).contains("canary"));
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        let with_target = |target: &str| HttpRequest { target: target.to_owned(), ..Default::default() };
        assert!(built(with_target("/a b")).is_err());
        assert!(built(with_target("")).is_err());
        let mut request = with_target("/");
        request.header("x-key", "a\r\nb: c");
        assert!(built(request).is_err());
    }
}
