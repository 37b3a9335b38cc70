//! Accepting connections and serving HTTP on them, until one becomes a WebSocket.

use super::body::Content;
use super::config::SimExchange;
use super::error::SimError;
use super::host::{Opened, Shared};
use super::line::{Line, Plug, Wire};
use super::socket;
use crate::dialect::{ConnId, HttpAnswer, HttpCall};
use crate::fault::{Canned, Moment, RestEffect};
use bytes::Bytes;
use fastwebsockets::upgrade::{UpgradeFut, is_upgrade_request, upgrade};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::rc::Rc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_rustls::TlsAcceptor;

/// The largest request body.
const MOST_BODY_BYTES: usize = 1 << 20;

/// The most connections of an exchange at a time; beyond, new ones are closed at once.
const MOST_CONNECTIONS: usize = 1_024;

/// Shuts the door or opens it again; the answer comes when it is done.
pub(super) struct Door {
    /// Whether connections are accepted from now on.
    pub(super) is_open: bool,
    /// Told when it is done.
    pub(super) done: oneshot::Sender<Result<(), SimError>>,
}

/// Listens on loopback.
pub(super) async fn bind(exchange: SimExchange, port: u16) -> Result<TcpListener, SimError> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpListener::bind(address).await.map_err(|source| SimError::Listen { exchange, address, source })
}

/// Accepts connections for ever. While the door is shut nobody listens, so clients are refused.
pub(super) async fn accept(
    host: Shared,
    exchange: SimExchange,
    port: u16,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    mut doors: mpsc::UnboundedReceiver<Door>,
) {
    let mut listener = Some(listener);
    loop {
        let arrival = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            door = doors.recv() => {
                let Some(door) = door else { return };
                let moved = swing(exchange, port, door.is_open, &mut listener).await;
                // Whoever asked may have stopped waiting.
                let _ = door.done.send(moved);
            }
            arrived = arrival => match arrived {
                Ok((stream, peer)) => {
                    // Fails only on a socket that is gone already; serving it will tell.
                    let _ = stream.set_nodelay(true);
                    start(&host, exchange, stream, peer.ip(), tls.clone());
                }
                Err(error) => tracing::warn!(%exchange, %error, "a connection could not be accepted"),
            },
        }
    }
}

async fn swing(
    exchange: SimExchange,
    port: u16,
    is_open: bool,
    listener: &mut Option<TcpListener>,
) -> Result<(), SimError> {
    if !is_open {
        *listener = None;
    } else if listener.is_none() {
        *listener = Some(bind(exchange, port).await?);
    }
    Ok(())
}

/// Serves a connection in a task of its own.
pub(super) fn start(
    host: &Shared,
    exchange: SimExchange,
    stream: impl Wire,
    peer: IpAddr,
    tls: Option<TlsAcceptor>,
) {
    if host.borrow().connection_count(exchange) >= MOST_CONNECTIONS {
        tracing::warn!(%exchange, "too many connections");
        return;
    }
    let pieces = host.borrow().pieces(exchange);
    let (line, is_cut) = Line::new(stream, pieces);
    let conn = host.borrow_mut().next_connection();
    let client = Client { host: Rc::clone(host), exchange, conn, peer, hang_up: Notify::new() };
    let task = tokio::task::spawn_local(client.meet(line, tls));
    host.borrow_mut().connected(exchange, conn, Plug::new(is_cut, task.abort_handle()));
}

/// A connection being served; tells the host when it ends, however it ends.
struct Client {
    host: Shared,
    exchange: SimExchange,
    conn: ConnId,
    peer: IpAddr,
    /// Ends the connection after the answer at hand.
    hang_up: Notify,
}

/// Ends a connection instead of answering.
#[derive(Debug, thiserror::Error)]
#[error("closed on request")]
struct HungUp;

/// A WebSocket to be, once its handshake is answered.
type Upgrading = RefCell<Option<(UpgradeFut, Opened)>>;

impl Drop for Client {
    fn drop(&mut self) {
        self.host.borrow_mut().disconnected(self.exchange, self.conn);
    }
}

impl Client {
    /// Serves the line, after a handshake where there is TLS. A client that does not like what it is shown hangs up.
    async fn meet(self, line: Line<impl Wire>, tls: Option<TlsAcceptor>) {
        let Some(acceptor) = tls else { return self.serve(line).await };
        match acceptor.accept(line).await {
            Ok(stream) => self.serve(stream).await,
            Err(error) => tracing::debug!(exchange = %self.exchange, %error, "TLS handshake ended"),
        }
    }

    async fn serve(self, line: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let upgrading = Upgrading::default();
        let service = service_fn(|request| self.answer(request, &upgrading));
        let connection = http1::Builder::new().serve_connection(TokioIo::new(line), service).with_upgrades();
        let mut connection = pin!(connection);
        let served = loop {
            // The answer at hand is written before anybody hangs up.
            tokio::select! {
                biased;
                served = connection.as_mut() => break served,
                () = self.hang_up.notified() => connection.as_mut().graceful_shutdown(),
            }
        };
        let Some((upgrade, opened)) = upgrading.take() else {
            if let Err(error) = served {
                tracing::debug!(exchange = %self.exchange, %error, "connection ended");
            }
            return;
        };
        match upgrade.await {
            Ok(ws) => socket::run(&self.host, self.exchange, self.conn, ws, opened).await,
            Err(error) => tracing::debug!(exchange = %self.exchange, %error, "handshake ended"),
        }
    }

    async fn answer(
        &self,
        mut request: Request<Incoming>,
        upgrading: &Upgrading,
    ) -> Result<Response<Content>, HungUp> {
        if is_upgrade_request(&request) {
            return Ok(self.shake_hands(&mut request, upgrading));
        }
        let (method, path) = (request.method().as_str().to_owned(), request.uri().path().to_owned());
        if let Some(answer) = self.before(&method, &path).await? {
            return Ok(response(answer));
        }
        let (head, body) = request.into_parts();
        let Ok(body) = Limited::new(body, MOST_BODY_BYTES).collect().await else {
            return Ok(response(HttpAnswer::json(413, "{}")));
        };
        let headers: Vec<(String, String)> = head
            .headers
            .iter()
            .map(|(name, value)| {
                (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect();
        let call = HttpCall {
            method: head.method.as_str(),
            path: head.uri.path(),
            query: head.uri.query().unwrap_or_default(),
            headers: &headers,
            body: &body.to_bytes(),
            peer: self.peer,
        };
        let answer = self.host.borrow_mut().http(self.exchange, &call);
        self.after(&method, &path, answer).await
    }

    /// What happens before the exchange sees a call; the answer if it never does.
    async fn before(&self, method: &str, path: &str) -> Result<Option<HttpAnswer>, HungUp> {
        let effect = self.host.borrow_mut().rest_fault(self.exchange, Moment::Before, method, path);
        match effect {
            None => Ok(None),
            Some(effect) => self.suffer(effect).await,
        }
    }

    /// What happens to an answer before the client gets it.
    async fn after(&self, method: &str, path: &str, answer: HttpAnswer) -> Result<Response<Content>, HungUp> {
        let effect = self.host.borrow_mut().rest_fault(self.exchange, Moment::After, method, path);
        let mut answer = answer;
        match effect {
            None => {}
            Some(RestEffect::Truncate(at)) => answer.body.truncate(at),
            Some(RestEffect::CutBody(at)) => return Ok(response(answer).map(|content| content.cut_after(at))),
            Some(RestEffect::Gzip) => answer.headers.push(("content-encoding", "gzip".to_owned())),
            Some(RestEffect::HangUp) => self.hang_up.notify_one(),
            Some(effect) => answer = self.suffer(effect).await?.unwrap_or(answer),
        }
        Ok(response(answer))
    }

    /// Effects that are the same before and after; another answer if there is one.
    async fn suffer(&self, effect: RestEffect) -> Result<Option<HttpAnswer>, HungUp> {
        match effect {
            RestEffect::Close => Err(HungUp),
            RestEffect::Reset => {
                self.host.borrow_mut().cut(self.exchange, self.conn);
                std::future::pending().await
            }
            RestEffect::Stall => std::future::pending().await,
            RestEffect::Late(by) => {
                tokio::time::sleep(by).await;
                Ok(None)
            }
            RestEffect::Answer(canned) => Ok(Some(canned_answer(canned))),
            RestEffect::Truncate(_) | RestEffect::CutBody(_) | RestEffect::Gzip | RestEffect::HangUp => {
                Ok(None)
            }
        }
    }

    fn shake_hands(&self, request: &mut Request<Incoming>, upgrading: &Upgrading) -> Response<Content> {
        let Ok((accepted, upgrade)) = upgrade(&mut *request) else {
            return response(HttpAnswer::json(400, "{}"));
        };
        let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
        let opened = self.host.borrow_mut().open(self.exchange, self.conn, path, query);
        match opened {
            Ok(opened) => {
                upgrading.replace(Some((upgrade, opened)));
                accepted.map(|_| Content::default())
            }
            Err(refused) => response(refused),
        }
    }
}

/// An answer made in advance, as the host gives it.
pub(super) fn canned_answer(canned: Canned) -> HttpAnswer {
    let wait = canned.retry_after.map(|seconds| ("retry-after", seconds.to_string()));
    let headers = std::iter::once(("content-type", canned.content_type)).chain(wait).collect();
    HttpAnswer { status: canned.status, headers, body: canned.body }
}

fn response(answer: HttpAnswer) -> Response<Content> {
    let mut response = Response::new(Content::new(Bytes::from(answer.body)));
    *response.status_mut() =
        hyper::StatusCode::from_u16(answer.status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in answer.headers {
        match (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value)) {
            (Ok(name), Ok(value)) => {
                response.headers_mut().append(name, value);
            }
            (name, value) => tracing::error!(?name, ?value, "a dialect made a header that cannot be sent"),
        }
    }
    response
}
