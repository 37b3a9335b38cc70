//! Hours of a private stream in moments: the account's link and the simulated exchange under one virtual clock
//! (MEXC-ACCOUNT-01, MEXC-ACCOUNT-02, MEXC-ACCOUNT-09).

use cex_core::{LinkEvent, Markets, OrderKind, OrderRequest, Side, TimeInForce, Timestamp, VenueId};
use cex_interface::{
    Effect, HttpRequest, HttpResponse, Input, Link, Outbox, Payload, Protocol, Reply, Request,
};
use cex_interface::{Secret, VenueConfig};
use cex_sim::fault::{Fault, VenueFault};
use cex_sim::server::{SimConfig, SimExchange};
use cex_sim::world::{Arrival, Call, LineId, NetworkConfig, Said, World, WorldConfig};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

/// What a connection serves.
#[derive(Debug)]
enum Line {
    Stream { query: String },
    Call { tag: Option<u32>, request: Request },
}

/// A link, its connections, and the exchange.
struct Hours {
    world: World,
    protocol: Arc<dyn Protocol>,
    markets: Arc<Markets>,
    link: Box<dyn Link>,
    lines: BTreeMap<LineId, Line>,
    /// When the link is to start again.
    start_at: Option<Timestamp>,
    /// What the link learned of its connection.
    news: Vec<(Timestamp, LinkEvent)>,
    /// Calls it made, and when.
    asked: Vec<(Timestamp, Request)>,
    /// Events of the account.
    heard: usize,
    replies: Vec<Reply>,
}

impl Hours {
    fn new() -> Self {
        let begin = Timestamp::from_secs(1_800_000_000);
        let network = NetworkConfig { latency: Duration::from_millis(3), jitter: Duration::ZERO };
        let sim = SimConfig { symbols: 1, is_quiet: true, divergences_per_minute: 0, ..SimConfig::default() };
        let world = World::new(WorldConfig { sim, starts_at: begin, networks: [network; 2] });
        let mut config = VenueConfig::public(VenueId::new(0, "mexc").expect("a short name"));
        config.rest_url = Some("http://127.0.0.1:1".to_owned());
        config.ws_url = Some("ws://127.0.0.1:1/ws".to_owned());
        (config.key, config.secret) =
            (Secret::new("rich-key".to_owned()), Secret::new("rich-secret".to_owned()));
        let protocol = cex_mexc::protocol(config).expect("an open adapter");
        let link = protocol.account_link(&Arc::default()).expect("credentials");
        let mut hours = Self {
            world,
            protocol,
            markets: Arc::default(),
            link,
            lines: BTreeMap::new(),
            start_at: None,
            news: Vec::new(),
            asked: Vec::new(),
            heard: 0,
            replies: Vec::new(),
        };
        let Reply::Symbols(rules) = hours.ask(Request::Symbols) else { panic!("no symbols") };
        let venue = hours.protocol.venue();
        let market = |(index, info): (usize, cex_core::SymbolInfo)| {
            let scale = cex_core::Scale::new(info.price_dp, 8).expect("fits");
            cex_core::Market::new(venue, cex_core::SymbolId(u32::try_from(index).expect("few")), info, scale)
                .expect("sane rules")
        };
        hours.markets = Arc::new(Markets::new(rules.into_iter().enumerate().map(market).collect()));
        hours.link = hours.protocol.account_link(&hours.markets).expect("credentials");
        hours.start_at = Some(hours.world.now());
        hours
    }

    /// Lets so much time pass.
    fn pass(&mut self, time: Duration) {
        let until = self.world.now() + time;
        while self.turn(until) {}
    }

    /// The next thing that happens until then.
    fn turn(&mut self, until: Timestamp) -> bool {
        let wake = self.link.wakeup_at();
        let due = [Some(self.world.next_at()), wake, self.start_at].into_iter().flatten().min();
        let at = due.unwrap_or(until).max(self.world.now()).min(until);
        self.world.step(at);
        while let Some((line, arrival)) = self.world.take() {
            self.arrive(line, arrival);
        }
        if self.start_at.is_some_and(|start| start <= at) {
            self.start_at = None;
            self.tell(Input::Start);
        }
        if self.link.wakeup_at().is_some_and(|wake| wake <= at) {
            self.tell(Input::Wake);
        }
        at < until
    }

    fn arrive(&mut self, id: LineId, arrival: Arrival) {
        let Some(line) = self.lines.get(&id) else { return };
        match (arrival, line) {
            (Arrival::Dialed, Line::Stream { query }) => {
                let upgrade = Said::Upgrade { path: "/ws".to_owned(), query: query.clone() };
                self.world.say(id, upgrade);
            }
            (Arrival::Dialed, Line::Call { request, .. }) => {
                let call = self.call_of(request);
                self.world.say(id, Said::Call(call));
            }
            (Arrival::Answer(answer), Line::Call { tag, request }) => {
                let headers: Vec<(&str, &[u8])> =
                    answer.headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
                let response = HttpResponse { status: answer.status, headers: &headers, body: &answer.body };
                let result = self.protocol.decode(&self.markets, request, &response);
                let tag = *tag;
                self.world.hang_up(id);
                self.lines.remove(&id);
                match tag {
                    Some(tag) => self.tell(Input::Reply { tag, result: &result }),
                    None => self.replies.push(result.expect("an answer that is no refusal")),
                }
            }
            (Arrival::Upgraded, _) => self.tell(Input::Connected),
            (Arrival::Text(text), _) => self.tell(Input::Text(&text)),
            (Arrival::Binary(bytes), _) => self.tell(Input::Binary(&bytes)),
            (Arrival::Ping, _) => self.world.say(id, Said::Pong),
            (Arrival::Pong, _) => self.tell(Input::Pong),
            (_, Line::Stream { .. }) => self.lose(),
            (other, Line::Call { request, .. }) => panic!("{request:?}: {other:?}"),
        }
    }

    fn call_of(&self, request: &Request) -> Call {
        let mut built = HttpRequest::default();
        self.protocol.encode(self.world.now(), &self.markets, request, &mut built).expect("can be sent");
        let (path, query) = built.target.split_once('?').unwrap_or((built.target.as_str(), ""));
        Call {
            method: built.method.as_str(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: built.headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            body: built.body.clone(),
        }
    }

    fn begin(&mut self, tag: Option<u32>, request: Request) {
        let line = self.world.dial(SimExchange::Mexc);
        self.lines.insert(line, Line::Call { tag, request });
    }

    /// A call of ours, answered.
    fn ask(&mut self, request: Request) -> Reply {
        self.begin(None, request);
        let patience = self.world.now() + MINUTE;
        while self.replies.is_empty() && self.turn(patience) {}
        self.replies.pop().expect("an answer within a minute")
    }

    /// The stream's connection, or the attempt at one, is gone; it begins anew a second later.
    fn lose(&mut self) {
        let streams: Vec<LineId> = self
            .lines
            .iter()
            .filter(|(_, line)| matches!(line, Line::Stream { .. }))
            .map(|(id, _)| *id)
            .collect();
        for id in streams {
            self.world.hang_up(id);
            self.lines.remove(&id);
        }
        self.start_at = Some(self.world.now() + Duration::from_secs(1));
        self.tell(Input::Disconnected);
    }

    fn tell(&mut self, input: Input<'_>) {
        let (now, mut out) = (self.world.now(), Outbox::default());
        // What cannot be read is told in the outbox too.
        let _ = self.link.handle(now, input, &mut out);
        self.news.extend(out.link.drain(..).map(|event| (now, event)));
        self.heard += out.account.len();
        for effect in std::mem::take(&mut out.effects) {
            match effect {
                Effect::Connect(url) => {
                    let query = url.split_once('?').map_or("", |(_, query)| query).to_owned();
                    let line = self.world.dial(SimExchange::Mexc);
                    self.lines.insert(line, Line::Stream { query });
                }
                Effect::Send(payload) => self.send(payload),
                Effect::Request { tag, request } => {
                    self.asked.push((now, request.clone()));
                    self.begin(Some(tag), request);
                }
                Effect::Reconnect(_) => self.lose(),
            }
        }
    }

    fn send(&mut self, payload: Payload) {
        let stream =
            self.lines.iter().find(|(_, line)| matches!(line, Line::Stream { .. })).map(|(id, _)| *id);
        let said = match payload {
            Payload::Text(text) => Said::Text(text),
            Payload::Binary(bytes) => Said::Binary(bytes),
            Payload::Ping => Said::Ping,
        };
        self.world.say(stream.expect("a stream to speak on"), said);
    }

    /// When something was asked for.
    fn times(&self, wanted: impl Fn(&Request) -> bool) -> Vec<Timestamp> {
        self.asked.iter().filter(|(_, request)| wanted(request)).map(|(at, _)| *at).collect()
    }

    fn count(&self, wanted: LinkEvent) -> usize {
        self.news.iter().filter(|(_, event)| *event == wanted).count()
    }

    /// Places an order that rests; whether the stream tells of it.
    fn hears_an_order(&mut self, number: usize) -> bool {
        let market = self.markets.iter().next().expect("one").clone();
        let price = cex_core::Price(market.tick.0 * 5_000).floor_to(market.tick);
        let notional = market.info.min_notional.checked_mul(cex_core::Decimal::from(20)).expect("fits");
        let qty = notional
            .checked_div(market.scale.price_value(price), market.info.lot_dp, cex_core::Rounding::Ceil)
            .expect("fits");
        let order = OrderRequest {
            venue: self.protocol.venue(),
            symbol: market.id,
            client_id: cex_core::ClientOrderId::new(&format!("hours-{number}")).expect("short"),
            side: Side::Buy,
            kind: OrderKind::Limit {
                price,
                qty: market.scale.qty(qty.max(market.info.min_qty)).expect("fits"),
                tif: TimeInForce::Gtc,
            },
            expires_in: Duration::from_secs(5),
        };
        let before = self.heard;
        assert!(matches!(self.ask(Request::Place(order)), Reply::Placed(_)));
        self.pass(Duration::from_secs(2));
        self.heard > before
    }
}

const fn is_renewal(request: &Request) -> bool {
    matches!(request, Request::KeepListenKey(_))
}

const fn is_creation(request: &Request) -> bool {
    matches!(request, Request::CreateListenKey)
}

#[test]
fn a_stream_lives_through_six_hours_on_one_key() {
    let mut hours = Hours::new();
    hours.pass(MINUTE);
    assert_eq!(hours.count(LinkEvent::AccountReady), 1);
    for hour in 1..=6 {
        hours.pass(60 * MINUTE);
        assert!(hours.hears_an_order(hour), "in hour {hour}");
    }
    assert_eq!((hours.count(LinkEvent::Down), hours.times(is_creation).len()), (0, 1));
    let renewals = hours.times(is_renewal);
    assert!((15..=18).contains(&renewals.len()), "{} renewals", renewals.len());
    for pair in renewals.windows(2) {
        let pause = pair[1].since(pair[0]);
        assert!((20 * MINUTE..=30 * MINUTE).contains(&pause), "renewed after {pause:?}");
    }
    // Each renewal is looked up at once, and the key every few minutes.
    let checks = hours.times(|request| matches!(request, Request::ListenKeys));
    for renewal in &renewals {
        let soon = |check: &&Timestamp| **check >= *renewal && check.since(*renewal) < Duration::from_secs(1);
        assert!(checks.iter().any(|check| soon(&check)), "a renewal at {renewal} that was not looked up");
    }
    assert!(checks.windows(2).all(|pair| pair[1].since(pair[0]) <= 6 * MINUTE));
}

#[test]
fn a_key_whose_renewals_lied_is_found_dead_and_replaced_within_minutes() {
    let mut hours = Hours::new();
    for fault in [VenueFault::ListenKeysLie, VenueFault::ListenKeysEndSilently] {
        hours.world.inject(SimExchange::Mexc, &Fault::venue(fault)).expect("a fault");
    }
    hours.pass(MINUTE);
    assert!(hours.hears_an_order(1));
    // The hour ends in silence: no close, no error, no news.
    hours.pass(57 * MINUTE);
    assert_eq!((hours.times(is_creation).len(), hours.times(is_renewal).len()), (1, 2));
    hours.pass(9 * MINUTE);
    assert_eq!(hours.times(is_creation).len(), 2, "a new key");
    // Down, and complete again on the new one: whoever listens reads balances, orders and fills anew.
    let told: Vec<LinkEvent> = hours
        .news
        .iter()
        .map(|(_, event)| *event)
        .filter(|event| matches!(event, LinkEvent::Down | LinkEvent::AccountReady))
        .collect();
    assert_eq!(told, [LinkEvent::AccountReady, LinkEvent::Down, LinkEvent::AccountReady]);
    assert!(hours.hears_an_order(2));
}

#[test]
fn a_key_that_ends_is_replaced_at_once() {
    let mut hours = Hours::new();
    hours.pass(30 * MINUTE);
    hours.world.inject(SimExchange::Mexc, &Fault::venue(VenueFault::ExpireListenKeys)).expect("a fault");
    hours.pass(MINUTE);
    assert_eq!(hours.times(is_creation).len(), 2);
    // Once when the key ended, and once more because it was young and tried again.
    assert_eq!((hours.count(LinkEvent::Down), hours.count(LinkEvent::AccountReady)), (2, 2));
    assert!(hours.hears_an_order(1));
}

#[test]
fn after_more_crashes_than_an_account_has_keys_the_stream_still_becomes_complete() {
    let mut hours = Hours::new();
    for crash in 1..=70 {
        let ready = hours.count(LinkEvent::AccountReady);
        hours.pass(Duration::from_secs(20));
        assert_eq!(hours.count(LinkEvent::AccountReady), ready + 1, "after {} crashes", crash - 1);
        // The process dies: nothing is given back, and the next one knows of no key.
        let streams: Vec<LineId> = hours.lines.keys().copied().collect();
        for line in streams {
            hours.world.hang_up(line);
            hours.lines.remove(&line);
        }
        hours.link = hours.protocol.account_link(&hours.markets).expect("credentials");
        hours.start_at = Some(hours.world.now());
    }
    hours.pass(MINUTE);
    assert!(hours.hears_an_order(1));
    assert!(hours.times(is_creation).len() >= 70, "a new key is asked for first");
}
