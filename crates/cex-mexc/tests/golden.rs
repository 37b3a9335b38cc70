//! The adapter against bytes made by others: the golden file beside the wire reference.
//!
//! Expected events are made here from the vectors' JSON by a path that shares nothing with the adapter but the nouns.

mod support;

use cex_core::{
    AccountEvent, Asset, Balance, BookTicker, BookUpdate, ClientOrderId, Decimal, Fill, Kline, KlineInterval,
    Level, LevelRange, LinkEvent, Liquidity, Market, MarketEvent, Order, OrderId, OrderStatus, OrderType,
    Side, Ticker, TimeInForce, Timestamp, Trade, TradeId, UpdateKind,
};
use cex_interface::{Effect, HttpResponse, Input, Outbox, Reply, Request, Secret};
use cex_mexc::sign::Signer;
use cex_orderbook::{BookConfig, BookSync, SyncOutcome};
use cex_proto::mexc::PushDataV3ApiWrapper;
use prost::Message;
use sonic_rs::{JsonContainerTrait, JsonValueTrait, Value};
use support::{account_link, adapter, bytes, golden, market_link, markets, tell};

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value.get(field).and_then(JsonValueTrait::as_str).unwrap_or_default()
}

fn whole(value: &Value, field: &str) -> i64 {
    value.get(field).and_then(JsonValueTrait::as_i64).unwrap_or_default()
}

fn decimal(value: &Value, field: &str) -> Decimal {
    text(value, field).parse().expect(field)
}

fn rows<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    value.get(field).and_then(|rows| rows.as_array()).map_or(&[], |rows| rows.as_slice())
}

fn sent_at(decoded: &Value) -> Timestamp {
    Timestamp::from_millis(whole(decoded, "sendTime"))
}

fn side(value: &Value) -> Side {
    if whole(value, "tradeType") == 1 { Side::Buy } else { Side::Sell }
}

fn level(market: &Market, price: &str, qty: &str) -> Level {
    let exact = |text: &str| text.parse::<Decimal>().expect("a decimal");
    Level {
        price: market.scale.price(exact(price)).expect("on the grid"),
        qty: market.scale.qty(exact(qty)).expect("fits"),
    }
}

fn market_of(decoded: &Value) -> Market {
    markets().by_native(text(decoded, "symbol").as_bytes()).expect("registered").clone()
}

/// What the public link must make of a vector.
fn expected_public(decoded: &Value) -> (Vec<MarketEvent>, Vec<Level>) {
    if let Some(depth) = decoded.get("publicAggreDepths") {
        let market = market_of(decoded);
        let side = |name| {
            rows(depth, name).iter().map(|row| level(&market, text(row, "price"), text(row, "quantity")))
        };
        let levels: Vec<Level> = side("asks").chain(side("bids")).collect();
        let (asks, all) = (rows(depth, "asks").len() as u32, levels.len() as u32);
        let range = |start, end| if start == end { LevelRange::default() } else { LevelRange { start, end } };
        let update = BookUpdate {
            symbol: market.id,
            kind: UpdateKind::Delta,
            first_seq: text(depth, "fromVersion").parse().expect("a version"),
            last_seq: text(depth, "toVersion").parse().expect("a version"),
            exchange_ts: sent_at(decoded),
            bids: range(asks, all),
            asks: range(0, asks),
        };
        return (vec![MarketEvent::Book(update)], levels);
    }
    if let Some(deals) = decoded.get("publicAggreDeals") {
        let market = market_of(decoded);
        let trade = |deal: &Value| {
            let Level { price, qty } = level(&market, text(deal, "price"), text(deal, "quantity"));
            // The compound identifier of the vectors is one byte longer than identifiers may be: its last part stands.
            let id = text(deal, "tradeId").rsplit('_').next().filter(|id| !id.is_empty());
            MarketEvent::Trade(Trade {
                symbol: market.id,
                trade_id: id.map(|id| TradeId::new(id).expect("short")),
                taker_side: side(deal),
                price,
                qty,
                exchange_ts: Timestamp::from_millis(whole(deal, "time")),
            })
        };
        return (rows(deals, "deals").iter().map(trade).collect(), vec![]);
    }
    if let Some(ticker) = decoded.get("publicAggreBookTicker") {
        let market = market_of(decoded);
        return (
            vec![MarketEvent::BookTicker(BookTicker {
                symbol: market.id,
                bid: Some(level(&market, text(ticker, "bidPrice"), text(ticker, "bidQuantity"))),
                ask: Some(level(&market, text(ticker, "askPrice"), text(ticker, "askQuantity"))),
                seq: ticker
                    .get("version")
                    .and_then(JsonValueTrait::as_str)
                    .map(|text| text.parse().expect("a version")),
                exchange_ts: sent_at(decoded),
            })],
            vec![],
        );
    }
    if let Some(batch) = decoded.get("publicBookTickerBatch") {
        let market = market_of(decoded);
        let version = batch.get("version").and_then(JsonValueTrait::as_str);
        let best = |item: &Value| {
            MarketEvent::BookTicker(BookTicker {
                symbol: market.id,
                bid: Some(level(&market, text(item, "bidPrice"), text(item, "bidQuantity"))),
                ask: Some(level(&market, text(item, "askPrice"), text(item, "askQuantity"))),
                seq: version.map(|text| text.parse().expect("a version")),
                exchange_ts: sent_at(decoded),
            })
        };
        return (rows(batch, "items").iter().map(best).collect(), vec![]);
    }
    if let Some(depth) = decoded.get("publicLimitDepths") {
        let market = market_of(decoded);
        let side = |name| {
            rows(depth, name).iter().map(|row| level(&market, text(row, "price"), text(row, "quantity")))
        };
        let levels: Vec<Level> = side("asks").chain(side("bids")).collect();
        let (asks, all) = (rows(depth, "asks").len() as u32, levels.len() as u32);
        let seq = text(depth, "version").parse().expect("a version");
        let update = BookUpdate {
            symbol: market.id,
            kind: UpdateKind::Snapshot,
            first_seq: seq,
            last_seq: seq,
            exchange_ts: sent_at(decoded),
            bids: LevelRange { start: asks, end: all },
            asks: LevelRange { start: 0, end: asks },
        };
        return (vec![MarketEvent::TopLevels(update)], levels);
    }
    if let Some(kline) = decoded.get("publicSpotKline") {
        assert_eq!(text(kline, "interval"), "Min1");
        let kline = Kline {
            symbol: market_of(decoded).id,
            interval: KlineInterval::Min1,
            open_time: Timestamp::from_secs(whole(kline, "windowStart")),
            open: decimal(kline, "openingPrice"),
            high: decimal(kline, "highestPrice"),
            low: decimal(kline, "lowestPrice"),
            close: decimal(kline, "closingPrice"),
            volume: decimal(kline, "volume"),
            quote_volume: decimal(kline, "amount"),
            closed: None,
        };
        return (vec![MarketEvent::Kline(Box::new(kline))], vec![]);
    }
    // `volume` is quote turnover and `quantity` is base (MEXC-WS-17).
    let mini = |ticker: &Value| {
        MarketEvent::Ticker(Box::new(Ticker {
            symbol: market_of(ticker).id,
            last: decimal(ticker, "price"),
            last_qty: None,
            open: None,
            high: Some(decimal(ticker, "high")),
            low: Some(decimal(ticker, "low")),
            prev_close: None,
            bid: None,
            bid_qty: None,
            ask: None,
            ask_qty: None,
            volume: Some(decimal(ticker, "quantity")),
            quote_volume: Some(decimal(ticker, "volume")),
            change: Some(decimal(ticker, "zonedRate")),
            open_time: None,
            as_of: sent_at(decoded),
        }))
    };
    if let Some(ticker) = decoded.get("publicMiniTicker") {
        return (vec![mini(ticker)], vec![]);
    }
    if let Some(tickers) = decoded.get("publicMiniTickers") {
        return (rows(tickers, "items").iter().map(mini).collect(), vec![]);
    }
    (vec![], vec![])
}

/// What the private link must make of a vector.
fn expected_private(decoded: &Value) -> Vec<AccountEvent> {
    let venue = adapter(&[]).venue();
    if let Some(order) = decoded.get("privateOrders") {
        let status = match whole(order, "status") {
            1 => OrderStatus::New,
            2 => OrderStatus::Filled,
            3 => OrderStatus::PartiallyFilled,
            5 => OrderStatus::Canceled,
            other => panic!("no vector has status {other}"),
        };
        return vec![AccountEvent::Order(Order {
            venue,
            symbol: market_of(decoded).id,
            order_id: Some(OrderId::new(text(order, "id")).expect("short")),
            client_id: ClientOrderId::new(text(order, "clientId")),
            side: side(order),
            order_type: match whole(order, "orderType") {
                1 => Some(OrderType::Limit(TimeInForce::Gtc)),
                3 => Some(OrderType::Limit(TimeInForce::Ioc)),
                5 => Some(OrderType::Market),
                2 => Some(OrderType::PostOnly),
                _stop => None,
            },
            status,
            price: (whole(order, "orderType") != 5).then(|| decimal(order, "price")),
            qty: Some(decimal(order, "quantity")),
            filled_qty: decimal(order, "cumulativeQuantity"),
            filled_notional: decimal(order, "cumulativeAmount"),
            fee: None,
            created_at: Timestamp::from_millis(whole(order, "createTime")),
            as_of: sent_at(decoded),
        })];
    }
    if let Some(deal) = decoded.get("privateDeals") {
        let maker = deal.get("isMaker").and_then(JsonValueTrait::as_bool) == Some(true);
        return vec![AccountEvent::Fill(Fill {
            venue,
            symbol: market_of(decoded).id,
            trade_id: TradeId::new(text(deal, "tradeId")).expect("short"),
            order_id: OrderId::new(text(deal, "orderId")).expect("short"),
            client_id: ClientOrderId::new(text(deal, "clientOrderId")),
            side: side(deal),
            price: decimal(deal, "price"),
            qty: decimal(deal, "quantity"),
            fee: decimal(deal, "feeAmount"),
            fee_asset: Asset::new(text(deal, "feeCurrency")).expect("short"),
            second_fee: None,
            liquidity: if maker { Liquidity::Maker } else { Liquidity::Taker },
            exchange_ts: Timestamp::from_millis(whole(deal, "time")),
        })];
    }
    if let Some(account) = decoded.get("privateAccount") {
        return vec![AccountEvent::Balance(Balance {
            asset: Asset::new(text(account, "vcoinName")).expect("short"),
            free: decimal(account, "balanceAmount"),
            locked: decimal(account, "frozenAmount"),
            as_of: Timestamp::from_millis(whole(account, "time")),
        })];
    }
    vec![]
}

#[test]
fn every_vector_becomes_the_events_it_describes() {
    let vectors = golden().vectors;
    assert_eq!(vectors.len(), 29);
    let mut with_events = 0;
    for vector in &vectors {
        let frame = bytes(&vector.hex);
        let (public, levels) = expected_public(&vector.decoded);
        let (out, result) = tell(&mut *market_link(&[]), 1, Input::Binary(&frame));
        assert_eq!((result, &out.market, &out.levels), (Ok(()), &public, &levels), "{}", vector.name);
        assert!(out.account.is_empty() && out.link.is_empty() && out.effects.is_empty(), "{}", vector.name);

        let private = expected_private(&vector.decoded);
        let (out, result) = tell(&mut *account_link(), 1, Input::Binary(&frame));
        assert_eq!((result, &out.account), (Ok(()), &private), "{}", vector.name);
        assert!(out.market.is_empty() && out.link.is_empty() && out.effects.is_empty(), "{}", vector.name);
        with_events += usize::from(!public.is_empty() || !private.is_empty());
    }
    // The rest are a channel nobody documents any more and bodies nobody knows.
    assert_eq!(with_events, 26);
}

/// Every text and number of a vector, whatever the message, is found in the decoded wire type.
#[test]
fn every_vector_is_read_completely_by_the_wire_types() {
    fn leaves(value: &Value, into: &mut Vec<String>) {
        if let Some(object) = value.as_object() {
            object.iter().for_each(|(_, value)| leaves(value, into));
        } else if let Some(array) = value.as_array() {
            array.iter().for_each(|value| leaves(value, into));
        } else if let Some(text) = value.as_str() {
            into.push(format!("{text:?}"));
        } else {
            into.push(value.to_string());
        }
    }
    for vector in golden().vectors {
        let wrapper = PushDataV3ApiWrapper::decode(bytes(&vector.hex).as_slice()).expect("a valid frame");
        let shown = format!("{wrapper:?}");
        let mut expected = Vec::new();
        leaves(&vector.decoded, &mut expected);
        assert!(!expected.is_empty());
        for leaf in expected {
            assert!(shown.contains(&leaf), "{}: {leaf} in {shown}", vector.name);
        }
    }
}

#[test]
fn the_speed_of_a_stream_does_not_change_what_is_read() {
    for vector in golden().vectors {
        let frame = bytes(&vector.hex);
        let (fast, _) = tell(&mut *market_link(&[("depth_interval", "10ms")]), 1, Input::Binary(&frame));
        let (slow, _) = tell(&mut *market_link(&[("depth_interval", "100ms")]), 1, Input::Binary(&frame));
        assert_eq!((fast.market, fast.levels), (slow.market, slow.levels), "{}", vector.name);
    }
}

#[test]
fn every_invalid_frame_is_refused_and_leaves_nothing_behind() {
    let invalid = golden().invalid;
    assert_eq!(invalid.len(), 5);
    for case in invalid {
        let frame = bytes(&case.hex);
        for mut link in [market_link(&[]), account_link()] {
            let (out, result) = tell(&mut *link, 1, Input::Binary(&frame));
            assert!(result.is_err(), "{}", case.name);
            assert_eq!(out.link, [LinkEvent::Undecodable { symbol: None }], "{}", case.name);
            assert!(
                out.market.is_empty() && out.levels.is_empty() && out.account.is_empty(),
                "{}",
                case.name
            );
        }
    }
}

/// The answer of each control pair, told to a link that carries the channels of BTCUSDT at 100 ms among others.
#[test]
fn control_frames_are_understood() {
    let pairs = golden().control_frames;
    let channel = |stream: &str| format!("spot@public.aggre.{stream}.v3.api.pb@100ms@BTCUSDT");
    for pair in &pairs {
        let mut link = market_link(&[("depth_interval", "100ms")]);
        let answer = sonic_rs::to_string(&pair.receive).expect("JSON");
        let (out, result) = tell(&mut *link, 1, Input::Text(answer.as_bytes()));
        let params: Vec<&str> = pair
            .send
            .as_ref()
            .map_or(vec![], |send| rows(send, "params").iter().filter_map(JsonValueTrait::as_str).collect());
        // A channel is confirmed when it is ours and the answer names it outside the refusal.
        let refused = text(&pair.receive, "msg").split_once("Not Subscribed").map_or("", |(_, after)| after);
        let is_ours =
            |name: &&&str| ["depth", "deals", "bookTicker"].iter().any(|stream| channel(stream) == **name);
        let confirmed = params.iter().filter(is_ours).filter(|name| !refused.contains(**name)).count();
        let subscribed =
            out.link.iter().filter(|event| matches!(event, LinkEvent::Subscribed { .. })).count();
        assert_eq!((subscribed, out.link.len()), (confirmed, confirmed), "{}: {:?}", pair.name, out.link);
        assert_eq!(result.is_err(), pair.name == "bad_json", "{}", pair.name);
        assert!(out.effects.is_empty(), "{}", pair.name);
    }
    assert!(pairs.len() >= 8, "{}", pairs.len());
}

#[test]
fn every_signature_is_reproduced() {
    let cases = golden().rest_signatures;
    assert_eq!(cases.len(), 15);
    for case in cases {
        let signer = Signer::new(&Secret::new(case.secret));
        assert_eq!(signer.sign(&case.string_to_sign, b"").as_str(), case.signature, "{}", case.name);
        if let (Some(query), Some(body)) = (case.query_without_signature, case.body_without_signature) {
            assert_eq!(signer.sign(&query, body.as_bytes()).as_str(), case.signature, "{}", case.name);
        }
    }
}

/// Frames through the link, snapshots through the request interface, both into the real book synchronisation.
#[test]
fn the_book_scenario_ends_in_the_expected_books() {
    let case = golden().book_sync;
    let (adapter, markets) = (adapter(&[]), markets());
    let market = markets.by_native(b"BTCUSDT").expect("registered");
    let rule = adapter.capabilities().books[0].sync;
    let mut sync = BookSync::new(market.id, rule, BookConfig::new(market.tick, 1_000));
    let mut link = market_link(&[]);
    let now = Timestamp::from_millis(1_781_690_100_000);
    let snapshot = |body: &Value| {
        let body = sonic_rs::to_string(body).expect("JSON");
        let response = HttpResponse { status: 200, headers: &[], body: body.as_bytes() };
        match adapter.decode(&markets, &Request::Book { symbol: market.id, depth: 1_000 }, &response) {
            Ok(Reply::Book(book)) => book,
            other => panic!("{other:?}"),
        }
    };
    let mut update = |sync: &mut BookSync, hex: &str| {
        let (out, result) = tell(&mut *link, 1, Input::Binary(&bytes(hex)));
        assert_eq!(result, Ok(()));
        let Outbox { market, levels, .. } = out;
        let [MarketEvent::Book(update)] = &market[..] else { panic!("{market:?}") };
        sync.on_update(now, update, &levels)
    };
    sync.on_subscribed(now);
    let mut steps = case.steps.iter();
    // The first frame is buffered, which asks for the snapshot; the snapshot then already covers it.
    let first = steps.next().expect("a first frame");
    assert_eq!(first.expect.as_deref(), Some("ignore"));
    assert_eq!(update(&mut sync, first.hex.as_deref().expect("a frame")), SyncOutcome::NeedSnapshot);
    let book = snapshot(&case.snapshot);
    sync.on_snapshot(now, book.seq, book.exchange_ts, &book.bids, &book.asks);
    let mut checks = 0;
    for step in steps {
        match (step.kind.as_str(), step.expect.as_deref()) {
            ("frame", Some(expect)) => {
                let outcome = update(&mut sync, step.hex.as_deref().expect("a frame"));
                let found = match outcome {
                    SyncOutcome::Applied(_) => "apply",
                    SyncOutcome::Ignored => "ignore",
                    SyncOutcome::NeedSnapshot => "gap",
                    SyncOutcome::Buffered | SyncOutcome::Unusable | SyncOutcome::NeedResubscribe => "other",
                };
                assert_eq!(found, expect, "{outcome:?}");
            }
            ("snapshot", None) => {
                let book = snapshot(step.body.as_ref().expect("a snapshot"));
                sync.on_snapshot(now, book.seq, book.exchange_ts, &book.bids, &book.asks);
            }
            ("check", None) => {
                let expected = step.book.as_ref().expect("a book");
                let side = |name| -> Vec<Level> {
                    let row = |row: &Value| {
                        let row = row.as_array().expect("a level");
                        level(market, row[0].as_str().expect("a price"), row[1].as_str().expect("a quantity"))
                    };
                    rows(expected, name).iter().map(row).collect()
                };
                let book = sync.usable().expect("live");
                assert_eq!(book.bids().collect::<Vec<_>>(), side("bids"));
                assert_eq!(book.asks().collect::<Vec<_>>(), side("asks"));
                assert_eq!(
                    sync.live().map(|live| live.last_seq as i64),
                    Some(whole(expected, "lastVersion"))
                );
                checks += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(checks, 2);
}

/// A link asks for what the golden control frames ask for, in their words.
#[test]
fn subscribe_messages_have_the_documented_shape() {
    let pair =
        golden().control_frames.into_iter().find(|pair| pair.name == "subscribe_with_id").expect("the pair");
    let markets = markets();
    let wanted = [cex_interface::Subscription {
        symbol: markets.by_native(b"BTCUSDT").expect("registered").id,
        stream: cex_core::StreamKind::Book,
    }];
    let mut links = adapter(&[("depth_interval", "100ms")]).market_links(&markets, &wanted).expect("a plan");
    let link = &mut *links[0];
    assert_eq!(tell(link, 0, Input::Start).1, Ok(()));
    let (out, _) = tell(link, 0, Input::Connected);
    let [Effect::Send(cex_interface::Payload::Text(message))] = &out.effects[..] else {
        panic!("{:?}", out.effects)
    };
    let message: Value = sonic_rs::from_str(message).expect("JSON");
    let expected = pair.send.expect("a request");
    assert_eq!(text(&message, "method"), text(&expected, "method"));
    assert_eq!(message.get("params"), expected.get("params"));
    assert_eq!(whole(&message, "id"), 1);
}
