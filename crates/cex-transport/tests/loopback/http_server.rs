//! An HTTP/1.1 server that does what a test tells it, and remembers what it was asked.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Which connection brought it, counted from zero.
    pub(crate) connection: usize,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What to do with a request.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// Answer and keep the connection.
    Answer(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// Answer after a while.
    AnswerAfter(Duration, Vec<u8>),
    /// Answer, then close, without having announced it.
    AnswerAndClose(Vec<u8>),
    /// Close without a word.
    Die,
    /// Promise a longer body than comes, then close.
    DieInBody,
    /// Never answer.
    Stall,
}

pub(crate) fn ok(body: &str) -> Act {
    Act::Answer(200, Vec::new(), body.as_bytes().to_vec())
}

pub(crate) fn status(status: u16, body: &str) -> Act {
    Act::Answer(status, Vec::new(), body.as_bytes().to_vec())
}

type Handler = Arc<dyn Fn(&Asked) -> Act + Send + Sync>;

/// A running server; stops when dropped.
pub(crate) struct HttpServer {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl HttpServer {
    pub(crate) async fn start(handler: impl Fn(&Asked) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let connections = Arc::<AtomicUsize>::default();
        let task =
            tokio::spawn(accept(listener, Arc::new(handler), Arc::clone(&asked), Arc::clone(&connections)));
        Self { url, asked, connections, task }
    }

    /// Everything asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("asked").clone()
    }

    /// How often `path` was asked with `method`.
    pub(crate) fn count(&self, method: &str, path: &str) -> usize {
        self.asked().iter().filter(|asked| asked.method == method && asked.path == path).count()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn accept(
    listener: TcpListener,
    handler: Handler,
    asked: Arc<Mutex<Vec<Asked>>>,
    connections: Arc<AtomicUsize>,
) {
    // Connections live as long as the server does.
    let mut serving = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let number = connections.fetch_add(1, Ordering::SeqCst);
        stream.set_nodelay(true).expect("a socket");
        serving.spawn(serve(stream, number, Arc::clone(&handler), Arc::clone(&asked)));
    }
}

async fn serve(mut stream: TcpStream, connection: usize, handler: Handler, log: Arc<Mutex<Vec<Asked>>>) {
    let mut buffer = Vec::new();
    while let Some(asked) = read_request(&mut stream, &mut buffer, connection).await {
        log.lock().expect("asked").push(asked.clone());
        let goes_on = match handler(&asked) {
            Act::Answer(status, headers, body) => answer(&mut stream, status, &headers, &body).await,
            Act::AnswerAfter(pause, body) => {
                tokio::time::sleep(pause).await;
                answer(&mut stream, 200, &[], &body).await
            }
            Act::AnswerAndClose(body) => {
                answer(&mut stream, 200, &[], &body).await;
                false
            }
            Act::Die => false,
            Act::DieInBody => {
                // The client may be gone; that is its business.
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await;
                false
            }
            Act::Stall => std::future::pending().await,
        };
        if !goes_on {
            return;
        }
    }
}

async fn answer(
    stream: &mut TcpStream,
    status: u16,
    headers: &[(&'static str, String)],
    body: &[u8],
) -> bool {
    let mut out = format!("HTTP/1.1 {status} Whatever\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        out.push_str(&format!("{name}: {value}\r\n"));
    }
    out.push_str("\r\n");
    let bytes = [out.as_bytes(), body].concat();
    stream.write_all(&bytes).await.is_ok()
}

async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>, connection: usize) -> Option<Asked> {
    let head_end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        read_more(stream, buffer).await?;
    };
    let head = String::from_utf8(buffer[..head_end].to_vec()).expect("a plain head");
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(0, |(_, value)| value.parse().expect("a length"));
    let end = head_end + 4 + length;
    while buffer.len() < end {
        read_more(stream, buffer).await?;
    }
    let body = buffer[head_end + 4..end].to_vec();
    buffer.drain(..end);
    Some(Asked { method, path, headers, body, connection })
}

async fn read_more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    let mut chunk = [0; 4_096];
    let count = stream.read(&mut chunk).await.ok().filter(|count| *count > 0)?;
    buffer.extend_from_slice(&chunk[..count]);
    Some(())
}

/// Waits, within bounds, until `done`.
pub(crate) async fn until(what: &str, done: impl Fn() -> bool) {
    let waiting = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(10), waiting).await.is_ok(), "never happened: {what}");
}
