//! The trading interface over WebSocket: logging in, and the private endpoints of REST as messages.

use super::batch::{self, Twin};
use super::body::Fields;
use super::json::{self, Object};
use super::limit::{Budget, Quota};
use super::query::Query;
use super::refusal::Refusal;
use super::rest::Request;
use super::{Gateio, hex_id, orders, sign, user_id};
use crate::dialect::percent::{self, Blank};
use crate::dialect::{ConnId, Frame, Outgoing};
use crate::matching::{AccountIndex, Exchange};
use cex_core::Timestamp;
use std::borrow::Cow;

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    Login,
    Place,
    Cancel,
    CancelIds,
    CancelPair,
    Amend,
    Status,
    List,
}

impl Command {
    fn parse(channel: &str) -> Result<Self, Refusal> {
        Ok(match channel {
            "spot.login" => Self::Login,
            "spot.order_place" => Self::Place,
            "spot.order_cancel" => Self::Cancel,
            "spot.order_cancel_ids" => Self::CancelIds,
            "spot.order_cancel_cp" => Self::CancelPair,
            "spot.order_amend" => Self::Amend,
            "spot.order_status" => Self::Status,
            "spot.order_list" => Self::List,
            _ => return Err(Refusal::new(400, "INVALID_ARGUMENT", format!("unknown channel {channel}"))),
        })
    }

    /// Whether it changes something: then a key must be allowed to, and a deadline counts.
    const fn writes(self) -> bool {
        match self {
            Self::Place | Self::Cancel | Self::CancelIds | Self::CancelPair | Self::Amend => true,
            Self::Login | Self::Status | Self::List => false,
        }
    }
}

/// A request, as far as every command is alike.
struct Call<'a> {
    now: Timestamp,
    conn: ConnId,
    channel: &'a str,
    payload: Fields<'a>,
}

impl Call<'_> {
    fn text(&self, name: &str) -> String {
        self.payload.text(name).ok().flatten().map(Cow::into_owned).unwrap_or_default()
    }

    /// The parameters as they were sent, which is what is signed; empty when there are none.
    fn param(&self) -> &str {
        self.payload.raw("req_param").unwrap_or_default()
    }

    fn is_list(&self) -> bool {
        self.param().starts_with('[')
    }
}

/// Answers a message of the event `api`. A placement that is not refused at once is acknowledged first.
pub(super) fn message(
    gateio: &mut Gateio,
    now: Timestamp,
    exchange: &mut Exchange,
    conn: ConnId,
    (channel, payload): (&str, Option<&str>),
    out: &mut Outgoing,
) {
    let payload = payload.and_then(|payload| Fields::parse(payload.as_bytes()));
    let is_readable = payload.is_some();
    let call = Call { now, conn, channel, payload: payload.unwrap_or_else(Fields::empty) };
    let mut quota = None;
    let admitted = if is_readable {
        admit(gateio, exchange, &call, &mut quota)
    } else {
        Err(Refusal::new(400, "INVALID_ARGUMENT", "payload must be an object"))
    };
    let result = admitted.and_then(|(command, account)| {
        if command == Command::Place {
            out.push((conn, answer(gateio, &call, quota, &Ok(echo(&call)), true)));
        }
        carry_out(gateio, exchange, &call, command, account)
    });
    out.push((conn, answer(gateio, &call, quota, &result, false)));
}

/// Everything that is refused with a single frame: who it is, whether they may, and whether it is too often.
fn admit(
    gateio: &mut Gateio,
    exchange: &Exchange,
    call: &Call<'_>,
    quota: &mut Option<Quota>,
) -> Result<(Command, AccountIndex), Refusal> {
    let command = Command::parse(call.channel)?;
    if command == Command::Login {
        let account = signed(gateio, exchange, call)?;
        gateio.logins.insert(call.conn, (account, call.text("api_key")));
        return Ok((command, account));
    }
    let is_signed = call.payload.get("signature").is_some() && !call.text("signature").is_empty();
    let (account, key) = if is_signed {
        (signed(gateio, exchange, call)?, call.text("api_key"))
    } else {
        let known = gateio.logins.get(&call.conn).cloned();
        known.ok_or_else(|| Refusal::new(400, "AUTHENTICATION_FAILED", "Not login"))?
    };
    if command.writes() {
        if gateio.config.keys.get(&key).is_some_and(|rules| rules.is_read_only) {
            return Err(Refusal::new(403, "READ_ONLY", "API key is read-only"));
        }
        if gateio.manners.maintenance {
            return Err(Refusal::too_busy());
        }
        check_deadline(call)?;
    }
    for budget in budgets(gateio, account, command, call) {
        gateio.count(call.now, budget, quota)?;
    }
    Ok((command, account))
}

/// The account that signed the parameters as they are in the message.
fn signed(gateio: &Gateio, exchange: &Exchange, call: &Call<'_>) -> Result<AccountIndex, Refusal> {
    let timestamp = call.text("timestamp");
    sign::check_time(call.now, &timestamp)?;
    let account = sign::known_key(&gateio.config.keys, exchange, &call.text("api_key"))?;
    let secret = &exchange.account(account).secret;
    let signature = call.text("signature");
    let is_good = [call.param(), ""]
        .into_iter()
        .any(|param| sign::trading_signature(secret, call.channel, param, &timestamp) == signature);
    if is_good { Ok(account) } else { Err(Refusal::new(401, "INVALID_SIGNATURE", "Signature mismatch")) }
}

fn check_deadline(call: &Call<'_>) -> Result<(), Refusal> {
    let header = call.payload.get("req_header").cloned().and_then(Fields::of);
    let deadline =
        header.and_then(|header| header.text("x-gate-exptime").ok().flatten().map(Cow::into_owned));
    deadline.map_or(Ok(()), |deadline| sign::check_deadline(call.now, &deadline))
}

/// Every order of a batch counts.
fn budgets(gateio: &Gateio, account: AccountIndex, command: Command, call: &Call<'_>) -> Vec<Budget> {
    let body = call.param().as_bytes();
    match command {
        Command::Place if call.is_list() => {
            batch::markets(gateio, body).into_iter().map(|market| Budget::Place(account, market)).collect()
        }
        Command::Place | Command::Amend => vec![Budget::Place(account, orders::pair_of(gateio, body))],
        Command::Cancel | Command::CancelIds | Command::CancelPair => vec![Budget::Cancel(account)],
        // No source names a limit.
        Command::Login | Command::Status | Command::List => Vec::new(),
    }
}

fn carry_out(
    gateio: &mut Gateio,
    exchange: &mut Exchange,
    call: &Call<'_>,
    command: Command,
    account: AccountIndex,
) -> Result<String, Refusal> {
    let body = call.param().as_bytes();
    let raw = as_query(body);
    let query = Query::parse(&raw);
    let request = Request { now: call.now, query: &query, body };
    let id = || query.required("order_id");
    match command {
        Command::Login => Ok(login(call, account)),
        Command::Place if call.is_list() => batch::place(gateio, exchange, account, &request, Twin::Stream),
        Command::Place => orders::place(gateio, exchange, account, &request),
        Command::Cancel => orders::cancel(gateio, exchange, account, &request, id()?),
        Command::CancelIds => batch::cancel(gateio, exchange, account, &request),
        Command::CancelPair => orders::cancel_all(gateio, exchange, account, &request),
        Command::Amend => orders::amend(gateio, exchange, account, &request, id()?),
        Command::Status => orders::get(gateio, exchange, account, &request, id()?),
        Command::List => orders::list(gateio, exchange, account, &request),
    }
}

/// The parameters as the query that the REST twin would have. Numbers keep their digits.
fn as_query(param: &[u8]) -> String {
    let Some(fields) = Fields::parse(param) else { return String::new() };
    let pairs = fields.names().filter_map(|name| {
        let value = fields.text(name).ok().flatten()?;
        Some(format!("{}={}", percent::encode(name, Blank::Percent), percent::encode(&value, Blank::Percent)))
    });
    pairs.collect::<Vec<_>>().join("&")
}

fn login(call: &Call<'_>, account: AccountIndex) -> String {
    let mut result = String::new();
    json::object(&mut result, |row| {
        row.text("api_key", &call.text("api_key"));
        row.quoted("uid", user_id(account));
    });
    result
}

/// What an acknowledgement repeats.
fn echo(call: &Call<'_>) -> String {
    let mut result = String::new();
    json::object(&mut result, |row| {
        row.text("req_id", &call.text("req_id"));
        row.plain("req_header", call.payload.raw("req_header").unwrap_or("null"));
        row.plain("req_param", call.payload.raw("req_param").unwrap_or("null"));
        for empty in ["api_key", "timestamp", "signature"] {
            row.quoted(empty, "");
        }
    });
    result
}

fn answer(
    gateio: &mut Gateio,
    call: &Call<'_>,
    quota: Option<Quota>,
    result: &Result<String, Refusal>,
    is_ack: bool,
) -> Frame {
    let trace = gateio.next_trace();
    let status = result.as_ref().map_or_else(|refusal| refusal.status, |_| 200);
    let mut frame = String::with_capacity(1_024);
    json::object(&mut frame, |row| {
        row.text("request_id", &call.text("req_id"));
        if is_ack {
            row.plain("ack", true);
        }
        row.object("header", |row| header(row, call, quota, status, &trace));
        row.object("data", |row| match result {
            Ok(result) => row.plain("result", result),
            Err(refusal) => row.object("errs", |row| {
                row.text("label", refusal.label);
                row.text("message", &refusal.message);
            }),
        });
    });
    Frame::Text(frame)
}

fn header(row: &mut Object<'_>, call: &Call<'_>, quota: Option<Quota>, status: u16, trace: &str) {
    let micros = call.now.as_nanos().div_euclid(1_000);
    row.quoted("response_time", call.now.as_millis());
    row.quoted("status", status);
    row.text("channel", call.channel);
    row.quoted("event", "api");
    row.quoted("client_id", format_args!("127.0.0.1-0xc{:09x}", call.conn.0));
    row.plain("x_in_time", micros);
    row.plain("x_out_time", micros);
    row.quoted("conn_id", hex_id(call.conn.0));
    row.quoted("conn_trace_id", format_args!("{}{}", hex_id(call.conn.0), hex_id(!call.conn.0)));
    row.quoted("trace_id", trace);
    if let Some(Quota { limit, remain, reset }) = quota {
        // Zeros are left out, as the real one does.
        if let Some(remain) = remain.filter(|remain| *remain > 0) {
            row.plain("x_gate_ratelimit_requests_remain", remain);
        }
        row.plain("x_gate_ratelimit_limit", limit);
        let reset = if remain.is_some() { call.now.as_millis() } else { reset * 1_000 };
        if remain.is_some() {
            // Both spellings are documented; a refusal has the right one only.
            row.plain("x_gat_ratelimit_reset_timestamp", reset);
        }
        row.plain("x_gate_ratelimit_reset_timestamp", reset);
    }
}
