//! The control interface: HTTP and JSON on a port of its own, for anybody on this machine. Described in
//! `docs/simulator.md`.
//!
//! | module | what |
//! |---|---|
//! | `route` | what can be asked, and who answers |
//! | `show` | faults, books and ledgers as JSON |

mod route;
mod show;

use super::error::SimError;
use super::host::Shared;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue, ORIGIN};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use tokio::net::{TcpListener, TcpStream};

/// The largest request body.
const MOST_BODY_BYTES: usize = 1 << 20;

/// Listens on loopback. Answers the listener and the base of all paths.
pub(super) async fn bind(port: u16) -> Result<(TcpListener, String), SimError> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let failed = |source| SimError::ListenControl { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let port = listener.local_addr().map_err(failed)?.port();
    Ok((listener, format!("http://127.0.0.1:{port}{}", route::PREFIX)))
}

/// Accepts connections for ever.
pub(super) async fn accept(host: Shared, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::task::spawn_local(serve(Rc::clone(&host), stream));
            }
            Err(error) => {
                tracing::warn!(%error, "the control interface could not accept a connection");
            }
        }
    }
}

async fn serve(host: Shared, stream: TcpStream) {
    let service = service_fn(|request| answer(&host, request));
    if let Err(error) = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a connection to the control interface ended");
    }
}

async fn answer(host: &Shared, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    if !is_from_here(&request) {
        return Ok(response(403, &show::error("only programs on this machine may control the simulator")));
    }
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, MOST_BODY_BYTES).collect().await else {
        return Ok(response(413, &show::error("the body is too large: 1 MiB at most")));
    };
    let (method, path) = (head.method.as_str(), head.uri.path());
    let query = head.uri.query().unwrap_or_default();
    let answer = route::answer(&mut host.borrow_mut(), method, path, query, &body.to_bytes());
    Ok(match answer {
        Ok(body) => response(200, &body),
        Err(refusal) => response(refusal.status, &show::error(&refusal.message)),
    })
}

/// A web page must not reach the interface through its reader's browser: by another name of this machine, or from
/// another origin.
fn is_from_here(request: &Request<Incoming>) -> bool {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    matches!(name, "127.0.0.1" | "localhost") && !request.headers().contains_key(ORIGIN)
}

fn response(status: u16, body: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(format!("{body}\n"))));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
