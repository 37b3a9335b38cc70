//! Addresses: what may be connected to, decided before anything is.

use http::Uri;
use std::fmt;
use std::net::IpAddr;

/// A checked address: TLS anywhere, plain text to this machine only.
///
/// `Display` and `Debug` show scheme, host and port: the path and query of a stream's address may hold a key.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    secure: bool,
    host: String,
    port: u16,
    target: String,
}

/// Why an address is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AddressError(pub &'static str);

impl Endpoint {
    /// Reads `https://`, `wss://`, and for loopback hosts `http://` and `ws://` addresses.
    ///
    /// # Errors
    /// An address that cannot be read, of another scheme, with a user name in it, or plain text to another machine.
    pub fn parse(url: &str) -> Result<Self, AddressError> {
        let uri: Uri = url.parse().map_err(|_| AddressError("not an address"))?;
        let secure = match uri.scheme_str() {
            Some("https" | "wss") => true,
            Some("http" | "ws") => false,
            Some(_) | None => return Err(AddressError("not an http, https, ws or wss address")),
        };
        let authority = uri.authority().ok_or(AddressError("an address without a host"))?;
        if authority.as_str().contains('@') {
            return Err(AddressError("an address with a user name"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        if host.is_empty() {
            return Err(AddressError("an address without a host"));
        }
        if !secure && !is_loopback(&host) {
            return Err(AddressError("plain text to another machine; use https or wss"));
        }
        let port = authority.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let target = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        Ok(Self { secure, host, port, target: target.to_owned() })
    }

    /// Whether TLS is used.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// The port, the scheme's own where none is named.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Path and query.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Value of the `Host` header: the port is named only when it is not the scheme's own.
    #[must_use]
    pub fn host_header(&self) -> String {
        let standard = if self.secure { 443 } else { 80 };
        if self.port == standard {
            self.bracketed().into_owned()
        } else {
            format!("{}:{}", self.bracketed(), self.port)
        }
    }

    /// Scheme, host and port as people write them: no path and no query, which may hold a key.
    #[must_use]
    pub fn origin(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}", self.host_header())
    }

    /// What to connect to. Plain `localhost` becomes its number, so that no resolver can send plain text elsewhere.
    pub(crate) fn connect_uri(&self) -> Result<Uri, http::Error> {
        let host =
            if !self.secure && self.host == "localhost" { "127.0.0.1".into() } else { self.bracketed() };
        Uri::builder()
            .scheme(if self.secure { "https" } else { "http" })
            .authority(format!("{host}:{}", self.port))
            .path_and_query("/")
            .build()
    }

    fn bracketed(&self) -> std::borrow::Cow<'_, str> {
        if self.host.contains(':') { format!("[{}]", self.host).into() } else { self.host.as_str().into() }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lock = if self.secure { "tls" } else { "plain" };
        write!(f, "{lock} {}:{}", self.bracketed(), self.port)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_anywhere_and_plain_text_to_this_machine_only() {
        for (url, host, target) in [
            ("https://api.example.com", "api.example.com", "/"),
            ("wss://ws.example.com/ws/v4/", "ws.example.com", "/ws/v4/"),
            ("wss://ws.example.com:8443/ws?listenKey=abc", "ws.example.com:8443", "/ws?listenKey=abc"),
            ("http://127.0.0.1:7801", "127.0.0.1:7801", "/"),
            ("http://127.8.9.1:80/x", "127.8.9.1", "/x"),
            ("ws://localhost:9/ws", "localhost:9", "/ws"),
            ("ws://LOCALHOST:9/ws", "localhost:9", "/ws"),
            ("ws://[::1]:9/ws", "[::1]:9", "/ws"),
        ] {
            let endpoint = Endpoint::parse(url).unwrap_or_else(|why| panic!("{url}: {why}"));
            assert_eq!((endpoint.host_header().as_str(), endpoint.target()), (host, target), "{url}");
        }
    }

    #[test]
    fn refuses_everything_else() {
        for url in [
            "http://api.example.com",
            "ws://192.168.0.1/ws",
            "ws://127.0.0.1.example.com/ws",
            "ws://localhost.example.com/",
            "http://0.0.0.0:1",
            "http://[::2]:1",
            "http://2130706433/",
            "ftp://127.0.0.1",
            "http://user:word@127.0.0.1/",
            "https://",
            "127.0.0.1:80",
            "",
        ] {
            assert!(Endpoint::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn an_origin_holds_nothing_of_path_and_query() {
        let origin = |url: &str| Endpoint::parse(url).expect(url).origin();
        assert_eq!(origin("wss://a.example/ws?listenKey=secret"), "https://a.example");
        assert_eq!(origin("http://127.0.0.1:7801/x"), "http://127.0.0.1:7801");
    }

    #[test]
    fn plain_localhost_is_never_resolved() {
        let endpoint = Endpoint::parse("ws://localhost:7801/ws").expect("loopback");
        assert_eq!(endpoint.connect_uri().expect("an address").to_string(), "http://127.0.0.1:7801/");
        let secure = Endpoint::parse("wss://localhost:7801/ws").expect("secure");
        assert_eq!(secure.connect_uri().expect("an address").host(), Some("localhost"));
    }

    #[test]
    fn never_shows_the_query() {
        let endpoint = Endpoint::parse("wss://ws.example.com/ws?listenKey=canary").expect("secure");
        assert_eq!(format!("{endpoint} {endpoint:?}"), "tls ws.example.com:443 tls ws.example.com:443");
    }
}
