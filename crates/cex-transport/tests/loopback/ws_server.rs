//! A WebSocket server made of the library's own server half, and a raw one for what no library would do.

use fastwebsockets::{Frame, OpCode, Payload, WebSocket, upgrade};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::future::Future;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// A client's connection, seen from the server.
pub(crate) type ServerSocket = WebSocket<TokioIo<Upgraded>>;

/// A running server; stops, and cuts its connections, when dropped.
pub(crate) struct WsServer {
    pub(crate) url: String,
    /// Path and query of every connection so far.
    pub(crate) paths: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for WsServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl WsServer {
    /// Serves each connection, numbered from zero, with `handler`; the connection ends when that returns.
    pub(crate) async fn start<F>(handler: impl Fn(usize, ServerSocket) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("ws://{}/ws", listener.local_addr().expect("bound"));
        let paths = Arc::<Mutex<Vec<String>>>::default();
        let (handler, log) = (Arc::new(handler), Arc::clone(&paths));
        let task = tokio::spawn(async move {
            let mut serving = JoinSet::new();
            let mut number = 0;
            while let Ok((stream, _)) = listener.accept().await {
                let (handler, log, this) = (Arc::clone(&handler), Arc::clone(&log), number);
                number += 1;
                serving.spawn(serve(stream, log, move |socket| handler(this, socket)));
            }
        });
        Self { url, paths, task }
    }
}

/// Serves one connection: the upgrade, then `handler`.
pub(crate) async fn serve<S, F>(
    stream: S,
    paths: Arc<Mutex<Vec<String>>>,
    handler: impl FnOnce(ServerSocket) -> F,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Future<Output = ()>,
{
    let (hand_over, upgraded) = tokio::sync::oneshot::channel();
    let hand_over = Mutex::new(Some(hand_over));
    let service = service_fn(|mut request| {
        paths.lock().expect("paths").push(path(&request));
        let (answer, future) = upgrade::upgrade(&mut request).expect("an upgrade");
        if let Some(hand_over) = hand_over.lock().expect("once").take() {
            // The receiver waits below.
            let _ = hand_over.send(future);
        }
        async move { Ok::<_, Infallible>(answer) }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades();
    let talk = async {
        if let Ok(future) = upgraded.await
            && let Ok(socket) = future.await
        {
            handler(socket).await;
        }
    };
    let (_connection, ()) = tokio::join!(connection, talk);
}

fn path(request: &http::Request<hyper::body::Incoming>) -> String {
    request.uri().path_and_query().map(ToString::to_string).unwrap_or_default()
}

pub(crate) async fn send_binary(socket: &mut ServerSocket, bytes: &[u8]) {
    // A client that has gone is noticed by the next read.
    let _ = socket.write_frame(Frame::binary(Payload::Borrowed(bytes))).await;
}

/// The next text of the client; `None` when it has gone.
pub(crate) async fn next_text(socket: &mut ServerSocket) -> Option<String> {
    loop {
        let frame = socket.read_frame().await.ok()?;
        match frame.opcode {
            OpCode::Text => return Some(String::from_utf8(frame.payload.to_vec()).expect("text")),
            OpCode::Close => return None,
            OpCode::Continuation | OpCode::Binary | OpCode::Ping | OpCode::Pong => {}
        }
    }
}

/// Answers one upgrade request on a raw connection with `answer(accept)` and gives the connection back.
pub(crate) async fn answer_raw(listener: &TcpListener, answer: impl Fn(&str) -> Vec<u8>) -> TcpStream {
    let (mut stream, _) = listener.accept().await.expect("a client");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a request"));
    }
    let head = String::from_utf8(head).expect("plain");
    let key = head.lines().find_map(|line| line.strip_prefix("sec-websocket-key: ")).expect("a key");
    assert!(!head.to_ascii_lowercase().contains("sec-websocket-extensions"), "nothing is offered");
    stream.write_all(&answer(&accept(key))).await.expect("the client reads");
    stream
}

fn accept(key: &str) -> String {
    let mut request = http::Request::new(());
    for (name, value) in [("sec-websocket-key", key), ("sec-websocket-version", "13")] {
        request.headers_mut().insert(name, value.parse().expect("a value"));
    }
    let (answer, _) = upgrade::upgrade(&mut request).expect("an upgrade");
    answer.headers()["sec-websocket-accept"].to_str().expect("plain").to_owned()
}

/// A correct answer to an upgrade.
pub(crate) fn switching(accept: &str) -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-accept: {accept}\r\n"
    )
}
