//! Orders that wait for a price: each is placed, as an order of its own, when its market trades there.
//!
//! REST keeps them under `/spot/price_orders`, with numbers of their own; `spot.priceorders` tells what becomes of them.

use super::body::Fields;
use super::json::{self, Object};
use super::refusal::Refusal;
use super::rest::{Reply, Request};
use super::{Gateio, orders, place, user_id};
use crate::matching::{AccountIndex, Exchange, ExchangeEvent, MarketIndex, OrderNo};
use cex_core::{Decimal, Price, Timestamp};
use std::collections::VecDeque;

/// How many may wait for an account at a time.
const MOST_OPEN: usize = 100;
/// How many that ended are remembered, of all accounts together.
const MOST_ENDED: usize = 1_000;
/// How long one waits that does not say so itself.
const USUAL_WAIT_SECS: u64 = 86_400;
/// How long one may wait.
const LONGEST_WAIT_SECS: u64 = 30 * 86_400;

/// What became of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Open,
    Cancelled,
    Finish,
    Failed,
    Expired,
}

/// An order that waits.
#[derive(Debug, Clone)]
struct Trigger {
    id: u64,
    account: AccountIndex,
    market: MarketIndex,
    price: Price,
    /// Whether it waits for the price to rise to it (`>=`) rather than to fall.
    waits_for_rise: bool,
    wait_secs: u64,
    /// The order, as the body of a placement.
    body: String,
    created_at: Timestamp,
    ended_at: Option<Timestamp>,
    fired: Option<OrderNo>,
    status: Status,
    reason: String,
    /// Whether the market has traded there, so that it is placed as soon as possible.
    is_due: bool,
}

/// All that wait or waited.
#[derive(Debug, Default)]
pub(super) struct Triggers {
    last_id: u64,
    open: Vec<Trigger>,
    /// Oldest first.
    ended: VecDeque<Trigger>,
    /// What the stream has not told yet.
    news: Vec<Trigger>,
}

impl Trigger {
    const fn expires_at(&self) -> Timestamp {
        self.created_at.shifted(self.wait_secs as i64 * 1_000_000_000)
    }

    fn is_reached(&self, price: Price) -> bool {
        if self.waits_for_rise { price >= self.price } else { price <= self.price }
    }

    fn end(&mut self, now: Timestamp, status: Status) {
        (self.status, self.ended_at) = (status, Some(now));
    }

    const fn rule(&self) -> &'static str {
        if self.waits_for_rise { ">=" } else { "<=" }
    }
}

impl Status {
    const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Cancelled => "cancelled",
            Self::Finish => "finish",
            Self::Failed => "failed",
            Self::Expired => "expired",
        }
    }
}

impl Triggers {
    /// When [`act`], or whoever tells the news, is wanted next.
    pub(super) fn next_at(&self) -> Option<Timestamp> {
        let due = |trigger: &Trigger| if trigger.is_due { trigger.created_at } else { trigger.expires_at() };
        let news = self.news.first().map(|told| told.ended_at.unwrap_or(told.created_at));
        self.open.iter().map(due).chain(news).min()
    }

    /// The clock was moved.
    pub(super) fn step_clock(&mut self, by_nanos: i64) {
        for trigger in self.open.iter_mut().chain(&mut self.news) {
            trigger.created_at = trigger.created_at.shifted(by_nanos);
            trigger.ended_at = trigger.ended_at.map(|at| at.shifted(by_nanos));
        }
    }

    /// Looks whether trades reached a price that is waited for.
    pub(super) fn watch(&mut self, events: &[ExchangeEvent]) {
        if self.open.is_empty() {
            return;
        }
        for event in events {
            let ExchangeEvent::Trade { market, price, .. } = event else { continue };
            for trigger in self.open.iter_mut().filter(|trigger| trigger.market == *market) {
                trigger.is_due |= trigger.is_reached(*price);
            }
        }
    }

    fn retire(&mut self, trigger: Trigger) {
        if self.ended.len() >= MOST_ENDED {
            self.ended.pop_front();
        }
        self.news.push(trigger.clone());
        self.ended.push_back(trigger);
    }

    /// What is to be told on the stream: account, market, and the result of the frame.
    pub(super) fn take_news(&mut self) -> Vec<(AccountIndex, MarketIndex, TriggerNews)> {
        self.news.drain(..).map(|trigger| (trigger.account, trigger.market, TriggerNews(trigger))).collect()
    }
}

/// Something that became of one.
#[derive(Debug)]
pub(super) struct TriggerNews(Trigger);

impl TriggerNews {
    /// The result of a frame of `spot.priceorders`.
    pub(super) fn write(&self, exchange: &Exchange, row: &mut Object<'_>) {
        const NEVER: i64 = -62_135_596_800_000;
        let trigger = &self.0;
        let rules = exchange.rules(trigger.market);
        let put = Fields::parse(trigger.body.as_bytes()).unwrap_or_else(Fields::empty);
        let word = |name: &str| put.text(name).ok().flatten().unwrap_or_default().into_owned();
        row.quoted("market", format_args!("{}_{}", rules.symbol.base, rules.symbol.quote));
        row.quoted("uid", user_id(trigger.account));
        row.quoted("id", trigger.id);
        row.text("currency_type", rules.symbol.base.as_str());
        row.text("exchange_type", rules.symbol.quote.as_str());
        row.text("reason", &trigger.reason);
        row.text("err_msg", &trigger.reason);
        row.plain("fired_order_id", trigger.fired.map_or(0, |no| no.0));
        row.plain("instant_cancel", false);
        row.quoted("trigger_price", rules.scale.price_value(trigger.price));
        row.quoted("trigger_rule", trigger.rule());
        row.plain("trigger_expiration", trigger.wait_secs);
        row.text("price", &word("price"));
        row.text("amount", &word("amount"));
        row.quoted("source", "");
        row.text("order_type", &word("type"));
        row.text("side", &word("side"));
        row.quoted("engine_type", "normal");
        row.plain("is_stop_order", false);
        for empty in ["stop_trigger_price", "stop_trigger_rule", "stop_price"] {
            row.quoted(empty, "");
        }
        row.quoted("ctime", trigger.created_at.as_millis());
        row.quoted("ftime", trigger.ended_at.map_or(NEVER, Timestamp::as_millis));
    }
}

/// Places what is due and ends what waited too long.
pub(super) fn act(gateio: &mut Gateio, now: Timestamp, exchange: &mut Exchange) {
    let is_over = |trigger: &Trigger| trigger.is_due || trigger.expires_at() <= now;
    if !gateio.triggers.open.iter().any(is_over) {
        return;
    }
    let (over, open) = std::mem::take(&mut gateio.triggers.open).into_iter().partition(is_over);
    gateio.triggers.open = open;
    let over: Vec<Trigger> = over;
    for mut trigger in over {
        if trigger.is_due {
            fire(gateio, now, exchange, &mut trigger);
        } else {
            trigger.end(now, Status::Expired);
        }
        gateio.triggers.retire(trigger);
    }
}

fn fire(gateio: &mut Gateio, now: Timestamp, exchange: &mut Exchange, trigger: &mut Trigger) {
    let body = trigger.body.clone();
    let placed = Fields::parse(body.as_bytes())
        .ok_or_else(Refusal::not_found)
        .and_then(|fields| orders::place_one(gateio, exchange, trigger.account, now, &fields));
    match placed {
        Ok((order, _)) => {
            trigger.fired = Some(order.no);
            trigger.end(now, Status::Finish);
        }
        Err(refusal) => {
            trigger.reason = refusal.label.to_owned();
            trigger.end(now, Status::Failed);
        }
    }
}

/// `POST /spot/price_orders`
pub(super) fn create(
    gateio: &mut Gateio,
    exchange: &Exchange,
    account: AccountIndex,
    request: &Request<'_>,
) -> Result<Reply, Refusal> {
    let bad_body = || Refusal::new(400, "INVALID_REQUEST_BODY", "Request body must be a JSON object");
    let fields = Fields::parse(request.body).ok_or_else(bad_body)?;
    let part = |name: &str| {
        let value = fields.get(name).ok_or_else(|| Refusal::missing(name))?;
        Fields::of(value.clone()).ok_or_else(|| Refusal::bad_param(name, value.as_raw_str()))
    };
    let (trigger, put) = (part("trigger")?, part("put")?);
    let pair = fields.required("market")?;
    let market = gateio.names.market(&pair)?;
    let waits_for_rise = match &*trigger.required("rule")? {
        ">=" => true,
        "<=" => false,
        other => return Err(Refusal::bad_param("rule", other)),
    };
    let text = trigger.required("price")?;
    let price = text.parse::<Decimal>().ok().filter(|price| price.is_positive());
    let scale = exchange.rules(market).scale;
    let price = price.and_then(|price| price.to_scaled(scale.price_dp(), None).ok());
    let price = Price(price.ok_or_else(|| Refusal::bad_param("price", &text))?);
    let wait = trigger.text("expiration")?;
    let wait_secs = wait.as_deref().map_or(Ok(USUAL_WAIT_SECS), str::parse);
    let wait_secs = wait_secs.ok().filter(|secs| (1..=LONGEST_WAIT_SECS).contains(secs));
    let bad_wait = || Refusal::bad_param("expiration", wait.as_deref().unwrap_or_default());
    let wait_secs = wait_secs.ok_or_else(bad_wait)?;
    let body = placement(&put, &pair)?;
    // What could never be placed is refused at once.
    let read = Fields::parse(body.as_bytes()).ok_or_else(bad_body)?;
    place::parse(&gateio.names, exchange, &read)?;
    if gateio.triggers.open.iter().filter(|known| known.account == account).count() >= MOST_OPEN {
        return Err(Refusal::new(400, "TOO_MANY_ORDERS", format!("at most {MOST_OPEN} may wait")));
    }
    gateio.triggers.last_id += 1;
    let trigger = Trigger {
        id: gateio.triggers.last_id,
        account,
        market,
        price,
        waits_for_rise,
        wait_secs,
        body,
        created_at: request.now,
        ended_at: None,
        fired: None,
        status: Status::Open,
        reason: String::new(),
        is_due: false,
    };
    let mut answer = String::new();
    json::object(&mut answer, |row| {
        row.plain("id", trigger.id);
        row.quoted("id_string", trigger.id);
    });
    gateio.triggers.news.push(trigger.clone());
    gateio.triggers.open.push(trigger);
    Ok(Reply { status: 201, body: answer })
}

/// The body of the placement that a trigger's `put` stands for. Its account is called `normal` here, which is `spot`.
fn placement(put: &Fields<'_>, pair: &str) -> Result<String, Refusal> {
    match put.text("account")?.as_deref() {
        None | Some("normal" | "unified" | "spot") => {}
        Some(other) => return Err(Refusal::bad_param("account", other)),
    }
    let mut body = String::new();
    let mut texts = Vec::new();
    for name in ["text", "type", "side", "amount", "price", "time_in_force"] {
        if let Some(value) = put.text(name)? {
            texts.push((name, value.into_owned()));
        }
    }
    json::object(&mut body, |row| {
        row.text("currency_pair", pair);
        texts.iter().for_each(|(name, value)| row.text(name, value));
    });
    Ok(body)
}

/// `GET /spot/price_orders`
pub(super) fn list(
    gateio: &Gateio,
    exchange: &Exchange,
    account: AccountIndex,
    request: &Request<'_>,
) -> Result<String, Refusal> {
    let query = request.query;
    let is_open = match query.required("status")? {
        "open" => true,
        "finished" => false,
        other => return Err(Refusal::bad_param("status", other)),
    };
    let market = query.get("market").map(|name| gateio.names.market(name)).transpose()?;
    let limit = query.number("limit", 100, (1, 1_000))?;
    let skip = query.number("offset", 0, (0, u64::from(u32::MAX)))?;
    let Triggers { open, ended, .. } = &gateio.triggers;
    let all: Vec<&Trigger> = if is_open { open.iter().collect() } else { ended.iter().collect() };
    let wanted = |trigger: &&&Trigger| {
        trigger.account == account && market.is_none_or(|market| market == trigger.market)
    };
    let page = all.iter().rev().filter(wanted).skip(skip as usize).take(limit as usize);
    let mut body = String::new();
    json::array(&mut body, page, |out, trigger| json::object(out, |row| show(exchange, trigger, row)));
    Ok(body)
}

/// `GET /spot/price_orders/{id}`
pub(super) fn get(
    gateio: &Gateio,
    exchange: &Exchange,
    account: AccountIndex,
    id: &str,
) -> Result<String, Refusal> {
    let Triggers { open, ended, .. } = &gateio.triggers;
    let is_it = |trigger: &&Trigger| trigger.account == account && trigger.id.to_string() == id;
    let found = open.iter().chain(ended).find(is_it).ok_or_else(Refusal::order_not_found)?;
    let mut body = String::new();
    json::object(&mut body, |row| show(exchange, found, row));
    Ok(body)
}

/// `DELETE /spot/price_orders/{id}`
pub(super) fn cancel(
    gateio: &mut Gateio,
    exchange: &Exchange,
    account: AccountIndex,
    (now, id): (Timestamp, &str),
) -> Result<String, Refusal> {
    let is_it = |trigger: &Trigger| trigger.account == account && trigger.id.to_string() == id;
    let at = gateio.triggers.open.iter().position(is_it).ok_or_else(Refusal::order_not_found)?;
    let mut trigger = gateio.triggers.open.remove(at);
    trigger.end(now, Status::Cancelled);
    let mut body = String::new();
    json::object(&mut body, |row| show(exchange, &trigger, row));
    gateio.triggers.retire(trigger);
    Ok(body)
}

/// `DELETE /spot/price_orders`: of one market, or of all.
pub(super) fn cancel_all(
    gateio: &mut Gateio,
    exchange: &Exchange,
    account: AccountIndex,
    request: &Request<'_>,
) -> Result<String, Refusal> {
    let market = request.query.get("market").map(|name| gateio.names.market(name)).transpose()?;
    let is_wanted = |trigger: &Trigger| {
        trigger.account == account && market.is_none_or(|market| market == trigger.market)
    };
    let (gone, open) = std::mem::take(&mut gateio.triggers.open).into_iter().partition(is_wanted);
    gateio.triggers.open = open;
    let mut gone: Vec<Trigger> = gone;
    gone.iter_mut().for_each(|trigger| trigger.end(request.now, Status::Cancelled));
    let mut body = String::new();
    json::array(&mut body, &gone, |out, trigger| json::object(out, |row| show(exchange, trigger, row)));
    gone.into_iter().for_each(|trigger| gateio.triggers.retire(trigger));
    Ok(body)
}

fn show(exchange: &Exchange, trigger: &Trigger, row: &mut Object<'_>) {
    let rules = exchange.rules(trigger.market);
    row.plain("id", trigger.id);
    row.plain("user", user_id(trigger.account));
    row.quoted("market", format_args!("{}_{}", rules.symbol.base, rules.symbol.quote));
    row.object("trigger", |row| {
        row.quoted("price", rules.scale.price_value(trigger.price));
        row.quoted("rule", trigger.rule());
        row.plain("expiration", trigger.wait_secs);
    });
    let put = Fields::parse(trigger.body.as_bytes()).unwrap_or_else(Fields::empty);
    row.object("put", |row| {
        for name in ["type", "side", "price", "amount", "time_in_force", "text"] {
            let value = put.text(name).ok().flatten();
            let usual = match name {
                "type" => "limit",
                "price" => "0",
                "time_in_force" => "gtc",
                _ => "",
            };
            row.text(name, value.as_deref().unwrap_or(usual));
        }
        row.quoted("account", "normal");
    });
    row.plain("ctime", trigger.created_at.as_secs());
    row.plain("ftime", trigger.ended_at.map_or(0, Timestamp::as_secs));
    row.plain("fired_order_id", trigger.fired.map_or(0, |no| no.0));
    row.quoted("status", trigger.status.name());
    row.text("reason", &trigger.reason);
}
