//! Streams over real sockets: the upgrade, what rides behind it, and broken connections.

use super::exchange::{MadeUp, config, rest_of, venue};
use super::ws_server::{WsServer, answer_raw, next_text, send_binary, switching};
use cex_core::{LinkEvent, Markets, StreamKind, SymbolId, Timestamp};
use cex_errors::{ErrorKind, ExchangeError};
use cex_interface::{Outbox, Protocol, Subscription};
use cex_transport::driver::Network;
use cex_transport::metrics::LinkMetrics;
use cex_transport::net::NetStream;
use cex_transport::ws::{Message, WsConn};
use cex_transport::{
    Clock, Connector, DriveContext, ExtraRoots, LinkConfig, Received, VenueNetwork, drive, link_channel,
};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

fn network() -> VenueNetwork {
    let connector = Connector::new(&ExtraRoots::default(), Duration::from_secs(5)).expect("public roots");
    VenueNetwork::new(rest_of(MadeUp::new("http://127.0.0.1:9"), config()), connector, &LinkConfig::default())
}

/// What comes of connecting to a server that answers the upgrade like this.
async fn dial_raw(answer: impl Fn(&str) -> Vec<u8>) -> Result<WsConn<NetStream>, ExchangeError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("ws://{}/ws", listener.local_addr().expect("bound"));
    let (dialed, _served) = tokio::join!(network().dial(&url), answer_raw(&listener, answer));
    dialed
}

#[tokio::test]
async fn frames_that_ride_behind_the_upgrade_are_kept() {
    let frames = [0x81, 2, b'h', b'i', 0x82, 1, 7];
    let dialed = dial_raw(|accept| [switching(accept).as_bytes(), b"\r\n", &frames[..]].concat()).await;
    let mut conn = dialed.expect("upgraded");
    assert_eq!(conn.next_message().expect("valid"), Some(Message::Text(b"hi")));
    assert_eq!(conn.next_message().expect("valid"), Some(Message::Binary(&[7])));
}

#[tokio::test]
async fn an_upgrade_that_is_not_one_is_refused() {
    let full =
        |extra: &'static str| move |accept: &str| format!("{}{extra}\r\n", switching(accept)).into_bytes();
    let plain = |text: &'static str| move |_: &str| text.as_bytes().to_vec();
    let wrong_key = |_: &str| format!("{}\r\n", switching("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")).into_bytes();
    let limited = ErrorKind::RateLimited { retry_after: Some(Duration::from_secs(7)) };
    let undecodable = |kind: &ErrorKind| matches!(kind, ErrorKind::Undecodable(_));
    for (name, dialed) in [
        ("wrong key", dial_raw(wrong_key).await),
        ("extension", dial_raw(full("sec-websocket-extensions: permessage-deflate\r\n")).await),
        ("subprotocol", dial_raw(full("sec-websocket-protocol: chat\r\n")).await),
        ("ok instead", dial_raw(plain("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")).await),
        ("no upgrade", dial_raw(plain("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")).await),
    ] {
        let error = dialed.map(|_| ()).expect_err(name);
        assert!(undecodable(&error.kind), "{name}: {error}");
    }
    let busy = "HTTP/1.1 429 Too Many\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(dial_raw(plain(busy)).await.map(|_| ()).expect_err("limited").kind, limited);
    let banned = "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n";
    let error = dial_raw(plain(banned)).await.map(|_| ()).expect_err("banned");
    assert_eq!(error.kind, ErrorKind::Banned { retry_after: None });
}

#[tokio::test]
async fn plain_text_to_another_machine_is_refused_before_connecting() {
    for url in ["ws://192.0.2.1/ws", "ws://example.com/ws", "http://example.com", "nonsense"] {
        let error = network().dial(url).await.map(|_| ()).expect_err(url);
        assert!(matches!(error.kind, ErrorKind::InvalidInput(_)), "{url}: {error}");
    }
}

/// What a running link told its sink.
type Heard = Arc<Mutex<Vec<(u32, String)>>>;

/// Runs a link for symbol 5 against `url`; stops when the handle is dropped.
fn run(url: &str) -> (Heard, cex_transport::LinkHandle, Arc<LinkMetrics>) {
    let protocol = MadeUp::new("http://127.0.0.1:9").streaming(url);
    let wanted = [Subscription { symbol: SymbolId(5), stream: StreamKind::Trades }];
    let mut links = protocol.market_links(&Arc::new(Markets::default()), &wanted).expect("one link");
    let link = links.pop().expect("one link");
    let (handle, commands) = link_channel(4);
    let (heard, metrics) = (Heard::default(), Arc::<LinkMetrics>::default());
    let config = LinkConfig { backoff_base: Duration::from_millis(5), ..LinkConfig::default() };
    let context = DriveContext {
        venue: venue(),
        clock: Clock::new(),
        config,
        commands,
        metrics: Arc::clone(&metrics),
        seed: 1,
    };
    let log = Arc::clone(&heard);
    let sink = move |_now: Timestamp, received: &Received, out: &mut Outbox| {
        let mut log = log.lock().expect("heard");
        for event in &out.link {
            let word = match event {
                LinkEvent::Up => "up",
                LinkEvent::Down => "down",
                _other => "other",
            };
            log.push((received.epoch, word.to_owned()));
        }
        log.extend(out.market.iter().map(|_| (received.epoch, "trade".to_owned())));
    };
    tokio::spawn(drive(link, sink, network(), context));
    (heard, handle, metrics)
}

async fn until_heard(heard: &Heard, expected: &[(u32, &str)]) {
    let got = || {
        heard.lock().expect("heard").iter().map(|(epoch, word)| (*epoch, word.clone())).collect::<Vec<_>>()
    };
    let waiting = async {
        while got().len() < expected.len() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(10), waiting).await.is_ok();
    let expected: Vec<_> = expected.iter().map(|(epoch, word)| (*epoch, (*word).to_owned())).collect();
    assert!(in_time, "heard only {:?}", got());
    assert_eq!(got()[..expected.len()], expected);
}

#[tokio::test]
async fn a_link_lives_on_over_servers_that_die() {
    let server = WsServer::start(|number, mut socket| async move {
        assert_eq!(next_text(&mut socket).await.as_deref(), Some("subscribe 5"));
        send_binary(&mut socket, &[5, 1]).await;
        match number {
            // Gone without a word.
            0 => {}
            1 => {
                let close = fastwebsockets::Frame::close(1001, b"maintenance");
                socket.write_frame(close).await.expect("written");
            }
            _last => while next_text(&mut socket).await.is_some() {},
        }
    })
    .await;
    let (heard, handle, metrics) = run(&server.url);
    let lives: Vec<_> =
        (1..=3).flat_map(|epoch| [(epoch, "up"), (epoch, "trade"), (epoch, "down")]).collect();
    until_heard(&heard, &lives[..8]).await;
    assert_eq!((metrics.losses.value(), metrics.connects.value()), (2, 3));
    handle.stop();
    until_heard(&heard, &lives).await;
}

#[tokio::test]
async fn a_reset_at_every_byte_of_a_frame_is_a_loss_and_never_a_message() {
    let frame: &[u8] = &[0x82, 2, 5, 1];
    for cut in 0..=frame.len() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let (heard, _handle, _metrics) = run(&format!("ws://{}/ws", listener.local_addr().expect("bound")));
        let upgrade = |accept: &str| format!("{}\r\n", switching(accept)).into_bytes();
        let mut stream = answer_raw(&listener, upgrade).await;
        until_heard(&heard, &[(1, "up")]).await;
        stream.write_all(&frame[..cut]).await.expect("the client reads");
        if cut == frame.len() {
            until_heard(&heard, &[(1, "up"), (1, "trade")]).await;
            continue;
        }
        drop(stream);
        let _next = answer_raw(&listener, upgrade).await;
        until_heard(&heard, &[(1, "up"), (1, "down"), (2, "up")]).await;
    }
}
