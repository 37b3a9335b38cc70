//! Two hosts, one dialect, one clock: over sockets and in memory the same calls at the same times get the same bytes, in
//! the middle of a living market. Bodies, headers of the exchange's own, and every frame of every stream are compared.

use crate::client::{Ws, hex, hmac, run};
use bytes::Bytes;
use cex_core::Timestamp;
use cex_sim::server::SimExchange::{Gateio, Mexc};
use cex_sim::server::{EmbeddedSim, SimAccount, SimConfig, SimExchange};
use cex_sim::world::{Arrival, Call, LineId, NetworkConfig, Said, World, WorldConfig};
use fastwebsockets::OpCode;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use sha2::{Digest as _, Sha256, Sha512};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

const BEGAN: Timestamp = Timestamp::from_secs(1_790_000_000);
const HOST: &str = "localhost";

/// A frame: what it is, and its bytes.
type Seen = (&'static str, Vec<u8>);

/// The same simulator twice.
struct Twins {
    world: World,
    sockets: EmbeddedSim,
    listener: TcpListener,
    /// What arrived in memory, by line.
    arrived: BTreeMap<LineId, Vec<Seen>>,
    answers: Vec<(LineId, Arrival)>,
}

/// A connection for calls, twice.
struct Calls {
    exchange: SimExchange,
    line: LineId,
    sender: SendRequest<Full<Bytes>>,
}

/// A stream, twice.
struct Stream {
    line: LineId,
    ws: Ws,
    read: Vec<Seen>,
}

impl Twins {
    async fn new() -> Self {
        let sim = SimConfig { seed: 7, symbols: 3, ..SimConfig::default() };
        let instant = NetworkConfig { latency: Duration::ZERO, jitter: Duration::ZERO };
        let sockets = EmbeddedSim::new(sim.clone(), BEGAN);
        let world = World::new(WorldConfig { sim, starts_at: BEGAN, networks: [instant; 2] });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        Self { world, sockets, listener, arrived: BTreeMap::new(), answers: Vec::new() }
    }

    /// Both live on until then: what happens by itself happens at the same moments.
    fn live(&mut self, lasts: Duration) {
        let until = self.world.now() + lasts;
        while self.world.next_at() <= until {
            let at = self.world.next_at();
            self.world.step(at);
            self.sockets.advance(at);
        }
        self.world.step(until);
        self.sockets.advance(until);
        self.sort_arrivals();
    }

    fn sort_arrivals(&mut self) {
        while let Some((line, arrival)) = self.world.take() {
            let seen = match arrival {
                Arrival::Text(bytes) => ("text", bytes.to_vec()),
                Arrival::Binary(bytes) => ("binary", bytes.to_vec()),
                Arrival::Ping => ("ping", Vec::new()),
                other => {
                    self.answers.push((line, other));
                    continue;
                }
            };
            self.arrived.entry(line).or_default().push(seen);
        }
    }

    /// What was said in memory arrives at once.
    fn say(&mut self, line: LineId, said: Said) -> Option<Arrival> {
        self.world.say(line, said);
        self.world.step(self.world.now());
        self.sort_arrivals();
        self.answers.pop().map(|(_, arrival)| arrival)
    }

    async fn dial(&mut self, exchange: SimExchange) -> (LineId, TcpStream) {
        let line = self.world.dial(exchange);
        self.world.step(self.world.now());
        self.sort_arrivals();
        assert_eq!(self.answers.pop(), Some((line, Arrival::Dialed)));
        let address = self.listener.local_addr().expect("bound");
        let (ours, theirs) = tokio::join!(TcpStream::connect(address), self.listener.accept());
        self.sockets.serve(exchange, theirs.expect("accepted").0, IpAddr::V4(Ipv4Addr::LOCALHOST));
        (line, ours.expect("connected"))
    }

    async fn calls(&mut self, exchange: SimExchange) -> Calls {
        let (line, stream) = self.dial(exchange).await;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP");
        tokio::task::spawn_local(connection);
        Calls { exchange, line, sender }
    }

    async fn stream(&mut self, exchange: SimExchange, path: &str, query: &str) -> Stream {
        let (line, stream) = self.dial(exchange).await;
        let upgrade = Said::Upgrade { path: path.to_owned(), query: query.to_owned() };
        assert_eq!(self.say(line, upgrade), Some(Arrival::Upgraded));
        let ws = Ws::over(stream, &format!("ws://{HOST}{path}?{query}"), HOST).await.expect("a WebSocket");
        Stream { line, ws, read: Vec::new() }
    }

    /// The call on both sides; what it came to, which is the same.
    async fn call(&mut self, calls: &mut Calls, call: Call) -> (u16, String) {
        let request = Request::builder().method(call.method).header("host", HOST);
        let request = request.uri(format!("{}?{}", call.path, call.query));
        let request = call.headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        let request = request.body(Full::from(call.body.clone())).expect("a request");
        let what = format!("{} {} {}", calls.exchange, call.method, call.path);
        let Some(Arrival::Answer(told)) = self.say(calls.line, Said::Call(call)) else { panic!("{what}") };
        calls.sender.ready().await.expect("open");
        let answer = calls.sender.send_request(request).await.expect("an answer");
        let (head, body) = answer.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        assert_eq!((head.status.as_u16(), body.as_ref()), (told.status, told.body.as_slice()), "{what}");
        for (name, value) in told.header_list() {
            assert_eq!(
                head.headers.get(name).map(hyper::http::HeaderValue::as_bytes),
                Some(value),
                "{what}: {name}"
            );
        }
        (told.status, String::from_utf8(told.body).expect("text"))
    }

    /// The message on both sides, and all frames until then, which are the same.
    async fn tell(&mut self, stream: &mut Stream, text: &str) {
        self.say(stream.line, Said::Text(text.to_owned()));
        stream.ws.send(text).await.expect("sent");
        self.compare(stream).await;
    }

    async fn compare(&mut self, stream: &mut Stream) {
        let expected = self.arrived.entry(stream.line).or_default();
        while stream.read.len() < expected.len() {
            let (opcode, payload) = stream.ws.read().await.expect("a frame");
            let kind = match opcode {
                OpCode::Text => "text",
                OpCode::Binary => "binary",
                OpCode::Ping => "ping",
                OpCode::Pong | OpCode::Close | OpCode::Continuation => panic!("{opcode:?}"),
            };
            let at = stream.read.len();
            let (wanted, bytes) = &expected[at];
            let shown = || (String::from_utf8_lossy(&payload), String::from_utf8_lossy(bytes));
            assert!((kind, &payload) == (*wanted, bytes), "frame {at} of {:?}: {:?}", stream.line, shown());
            stream.read.push((kind, payload));
        }
    }
}

fn gateio(at: Timestamp, method: &'static str, path: &str, query: &str, body: &str) -> Call {
    let (account, path) = (SimAccount::new("rich"), format!("/api/v4{path}"));
    let (timestamp, hash) = (at.as_secs().to_string(), hex(&Sha512::digest(body.as_bytes())));
    let sign = hmac(&account.secret, &format!("{method}\n{path}\n{query}\n{hash}\n{timestamp}"));
    let headers = [("key", account.key), ("timestamp", timestamp), ("sign", sign)];
    let headers = headers.into_iter().chain([("content-type", "application/json".to_owned())]);
    let headers = headers.map(|(name, value)| (name.to_owned(), value)).collect();
    Call { method, path, query: query.to_owned(), headers, body: body.as_bytes().to_vec() }
}

fn mexc(at: Timestamp, method: &'static str, path: &str, params: &str) -> Call {
    let account = SimAccount::new("rich");
    let separator = if params.is_empty() { "" } else { "&" };
    let query = format!("{params}{separator}timestamp={}", at.as_millis());
    let mut mac = Hmac::<Sha256>::new_from_slice(account.secret.as_bytes()).expect("any key");
    mac.update(query.as_bytes());
    let query = format!("{query}&signature={}", hex(&mac.finalize().into_bytes()));
    let headers = vec![
        ("x-mexc-apikey".to_owned(), account.key),
        ("content-type".to_owned(), "application/json".to_owned()),
    ];
    Call { method, path: format!("/api/v3{path}"), query, headers, body: Vec::new() }
}

fn gateio_subscribe(at: Timestamp, channel: &str, payload: &str, is_private: bool) -> String {
    let (account, time) = (SimAccount::new("rich"), at.as_secs());
    let sign = hmac(&account.secret, &format!("channel={channel}&event=subscribe&time={time}"));
    let auth = format!(r#","auth":{{"method":"api_key","KEY":"{}","SIGN":"{sign}"}}"#, account.key);
    let auth = if is_private { auth.as_str() } else { "" };
    format!(r#"{{"time":{time},"id":7,"channel":"{channel}","event":"subscribe","payload":{payload}{auth}}}"#)
}

#[test]
fn both_hosts_say_the_same_bytes_at_the_same_times() {
    run(async {
        let mut twins = Twins::new().await;
        let mut mexc_calls = twins.calls(Mexc).await;
        let mut gateio_calls = twins.calls(Gateio).await;
        let made = mexc(twins.world.now(), "POST", "/userDataStream", "");
        let (status, key) = twins.call(&mut mexc_calls, made).await;
        let key = key.split('"').nth(3).expect("a key").to_owned();
        assert_eq!((status, key.len()), (200, 64));
        let mut mexc_ws = twins.stream(Mexc, "/ws", &format!("listenKey={key}")).await;
        let mut gateio_ws = twins.stream(Gateio, "/ws/v4/", "").await;
        for channels in [
            r#""spot@public.aggre.depth.v3.api.pb@10ms@BTCUSDT","spot@public.aggre.deals.v3.api.pb@10ms@BTCUSDT""#,
            r#""spot@public.limit.depth.v3.api.pb@ETHUSDT@20","spot@public.aggre.bookTicker.v3.api.pb@10ms@BTCUSDT""#,
            r#""spot@public.kline.v3.api.pb@BTCUSDT@Min1","spot@public.miniTickers.v3.api.pb@24H","spot@no""#,
            r#""spot@private.orders.v3.api.pb","spot@private.deals.v3.api.pb","spot@private.account.v3.api.pb""#,
        ] {
            let text = format!(r#"{{"method":"SUBSCRIPTION","params":[{channels}],"id":3}}"#);
            twins.tell(&mut mexc_ws, &text).await;
        }
        for (channel, payload, is_private) in [
            ("spot.obu", r#"["ob.BTC_USDT.50"]"#, false),
            ("spot.order_book_update", r#"["BTC_USDT","20ms"]"#, false),
            ("spot.order_book", r#"["ETH_USDT","5","100ms"]"#, false),
            ("spot.book_ticker", r#"["BTC_USDT","NO_PAIR"]"#, false),
            ("spot.trades", r#"["BTC_USDT","ETH_USDT"]"#, false),
            ("spot.tickers", r#"["BTC_USDT"]"#, false),
            ("spot.candlesticks", r#"["1m","BTC_USDT"]"#, false),
            ("spot.orders", r#"["!all"]"#, true),
            ("spot.usertrades", r#"["!all"]"#, true),
            ("spot.balances", "[]", true),
        ] {
            let text = gateio_subscribe(twins.world.now(), channel, payload, is_private);
            twins.tell(&mut gateio_ws, &text).await;
        }
        let mut accepted = 0;
        for turn in 0..24 {
            twins.live(Duration::from_micros(83_333));
            let now = twins.world.now();
            let (side, price) = if turn % 2 == 0 { ("buy", "999999") } else { ("sell", "20000") };
            let order = format!(
                r#"{{"text":"t-{turn}","currency_pair":"BTC_USDT","side":"{side}","amount":"0.0005","price":"{price}","time_in_force":"ioc"}}"#
            );
            let call = match turn % 6 {
                0 | 1 => gateio(now, "POST", "/spot/orders", "", &order),
                2 => gateio(
                    now,
                    "GET",
                    "/spot/order_book",
                    "currency_pair=BTC_USDT&limit=100&with_id=true",
                    "",
                ),
                3 => gateio(now, "GET", "/spot/my_trades", "currency_pair=BTC_USDT", ""),
                4 => gateio(now, "GET", "/spot/accounts", "", ""),
                _ => gateio(now, "GET", "/spot/orders/t-none", "currency_pair=BTC_USDT", ""),
            };
            accepted += u32::from(twins.call(&mut gateio_calls, call).await.0 < 300);
            let (side, price) = if turn % 2 == 0 { ("BUY", "999999") } else { ("SELL", "20000") };
            let order = format!(
                "symbol=BTCUSDT&side={side}&type=IMMEDIATE_OR_CANCEL&quantity=0.0005&price={price}&newClientOrderId=a{turn}"
            );
            let call = match turn % 6 {
                0 | 1 => mexc(now, "POST", "/order", &order),
                2 => mexc(now, "GET", "/depth", "symbol=BTCUSDT&limit=100"),
                3 => mexc(now, "GET", "/myTrades", "symbol=BTCUSDT"),
                4 => mexc(now, "GET", "/account", ""),
                _ => mexc(now, "GET", "/order", "symbol=BTCUSDT&origClientOrderId=none"),
            };
            accepted += u32::from(twins.call(&mut mexc_calls, call).await.0 < 300);
            twins.compare(&mut mexc_ws).await;
            twins.compare(&mut gateio_ws).await;
        }
        assert_eq!(accepted, 40, "20 good calls at each");
        let fills = |ledger: &cex_sim::server::Ledger| -> usize {
            ledger.accounts.iter().map(|account| account.fills.len()).sum()
        };
        assert!(fills(&twins.world.ledger()) >= 16, "orders were filled on both exchanges");
        assert_eq!(twins.world.ledger(), twins.sockets.ledger());
        for (stream, least) in [(&mexc_ws, 100), (&gateio_ws, 200)] {
            assert!(stream.read.len() > least, "only {} frames", stream.read.len());
        }
    });
}
