//! Recorded payloads through the adapters: which file is what, and whether it can be read.

use cex_core::{
    Bps, Decimal, Level, Market, MarketEvent, Markets, OrderId, StreamKind, SymbolId, SymbolInfo, Text,
    Timestamp, TradingStatus, VenueId,
};
use cex_errors::ErrorKind;
use cex_interface::{
    Effect, HttpResponse, Input, Link, OrderRef, Outbox, Protocol, Registration, Reply, Request,
    Subscription, TimeRange, VenueConfig,
};
use cex_orderbook::{BookConfig, BookSync};
use sonic_rs::{JsonContainerTrait, JsonValueTrait, Value};
use std::path::Path;
use std::sync::Arc;

/// What became of a file.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// Path below the directory.
    pub file: String,
    /// What it was read as, or why it could not be.
    pub result: Result<String, String>,
}

/// Payloads that must not be read, and why: invented ones, which no exchange sends.
const REFUSED: [(&str, &str); 1] = [(
    "mexc/hummingbot_rest_exchangeInfo.json",
    "a symbol without fees, with an exponent for its least quantity",
)];

/// Reads every payload below a directory, in order of their names.
///
/// # Errors
/// When the directory cannot be read.
pub fn read_all(dir: &Path) -> std::io::Result<Vec<Verdict>> {
    let mut verdicts = Vec::new();
    for (folder, registration) in [("gateio", cex_gateio::REGISTRATION), ("mexc", cex_mexc::REGISTRATION)] {
        let mut files: Vec<_> = std::fs::read_dir(dir.join(folder))?.collect::<Result<Vec<_>, _>>()?;
        files.sort_by_key(std::fs::DirEntry::file_name);
        for file in files {
            let (path, name) = (file.path(), file.file_name().to_string_lossy().into_owned());
            let result = match (path.is_dir(), path.extension().is_some_and(|end| end == "json")) {
                (true, _) => continue,
                (false, true) => std::fs::read_to_string(&path)
                    .map_err(|error| error.to_string())
                    .and_then(|text| read(&registration, &name, &text)),
                (false, false) => Err("not a kind of file this tool knows".to_owned()),
            };
            let file = format!("{folder}/{name}");
            let result = match REFUSED.iter().find(|(refused, _)| *refused == file) {
                None => result,
                Some((_, why)) => match result {
                    Ok(what) => Err(format!("must be refused ({why}) but was read as {what}")),
                    Err(error) => Ok(format!("refused, as it must be: {why} ({error})")),
                },
            };
            verdicts.push(Verdict { file, result });
        }
    }
    verdicts.push(recorded(&dir.join("gateio/recorded")));
    Ok(verdicts)
}

fn read(registration: &Registration, name: &str, text: &str) -> Result<String, String> {
    let file: Value = sonic_rs::from_str(text).map_err(|error| first_line(&error))?;
    let exchange = Exchange::open(registration, &natives(registration.name, &file))?;
    if let Some(wire) = file.get("wire_base64").and_then(|wire| wire.as_str()) {
        return exchange.frame(Input::Binary(&base64(wire)?), name.contains("private"));
    }
    if let Some(frames) = file.get("frames").and_then(|frames| frames.as_array()) {
        let texts =
            frames.iter().map(|frame| frame.as_str().map_or_else(|| frame.to_string(), str::to_owned));
        let texts: Vec<String> = texts.collect();
        texts.iter().try_for_each(|text| exchange.frame(Input::Text(text.as_bytes()), false).map(|_| ()))?;
        return Ok(format!("{} stream frames", texts.len()));
    }
    if file.get("snapshot").is_some() {
        return exchange.book(&file);
    }
    let body = file.get("body").ok_or("has neither body, frames nor snapshot")?.to_string();
    if name.contains("_ws_") {
        if body.contains("\"method\"") {
            return Ok("a client's own message: JSON".to_owned());
        }
        let private =
            ["orders", "usertrades", "balances", "ack", "pong"].iter().any(|word| name.contains(word));
        return exchange.frame(Input::Text(body.as_bytes()), private);
    }
    exchange.answer(name, &body)
}

/// An adapter with the markets a file speaks of.
struct Exchange {
    protocol: Arc<dyn Protocol>,
    markets: Arc<Markets>,
}

impl Exchange {
    fn open(registration: &Registration, natives: &[String]) -> Result<Self, String> {
        let venue = VenueId::new(0, registration.name).map_err(|error| error.to_string())?;
        let mut config = VenueConfig::public(venue);
        config.key = cex_interface::Secret::new("key".to_owned());
        config.secret = cex_interface::Secret::new("secret".to_owned());
        config.options.insert("depth_interval".to_owned(), "100ms".to_owned());
        let protocol = (registration.open)(config).map_err(|error| error.to_string())?;
        let markets: Result<Vec<Market>, String> = natives
            .iter()
            .enumerate()
            .map(|(index, native)| market(venue, SymbolId(u32::try_from(index).unwrap_or(u32::MAX)), native))
            .collect();
        Ok(Self { protocol, markets: Arc::new(Markets::new(markets?)) })
    }

    fn frame(&self, input: Input<'_>, private: bool) -> Result<String, String> {
        let mut out = Outbox::default();
        let mut link = if private {
            self.protocol.account_link(&self.markets).map_err(|error| error.to_string())?
        } else {
            self.market_link()?
        };
        go_live(link.as_mut())?;
        link.handle(Timestamp::from_secs(1_700_000_000), input, &mut out)
            .map_err(|error| error.to_string())?;
        if matches!(input, Input::Binary(_)) && out.market.is_empty() && out.account.is_empty() {
            return Err("a data frame told nothing".to_owned());
        }
        Ok(match (out.market.len(), out.account.len()) {
            (0, 0) => "a stream frame: control".to_owned(),
            (0, private) => format!("a stream frame: {private} private events"),
            (public, _) => format!("a stream frame: {public} public events, {} levels", out.levels.len()),
        })
    }

    fn market_link(&self) -> Result<Box<dyn Link>, String> {
        let wanted: Vec<_> = self
            .markets
            .iter()
            .map(|market| Subscription { symbol: market.id, stream: StreamKind::Book })
            .collect();
        let links = self.protocol.market_links(&self.markets, &wanted).map_err(|error| error.to_string())?;
        links.into_iter().next().ok_or_else(|| "the adapter opened no link".to_owned())
    }

    /// A REST answer: which call it answers shows in the file's name.
    fn answer(&self, name: &str, body: &str) -> Result<String, String> {
        let symbol = SymbolId(0);
        let order = OrderRef::Id(OrderId::new("EOID1").map_err(|error| error.to_string())?);
        let range = TimeRange::default();
        let status = if name.contains("error") { 400 } else { 200 };
        let single_pair =
            name.contains("fetchMarkets") && body.starts_with('{') && !body.contains("\"symbols\"");
        let wrapped = if single_pair { format!("[{body}]") } else { body.to_owned() };
        let kinds = [
            ("fetchMarkets", Request::Symbols),
            ("exchangeInfo", Request::Symbols),
            ("currency_pairs", Request::Symbols),
            ("fetchCurrencies", Request::Assets),
            ("rest_currencies", Request::Assets),
            ("fetchMyTrades", Request::MyTrades { symbol, order: None, range, limit: 100 }),
            ("myTrades", Request::MyTrades { symbol, order: None, range, limit: 100 }),
            (
                "fetchOHLCV",
                Request::Klines { symbol, interval: cex_core::KlineInterval::Min1, range, limit: 100 },
            ),
            ("fetchTicker", Request::Tickers { symbol: Some(symbol) }),
            ("fetchTime", Request::ServerTime),
            ("fetchOrderBook", Request::Book { symbol, depth: 100 }),
            ("order_book", Request::Book { symbol, depth: 100 }),
            ("depth", Request::Book { symbol, depth: 100 }),
            ("account", Request::Account),
            ("listenKey", Request::CreateListenKey),
            ("error_order_not_found", Request::Order { symbol, order }),
            ("create_order", Request::Order { symbol, order }),
            ("new_order", self.placement(symbol)?),
            ("order_filled", Request::Order { symbol, order }),
            ("order_open", Request::Order { symbol, order }),
        ];
        let (_, request) =
            kinds.iter().find(|(word, _)| name.contains(word)).ok_or("no call has an answer like this")?;
        let response = HttpResponse { status, headers: &[], body: wrapped.as_bytes() };
        match self.protocol.decode(&self.markets, request, &response) {
            Ok(reply) if status == 200 => Ok(described(&reply)),
            Ok(_) => Err("an error was read as success".to_owned()),
            Err(error) if status == 400 && error.kind == ErrorKind::OrderNotFound => Ok(error.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn placement(&self, symbol: SymbolId) -> Result<Request, String> {
        let market = self.markets.get(symbol).ok_or("no market")?;
        Ok(Request::Place(cex_core::OrderRequest {
            venue: market.venue,
            symbol,
            client_id: cex_core::ClientOrderId::new("OID1").ok_or("client id")?,
            side: cex_core::Side::Buy,
            kind: cex_core::OrderKind::Market { qty: market.lot },
            expires_in: std::time::Duration::from_secs(1),
        }))
    }

    /// A snapshot, the frames that followed, and the book they must come to.
    fn book(&self, file: &Value) -> Result<String, String> {
        let market = self.markets.get(SymbolId(0)).ok_or("no market")?;
        let rule = self.protocol.capabilities().books.first().ok_or("no book stream")?.sync;
        let mut sync = BookSync::new(market.id, rule, BookConfig::new(market.tick, 100));
        sync.on_subscribed(Timestamp::EPOCH);
        let mut link = self.market_link()?;
        let updates = file.get("updates").and_then(|updates| updates.as_array()).ok_or("no updates")?;
        let mut now = Timestamp::from_secs(1_700_000_000);
        let mut first = true;
        for update in updates {
            let mut out = Outbox::default();
            let text = update.to_string();
            link.handle(now, Input::Text(text.as_bytes()), &mut out).map_err(|error| error.to_string())?;
            for event in &out.market {
                if let MarketEvent::Book(update) = event {
                    sync.on_update(now, update, &out.levels);
                }
            }
            if std::mem::take(&mut first) {
                self.join(file, market, &mut sync, now)?;
            }
            now += std::time::Duration::from_millis(100);
        }
        let expected = file.get("expected").ok_or("no expected book")?;
        let book = sync.usable().ok_or("the book is not live after the last frame")?;
        let last = sync.live().map_or(0, |live| live.last_seq);
        let wanted = |key: &str| expected.get(key).and_then(JsonValueTrait::as_u64);
        if wanted("final_id") != Some(last) {
            return Err(format!("version {last} instead of {:?}", wanted("final_id")));
        }
        let counts = (book.bids().count() as u64, book.asks().count() as u64);
        if (wanted("bid_levels"), wanted("ask_levels")) != (Some(counts.0), Some(counts.1)) {
            return Err(format!(
                "{counts:?} levels instead of {:?}",
                (wanted("bid_levels"), wanted("ask_levels"))
            ));
        }
        top10(market, book.bids(), expected.get("bids_top10"))?;
        top10(market, book.asks(), expected.get("asks_top10"))?;
        Ok(format!("a book of {} frames: as expected at version {last}", updates.len()))
    }

    fn join(&self, file: &Value, market: &Market, sync: &mut BookSync, now: Timestamp) -> Result<(), String> {
        let body = file.get("snapshot").map(ToString::to_string).unwrap_or_default();
        let response = HttpResponse { status: 200, headers: &[], body: body.as_bytes() };
        let request = Request::Book { symbol: market.id, depth: 100 };
        match self.protocol.decode(&self.markets, &request, &response).map_err(|error| error.to_string())? {
            Reply::Book(book) => sync.on_snapshot(now, book.seq, book.exchange_ts, &book.bids, &book.asks),
            other => return Err(format!("a snapshot was read as {}", described(&other))),
        };
        Ok(())
    }
}

/// Brings a link to where frames are read, without an exchange.
fn go_live(link: &mut dyn Link) -> Result<(), String> {
    let now = Timestamp::from_secs(1_700_000_000);
    let mut out = Outbox::default();
    link.handle(now, Input::Start, &mut out).map_err(|error| error.to_string())?;
    for effect in std::mem::take(&mut out.effects) {
        if let Effect::Request { tag, request: Request::CreateListenKey } = effect {
            let result = Ok(Reply::ListenKey("key".to_owned()));
            link.handle(now, Input::Reply { tag, result: &result }, &mut out)
                .map_err(|error| error.to_string())?;
        }
    }
    link.handle(now, Input::Connected, &mut out).map_err(|error| error.to_string())
}

fn top10(
    market: &Market,
    levels: impl Iterator<Item = Level>,
    expected: Option<&Value>,
) -> Result<(), String> {
    let expected = expected.and_then(|rows| rows.as_array()).ok_or("no expected levels")?;
    for (level, row) in levels.zip(expected.iter()) {
        let text = |at: usize| row.get(at).and_then(|value| value.as_str()).unwrap_or_default();
        let price = market.scale.parse_price(text(0).as_bytes());
        let qty = market.scale.parse_qty(text(1).as_bytes());
        if (price, qty) != (Ok(level.price), Ok(level.qty)) {
            return Err(format!("level {level:?} instead of {row}"));
        }
    }
    Ok(())
}

fn recorded(dir: &Path) -> Verdict {
    let read =
        |name: &str| std::fs::read_to_string(dir.join(name)).map_err(|error| format!("{name}: {error}"));
    let decode = || -> Result<String, String> {
        let pairs = read("currency_pairs.json")?;
        let known: Value = sonic_rs::from_str(&pairs).map_err(|error| first_line(&error))?;
        let names = known.as_array().ok_or("currency_pairs.json is no list")?;
        let natives: Vec<String> =
            names.iter().filter_map(|row| row.get("id")?.as_str().map(str::to_owned)).collect();
        let exchange = Exchange::open(&cex_gateio::REGISTRATION, &natives)?;
        exchange.answer("currency_pairs", &pairs)?;
        let (mut frames, mut books) = (0, 0);
        for line in read("ws_frames.jsonl")?.lines() {
            let line: Value = sonic_rs::from_str(line).map_err(|error| first_line(&error))?;
            let text = line.get("text").and_then(|text| text.as_str()).ok_or("a frame without text")?;
            if line.get("direction").and_then(|way| way.as_str()) == Some("from_server") {
                exchange.frame(Input::Text(text.as_bytes()), false)?;
                frames += 1;
            }
        }
        for line in read("rest_order_book.jsonl")?.lines() {
            let line: Value = sonic_rs::from_str(line).map_err(|error| first_line(&error))?;
            let body = line.get("body").and_then(|body| body.as_str()).ok_or("a snapshot without body")?;
            exchange.answer("order_book", body)?;
            books += 1;
        }
        Ok(format!("{} pairs, {frames} stream frames, {books} book snapshots", natives.len()))
    };
    Verdict { file: "gateio/recorded".to_owned(), result: decode() }
}

fn described(reply: &Reply) -> String {
    match reply {
        Reply::Done => "done".to_owned(),
        Reply::ServerTime(at) => format!("server time {at}"),
        Reply::Symbols(rows) => format!("rules of {} symbols", rows.len()),
        Reply::Tradable(rows) => format!("{} symbols that may be traded", rows.len()),
        Reply::Assets(rows) => format!("{} coins", rows.len()),
        Reply::Book(book) => format!("a book, {} bids, {} asks", book.bids.len(), book.asks.len()),
        Reply::Trades(rows) => format!("{} trades", rows.len()),
        Reply::Klines(rows) => format!("{} candles", rows.len()),
        Reply::Tickers(rows) => format!("{} tickers", rows.len()),
        Reply::BookTickers(rows) => format!("{} best prices", rows.len()),
        Reply::Account(account) => format!("{} balances", account.balances.len()),
        Reply::Fees(rows) => format!("{} fees", rows.len()),
        Reply::Placed(placed) => format!("order {} placed", placed.order_id),
        Reply::PlacedBatch(rows) => format!("{} placements", rows.len()),
        Reply::CanceledBatch(rows) => format!("{} cancels", rows.len()),
        Reply::Canceled { .. } => "a cancel accepted".to_owned(),
        Reply::Order(order) => format!("an order, {}", order.status),
        Reply::Orders(rows) => format!("{} orders", rows.len()),
        Reply::Fills(rows) => format!("{} fills", rows.len()),
        Reply::Incomplete(list) => {
            format!("{}, and {} rows that cannot be read", described(&list.read), list.unreadable.len())
        }
        Reply::ListenKey(_) | Reply::ListenKeys(_) => "a listen key".to_owned(),
    }
}

/// The symbols a file speaks of, as the exchange spells them; a stand-in where it names none.
fn natives(exchange: &str, file: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(file, &mut found);
    found.retain(|native| exchange != "gateio" || native.contains('_'));
    if found.is_empty() {
        found.push(if exchange == "gateio" { "BTC_USDT" } else { "BTCUSDT" }.to_owned());
    }
    found
}

fn collect(value: &Value, found: &mut Vec<String>) {
    if let Some(object) = value.as_object() {
        for (key, value) in object {
            let names = matches!(key, "symbol" | "currency_pair" | "s" | "pair");
            if let (true, Some(text)) = (names, value.as_str())
                && !text.contains('/')
                && !found.iter().any(|known| known == text)
            {
                found.push(text.to_owned());
            }
            collect(value, found);
        }
    } else if let Some(rows) = value.as_array() {
        rows.iter().for_each(|row| collect(row, found));
    }
}

/// A market with generous decimals: the payload says nothing of rules.
fn market(venue: VenueId, id: SymbolId, native: &str) -> Result<Market, String> {
    let (base, quote) = match native.split_once('_') {
        Some(pair) => pair,
        None => native.split_at(native.len().saturating_sub(4)),
    };
    let info = SymbolInfo {
        symbol: cex_core::Symbol::new(base, quote).map_err(|error| error.to_string())?,
        native: Text::new(native).map_err(|error| error.to_string())?,
        status: TradingStatus::Trading,
        api_tradable: true,
        risk_flagged: false,
        tick: Decimal::new(1, 8),
        lot: Decimal::new(1, 3),
        price_dp: 8,
        lot_dp: 3,
        min_qty: Decimal::ZERO,
        min_notional: Decimal::ZERO,
        max_qty: None,
        max_notional: None,
        price_band: None,
        maker_fee: Bps::ZERO,
        taker_fee: Bps::ZERO,
        opens_at: None,
        delists_at: None,
    };
    let scale = info.scale().map_err(|error| error.to_string())?;
    Market::new(venue, id, info, scale).map_err(|error| error.to_string())
}

fn base64(text: &str) -> Result<Vec<u8>, String> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0u32, 0);
    for byte in text.bytes().filter(|byte| *byte != b'=') {
        let value = ALPHABET.iter().position(|known| *known == byte).ok_or("wire_base64 is not base64")?;
        bits = bits << 6 | u32::try_from(value).unwrap_or(0);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).unwrap_or(0));
        }
    }
    Ok(bytes)
}

fn first_line(error: &dyn std::fmt::Display) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
