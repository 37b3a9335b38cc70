//! What the tests of the driver stand on.

use crate::clock::Clock;
use crate::config::LinkConfig;
use crate::driver::{BoxFuture, DriveContext, LinkHandle, Network, Received, Sink, drive, link_channel};
use crate::metrics::LinkMetrics;
use crate::ws::{WsConn, WsLimits};
use cex_core::{LinkEvent, Timestamp, VenueId};
use cex_errors::{ErrorKind, ExchangeError, Op};
use cex_interface::{Effect, Input, Link, Outbox, Reply, Request, Subscription};
use fastwebsockets::{Frame, OpCode, Payload};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// What a fake exchange does with an attempt to connect.
#[derive(Debug, Clone)]
pub(super) enum Door {
    Opens,
    Refuses(ErrorKind),
    Hangs,
}

pub(super) type Script = Box<dyn FnMut(Input<'_>, &mut Outbox) -> Result<(), ExchangeError> + Send>;

/// Everything a test can see, shared with the link, the sink and the network.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) inputs: Vec<(Timestamp, String)>,
    pub(super) delivered: Vec<(Received, Vec<LinkEvent>)>,
    pub(super) settled: usize,
    pub(super) dials: Vec<Instant>,
    pub(super) calls: Vec<Request>,
    pub(super) wakeup: Option<Timestamp>,
}

pub(super) type Shared = Arc<Mutex<Seen>>;

pub(super) fn venue() -> VenueId {
    VenueId::new(0, "fake").expect("short")
}

pub(super) fn error(kind: ErrorKind) -> ExchangeError {
    ExchangeError::new(venue(), Op::Stream, kind)
}

/// Connects at once, subscribes, and says what an ordinary link says.
pub(super) fn ordinary(input: Input<'_>, out: &mut Outbox) -> Result<(), ExchangeError> {
    match input {
        Input::Start => out.effects.push(Effect::Connect("wss://fake/ws?listenKey=canary".to_owned())),
        Input::Connected => {
            out.link.push(LinkEvent::Up);
            out.send_text("subscribe");
        }
        Input::Disconnected => out.link.push(LinkEvent::Down),
        Input::Text(b"bad") => return Err(error(ErrorKind::Undecodable("bad"))),
        Input::Text(_) | Input::Binary(_) => out.link.push(LinkEvent::AccountReady),
        Input::Pong | Input::Wake | Input::Reply { .. } | Input::Resubscribe(_) | Input::Stop => {}
    }
    Ok(())
}

pub(super) struct ScriptedLink {
    script: Script,
    seen: Shared,
    wanted: Vec<Subscription>,
}

impl ScriptedLink {
    pub(super) fn boxed(
        seen: &Shared,
        script: impl FnMut(Input<'_>, &mut Outbox) -> Result<(), ExchangeError> + Send + 'static,
    ) -> Box<dyn Link> {
        Self::subscribing(seen, &[], script)
    }

    /// One that carries subscriptions; without any it is an account's.
    pub(super) fn subscribing(
        seen: &Shared,
        wanted: &[Subscription],
        script: impl FnMut(Input<'_>, &mut Outbox) -> Result<(), ExchangeError> + Send + 'static,
    ) -> Box<dyn Link> {
        Box::new(Self { script: Box::new(script), seen: Arc::clone(seen), wanted: wanted.to_vec() })
    }
}

impl Link for ScriptedLink {
    fn handle(&mut self, now: Timestamp, input: Input<'_>, out: &mut Outbox) -> Result<(), ExchangeError> {
        let shown = match input {
            Input::Start => "start".to_owned(),
            Input::Connected => "connected".to_owned(),
            Input::Text(bytes) => format!("text {}", String::from_utf8_lossy(bytes)),
            Input::Binary(bytes) => format!("binary {}", bytes.len()),
            Input::Pong => "pong".to_owned(),
            Input::Wake => "wake".to_owned(),
            Input::Reply { tag, result } => {
                format!("reply {tag} {}", if result.is_ok() { "ok" } else { "error" })
            }
            Input::Resubscribe(symbol) => format!("resubscribe {}", symbol.0),
            Input::Disconnected => "disconnected".to_owned(),
            Input::Stop => "stop".to_owned(),
        };
        self.seen.lock().expect("seen").inputs.push((now, shown));
        (self.script)(input, out)
    }

    fn wakeup_at(&self) -> Option<Timestamp> {
        self.seen.lock().expect("seen").wakeup
    }

    fn name(&self) -> &str {
        "fake link"
    }

    fn subscriptions(&self) -> &[Subscription] {
        &self.wanted
    }
}

pub(super) struct Recorder(pub(super) Shared);

impl Sink for Recorder {
    fn deliver(&mut self, _now: Timestamp, received: &Received, out: &mut Outbox) {
        assert!(out.effects.is_empty(), "effects are the driver's own business");
        self.0.lock().expect("seen").delivered.push((*received, out.link.clone()));
    }

    fn settled(&mut self, _now: Timestamp) {
        self.0.lock().expect("seen").settled += 1;
    }
}

#[derive(Clone)]
pub(super) struct FakeNetwork {
    seen: Shared,
    doors: Arc<dyn Fn(usize) -> Door + Send + Sync>,
    servers: mpsc::UnboundedSender<DuplexStream>,
    answer_after: Duration,
}

impl Network for FakeNetwork {
    type Stream = DuplexStream;

    fn dial(&self, url: &str) -> BoxFuture<Result<WsConn<DuplexStream>, ExchangeError>> {
        assert_eq!(url, "wss://fake/ws?listenKey=canary");
        let number = {
            let mut seen = self.seen.lock().expect("seen");
            seen.dials.push(Instant::now());
            seen.dials.len() - 1
        };
        match (self.doors)(number) {
            Door::Hangs => Box::pin(std::future::pending()),
            Door::Refuses(kind) => Box::pin(std::future::ready(Err(error(kind)))),
            Door::Opens => {
                let (ours, theirs) = duplex(4_096);
                // A test that has ended no longer wants servers.
                let _ = self.servers.send(theirs);
                Box::pin(std::future::ready(Ok(WsConn::new(ours, WsLimits::default(), b""))))
            }
        }
    }

    fn call(&self, request: Request) -> BoxFuture<Result<Reply, ExchangeError>> {
        self.seen.lock().expect("seen").calls.push(request);
        let after = self.answer_after;
        Box::pin(async move {
            tokio::time::sleep(after).await;
            Ok(Reply::Done)
        })
    }
}

/// A running link and all a test needs to play the rest of the world.
pub(super) struct World {
    pub(super) seen: Shared,
    pub(super) servers: mpsc::UnboundedReceiver<DuplexStream>,
    pub(super) handle: LinkHandle,
    pub(super) metrics: Arc<LinkMetrics>,
    pub(super) task: JoinHandle<Option<Recorder>>,
    pub(super) began: Instant,
}

/// The parts of a world that are not running yet.
pub(super) struct Parts {
    pub(super) link: Box<dyn Link>,
    pub(super) network: FakeNetwork,
    pub(super) context: DriveContext,
    pub(super) seen: Shared,
    pub(super) servers: mpsc::UnboundedReceiver<DuplexStream>,
    pub(super) handle: LinkHandle,
}

pub(super) fn parts(
    config: LinkConfig,
    script: impl FnMut(Input<'_>, &mut Outbox) -> Result<(), ExchangeError> + Send + 'static,
    doors: impl Fn(usize) -> Door + Send + Sync + 'static,
) -> Parts {
    let seen = Shared::default();
    let (servers, servers_end) = mpsc::unbounded_channel();
    let (handle, commands) = link_channel(config.commands_max);
    let answer_after = Duration::from_millis(100);
    Parts {
        link: ScriptedLink::boxed(&seen, script),
        network: FakeNetwork { seen: Arc::clone(&seen), doors: Arc::new(doors), servers, answer_after },
        context: DriveContext {
            venue: venue(),
            clock: Clock::anchored(Timestamp::from_secs(1_000)),
            config,
            commands,
            metrics: Arc::default(),
            seed: 42,
        },
        seen,
        servers: servers_end,
        handle,
    }
}

pub(super) fn world(
    config: LinkConfig,
    script: impl FnMut(Input<'_>, &mut Outbox) -> Result<(), ExchangeError> + Send + 'static,
    doors: impl Fn(usize) -> Door + Send + Sync + 'static,
) -> World {
    let Parts { link, network, context, seen, servers, handle } = parts(config, script, doors);
    let metrics = Arc::clone(&context.metrics);
    let sink = Recorder(Arc::clone(&seen));
    let task = tokio::spawn(async move { Some(drive(link, sink, network, context).await) });
    World { seen, servers, handle, metrics, task, began: Instant::now() }
}

impl World {
    pub(super) async fn server(&mut self) -> Server {
        Server(self.servers.recv().await.expect("the driver runs"))
    }

    /// The things the link was told so far, without their times.
    pub(super) fn inputs(&self) -> Vec<String> {
        self.seen.lock().expect("seen").inputs.iter().map(|(_, input)| input.clone()).collect()
    }

    /// Waits until the link was told `input` this many times.
    pub(super) async fn until(&self, input: &str, times: usize) {
        let told = || self.inputs().iter().filter(|one| *one == input).count() >= times;
        let patience = Duration::from_secs(3_600);
        let waiting = async {
            while !told() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        assert!(
            tokio::time::timeout(patience, waiting).await.is_ok(),
            "never told {input}: {:?}",
            self.inputs()
        );
    }

    pub(super) fn dials(&self) -> Vec<Duration> {
        let seen = self.seen.lock().expect("seen");
        seen.dials.iter().map(|at| at.duration_since(self.began)).collect()
    }

    /// Ends the link and gives everything seen.
    pub(super) async fn end(self) -> Vec<String> {
        self.handle.stop();
        let recorder = self.task.await.expect("no panic");
        assert!(recorder.is_some(), "the sink is given back");
        let seen = self.seen.lock().expect("seen");
        seen.inputs.iter().map(|(_, input)| input.clone()).collect()
    }
}

/// The exchange's end of a connection.
pub(super) struct Server(pub(super) DuplexStream);

impl Server {
    pub(super) async fn send(&mut self, opcode: OpCode, payload: &[u8]) {
        self.0.write_all(&frame(opcode, payload)).await.expect("the driver reads");
    }

    /// The next frame of the client: opcode and unmasked payload; `None` at the end of the stream.
    pub(super) async fn receive(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        self.0.read_exact(&mut head).await.ok()?;
        assert_eq!(head[1] & 0x80, 0x80, "clients mask");
        let length = usize::from(head[1] & 0x7f);
        assert!(length < 126, "the tests send little");
        let mut rest = vec![0; 4 + length];
        self.0.read_exact(&mut rest).await.ok()?;
        let (mask, body) = rest.split_at(4);
        let payload = body.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
        Some((head[0] & 0x0f, payload))
    }

    pub(super) async fn expect_text(&mut self, text: &str) {
        assert_eq!(self.receive().await, Some((1, text.as_bytes().to_vec())));
    }
}

pub(super) fn frame(opcode: OpCode, payload: &[u8]) -> Vec<u8> {
    let mut buffer = Vec::new();
    Frame::new(true, opcode, None, Payload::Borrowed(payload)).write(&mut buffer).to_vec()
}

/// No noise from timers a test is not about.
pub(super) fn quiet() -> LinkConfig {
    let forever = Duration::from_secs(1_000_000);
    LinkConfig { idle_max: forever, ping_after: None, ..LinkConfig::default() }
}
