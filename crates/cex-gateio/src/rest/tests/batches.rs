//! Several orders or cancels in one call.

use super::*;

/// What cannot be read is told of, and hides nothing else.
#[test]
fn one_bad_order_costs_no_other() {
    let open = ORDER.replace("cancelled\",\n", "open\",\n");
    let bad = open.replace("\"buy\"", "\"hold\"");
    let history = Request::OrderHistory { symbol: BTC, range: TimeRange::default(), limit: 10 };
    let list = format!("[{open},{bad},{{\"id\":[]}}]");
    let paged = format!(r#"[{{"currency_pair":"BTC_USDT","total":2,"orders":[{bad},{open}]}}]"#);
    for (request, body, lost) in [
        (history, &list, 2),
        (Request::OpenOrders { symbol: Some(BTC) }, &list, 2),
        (Request::OpenOrders { symbol: None }, &paged, 1),
        (Request::CancelAll { symbol: BTC }, &list, 2),
    ] {
        let Ok(Reply::Incomplete(told)) = decoded(&request, body) else { panic!("{request:?}") };
        assert!(matches!(&told.read, Reply::Orders(orders) if orders.len() == 1), "{request:?}");
        assert_eq!(told.unreadable.len(), lost, "{request:?}");
    }
}

/// A list of bodies, whose expiry is the first order's to expire (GATEIO-REST-29).
#[test]
fn a_batch_is_a_list_of_placements() {
    let head = r#""type":"limit","account":"spot","side":"sell","amount":"1","price":"#;
    assert_eq!(
        wire(&batch_of(&[("a", BTC), ("b", SymbolId(1))])),
        format!(
            r#"POST /api/v4/spot/batch_orders [{{"text":"t-a","currency_pair":"BTC_USDT",{head}"1","time_in_force":"ioc"}},{{"text":"t-b","currency_pair":"ETH_USDT",{head}"0.1","time_in_force":"ioc"}}]"#
        )
    );
    let call = encoded(&batch_of(&[("a", BTC)])).expect("valid");
    assert_eq!(call.headers.value("x-gate-exptime"), Some("1700000002000"));
    let many: Vec<String> = (0..8).map(|index| format!("c{index}")).collect();
    let many: Vec<_> = many.iter().map(|id| (id.as_str(), BTC)).collect();
    for ids in [&[][..], &[("a", BTC), ("a", BTC)], &many] {
        assert!(matches!(encoded(&batch_of(ids)), Err(ErrorKind::InvalidInput(_))), "{ids:?}");
    }
    assert!(encoded(&batch_of(&many[..7])).is_ok());
    let cancels = Request::CancelBatch(vec![(BTC, by_id()), (SymbolId(1), by_client())]);
    assert_eq!(
        wire(&cancels),
        r#"POST /api/v4/spot/cancel_batch_orders [{"currency_pair":"BTC_USDT","id":"12332324"},{"currency_pair":"ETH_USDT","id":"t-abc_1"}]"#
    );
}

/// Every order counts against its market (GATEIO-REST-10, GATEIO-REST-29).
#[test]
fn a_batch_is_paid_for_order_by_order() {
    let cost = limits::cost(&batch_of(&[("a", BTC), ("b", SymbolId(1)), ("c", BTC)]), true);
    let paid: Vec<_> = cost.charges.iter().flatten().map(|charge| (charge.symbol, charge.weight)).collect();
    assert_eq!(paid, [(Some(BTC), 2), (Some(SymbolId(1)), 1)]);
}

/// Rows are told by our identifiers; what is not told of may have been placed (GATEIO-REST-29).
#[test]
fn a_batch_tells_of_each_order_and_what_it_does_not_tell_stays_unknown() {
    use cex_errors::Outcome::{Refused, Unknown};
    let request = batch_of(&[("a", BTC), ("abc_1", BTC), ("c", BTC), ("d", BTC), ("e", BTC)]);
    let body = format!(
        r#"[{{"text":"t-a","succeeded":false,"label":"BALANCE_NOT_ENOUGH","message":"Not enough balance"}},{ORDER},
            {{"text":"t-c","label":"BRAND_NEW","message":""}},{{"text":"t-d","succeeded":true}},{{"id":"7"}},[]]"#
    );
    let Ok(Reply::PlacedBatch(told)) = decoded(&request, &body) else { panic!("a batch") };
    let placed = told[1].as_ref().expect("placed");
    assert_eq!((placed.order_id.as_str(), placed.order.is_some()), ("12332324", true));
    let outcomes: Vec<_> =
        told.iter().filter_map(|one| one.as_ref().err().map(ExchangeError::outcome)).collect();
    assert_eq!(outcomes, [Refused, Unknown, Unknown, Unknown]);
    let twice = r#"[{"id":"1","text":"t-a"},{"id":"2","text":"t-a"}]"#;
    for unreadable in ["", "{}", "<html>", "[{\"id\":\"1\"", twice] {
        assert_eq!(decoded(&request, unreadable).expect_err(unreadable).outcome(), Unknown, "{unreadable}");
    }
    assert_eq!(
        decoded(&request, r#"{"label":"TOO_MANY_ORDERS","message":""}"#),
        Err(ErrorKind::InvalidRequest)
    );
}

/// The sample of the wire reference (GATEIO-REST-30).
#[test]
fn a_batch_of_cancels_tells_of_each() {
    let of = |id: &str| OrderRef::Client(ClientOrderId::new(id).expect("plain"));
    let by_number = OrderRef::Id(OrderId::new("1700664343").expect("short"));
    let request = Request::CancelBatch(vec![(BTC, of("gone")), (BTC, by_number), (BTC, of("untold"))]);
    let body = r#"[{"currency_pair":"BTC_USDT","id":"1700664343","text":"t-abc","succeeded":true,"label":"","message":""},
        {"currency_pair":"BTC_USDT","id":"t-gone","text":"t-gone","succeeded":false,"label":"ORDER_NOT_FOUND","message":"Order not found"}]"#;
    let Ok(Reply::CanceledBatch(told)) = decoded(&request, body) else { panic!("a batch") };
    let kinds: Vec<_> = told.into_iter().map(|one| one.map_err(|error| error.kind)).collect();
    let untold = ErrorKind::Undecodable("a batch that says nothing of an order");
    assert_eq!(kinds, [Err(ErrorKind::OrderNotFound), Ok(()), Err(untold)]);
}
