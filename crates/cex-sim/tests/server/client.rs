//! A small HTTP and WebSocket client, made of hyper and fastwebsockets.

use bytes::Bytes;
use cex_sim::server::{SimAccount, SimConfig, SimExchange, SimHandle, SimServer};
use fastwebsockets::{Frame, OpCode, Payload, WebSocket, WebSocketError, handshake};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::upgrade::Upgraded;
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use sha2::{Digest as _, Sha256, Sha512};
use sonic_rs::{JsonValueTrait as _, Value};
use std::future::Future;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::{TcpSocket, TcpStream};

/// Runs a test with a runtime of its own, and not for ever.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let local = tokio::task::LocalSet::new();
    runtime.block_on(local.run_until(async {
        tokio::time::timeout(Duration::from_secs(30), test).await.expect("the test ends in time");
    }));
}

/// A quiet simulator: few symbols, no divergences.
pub(crate) fn start(change: impl FnOnce(&mut SimConfig)) -> SimHandle {
    let mut config = SimConfig { symbols: 3, divergences_per_minute: 0, ..SimConfig::default() };
    change(&mut config);
    SimServer::start(config).expect("loopback ports are free")
}

/// A simulator in which nobody but the client trades.
pub(crate) fn start_quiet() -> SimHandle {
    start(|config| config.is_quiet = true)
}

/// Host and port of an exchange.
pub(crate) fn address(sim: &SimHandle, exchange: SimExchange) -> String {
    sim.endpoint(exchange).rest.strip_prefix("http://").expect("plain HTTP").to_owned()
}

/// An HTTP connection that is kept open.
pub(crate) struct Http {
    sender: SendRequest<Full<Bytes>>,
    host: String,
    account: SimAccount,
}

impl Http {
    pub(crate) async fn connect(sim: &SimHandle, exchange: SimExchange) -> io::Result<Self> {
        let host = address(sim, exchange);
        let stream = TcpStream::connect(&host).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        tokio::task::spawn_local(connection);
        Ok(Self { sender, host, account: sim.accounts()[0].clone() })
    }

    /// A call signed as Gate.io wants it; answers status and JSON.
    pub(crate) async fn gateio(&mut self, method: &str, path: &str, query: &str, body: &str) -> (u16, Value) {
        let (status, body) = self.try_gateio(method, path, query, body).await.expect("an answer");
        (status, parse(&body))
    }

    /// The same; answers whatever comes.
    pub(crate) async fn try_gateio(
        &mut self,
        method: &str,
        path: &str,
        query: &str,
        body: &str,
    ) -> Result<(u16, Bytes), hyper::Error> {
        let path = format!("/api/v4{path}");
        let timestamp = unix_secs().to_string();
        let hash = hex(&Sha512::digest(body.as_bytes()));
        let sign = hmac(&self.account.secret, &format!("{method}\n{path}\n{query}\n{hash}\n{timestamp}"));
        let target = if query.is_empty() { path } else { format!("{path}?{query}") };
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header(header::HOST, &self.host)
            .header("KEY", &self.account.key)
            .header("Timestamp", timestamp)
            .header("SIGN", sign)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(body.to_owned()))
            .expect("a request");
        self.send(request).await
    }

    /// A call signed as MEXC wants it, everything in the query; answers status and JSON.
    pub(crate) async fn mexc(&mut self, method: &str, path: &str, params: &str) -> (u16, Value) {
        let (status, body) = self.try_mexc(method, path, params).await.expect("an answer");
        (status, parse(&body))
    }

    /// The same; answers whatever comes.
    pub(crate) async fn try_mexc(
        &mut self,
        method: &str,
        path: &str,
        params: &str,
    ) -> Result<(u16, Bytes), hyper::Error> {
        let separator = if params.is_empty() { "" } else { "&" };
        let query = format!("{params}{separator}timestamp={}", unix_millis());
        let mut mac = Hmac::<Sha256>::new_from_slice(self.account.secret.as_bytes()).expect("any key");
        mac.update(query.as_bytes());
        let signature = hex(&mac.finalize().into_bytes());
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v3{path}?{query}&signature={signature}"))
            .header(header::HOST, &self.host)
            .header("X-MEXC-APIKEY", &self.account.key)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::default())
            .expect("a request");
        self.send(request).await
    }

    /// An unsigned GET.
    pub(crate) async fn get(&mut self, target: &str) -> Result<(u16, Bytes), hyper::Error> {
        let request = Request::get(target).header(header::HOST, &self.host).body(Full::default());
        self.send(request.expect("a request")).await
    }

    async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<(u16, Bytes), hyper::Error> {
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let status = response.status().as_u16();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }
}

/// A WebSocket connection.
pub(crate) struct Ws {
    socket: WebSocket<TokioIo<Upgraded>>,
}

impl Ws {
    pub(crate) async fn connect(sim: &SimHandle, exchange: SimExchange) -> io::Result<Self> {
        Self::connect_with(sim, exchange, "").await
    }

    /// With this behind the address, such as `?listenKey=abc`.
    pub(crate) async fn connect_with(
        sim: &SimHandle,
        exchange: SimExchange,
        query: &str,
    ) -> io::Result<Self> {
        let stream = TcpStream::connect(address(sim, exchange)).await?;
        Self::shake_hands(sim, exchange, query, stream).await
    }

    /// With a receive buffer that is full at once.
    pub(crate) async fn connect_narrow(sim: &SimHandle, exchange: SimExchange) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(4_096)?;
        let address = address(sim, exchange).parse().map_err(io::Error::other)?;
        Self::shake_hands(sim, exchange, "", socket.connect(address).await?).await
    }

    async fn shake_hands(
        sim: &SimHandle,
        exchange: SimExchange,
        query: &str,
        stream: TcpStream,
    ) -> io::Result<Self> {
        Self::over(stream, &format!("{}{query}", sim.endpoint(exchange).ws), &address(sim, exchange)).await
    }

    /// Over a stream that is connected already.
    pub(crate) async fn over(stream: TcpStream, url: &str, host: &str) -> io::Result<Self> {
        let request = Request::get(url)
            .header(header::HOST, host)
            .header(header::UPGRADE, "websocket")
            .header(header::CONNECTION, "upgrade")
            .header("Sec-WebSocket-Key", handshake::generate_key())
            .header("Sec-WebSocket-Version", "13")
            .body(http_body_util::Empty::<Bytes>::new())
            .map_err(io::Error::other)?;
        let (mut socket, _) = handshake::client(&Local, request, stream).await.map_err(io::Error::other)?;
        // Tests see pings and closes themselves.
        socket.set_auto_pong(false);
        socket.set_auto_close(false);
        Ok(Self { socket })
    }

    pub(crate) async fn send(&mut self, text: &str) -> Result<(), WebSocketError> {
        self.write(Frame::text(Payload::Owned(text.as_bytes().to_vec()))).await
    }

    pub(crate) async fn write(&mut self, frame: Frame<'_>) -> Result<(), WebSocketError> {
        let Frame { fin, opcode, payload, .. } = frame;
        let payload = Payload::Owned(payload.to_vec());
        self.socket.write_frame(Frame::new(fin, opcode, None, payload)).await
    }

    /// The next frame: opcode and payload.
    pub(crate) async fn read(&mut self) -> Result<(OpCode, Vec<u8>), WebSocketError> {
        let frame = self.socket.read_frame().await?;
        Ok((frame.opcode, frame.payload.to_vec()))
    }

    /// The next text for which `wanted` holds; others are passed over.
    pub(crate) async fn next(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let (opcode, payload) = self.read().await.expect("a frame");
            if opcode != OpCode::Text {
                continue;
            }
            let value = parse(&payload);
            if wanted(&value) {
                return value;
            }
        }
    }

    /// Subscribes to a public channel of Gate.io and waits for the answer.
    pub(crate) async fn subscribe(&mut self, channel: &str, payload: &str) {
        let time = unix_secs();
        let request =
            format!(r#"{{"time":{time},"channel":"{channel}","event":"subscribe","payload":{payload}}}"#);
        self.send(&request).await.expect("sent");
        self.acknowledged().await;
    }

    /// Subscribes to a private channel of Gate.io and waits for the answer.
    pub(crate) async fn subscribe_private(&mut self, account: &SimAccount, channel: &str) {
        let time = unix_secs();
        let sign = hmac(&account.secret, &format!("channel={channel}&event=subscribe&time={time}"));
        let key = &account.key;
        let request = format!(
            r#"{{"time":{time},"channel":"{channel}","event":"subscribe","payload":["!all"],"auth":{{"method":"api_key","KEY":"{key}","SIGN":"{sign}"}}}}"#
        );
        self.send(&request).await.expect("sent");
        self.acknowledged().await;
    }

    async fn acknowledged(&mut self) {
        let answer = self.next(|frame| frame["event"].as_str() == Some("subscribe")).await;
        assert_eq!(answer["result"]["status"].as_str(), Some("success"), "{answer:?}");
    }
}

/// Runs what a handshake wants to run in the background.
struct Local;

impl<F: Future + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(async {
            future.await;
        });
    }
}

pub(crate) fn unix_secs() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

fn unix_millis() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis()
}

pub(crate) fn parse(json: &[u8]) -> Value {
    sonic_rs::from_slice(json).unwrap_or_else(|error| panic!("{}: {error}", String::from_utf8_lossy(json)))
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value:?} is not a text"))
}

pub(crate) fn hmac(secret: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha512>::new_from_slice(secret.as_bytes()).expect("any key");
    mac.update(text.as_bytes());
    hex(&mac.finalize().into_bytes())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
