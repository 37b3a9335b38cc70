//! Orders and fills, with the samples of the wire reference.

use super::*;
use crate::testing::{at, markets, venue};
use cex_core::{OrderId, SymbolId};

const PARTIAL: &str = r#"{"symbol":"MXUSDT","orderId":"C02__579000000000001044","orderListId":-1,
    "clientOrderId":"arb-000017","price":"3.5","origQty":"10","executedQty":"4","cummulativeQuoteQty":"13.98",
    "status":"PARTIALLY_FILLED","timeInForce":null,"type":"LIMIT","side":"BUY","stopPrice":null,"icebergQty":null,
    "time":1781690000456,"updateTime":1781690003001,"isWorking":true,"stpMode":"","cancelReason":"",
    "origQuoteOrderQty":"35"}"#;

const TRADE: &str = r#"{"symbol":"MXUSDT","id":"579000000000001024X1","orderId":"C02__579000000000001044","orderListId":-1,
    "price":"3.495","qty":"4","quoteQty":"13.98","commission":"0.00699","commissionAsset":"USDT","time":1781690003000,
    "isBuyer":true,"isMaker":false,"isBestMatch":true,"isSelfTrade":false,"clientOrderId":null}"#;

fn with(from: &str, to: &str) -> String {
    assert!(PARTIAL.contains(from), "{from}");
    PARTIAL.replace(from, to)
}

fn by_id(id: &str) -> OrderRef {
    OrderRef::Id(OrderId::new(id).expect("short"))
}

fn by_client(id: &str) -> OrderRef {
    OrderRef::Client(ClientOrderId::new(id).expect("plain"))
}

fn read(asked: OrderRef, body: &str) -> Result<Order, ErrorKind> {
    let markets = markets();
    queried(venue(), markets.get(SymbolId(1)).expect("MX"), asked, body.as_bytes())
}

fn dec(text: &str) -> Decimal {
    text.parse().expect("a decimal")
}

#[test]
fn the_kind_of_an_order_is_told_as_it_can_be_placed() {
    let limit = |tif| Some(OrderType::Limit(tif));
    for (kind, stream, told) in [
        ("LIMIT", 1, limit(TimeInForce::Gtc)),
        ("LIMIT_MAKER", 2, Some(OrderType::PostOnly)),
        ("IMMEDIATE_OR_CANCEL", 3, limit(TimeInForce::Ioc)),
        ("FILL_OR_KILL", 4, limit(TimeInForce::Fok)),
        ("MARKET", 5, Some(OrderType::Market)),
        ("STOP_LIMIT", 100, None),
    ] {
        let body = with(r#""type":"LIMIT""#, &format!(r#""type":"{kind}""#));
        assert_eq!(read(by_client("arb-000017"), &body).expect("an order").order_type, told, "{kind}");
        assert_eq!(crate::push::order_type(stream), told, "{stream}");
    }
}

#[test]
fn an_order_is_read_whole() {
    let order = read(by_client("arb-000017"), PARTIAL).expect("an order");
    let expected = Order {
        venue: venue(),
        symbol: SymbolId(1),
        order_id: OrderId::new("C02__579000000000001044").ok(),
        client_id: ClientOrderId::new("arb-000017"),
        side: Side::Buy,
        order_type: Some(OrderType::Limit(TimeInForce::Gtc)),
        status: OrderStatus::PartiallyFilled,
        price: Some(dec("3.5")),
        qty: Some(dec("10")),
        filled_qty: dec("4"),
        filled_notional: dec("13.98"),
        fee: None,
        created_at: at(1_781_690_000_456),
        as_of: at(1_781_690_003_001),
    };
    assert_eq!(order, expected);
}

#[test]
fn every_state_is_mapped_and_a_new_one_is_unknown() {
    for (text, status) in [
        ("NEW", OrderStatus::New),
        ("FILLED", OrderStatus::Filled),
        ("CANCELED", OrderStatus::Canceled),
        ("PARTIALLY_CANCELED", OrderStatus::Canceled),
        ("PENDING", OrderStatus::PendingNew),
        ("PENDING_CANCEL", OrderStatus::PendingCancel),
        ("REJECTED", OrderStatus::Rejected),
        ("EXPIRED", OrderStatus::Expired),
        ("SOMETHING_NEW", OrderStatus::Unknown),
    ] {
        let order = read(by_client("arb-000017"), &with("\"PARTIALLY_FILLED\"", &format!("\"{text}\"")));
        assert_eq!(order.map(|order| order.status), Ok(status), "{text}");
    }
}

#[test]
fn what_recorded_answers_and_documents_disagree_on_is_read_either_way() {
    let read = |body: String| read(by_client("arb-000017"), &body).expect("an order");
    assert_eq!(read(with("\"origQty\"", "\"Qty\"")).qty, Some(dec("10")));
    assert_eq!(read(with("\"type\":\"LIMIT\"", "\"type\":\"MARKET\"")).price, None, "a protective price");
    assert_eq!(read(with("\"type\":\"LIMIT\"", "\"type\":\"STOP_LIMIT_ORDER\"")).price, Some(dec("3.5")));
    assert_eq!(read(with("1781690003001", "null")).as_of, at(1_781_690_000_456));
    assert_eq!(read(with("\"origQty\":\"10\"", "\"origQty\":\"0\"")).qty, None, "ordered by notional");
    let unnamed = read(with("\"arb-000017\"", "null"));
    assert_eq!(unnamed.client_id, ClientOrderId::new("arb-000017"), "it is the one asked for");
}

#[test]
fn another_orders_answer_is_not_an_answer() {
    assert!(read(by_id("C02__579000000000001044"), PARTIAL).is_ok());
    assert!(read(by_id("C02__1"), PARTIAL).is_err());
    assert!(read(by_client("arb-000018"), PARTIAL).is_err());
    assert!(read(by_client("arb-000017"), &with("MXUSDT", "BTCUSDT")).is_err());
    for (from, to) in [
        ("\"BUY\"", "\"HOLD\""),
        ("\"executedQty\":\"4\"", "\"executedQty\":null"),
        ("\"13.98\"", "\"13,98\""),
        ("\"C02__579000000000001044\"", "null"),
    ] {
        assert!(read(by_client("arb-000017"), &with(from, to)).is_err(), "{to}");
    }
}

#[test]
fn lists_pass_by_what_we_cannot_name() {
    let markets = markets();
    let foreign = with("MXUSDT", "ZZZUSDT");
    let body = format!("[{PARTIAL},{foreign}]");
    let Ok(Reply::Orders(open)) = of_any_market(venue(), &markets, body.as_bytes()) else { panic!("orders") };
    assert_eq!(open.iter().map(|order| order.symbol).collect::<Vec<_>>(), [SymbolId(1)]);
    // Of one symbol only, another's row is a row that cannot be read.
    let told = of_market(venue(), markets.get(SymbolId(1)).expect("MX"), body.as_bytes());
    let (read, unreadable) = incomplete(told.expect("a list"));
    assert!(matches!(read, Reply::Orders(orders) if orders.len() == 1));
    assert_eq!(unreadable, ["another symbol's order"]);
}

fn incomplete(reply: Reply) -> (Reply, Vec<&'static str>) {
    let Reply::Incomplete(incomplete) = reply else { panic!("{reply:?}") };
    (incomplete.read, incomplete.unreadable)
}

/// What cannot be read is told of, and hides nothing else: neither fills nor open orders vanish in silence.
#[test]
fn one_bad_row_costs_no_other() {
    let markets = markets();
    let mx = markets.get(SymbolId(1)).expect("MX");
    for bad in ["{}", "7", "null", &TRADE.replace("3.495", "x")] {
        let told = fills(venue(), mx, format!("[{bad},{TRADE}]").as_bytes()).expect("a list");
        let (read, unreadable) = incomplete(told);
        assert!(matches!(read, Reply::Fills(fills) if fills.len() == 1), "{bad}");
        assert_eq!(unreadable.len(), 1, "{bad}");
    }
    for bad in ["{}", "7", "{\"symbol\":\"MXUSDT\"}"] {
        let body = format!("[{PARTIAL},{bad}]");
        for told in
            [of_market(venue(), mx, body.as_bytes()), of_any_market(venue(), &markets, body.as_bytes())]
        {
            let (read, unreadable) = incomplete(told.expect("a list"));
            assert!(matches!(read, Reply::Orders(orders) if orders.len() == 1), "{bad}");
            assert_eq!(unreadable.len(), 1, "{bad}");
        }
    }
    for broken in ["", "{}", "[", "[{]", "<html>"] {
        assert!(fills(venue(), mx, broken.as_bytes()).is_err(), "{broken}");
    }
}

fn batch_of(ids: &[&str]) -> Vec<OrderRequest> {
    let order = |id: &&str| OrderRequest {
        venue: venue(),
        symbol: SymbolId(1),
        client_id: ClientOrderId::new(id).expect("plain"),
        side: Side::Buy,
        kind: cex_core::OrderKind::Market { qty: cex_core::Qty(1) },
        expires_in: std::time::Duration::from_secs(1),
    };
    ids.iter().map(order).collect()
}

/// Rows are told by our identifiers; what is not told of may have been placed (MEXC-REST-24).
#[test]
fn a_batch_tells_of_each_order_and_what_it_does_not_tell_stays_unknown() {
    use cex_errors::Outcome::{Refused, Unknown};
    let placed = batch_of(&["a", "b", "c", "d", "e"]);
    let body = r#"[{"newClientOrderId":"b","msg":"The minimum transaction volume cannot be less than:0.5USDT","code":30002},
        {"symbol":"MXUSDT","orderId":"C02__1","newClientOrderId":"a","orderListId":-1},
        {"symbol":"MXUSDT","newClientOrderId":"c","orderListId":-1},
        {"newClientOrderId":"d","msg":"?","code":987654}, {"orderId":"C02__9"}, 7]"#;
    let told = batch(venue(), &placed, body.as_bytes()).expect("a list");
    let ids: Vec<_> =
        told.iter().map(|one| one.as_ref().ok().map(|placed| placed.order_id.to_string())).collect();
    assert_eq!(ids, [Some("C02__1".to_owned()), None, None, None, None]);
    let outcomes: Vec<_> =
        told.iter().filter_map(|one| one.as_ref().err().map(ExchangeError::outcome)).collect();
    assert_eq!(outcomes, [Refused, Unknown, Unknown, Unknown]);
    let refusal = told[1].as_ref().expect_err("refused");
    assert_eq!((&refusal.kind, refusal.op), (&ErrorKind::BelowMinimum, Op::PlaceOrder));
    let twice = r#"[{"orderId":"1","newClientOrderId":"a"},{"orderId":"2","newClientOrderId":"a"}]"#;
    for unreadable in ["", "{}", "<html>", "[{\"orderId\":\"1\"", twice] {
        let error = batch(venue(), &placed, unreadable.as_bytes()).expect_err(unreadable);
        assert_eq!(error.outcome(), Unknown, "{unreadable}");
    }
}

#[test]
fn a_mass_cancel_never_shows_an_order_as_still_open() {
    let markets = markets();
    let mx = markets.get(SymbolId(1)).expect("MX");
    let ended = with("\"PARTIALLY_FILLED\"", "\"CANCELED\"");
    let renamed = with(
        "\"clientOrderId\":\"arb-000017\"",
        "\"clientOrderId\":\"\",\"origClientOrderId\":\"arb-000017\"",
    );
    let body = format!("[{renamed},{ended}]");
    let Ok(Reply::Orders(orders)) = canceled(venue(), mx, body.as_bytes()) else { panic!("orders") };
    let states: Vec<_> = orders.iter().map(|order| (order.status, order.client_id.is_some())).collect();
    assert_eq!(states, [(OrderStatus::PendingCancel, true), (OrderStatus::Canceled, true)]);
    assert_eq!(canceled(venue(), mx, b"[]"), Ok(Reply::Orders(vec![])));
}

#[test]
fn fills_are_exact_and_oldest_first() {
    let markets = markets();
    let mx = markets.get(SymbolId(1)).expect("MX");
    let earlier = TRADE.replace("1781690003000", "1781690002000").replace("1024X1", "1023X1");
    let told = fills(venue(), mx, format!("[{TRADE},{earlier}]").as_bytes());
    let Ok(Reply::Fills(fills)) = told else { panic!("{told:?}") };
    assert_eq!(fills[0].trade_id.as_str(), "579000000000001023X1");
    let fill = fills[1];
    assert_eq!((fill.price, fill.qty, fill.fee), (dec("3.495"), dec("4"), dec("0.00699")));
    assert_eq!((fill.fee_asset.as_str(), fill.side, fill.liquidity), ("USDT", Side::Buy, Liquidity::Taker));
    assert_eq!((fill.exchange_ts, fill.client_id), (at(1_781_690_003_000), None));
}

#[test]
fn a_fee_names_its_coin_unless_there_is_none() {
    let markets = markets();
    let mx = markets.get(SymbolId(1)).expect("MX");
    let read = |body: String| match fills(venue(), mx, format!("[{body}]").as_bytes()) {
        Ok(Reply::Fills(fills)) => Some(fills),
        _incomplete => None,
    };
    let unnamed = TRADE.replace("\"commissionAsset\":\"USDT\"", "\"commissionAsset\":null");
    assert_eq!(read(unnamed.clone()), None);
    let free = read(unnamed.replace("\"0.00699\"", "\"0\"")).expect("a fill without a fee");
    assert_eq!(free[0].fee_asset.as_str(), "USDT");
    assert_eq!(read(TRADE.replace("\"USDT\"", "\"MX\"")).expect("fee in MX")[0].fee_asset.as_str(), "MX");
}

#[test]
fn fills_of_one_moment_come_in_the_order_they_happened() {
    let markets = markets();
    let mx = markets.get(SymbolId(1)).expect("MX");
    let second = TRADE.replace("1024X1", "1025X1");
    let told = fills(venue(), mx, format!("[{second},{TRADE}]").as_bytes());
    let Ok(Reply::Fills(fills)) = told else { panic!("{told:?}") };
    let ids: Vec<_> = fills.iter().map(|fill| fill.trade_id.to_string()).collect();
    assert_eq!(ids, ["579000000000001024X1", "579000000000001025X1"]);
}
