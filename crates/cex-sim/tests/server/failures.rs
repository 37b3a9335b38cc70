//! What goes wrong with connections, on purpose.

use crate::client::{Http, Ws, address, parse, run, start, text};
use cex_sim::server::SimExchange::{Gateio, Mexc};
use cex_sim::server::{SimConfig, SimError, SimServer};
use fastwebsockets::{Frame, OpCode, Payload};
use sonic_rs::JsonValueTrait as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

#[test]
fn a_slow_reader_is_cut_off_and_a_fast_one_is_not() {
    run(async {
        let sim = start(|config| config.queue_frames = 64);
        let mut slow = Ws::connect_narrow(&sim, Gateio).await.expect("connected");
        let mut fast = Ws::connect(&sim, Gateio).await.expect("connected");
        // Each answer echoes its request, so whoever asks and never reads fills everything between.
        let bulk = "x".repeat(256 * 1_024);
        let request =
            format!(r#"{{"time":1,"channel":"spot.none","event":"subscribe","payload":["{bulk}"]}}"#);
        let most = 1_000;
        let mut sent = 0;
        while sent < most && slow.send(&request).await.is_ok() {
            sent += 1;
        }
        assert!(sent < most, "nobody cut the slow reader off");
        for _ in 0..200 {
            fast.send(&request).await.expect("sent");
            let answer = fast.next(|_| true).await;
            assert_eq!(answer["error"]["code"].as_u64(), Some(2));
        }
    });
}

#[test]
fn pulling_the_plug_ends_all_connections_of_one_exchange() {
    run(async {
        let sim = start(|_| {});
        let mut ws = Ws::connect(&sim, Gateio).await.expect("connected");
        ws.subscribe("spot.trades", r#"["BTC_USDT"]"#).await;
        let mut http = Http::connect(&sim, Gateio).await.expect("connected");
        http.get("/api/v4/spot/time").await.expect("an answer");
        let mut other = Http::connect(&sim, Mexc).await.expect("connected");
        other.get("/").await.expect("an answer");

        sim.cut_connections(Gateio).expect("running");
        let farewell = loop {
            match ws.read().await {
                Ok((opcode, _)) => assert_ne!(opcode, OpCode::Close, "a pulled plug says nothing"),
                Err(error) => break error,
            }
        };
        assert!(farewell.to_string().to_lowercase().contains("reset"), "{farewell}");
        assert!(http.get("/api/v4/spot/time").await.is_err());
        other.get("/").await.expect("the other exchange is untouched");
        let mut again = Ws::connect(&sim, Gateio).await.expect("new connections are welcome");
        again.subscribe("spot.trades", r#"["BTC_USDT"]"#).await;
    });
}

#[test]
fn a_shut_door_refuses_until_it_opens_again() {
    run(async {
        let sim = start(|_| {});
        let mut before = Http::connect(&sim, Gateio).await.expect("connected");
        before.get("/api/v4/spot/time").await.expect("an answer");
        sim.halt_accepting(Gateio, true).expect("running");
        sim.halt_accepting(Gateio, true).expect("shutting twice is shutting once");
        assert!(TcpStream::connect(address(&sim, Gateio)).await.is_err());
        before.get("/api/v4/spot/time").await.expect("who is in stays in");
        Http::connect(&sim, Mexc).await.expect("the other door is open");
        sim.halt_accepting(Gateio, false).expect("the port is still ours");
        let mut after = Http::connect(&sim, Gateio).await.expect("open again");
        after.get("/api/v4/spot/time").await.expect("an answer");
    });
}

#[test]
fn a_taken_port_is_named_with_its_exchange() {
    let sim = start(|config| config.symbols = 1);
    let port: u16 =
        sim.endpoint(Gateio).rest.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    let error = SimServer::start(SimConfig { gateio_port: port, ..SimConfig::default() }).expect_err("taken");
    assert!(matches!(error, SimError::Listen { exchange: Gateio, .. }));
    let told = error.to_string();
    assert!(
        told.contains("gateio") && told.contains(&port.to_string()) && told.contains("0 takes any"),
        "{told}"
    );
}

#[test]
fn stopping_frees_the_ports() {
    run(async {
        let sim = start(|_| {});
        let mut ws = Ws::connect(&sim, Gateio).await.expect("connected");
        let (address, port) = (address(&sim, Gateio), sim.endpoint(Gateio).rest.clone());
        sim.stop().expect("stopped");
        assert!(ws.read().await.is_err());
        assert!(TcpStream::connect(&address).await.is_err());
        let port = port.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        start(|config| config.gateio_port = port).stop().expect("the same port again");
    });
}

#[test]
fn protocol_pings_closes_and_pieces_are_handled() {
    run(async {
        let sim = start(|_| {});
        let mut ws = Ws::connect(&sim, Gateio).await.expect("connected");
        let ping = Frame::new(true, OpCode::Ping, None, Payload::Borrowed(b"hello"));
        ws.write(ping).await.expect("sent");
        assert_eq!(ws.read().await.expect("a frame"), (OpCode::Pong, b"hello".to_vec()));
        let request = br#"{"time":1,"channel":"spot.ping"}"#;
        let (first, rest) = request.split_at(9);
        ws.write(Frame::new(false, OpCode::Text, None, Payload::Borrowed(first))).await.expect("sent");
        ws.write(Frame::new(true, OpCode::Ping, None, Payload::Borrowed(b"between"))).await.expect("sent");
        ws.write(Frame::new(true, OpCode::Continuation, None, Payload::Borrowed(rest))).await.expect("sent");
        assert_eq!(ws.read().await.expect("a frame").0, OpCode::Pong);
        let pong = ws.next(|_| true).await;
        assert_eq!(text(&pong["channel"]), "spot.pong");
        ws.write(Frame::close(1000, b"bye")).await.expect("sent");
        assert_eq!(ws.read().await.expect("a frame").0, OpCode::Close);
    });
}

#[test]
fn nonsense_ends_a_connection_but_nothing_else() {
    run(async {
        let sim = start(|_| {});
        for nonsense in
            [&b"\x16\x03\x01\x02\x00"[..], b"GET\r\n\r\n", b"POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n"]
        {
            let mut stream = TcpStream::connect(address(&sim, Gateio)).await.expect("connected");
            stream.write_all(nonsense).await.expect("sent");
            stream.shutdown().await.expect("half closed");
            let mut answer = Vec::new();
            // Whether it answers or hangs up is its business.
            let _ = stream.read_to_end(&mut answer).await;
        }
        let mut ws = Ws::connect(&sim, Gateio).await.expect("connected");
        ws.write(Frame::new(true, OpCode::Continuation, None, Payload::Borrowed(b"?"))).await.expect("sent");
        assert!(ws.read().await.is_err(), "a continuation of nothing");
        let mut ws = Ws::connect(&sim, Gateio).await.expect("connected");
        ws.write(Frame::new(true, OpCode::Text, None, Payload::Borrowed(b"\xff"))).await.expect("sent");
        assert!(ws.read().await.is_err(), "a text that is none");
        let mut http = Http::connect(&sim, Gateio).await.expect("connected");
        let (status, body) = http.get("/api/v4/spot/time").await.expect("an answer");
        assert_eq!(status, 200);
        assert!(parse(&body)["server_time"].is_number());
    });
}
