//! Orders and fills as they come, one and many.

use super::*;

#[test]
fn a_cancel_tells_how_the_order_ended() {
    let request = Request::Cancel { symbol: BTC, order: by_id() };
    let Ok(Reply::Canceled { order_id, order: Some(order) }) = decoded(&request, ORDER) else {
        panic!("canceled")
    };
    assert_eq!(order_id.map(|id| id.to_string()).as_deref(), Some("12332324"));
    assert_eq!((order.status, order.filled_qty), (OrderStatus::Canceled, Decimal::new(6, 1)));
    assert_eq!(
        (order.created_at.as_millis(), order.as_of.as_millis()),
        (1_700_000_000_123, 1_700_000_001_123)
    );
}

#[test]
fn an_answer_about_another_order_is_not_believed() {
    let other = OrderRef::Id(OrderId::new("1").expect("short"));
    let eth = SymbolId(1);
    for request in [
        Request::Order { symbol: BTC, order: other },
        Request::Cancel { symbol: BTC, order: other },
        Request::Order { symbol: eth, order: by_id() },
        Request::Order { symbol: BTC, order: OrderRef::Client(ClientOrderId::new("zzz").expect("plain")) },
    ] {
        assert!(matches!(decoded(&request, ORDER), Err(ErrorKind::Undecodable(_))), "{request:?}");
    }
    assert!(decoded(&Request::Order { symbol: BTC, order: by_client() }, ORDER).is_ok());
    let another = limit(1, 1_000, TimeInForce::Gtc);
    assert!(decoded(&another, ORDER).is_ok());
    assert!(matches!(
        decoded(&another, &ORDER.replace("t-abc_1", "t-abc_2")),
        Err(ErrorKind::Undecodable(_))
    ));
}

#[test]
fn a_placement_may_tell_identifiers_only() {
    let request = limit(1, 1_000, TimeInForce::Gtc);
    let Ok(Reply::Placed(placed)) =
        decoded(&request, r#"{"id":"12332324","text":"t-abc_1","amend_text":"-"}"#)
    else {
        panic!("placed")
    };
    assert_eq!((placed.order_id.as_str(), placed.order), ("12332324", None));
    for broken in ["", "[]", "{}", "<html>", r#"{"id":"1"}"#, r#"{"text":"t-abc_1"}"#, &ORDER[..100]] {
        assert!(matches!(decoded(&request, broken), Err(ErrorKind::Undecodable(_))), "{broken}");
    }
    let refused = r#"{"label":"BALANCE_NOT_ENOUGH","message":"Not enough balance"}"#;
    assert_eq!(decoded(&request, refused), Err(ErrorKind::InsufficientBalance));
}

#[test]
fn cancelling_all_fails_as_a_whole_only_when_something_may_still_live() {
    let request = Request::CancelAll { symbol: BTC };
    let gone = r#"{"text":"t-b","succeeded":false,"label":"ORDER_NOT_FOUND","message":""}"#;
    let Ok(Reply::Orders(orders)) = decoded(&request, &format!("[{ORDER},{gone}]")) else { panic!("orders") };
    assert_eq!(orders.len(), 1);
    let failed = r#"{"text":"t-b","label":"CANCEL_FAIL","message":"try again"}"#;
    assert_eq!(decoded(&request, &format!("[{ORDER},{failed}]")), Err(ErrorKind::ServerBusy));
    assert_eq!(decoded(&request, "[]"), Ok(Reply::Orders(Vec::new())));
}

#[test]
fn open_orders_are_all_or_an_error() {
    let all = Request::OpenOrders { symbol: None };
    let open = ORDER.replace("cancelled\",\n", "open\",\n");
    let page = |total| format!(r#"[{{"currency_pair":"BTC_USDT","total":{total},"orders":[{open}]}}]"#);
    let Ok(Reply::Orders(orders)) = decoded(&all, &page(1)) else { panic!("orders") };
    assert_eq!(orders[0].status, OrderStatus::PartiallyFilled);
    assert_eq!(decoded(&all, &page(2)), Err(ErrorKind::AboveMaximum));
    let one = Request::OpenOrders { symbol: Some(BTC) };
    assert_eq!(decoded(&one, "[]"), Ok(Reply::Orders(Vec::new())));
    let full = vec![open; 100].join(",");
    assert_eq!(decoded(&one, &format!("[{full}]")), Err(ErrorKind::AboveMaximum));
}

#[test]
fn orders_of_markets_that_are_not_registered_are_left_out() {
    let request = Request::OrderHistory { symbol: BTC, range: TimeRange::default(), limit: 10 };
    let foreign = ORDER.replace("BTC_USDT", "ABC_USDT");
    let Ok(Reply::Orders(orders)) = decoded(&request, &format!("[{foreign},{ORDER}]")) else {
        panic!("orders")
    };
    assert_eq!(orders.len(), 1);
}

#[test]
fn fills_come_oldest_first() {
    let request = Request::MyTrades { symbol: BTC, order: None, range: TimeRange::default(), limit: 10 };
    let fill = |id: u64, millis: &str| {
        format!(
            r#"{{"id":"{id}","create_time_ms":"{millis}","currency_pair":"BTC_USDT","side":"buy","role":"maker","amount":"0.4",
            "price":"37000","order_id":"9","fee":"0","fee_currency":"BTC","point_fee":"0.5","gt_fee":"0","text":"apiv4"}}"#
        )
    };
    let body = format!("[{},{}]", fill(2, "1700000001001.399200"), fill(1, "1700000001001.3"));
    let Ok(Reply::Fills(fills)) = decoded(&request, &body) else { panic!("fills") };
    assert_eq!(fills.iter().map(|fill| fill.trade_id.to_string()).collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!((fills[0].fee.to_string(), fills[0].fee_asset.to_string()), ("0.5".into(), "POINT".into()));
    assert_eq!(fills[0].client_id.map(|id| id.to_string()).as_deref(), Some("_apiv4"), "none of ours");
    let two_coins = fill(1, "1").replace(r#""fee":"0""#, r#""fee":"1""#);
    let Ok(Reply::Fills(fills)) = decoded(&request, &format!("[{two_coins}]")) else { panic!("fills") };
    let fees: Vec<_> = fills[0].fees().map(|(fee, asset)| format!("{fee} {asset}")).collect();
    assert_eq!(fees, ["1 BTC", "0.5 POINT"]);
    let three = two_coins.replace(r#""gt_fee":"0""#, r#""gt_fee":"1""#);
    for bad in [three.as_str(), "{}", "7", "null"] {
        let Ok(Reply::Incomplete(told)) = decoded(&request, &format!("[{bad},{two_coins}]")) else {
            panic!("{bad}")
        };
        assert_eq!((told.read, told.unreadable.len()), (Reply::Fills(fills.clone()), 1), "{bad}");
    }
}
