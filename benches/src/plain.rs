//! The plain program: what one writes in an afternoon from good libraries, and well. One task reads both streams
//! (tokio-tungstenite), keeps ordered maps of floats, compares the two tops after each frame, signs both orders and hands
//! them to warm connections (hyper). No risk rules, no accounts, no journal: it only has to be quick.

use crate::live::Addresses;
use crate::mix::{GATEIO, MEXC};
use crate::naive::{GateFrame, MexcFrame, NaiveBook};
use bytes::Bytes;
use cex_gateio::sign::Call;
use cex_interface::Secret;
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// Fees of both exchanges, as factors.
const KEEP: f64 = 1.0 - 0.0005;
const PAY: f64 = 1.0 + 0.0005;
/// The least edge after fees worth an order: a basis point.
const LEAST: f64 = 1.0001;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;
type Sender = SendRequest<Full<Bytes>>;

/// The program, ready to trade.
pub struct Plain {
    streams: [Socket; 2],
    senders: [Sender; 2],
    host: String,
    /// By symbol and exchange.
    books: Vec<[NaiveBook; 2]>,
    /// Symbols that cross and were traded already.
    traded: Vec<bool>,
    mexc: cex_mexc::sign::Signer,
    gateio: cex_gateio::sign::Signer,
    orders: u64,
}

/// A side to trade on, at its best level.
struct Leg {
    venue: usize,
    buys: bool,
    price: f64,
}

impl Plain {
    /// Connects, reads the books and subscribes.
    ///
    /// # Panics
    /// When the counterpart does not do its part.
    pub async fn open(addresses: &Addresses, symbols: usize) -> Self {
        let host = addresses.rest().trim_start_matches("http://").to_owned();
        let mut senders = [connect(&host).await, connect(&host).await];
        let mut books = Vec::new();
        for symbol in 0..symbols {
            let mexc = format!("/api/v3/depth?symbol={}&limit=1000", native(MEXC, symbol));
            let gateio =
                format!("/api/v4/spot/order_book?currency_pair={}&limit=100", native(GATEIO, symbol));
            books.push([
                snapshot(&mut senders[MEXC], &host, &mexc).await,
                snapshot(&mut senders[GATEIO], &host, &gateio).await,
            ]);
        }
        let mut streams = [open(addresses.ws(MEXC)).await, open(addresses.ws(GATEIO)).await];
        for venue in [MEXC, GATEIO] {
            for text in subscriptions(venue, symbols) {
                streams[venue].send(Message::text(text)).await.expect("the stream is open");
            }
        }
        let secret = Secret::new("secret".to_owned());
        Self {
            streams,
            senders,
            host,
            books,
            traded: vec![false; symbols],
            mexc: cex_mexc::sign::Signer::new(&secret),
            gateio: cex_gateio::sign::Signer::new(Secret::new("key".to_owned()), &secret),
            orders: 0,
        }
    }

    /// Whether every book has had its first frame is the counterpart's knowledge; this trades until the streams end.
    pub async fn run(mut self) {
        loop {
            let [mexc, gateio] = &mut self.streams;
            let (venue, message) = tokio::select! {
                message = mexc.next() => (MEXC, message),
                message = gateio.next() => (GATEIO, message),
            };
            match message {
                Some(Ok(Message::Binary(frame))) if venue == MEXC => self.mexc_frame(&frame).await,
                Some(Ok(Message::Text(frame))) if venue == GATEIO => {
                    self.gateio_frame(frame.as_bytes()).await;
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            }
        }
    }

    async fn mexc_frame(&mut self, frame: &[u8]) {
        let Some(frame) = MexcFrame::read(frame) else { return };
        let symbol = rank(frame.native());
        self.books[symbol][MEXC].mexc(&frame);
        self.compare(symbol).await;
    }

    async fn gateio_frame(&mut self, frame: &[u8]) {
        let Some(frame) = GateFrame::read(frame) else { return };
        let symbol = rank(frame.native());
        self.books[symbol][GATEIO].gateio(&frame);
        self.compare(symbol).await;
    }

    async fn compare(&mut self, symbol: usize) {
        let books = &self.books[symbol];
        let crossing = [(MEXC, GATEIO), (GATEIO, MEXC)].into_iter().find_map(|(buy, sell)| {
            let (ask, bid) = (books[buy].asks().next()?, books[sell].bids().next()?);
            let pays = bid.0 * KEEP / (ask.0 * PAY) >= LEAST;
            pays.then_some((buy, sell, ask, bid))
        });
        let Some((buy, sell, ask, bid)) = crossing else {
            self.traded[symbol] = false;
            return;
        };
        if std::mem::replace(&mut self.traded[symbol], true) {
            return;
        }
        let qty = format!("{:.3}", ask.1.min(bid.1).max(0.1));
        self.order(symbol, &Leg { venue: buy, buys: true, price: ask.0 }, &qty).await;
        self.order(symbol, &Leg { venue: sell, buys: false, price: bid.0 }, &qty).await;
    }

    /// Builds, signs and sends; the answer is awaited beside the streams.
    async fn order(&mut self, symbol: usize, leg: &Leg, qty: &str) {
        self.orders += 1;
        let request = if leg.venue == MEXC {
            self.mexc_order(symbol, leg, qty)
        } else {
            self.gateio_order(symbol, leg, qty)
        };
        // It is, unless the last answer and a new crossing came in one go.
        self.senders[leg.venue].ready().await.expect("the connection stands");
        let answer = self.senders[leg.venue].send_request(request);
        tokio::spawn(async move {
            let answer = answer.await.expect("an answer");
            answer.into_body().collect().await.expect("a body");
        });
    }

    fn mexc_order(&self, symbol: usize, leg: &Leg, qty: &str) -> http::Request<Full<Bytes>> {
        let mut query = format!(
            "symbol={}&side={}&type=IMMEDIATE_OR_CANCEL&quantity={qty}&price={:.2}&newClientOrderId=p{}\
             &timestamp={}&recvWindow=1500",
            native(MEXC, symbol),
            if leg.buys { "BUY" } else { "SELL" },
            leg.price,
            self.orders,
            millis()
        );
        let signature = self.mexc.sign(&query, b"");
        // Writing to a `String` cannot fail.
        let _ = write!(query, "&signature={}", signature.as_str());
        http::Request::post(format!("/api/v3/order?{query}"))
            .header("host", &self.host)
            .header("x-mexc-apikey", "key")
            .header("content-type", "application/json")
            .header("content-length", "0")
            .body(Full::new(Bytes::new()))
            .expect("a request of ours")
    }

    fn gateio_order(&self, symbol: usize, leg: &Leg, qty: &str) -> http::Request<Full<Bytes>> {
        let body = format!(
            "{{\"text\":\"t-p{}\",\"currency_pair\":\"{}\",\"type\":\"limit\",\"account\":\"spot\",\"side\":\"{}\",\
             \"amount\":\"{qty}\",\"price\":\"{:.2}\",\"time_in_force\":\"ioc\"}}",
            self.orders,
            native(GATEIO, symbol),
            if leg.buys { "buy" } else { "sell" },
            leg.price
        );
        let timestamp = (millis() / 1_000).to_string();
        let path = "/api/v4/spot/orders";
        let (query, body_bytes) = ("", body.as_bytes());
        let call = Call { method: "POST", path, query, body: body_bytes, timestamp: &timestamp };
        let signature = self.gateio.call(call);
        http::Request::post(path)
            .header("host", &self.host)
            .header("key", "key")
            .header("timestamp", timestamp)
            .header("sign", signature.as_str())
            .header("x-gate-exptime", (millis() + 1_500).to_string())
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))
            .expect("a request of ours")
    }
}

async fn connect(host: &str) -> Sender {
    let stream = TcpStream::connect(host).await.expect("the counterpart listens");
    stream.set_nodelay(true).expect("a connected socket");
    let opened = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (sender, connection) = opened.expect("nothing is said yet");
    tokio::spawn(connection);
    sender
}

async fn open(url: &str) -> Socket {
    let (socket, _) = tokio_tungstenite::connect_async_with_config(url, None, true)
        .await
        .expect("the counterpart upgrades");
    socket
}

/// A snapshot of either exchange: both send rows of two texts.
async fn snapshot(sender: &mut Sender, host: &str, target: &str) -> NaiveBook {
    #[derive(Deserialize)]
    struct Snapshot {
        #[serde(alias = "lastUpdateId")]
        id: u64,
        bids: Vec<(String, String)>,
        asks: Vec<(String, String)>,
    }
    let request = http::Request::get(target).header("host", host).body(Full::new(Bytes::new()));
    let answer = sender.send_request(request.expect("a request of ours")).await.expect("an answer");
    let body = answer.into_body().collect().await.expect("a body").to_bytes();
    let snapshot: Snapshot = sonic_rs::from_slice(&body).expect("a snapshot");
    NaiveBook::from_rows(&snapshot.bids, &snapshot.asks, snapshot.id)
}

/// Books of all symbols, and our fills, which nobody here looks at.
fn subscriptions(venue: usize, symbols: usize) -> Vec<String> {
    let natives = (0..symbols).map(|symbol| native(venue, symbol));
    if venue == MEXC {
        let books = natives.map(|native| format!("spot@public.aggre.depth.v3.api.pb@10ms@{native}"));
        let channels = books.chain(["spot@private.deals.v3.api.pb".to_owned()]);
        return channels
            .map(|name| format!("{{\"method\":\"SUBSCRIPTION\",\"id\":1,\"params\":[\"{name}\"]}}"))
            .collect();
    }
    let books = natives.map(|native| ("spot.order_book_update", format!("\"{native}\",\"100ms\"")));
    books
        .chain([("spot.usertrades", "\"!all\"".to_owned())])
        .map(|(channel, payload)| {
            format!(
                "{{\"time\":1,\"id\":1,\"channel\":\"{channel}\",\"event\":\"subscribe\",\"payload\":[{payload}]}}"
            )
        })
        .collect()
}

fn native(venue: usize, symbol: usize) -> String {
    if venue == MEXC { format!("C{symbol:04}USDT") } else { format!("C{symbol:04}_USDT") }
}

fn rank(native: &str) -> usize {
    native[1..5].parse().expect("a symbol of ours")
}

fn millis() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()
}
