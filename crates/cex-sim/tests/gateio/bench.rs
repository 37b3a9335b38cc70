//! An exchange behind its dialect, and a client that signs by itself.

use cex_core::{Asset, Bps, Decimal, Price, Qty, Scale, Side, Timestamp};
use cex_sim::dialect::gateio::{Gateio, GateioConfig};
use cex_sim::dialect::{ConnId, Dialect, Frame, HttpAnswer, HttpCall, Message, Outgoing};
use cex_sim::matching::{AccountIndex, BuyFee, Exchange, MarketIndex, MarketRules, NewOrder, NewOrderKind};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha512};
use sonic_rs::{JsonValueTrait as _, Value};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// The credentials of the vectors.
pub(crate) const KEY: &str = "k-0123456789abcdef";
pub(crate) const SECRET: &str = "s-fedcba9876543210";
/// The time of the vectors.
pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
pub(crate) const BTC: MarketIndex = MarketIndex(0);
pub(crate) const ETH: MarketIndex = MarketIndex(1);

pub(crate) struct Bench {
    pub(crate) now: Timestamp,
    pub(crate) exchange: Exchange,
    pub(crate) gateio: Gateio,
    pub(crate) client: AccountIndex,
    pub(crate) house: AccountIndex,
    /// Text frames by connection, in order.
    frames: BTreeMap<ConnId, Vec<String>>,
    /// Other frames, in order.
    pub(crate) others: Vec<(ConnId, Frame)>,
}

pub(crate) fn decimal(text: &str) -> Decimal {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn rules(symbol: &str, price_dp: u8, qty_dp: u8) -> MarketRules {
    MarketRules {
        symbol: symbol.parse().expect("a symbol"),
        scale: Scale::new(price_dp, qty_dp).expect("a scale"),
        min_qty: Qty(1),
        min_notional: Decimal::from(3),
        maker_fee: Bps::from_bps(20),
        taker_fee: Bps::from_bps(20),
        buy_fee: BuyFee::Base,
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(GateioConfig::default())
    }

    pub(crate) fn with(config: GateioConfig) -> Self {
        let markets = vec![rules("BTC/USDT", 1, 8), rules("ETH/USDT", 2, 4), rules("ETH/BTC", 6, 4)];
        let mut exchange = Exchange::new("gateio", markets);
        let deposits = |amount: &str| {
            ["USDT", "BTC", "ETH"].map(|asset| (Asset::new(asset).expect("short"), decimal(amount)))
        };
        let client = exchange.open_account(NOW, "client", KEY, SECRET, &deposits("1000"));
        let house = exchange.open_house_account(NOW, "house", &deposits("1000000000"));
        let gateio = Gateio::new(config, &exchange);
        let (frames, others) = (BTreeMap::new(), Vec::new());
        let mut bench = Self { now: NOW, exchange, gateio, client, house, frames, others };
        bench.settle(Outgoing::new());
        bench
    }

    /// Sends a call that is signed as the reference says.
    pub(crate) fn signed(&mut self, method: &str, path: &str, query: &str, body: &str) -> HttpAnswer {
        let timestamp = self.now.as_secs().to_string();
        let sign = sign(SECRET, method, path, query, body, &timestamp);
        self.call(method, path, query, body, &[("key", KEY), ("timestamp", &timestamp), ("sign", &sign)])
    }

    /// As [`Self::signed`]; answers status and JSON.
    pub(crate) fn json(&mut self, method: &str, path: &str, query: &str, body: &str) -> (u16, Value) {
        let answer = self.signed(method, path, query, body);
        (answer.status, parse(&String::from_utf8(answer.body).expect("UTF-8")))
    }

    /// Sends a call with these headers.
    pub(crate) fn call(
        &mut self,
        method: &str,
        path: &str,
        query: &str,
        body: &str,
        headers: &[(&str, &str)],
    ) -> HttpAnswer {
        let headers: Vec<(String, String)> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let call = HttpCall { method, path, query, headers: &headers, body: body.as_bytes(), peer };
        let answer = self.gateio.http(self.now, &mut self.exchange, &call);
        self.settle(Outgoing::new());
        answer
    }

    /// Opens a WebSocket.
    pub(crate) fn open(&mut self, conn: u64) -> ConnId {
        let conn = ConnId(conn);
        self.gateio.open(self.now, conn, "/ws/v4/", "").expect("the path is right");
        conn
    }

    /// Sends a text; answers the first frame that came back.
    pub(crate) fn send(&mut self, conn: ConnId, text: &str) -> Value {
        let before = self.frames.get(&conn).map_or(0, Vec::len);
        let mut out = Outgoing::new();
        self.gateio.message(self.now, &mut self.exchange, conn, Message::Text(text), &mut out);
        self.settle(out);
        parse(&self.frames.get_mut(&conn).expect("an answer").remove(before))
    }

    /// Sends a request to the trading interface; answers all frames that came back.
    pub(crate) fn ask(&mut self, conn: ConnId, channel: &str, payload: &str) -> Vec<Value> {
        self.take(conn);
        let time = self.now.as_secs();
        let request = format!(r#"{{"time":{time},"channel":"{channel}","event":"api","payload":{payload}}}"#);
        let first = self.send(conn, &request);
        let mut frames = vec![first];
        frames.extend(self.take(conn).into_iter().filter(|frame| frame.get("request_id").is_some()));
        frames
    }

    /// Logs in on a connection.
    pub(crate) fn login(&mut self, conn: ConnId) {
        let timestamp = self.now.as_secs();
        let signature = trading_sign(SECRET, "spot.login", "", &timestamp.to_string());
        let payload = format!(
            r#"{{"api_key":"{KEY}","signature":"{signature}","timestamp":"{timestamp}","req_id":"login-1"}}"#
        );
        let frames = self.ask(conn, "spot.login", &payload);
        assert_eq!(text(&frames[0]["header"]["status"]), "200", "{frames:?}");
    }

    /// Subscribes to a public channel and expects it to work.
    pub(crate) fn subscribe(&mut self, conn: ConnId, channel: &str, payload: &str) {
        let time = self.now.as_secs();
        let request =
            format!(r#"{{"time":{time},"channel":"{channel}","event":"subscribe","payload":{payload}}}"#);
        let ack = self.send(conn, &request);
        assert_eq!(ack["result"]["status"].as_str(), Some("success"), "{ack:?}");
    }

    /// Subscribes to a private channel and expects it to work.
    pub(crate) fn subscribe_private(&mut self, conn: ConnId, channel: &str, payload: &str) {
        let request = private_request(self.now, channel, "subscribe", payload, KEY, SECRET);
        let ack = self.send(conn, &request);
        assert_eq!(ack["result"]["status"].as_str(), Some("success"), "{ack:?}");
    }

    /// Takes the frames a connection got so far.
    pub(crate) fn take(&mut self, conn: ConnId) -> Vec<Value> {
        self.frames.remove(&conn).unwrap_or_default().iter().map(|text| parse(text)).collect()
    }

    /// As [`Self::take`], of one channel.
    pub(crate) fn take_channel(&mut self, conn: ConnId, channel: &str) -> Vec<Value> {
        let mut frames = self.take(conn);
        frames.retain(|frame| frame["channel"].as_str() == Some(channel));
        frames
    }

    /// Places an order of the house.
    pub(crate) fn rest(&mut self, market: MarketIndex, side: Side, price: &str, qty: &str) {
        let scale = self.exchange.rules(market).scale;
        let price = scale.parse_price(price.as_bytes()).expect("a price");
        let qty = scale.parse_qty(qty.as_bytes()).expect("a quantity");
        self.house_order(market, side, NewOrderKind::Limit { price, qty });
    }

    pub(crate) fn house_order(&mut self, market: MarketIndex, side: Side, kind: NewOrderKind) {
        let order = NewOrder { market, client_id: String::new(), side, kind };
        self.exchange.place(self.now, self.house, order).expect("the house can afford it");
        self.settle(Outgoing::new());
    }

    /// Lets time pass, waking the dialect whenever it wants.
    pub(crate) fn pass(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some(at) = self.gateio.wakeup_at().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.wake();
        }
        self.now = until;
    }

    /// When the dialect wants to be woken.
    pub(crate) fn next_wake(&self) -> Option<Timestamp> {
        self.gateio.wakeup_at()
    }

    /// Wakes the dialect now.
    pub(crate) fn wake(&mut self) {
        self.gateio.act(self.now, &mut self.exchange);
        self.settle(Outgoing::new());
        let mut out = Outgoing::new();
        self.gateio.wake(self.now, &self.exchange, &mut out);
        self.settle(out);
    }

    /// Hands the exchange's events on, as a host does.
    pub(crate) fn settle(&mut self, mut out: Outgoing) {
        let mut events = Vec::new();
        self.exchange.drain_events(&mut events);
        self.gateio.events(self.now, &self.exchange, &events, &mut out);
        for (conn, frame) in out {
            match frame {
                Frame::Text(text) => self.frames.entry(conn).or_default().push(text),
                Frame::Shared(text) => self.frames.entry(conn).or_default().push(text.to_string()),
                other @ (Frame::Binary(_) | Frame::Ping | Frame::Close) => self.others.push((conn, other)),
            }
        }
    }

    /// The best levels of a side of the exchange's book, as texts.
    pub(crate) fn levels(&self, market: MarketIndex, side: Side, depth: usize) -> Vec<(Decimal, Decimal)> {
        let scale = self.exchange.rules(market).scale;
        let show = |(price, qty): (Price, Qty)| (scale.price_value(price), scale.qty_value(qty));
        match side {
            Side::Buy => self.exchange.bids(market).take(depth).map(show).collect(),
            Side::Sell => self.exchange.asks(market).take(depth).map(show).collect(),
        }
    }
}

pub(crate) fn parse(text: &str) -> Value {
    sonic_rs::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value:?} is not a text"))
}

pub(crate) fn label(value: &Value) -> &str {
    text(&value["label"])
}

/// A private subscription.
pub(crate) fn private_request(
    now: Timestamp,
    channel: &str,
    event: &str,
    payload: &str,
    key: &str,
    secret: &str,
) -> String {
    let time = now.as_secs();
    let sign = hmac(secret, &format!("channel={channel}&event={event}&time={time}"));
    format!(
        r#"{{"time":{time},"channel":"{channel}","event":"{event}","payload":{payload},"auth":{{"method":"api_key","KEY":"{key}","SIGN":"{sign}"}}}}"#
    )
}

/// The signature of a REST call, written here once more from the reference.
pub(crate) fn sign(
    secret: &str,
    method: &str,
    path: &str,
    query: &str,
    body: &str,
    timestamp: &str,
) -> String {
    let hash = hex(&Sha512::digest(body.as_bytes()));
    hmac(secret, &format!("{method}\n{path}\n{query}\n{hash}\n{timestamp}"))
}

/// The signature of a request to the trading interface, written here once more from the reference.
pub(crate) fn trading_sign(secret: &str, channel: &str, param: &str, timestamp: &str) -> String {
    hmac(secret, &format!("api\n{channel}\n{param}\n{timestamp}"))
}

fn hmac(secret: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha512>::new_from_slice(secret.as_bytes()).expect("any key");
    mac.update(text.as_bytes());
    hex(&mac.finalize().into_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
