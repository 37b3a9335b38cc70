//! Answers that are not a success.

use super::*;
use cex_core::{ClientOrderId, OrderKind, OrderRequest, Price, Qty, Side, SymbolId, TimeInForce};
use cex_errors::Retry;
use cex_interface::OrderRef;

fn venue() -> VenueId {
    VenueId::new(0, "mexc").expect("short")
}

fn placement(kind: OrderKind) -> Request {
    Request::Place(OrderRequest {
        venue: venue(),
        symbol: SymbolId(0),
        client_id: ClientOrderId::new("arb-1").expect("plain"),
        side: Side::Buy,
        kind,
        expires_in: Duration::from_secs(2),
    })
}

fn limit_order() -> Request {
    placement(OrderKind::Limit { price: Price(1), qty: Qty(1), tif: TimeInForce::Ioc })
}

fn cancel() -> Request {
    Request::Cancel {
        symbol: SymbolId(0),
        order: OrderRef::Client(ClientOrderId::new("arb-1").expect("plain")),
    }
}

fn answer(status: u16, headers: &[(&str, &[u8])], body: &str, request: &Request) -> Option<ExchangeError> {
    refusal(venue(), request, &HttpResponse { status, headers, body: body.as_bytes() })
}

fn kind(status: u16, body: &str, request: &Request) -> ErrorKind {
    answer(status, &[], body, request).expect("an error").kind
}

#[test]
fn the_table_is_in_order_without_doubles() {
    assert!(CODES.windows(2).all(|pair| pair[0].0 < pair[1].0));
}

#[test]
fn codes_are_mapped_and_kept_with_their_words() {
    let error =
        answer(400, &[], r#"{"msg":"Insufficient position","code":30004}"#, &limit_order()).expect("refused");
    assert_eq!(error.to_string(), "mexc place order: not enough balance (30004: Insufficient position)");
    for (body, expected) in [
        (
            r#"{"code":700003,"msg":"Timestamp for this request is outside of the recvWindow."}"#,
            ErrorKind::ClockSkew,
        ),
        (
            r#"{"code":-1128,"msg":"Combination of optional parameters invalid.","_extend":null}"#,
            ErrorKind::InvalidRequest,
        ),
        (r#"{"code":26,"data":"operation not allowed"}"#, ErrorKind::PermissionDenied),
        (
            r#"{"code":500,"message":"Under maintenance, please try again later","announcement":"https://x"}"#,
            ErrorKind::ServerBusy,
        ),
        (r#"{"code":10101,"msg":"资金不足"}"#, ErrorKind::InsufficientBalance),
        (r#"{"code":403,"msg":"Access Denied"}"#, ErrorKind::PermissionDenied),
        (r#"{"code":123456,"msg":"?"}"#, ErrorKind::Unmapped),
    ] {
        assert_eq!(kind(400, body, &limit_order()), expected, "{body}");
    }
    let maintenance = r#"{"code":500,"message":"Under maintenance"}"#;
    let error = answer(200, &[], maintenance, &Request::Ping).expect("refused");
    assert_eq!(error.message.as_deref(), Some("Under maintenance"));
}

#[test]
fn numbers_with_two_meanings_are_told_apart() {
    for (message, expected) in [
        (" amount scale is invalid", ErrorKind::Precision),
        ("api key required", ErrorKind::InvalidKey),
        ("The start time cannot be earlier than 90 days", ErrorKind::InvalidRequest),
        ("Duplicate clientOrderId", ErrorKind::DuplicateClientId),
    ] {
        assert_eq!(
            kind(400, &format!(r#"{{"msg":"{message}","code":400}}"#), &limit_order()),
            expected,
            "{message}"
        );
    }
    let disabled = r#"{"code":30018,"msg":"x"}"#;
    assert_eq!(kind(400, disabled, &placement(OrderKind::Market { qty: Qty(1) })), ErrorKind::TradingHalted);
    assert_eq!(kind(400, disabled, &limit_order()), ErrorKind::AccountRestricted);
}

#[test]
fn an_error_inside_a_success_counts_and_a_success_code_does_not() {
    assert_eq!(kind(200, r#"{"code":10007,"msg":"bad symbol"}"#, &limit_order()), ErrorKind::InvalidSymbol);
    for fine in
        ["{}", "[]", r#"{"code":0,"data":{}}"#, r#"{"code":200,"msg":"success"}"#, r#"{"orderId":"x"}"#]
    {
        assert_eq!(answer(200, &[], fine, &limit_order()), None, "{fine}");
    }
}

/// Everything that may have reached the matching engine stays unknown and is not repeated.
#[test]
fn ambiguous_answers_to_a_placement_stay_unknown() {
    let page = "<HTML><HEAD><TITLE>Access Denied</TITLE></HEAD></HTML>";
    for (status, body) in [
        (403, page),
        (403, ""),
        (404, ""),
        (404, page),
        (408, "timeout"),
        (500, ""),
        (502, page),
        (503, r#"{"code":-1003,"msg":"Unknown error, please check your request or try again later."}"#),
        (503, r#"{"code":30004,"msg":"Insufficient position"}"#),
        (503, r#"{"code":604,"msg":"maintenance"}"#),
        (504, r#"{"code":504,"msg":"Gateway Time-out"}"#),
        (400, r#"{"code":603,"msg":"repeated request"}"#),
        (400, r#"{"code":987654,"msg":"new"}"#),
        (400, r#"{"code":300"#),
        (400, ""),
        (200, page),
    ] {
        let error = answer(status, &[], body, &limit_order()).expect("an error");
        assert_eq!((error.outcome(), error.retry()), (Outcome::Unknown, Retry::Never), "{status} {body}");
    }
    assert_eq!(answer(403, &[], page, &cancel()).map(|error| error.outcome()), Some(Outcome::Unknown));
}

#[test]
fn limits_and_bans_are_not_executed_and_say_how_long() {
    let wait = |seconds| Some(Duration::from_secs(seconds));
    let header: [(&str, &[u8]); 1] = [("retry-after", b"7")];
    let limited = r#"{"code":429,"msg":"Too Many Requests"}"#;
    for (status, headers, body, request, expected) in [
        (429, &header[..], limited, limit_order(), ErrorKind::RateLimited { retry_after: wait(7) }),
        (429, &[][..], "", limit_order(), ErrorKind::RateLimited { retry_after: None }),
        (418, &header[..], limited, limit_order(), ErrorKind::Banned { retry_after: wait(120) }),
        (403, &[][..], "<HTML>", Request::Account, ErrorKind::RateLimited { retry_after: wait(90) }),
        (
            400,
            &[][..],
            r#"{"code":510,"msg":"x"}"#,
            Request::Account,
            ErrorKind::RateLimited { retry_after: None },
        ),
    ] {
        assert_eq!(
            answer(status, headers, body, &request).expect("an error").kind,
            expected,
            "{status} {body}"
        );
    }
}

/// A ban closes a venue until an operator comes; the front end's page is over in a minute and a half (MEXC-ERR-04).
#[test]
fn a_page_of_the_front_end_limits_a_read_and_bans_nobody() {
    let page = "<HTML><HEAD><TITLE>Access Denied</TITLE></HEAD></HTML>";
    let wait = Duration::from_secs(90);
    for request in [
        Request::Ping,
        Request::Symbols,
        Request::Account,
        Request::OpenOrders { symbol: None },
        Request::CreateListenKey,
        Request::KeepListenKey("k".to_owned()),
    ] {
        let error = answer(403, &[], page, &request).expect("an error");
        assert_eq!(error.kind, ErrorKind::RateLimited { retry_after: Some(wait) }, "{request:?}");
        assert_eq!((error.outcome(), error.retry()), (Outcome::Refused, Retry::After(wait)), "{request:?}");
    }
    for write in [limit_order(), cancel(), Request::CancelAll { symbol: SymbolId(0) }] {
        assert_eq!(answer(403, &[], page, &write).map(|error| error.outcome()), Some(Outcome::Unknown));
    }
    let page = HttpResponse { status: 403, headers: &[], body: page.as_bytes() };
    assert_eq!(feedback(&page), Some(Feedback::Blocked { bucket: None, wait }), "the whole address waits");
    assert!(matches!(kind(418, "", &Request::Account), ErrorKind::Banned { .. }));
}

#[test]
fn a_wait_is_believed_within_what_is_documented() {
    let wait = |seconds| Some(Duration::from_secs(seconds));
    for (status, said, expected) in [
        (429, "1700000000", wait(600)),
        (429, "0", wait(1)),
        (429, "30", wait(30)),
        (418, "1700000000", wait(3 * 24 * 3_600)),
        (418, "0", wait(120)),
        (418, "3600", wait(3_600)),
        (418, "-1", None),
        (418, "Wed, 21 Oct 2026 07:28:00 GMT", None),
    ] {
        let header = [("retry-after", said.as_bytes())];
        let error = answer(status, &header, "", &Request::Account).expect("an error");
        let told = match error.kind {
            ErrorKind::RateLimited { retry_after } | ErrorKind::Banned { retry_after } => retry_after,
            other => panic!("{other:?}"),
        };
        assert_eq!(told, expected, "{status} {said}");
        let found = feedback(&HttpResponse { status, headers: &header, body: b"" });
        let wait = expected.unwrap_or(SHORTEST_BAN);
        assert_eq!(found, Some(Feedback::Blocked { bucket: None, wait }), "{status} {said}");
    }
}

#[test]
fn blocks_are_reported_whatever_the_call() {
    let header: [(&str, &[u8]); 1] = [("retry-after", b"7")];
    for (status, headers, body, wait) in [
        (429, &header[..], "", Some(7)),
        (429, &[][..], "", Some(1)),
        (418, &[][..], "", Some(120)),
        (403, &[][..], "<HTML><HEAD>", Some(90)),
        (403, &[][..], r#"{"code":403,"msg":"Access Denied"}"#, None),
        (400, &[][..], r#"{"code":510,"msg":"too frequent"}"#, Some(1)),
        (200, &[][..], r#"{"code":429,"msg":"Too Many Requests"}"#, Some(1)),
        (200, &[][..], "[]", None),
        (500, &[][..], "", None),
    ] {
        let found = feedback(&HttpResponse { status, headers, body: body.as_bytes() });
        let expected = wait.map(|wait| Feedback::Blocked { bucket: None, wait: Duration::from_secs(wait) });
        assert_eq!(found, expected, "{status} {body}");
    }
}

/// Every code of the wire reference's table, by the category it has there (MEXC-ERR-03).
#[test]
fn every_code_of_the_reference_has_its_category() {
    use ErrorKind as K;
    let table: &[(&str, &[i64], &[K])] = &[
        ("BUSY", &[-1003, 500, 501, 503, 504, 10219, 10259, 20002, 730_000], &[K::ServerBusy]),
        ("SYMBOL", &[-1121, 10007, 30014, 30021, 730_001], &[K::InvalidSymbol]),
        // Listed there among the permissions, and about one symbol: the venue stays open (MEXC-ERR-03).
        ("PERMISSION of a symbol", &[30020, 70011], &[K::InvalidSymbol]),
        (
            "PARAM",
            &[
                -1128, 600, 601, 10015, 10095, 10096, 10097, 10100, 10103, 10102, 10222, 10232, 20001, 33333,
                44444, 700_004, 700_005, 700_008, 700_013, 730_002, 730_003,
            ],
            &[K::InvalidRequest, K::Precision],
        ),
        ("NOT_FOUND", &[-2011, -2013, 22222, 30026, 88009], &[K::OrderNotFound]),
        ("PERMISSION", &[26, 403, 406, 511, 701, 702, 703, 704, 700_006, 700_007], &[K::PermissionDenied]),
        (
            "AUTH",
            &[401, 402, 602, 1000, 10001, 10072, 700_001, 700_002],
            &[K::InvalidKey, K::InvalidSignature],
        ),
        ("RATE", &[429, 510], &[LIMITED]),
        ("DUPLICATE", &[603], &[K::DuplicateClientId]),
        ("MAINTENANCE", &[604, 801, 11444], &[K::Maintenance]),
        ("TIMESTAMP", &[10073, 700_003], &[K::ClockSkew]),
        ("ACCOUNT", &[10098, 10099, 30018, 60005, 140_001, 140_002, 730_100], &[K::AccountRestricted]),
        ("FUNDS", &[10101, 30004, 30005, 88004, 88015], &[K::InsufficientBalance]),
        ("HALT", &[30000, 30001, 30016, 30019, 30028, 30041, 30051], &[K::TradingHalted]),
        ("MIN", &[30002, 88013], &[K::BelowMinimum]),
        ("MAX", &[30003, 30027, 30029, 30032], &[K::AboveMaximum]),
        ("PRICE", &[30010, 30087], &[K::PriceOutOfBand]),
        ("LIQUIDITY", &[30025], &[K::NoLiquidity]),
        (
            "not used",
            &[
                10200, 10201, 10202, 10206, 10211, 10212, 10216, 10265, 10268, 730_101, 730_600, 730_601,
                730_602, 730_700, 730_701, 730_702, 730_703, 730_704, 730_705, 730_706, 730_707,
            ],
            &[K::Unmapped],
        ),
        ("by its words", &[400], &[K::InvalidRequest]),
    ];
    let mut listed = 0;
    for (category, codes, kinds) in table {
        for code in *codes {
            listed += 1;
            let row = CODES.iter().find(|(known, _)| known == code);
            let kind = row.map(|(_, kind)| kind).unwrap_or_else(|| panic!("{code} is not in the table"));
            assert!(kinds.contains(kind), "{code} is {category}, not {kind:?}");
            assert_eq!(kind_of_answer(*code, &cancel()), *kind, "{code}");
        }
    }
    assert_eq!(listed, CODES.len(), "the table has a code the reference has not");
}

fn kind_of_answer(code: i64, request: &Request) -> ErrorKind {
    kind(400, &format!(r#"{{"code":{code},"msg":"?"}}"#), request)
}

#[test]
fn an_order_not_found_is_news_of_a_cancel_and_none_of_a_placement() {
    let Request::Place(order) = limit_order() else { panic!("a placement") };
    let batch = Request::PlaceBatch(vec![order]);
    let codes: Vec<i64> =
        CODES.iter().filter(|(_, kind)| *kind == ErrorKind::OrderNotFound).map(|(code, _)| *code).collect();
    assert_eq!(codes, [-2013, -2011, 22222, 30026, 88009]);
    for code in codes {
        for request in [limit_order(), batch.clone()] {
            assert_eq!(kind_of_answer(code, &request).outcome(), Outcome::Unknown, "{code}");
        }
        let row = of_row(venue(), order, (&code.to_string(), "?"));
        assert_eq!((row.outcome(), row.retry()), (Outcome::Unknown, Retry::Never), "{code} of a row");
        assert_eq!(kind_of_answer(code, &cancel()), ErrorKind::OrderNotFound, "{code}");
    }
}

/// Whatever stands before the exchange may answer; none of it is ever an acceptance, and a placement stays unknown.
#[test]
fn answers_that_are_none_leave_a_write_unknown_and_fail_a_read() {
    use cex_interface::Protocol;
    let adapter = crate::Mexc::new(crate::testing::config_with_keys()).expect("valid");
    let markets = crate::testing::markets();
    let html: (&str, &[u8]) = ("content-type", b"text/html; charset=utf-8");
    let json: (&str, &[u8]) = ("content-type", b"application/json");
    let page = "<html><body>503</body></html>";
    let batch = match limit_order() {
        Request::Place(order) => Request::PlaceBatch(vec![order]),
        other => panic!("{other:?}"),
    };
    for (status, header, body) in [
        (200, html, page),
        (200, json, page),
        (200, html, r#"{"orderId":"C02__1"}"#),
        (200, json, ""),
        (200, json, "  "),
        (200, json, r#"{"orderId":"C02"#),
        (200, json, "[1,2"),
        (200, json, r#""ok""#),
        (200, json, r#"{"code":0,"msg":"success"}"#),
        (200, json, r#"{"code":987654,"msg":"new"}"#),
        (502, html, page),
        (504, json, ""),
        (403, html, page),
    ] {
        let headers = [header];
        let response = HttpResponse { status, headers: &headers, body: body.as_bytes() };
        for request in [limit_order(), batch.clone()] {
            let error = adapter.decode(&markets, &request, &response).expect_err(body);
            assert_eq!((error.outcome(), error.retry()), (Outcome::Unknown, Retry::Never), "{status} {body}");
        }
        for request in [Request::Account, Request::ServerTime, Request::OpenOrders { symbol: None }] {
            assert!(adapter.decode(&markets, &request, &response).is_err(), "{status} {body}");
        }
    }
}
