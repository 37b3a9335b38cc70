//! The HTTP upgrade: asks, checks the answer, and takes the raw stream back.
//!
//! hyper carries the exchange; the key and the answer expected to it are the WebSocket library's. Its ready-made client
//! handshake is not used: it does not check the answer to the key, hides the `Retry-After` of a refusal, and prints to
//! the terminal. Everything is polled by the caller, so a handshake that is dropped leaves no task behind.

use super::conn::WsConn;
use super::reader::WsLimits;
use bytes::Bytes;
use fastwebsockets::{handshake::generate_key, upgrade};
use http::header::{
    CONNECTION, HOST, RETRY_AFTER, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE, USER_AGENT,
};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// What a server asks to wait counts as this at least ...
const LEAST_WAIT: Duration = Duration::from_secs(1);
/// ... and as this at most: the longest ban that an exchange documents (MEXC-LIMIT-03).
const LONGEST_WAIT: Duration = Duration::from_secs(3 * 24 * 3_600);

/// Why there is no WebSocket.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Http(#[from] hyper::Error),
    /// The request cannot be written.
    #[error("the request cannot be written: {0}")]
    Request(#[from] http::Error),
    /// The server answered with another status.
    #[error("the server answered {status}")]
    Refused {
        /// Status of the answer.
        status: StatusCode,
        /// How long the server asks to wait, if it says.
        retry_after: Option<Duration>,
    },
    /// The server's answer is not an upgrade to what was asked for.
    #[error("{0}")]
    NotAnUpgrade(&'static str),
}

/// Makes a WebSocket of a connected stream. No extension is offered, so frames arrive uncompressed.
///
/// # Errors
/// Anything but a correct upgrade.
pub async fn handshake<S>(
    stream: S,
    host: &str,
    target: &str,
    limits: WsLimits,
) -> Result<WsConn<S>, HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let key = generate_key();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let mut connection = pin!(connection.with_upgrades());
    let mut connection_done = false;
    let request = upgrade_request(host, target, &key)?;
    let exchange = async move {
        let mut response = sender.send_request(request).await?;
        check(&response, &key)?;
        Ok::<_, HandshakeError>(hyper::upgrade::on(&mut response).await?)
    };
    let mut exchange = pin!(exchange);
    let upgraded = poll_fn(|cx| {
        if let Poll::Ready(done) = exchange.as_mut().poll(cx) {
            return Poll::Ready(done);
        }
        if !connection_done {
            // Its error, if any, reaches the exchange too; polling that again finds it.
            connection_done = connection.as_mut().poll(cx).is_ready();
        }
        exchange.as_mut().poll(cx)
    })
    .await?;
    let parts = upgraded
        .downcast::<TokioIo<S>>()
        .map_err(|_| HandshakeError::NotAnUpgrade("the upgraded stream is not the one connected"))?;
    Ok(WsConn::new(parts.io.into_inner(), limits, &parts.read_buf))
}

fn upgrade_request(host: &str, target: &str, key: &str) -> Result<Request<Empty<Bytes>>, http::Error> {
    Request::get(target)
        .header(HOST, host)
        .header(UPGRADE, "websocket")
        .header(CONNECTION, "Upgrade")
        .header(SEC_WEBSOCKET_KEY, key)
        .header(SEC_WEBSOCKET_VERSION, "13")
        .header(USER_AGENT, crate::USER_AGENT)
        .body(Empty::new())
}

fn check(response: &Response<Incoming>, key: &str) -> Result<(), HandshakeError> {
    let headers = response.headers();
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(HandshakeError::Refused { status: response.status(), retry_after: retry_after(headers) });
    }
    if !has_token(headers, UPGRADE, "websocket") || !has_token(headers, CONNECTION, "upgrade") {
        return Err(HandshakeError::NotAnUpgrade("the answer does not upgrade to WebSocket"));
    }
    let expected = accept_for(key).ok_or(HandshakeError::NotAnUpgrade("the key has no answer"))?;
    if headers.get(SEC_WEBSOCKET_ACCEPT) != Some(&expected) {
        return Err(HandshakeError::NotAnUpgrade("the answer to the key is wrong"));
    }
    if headers.contains_key(SEC_WEBSOCKET_EXTENSIONS) || headers.contains_key(SEC_WEBSOCKET_PROTOCOL) {
        return Err(HandshakeError::NotAnUpgrade("the server chose what was not offered"));
    }
    Ok(())
}

/// What a server must answer to `key`: the library's own server half says.
fn accept_for(key: &str) -> Option<http::HeaderValue> {
    let mut request = Request::new(());
    request.headers_mut().insert(SEC_WEBSOCKET_KEY, key.parse().ok()?);
    request.headers_mut().insert(SEC_WEBSOCKET_VERSION, http::HeaderValue::from_static("13"));
    let (mut response, _) = upgrade::upgrade(&mut request).ok()?;
    response.headers_mut().remove(SEC_WEBSOCKET_ACCEPT)
}

/// What the server asks to wait: never nothing, and not for ever because of a time where seconds were meant.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).clamp(LEAST_WAIT, LONGEST_WAIT))
}

fn has_token(headers: &HeaderMap, name: http::HeaderName, token: &str) -> bool {
    let mut values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.any(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(token)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_the_key_is_the_standards() {
        // RFC 6455 §1.3.
        let accept = accept_for("dGhlIHNhbXBsZSBub25jZQ==").expect("a key");
        assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn a_wait_is_believed_within_bounds() {
        for (said, expected) in [
            ("1700000000", Some(LONGEST_WAIT)),
            ("0", Some(LEAST_WAIT)),
            (" 90 ", Some(Duration::from_secs(90))),
            ("-1", None),
            ("soon", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, said.parse().expect("a value"));
            assert_eq!(retry_after(&headers), expected, "{said}");
        }
    }

    #[test]
    fn tokens_are_found_in_lists_and_any_case() {
        let mut headers = HeaderMap::new();
        headers.insert(CONNECTION, "keep-alive, Upgrade".parse().expect("a value"));
        assert!(has_token(&headers, CONNECTION, "upgrade"));
        assert!(!has_token(&headers, CONNECTION, "close"));
    }
}
