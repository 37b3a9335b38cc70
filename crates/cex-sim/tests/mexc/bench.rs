//! An exchange behind its dialect, and a client that signs by itself.

use bytes::Bytes;
use cex_core::{Asset, Bps, Decimal, Price, Qty, Scale, Side, Timestamp};
use cex_proto::mexc::PushDataV3ApiWrapper;
use cex_sim::dialect::mexc::{Mexc, MexcConfig};
use cex_sim::dialect::{ConnId, Dialect, Frame, HttpAnswer, HttpCall, Message, Outgoing};
use cex_sim::matching::{AccountIndex, BuyFee, Exchange, MarketIndex, MarketRules, NewOrder, NewOrderKind};
use hmac::{Hmac, KeyInit as _, Mac as _};
use prost::Message as _;
use sha2::Sha256;
use sonic_rs::{JsonValueTrait as _, Value};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// The credentials of the vectors: the sample pair of the exchange's documentation.
pub(crate) const KEY: &str = "mx0aBYs33eIilxBWC5";
pub(crate) const SECRET: &str = "45d0b3c26f2644f19bfb98b07741b2f5";
/// The time of the vectors.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_644_489_390_087);
pub(crate) const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub(crate) const BTC: MarketIndex = MarketIndex(0);
pub(crate) const MX: MarketIndex = MarketIndex(1);

/// Something a connection was sent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Received {
    Text(String),
    Push(Bytes),
    Close,
}

pub(crate) struct Bench {
    pub(crate) now: Timestamp,
    pub(crate) exchange: Exchange,
    pub(crate) mexc: Mexc,
    pub(crate) client: AccountIndex,
    pub(crate) house: AccountIndex,
    received: Vec<(ConnId, Received)>,
}

pub(crate) fn decimal(text: &str) -> Decimal {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

pub(crate) fn asset(name: &str) -> Asset {
    Asset::new(name).expect("short")
}

fn rules(base: &str, price_dp: u8, qty_dp: u8) -> MarketRules {
    MarketRules {
        symbol: cex_core::Symbol::new(base, "USDT").expect("short"),
        scale: Scale::new(price_dp, qty_dp).expect("a scale"),
        min_qty: Qty(1),
        min_notional: Decimal::ONE,
        maker_fee: Bps::ZERO,
        taker_fee: Bps::from_bps(5),
        buy_fee: BuyFee::Quote,
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(MexcConfig::default())
    }

    pub(crate) fn with(config: MexcConfig) -> Self {
        let markets =
            vec![rules("BTC", 2, 6), rules("MX", 4, 2), rules("龙虾", 8, 0), rules("GOLD(PAXG)", 2, 4)];
        let mut exchange = Exchange::new("mexc", markets);
        let deposits = |amount| ["USDT", "BTC", "MX"].map(|name| (asset(name), decimal(amount)));
        let client = exchange.open_account(NOW, "client", KEY, SECRET, &deposits("1000"));
        let house = exchange.open_house_account(NOW, "house", &deposits("1000000000"));
        let mexc = Mexc::new(config, &exchange);
        let mut bench = Self { now: NOW, exchange, mexc, client, house, received: Vec::new() };
        bench.settle(Outgoing::new());
        bench
    }

    /// Sends a call that is signed as the reference says, everything in the query.
    pub(crate) fn signed(&mut self, method: &str, path: &str, params: &str) -> (u16, Value) {
        let timestamp = self.now.as_millis();
        let separator = if params.is_empty() { "" } else { "&" };
        let query = format!("{params}{separator}timestamp={timestamp}&recvWindow=5000");
        let query = format!("{query}&signature={}", hmac(SECRET, &query));
        let headers = [("x-mexc-apikey", KEY), ("content-type", "application/json")];
        json(&self.call(method, &format!("/api/v3/{path}"), &query, "", &headers))
    }

    /// Asks a public endpoint.
    pub(crate) fn public(&mut self, path: &str, query: &str) -> (u16, Value) {
        json(&self.call("GET", &format!("/api/v3/{path}"), query, "", &[]))
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
        let call = HttpCall { method, path, query, headers: &headers, body: body.as_bytes(), peer: PEER };
        let answer = self.mexc.http(self.now, &mut self.exchange, &call);
        self.settle(Outgoing::new());
        answer
    }

    /// Opens a WebSocket.
    pub(crate) fn open(&mut self, conn: u64, query: &str) -> ConnId {
        let conn = ConnId(conn);
        self.mexc.open(self.now, conn, "/ws", query).expect("the path is right");
        conn
    }

    /// Makes a listen key and opens a WebSocket with it that reads these private channels.
    pub(crate) fn open_private(&mut self, conn: u64, channels: &[&str]) -> ConnId {
        let (_, answer) = self.signed("POST", "userDataStream", "");
        let conn = self.open(conn, &format!("listenKey={}", text(&answer["listenKey"])));
        for channel in channels {
            self.subscribe(conn, &format!("spot@private.{channel}.v3.api.pb"));
        }
        conn
    }

    /// Sends a text; answers the first text that came back.
    pub(crate) fn send(&mut self, conn: ConnId, text: &str) -> Value {
        let mut out = Outgoing::new();
        self.mexc.message(self.now, &mut self.exchange, conn, Message::Text(text), &mut out);
        self.settle(out);
        let is_answer = |(to, got): &(ConnId, Received)| *to == conn && matches!(got, Received::Text(_));
        let at = self.received.iter().rposition(is_answer).expect("an answer");
        match self.received.remove(at).1 {
            Received::Text(text) => parse(&text),
            other @ (Received::Push(_) | Received::Close) => panic!("{other:?} is no text"),
        }
    }

    /// Subscribes a channel and expects it to work.
    pub(crate) fn subscribe(&mut self, conn: ConnId, channel: &str) {
        let ack = self.send(conn, &format!(r#"{{"method":"SUBSCRIPTION","params":["{channel}"]}}"#));
        assert_eq!(ack["msg"].as_str(), Some(channel));
    }

    /// Takes what a connection was sent so far.
    pub(crate) fn take(&mut self, conn: ConnId) -> Vec<Received> {
        let (theirs, others) =
            std::mem::take(&mut self.received).into_iter().partition(|(to, _)| *to == conn);
        self.received = others;
        Vec::into_iter(theirs).map(|(_, got)| got).collect()
    }

    /// As [`Self::take`], where only pushes are expected.
    pub(crate) fn pushes(&mut self, conn: ConnId) -> Vec<(Bytes, PushDataV3ApiWrapper)> {
        let push = |got| match got {
            Received::Push(frame) => {
                let wrapper = PushDataV3ApiWrapper::decode(frame.clone()).expect("a valid frame");
                (frame, wrapper)
            }
            other @ (Received::Text(_) | Received::Close) => panic!("{other:?} is no push"),
        };
        self.take(conn).into_iter().map(push).collect()
    }

    /// Rests an order of the house.
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
        while let Some(at) = self.next_wake().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.wake();
        }
        self.now = until;
    }

    /// When the dialect wants to be woken.
    pub(crate) fn next_wake(&self) -> Option<Timestamp> {
        self.mexc.wakeup_at()
    }

    /// Wakes the dialect now.
    pub(crate) fn wake(&mut self) {
        self.mexc.act(self.now, &mut self.exchange);
        self.settle(Outgoing::new());
        let mut out = Outgoing::new();
        self.mexc.wake(self.now, &self.exchange, &mut out);
        self.settle(out);
    }

    /// Hands the exchange's events on, as a host does.
    pub(crate) fn settle(&mut self, mut out: Outgoing) {
        let mut events = Vec::new();
        self.exchange.drain_events(&mut events);
        self.mexc.events(self.now, &self.exchange, &events, &mut out);
        for (conn, frame) in out {
            let got = match frame {
                Frame::Text(text) => Received::Text(text),
                Frame::Shared(text) => Received::Text(text.to_string()),
                Frame::Binary(bytes) => Received::Push(bytes),
                Frame::Close => Received::Close,
                Frame::Ping => panic!("MEXC sends no pings"),
            };
            self.received.push((conn, got));
        }
    }

    /// What the client has of a coin: free and locked.
    pub(crate) fn balance(&self, name: &str) -> (String, String) {
        let (free, locked) = self.exchange.balance(self.client, asset(name));
        (free.to_string(), locked.to_string())
    }

    /// All levels of a side of the exchange's book.
    pub(crate) fn levels(&self, market: MarketIndex, side: Side) -> Vec<(Decimal, Decimal)> {
        let scale = self.exchange.rules(market).scale;
        let show = |(price, qty): (Price, Qty)| (scale.price_value(price), scale.qty_value(qty));
        match side {
            Side::Buy => self.exchange.bids(market).map(show).collect(),
            Side::Sell => self.exchange.asks(market).map(show).collect(),
        }
    }
}

/// Status and JSON of an answer.
pub(crate) fn json(answer: &HttpAnswer) -> (u16, Value) {
    (answer.status, parse(std::str::from_utf8(&answer.body).expect("UTF-8")))
}

pub(crate) fn parse(text: &str) -> Value {
    sonic_rs::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value:?} is not a text"))
}

/// The code of a refusal.
pub(crate) fn code(answer: &(u16, Value)) -> i64 {
    assert_eq!(answer.0, 400, "{:?}", answer.1);
    answer.1["code"].as_i64().expect("a code")
}

/// The signature of the reference, written here once more.
pub(crate) fn hmac(secret: &str, message: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key");
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}
