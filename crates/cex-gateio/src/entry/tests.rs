//! The link for orders, told what happens to it; what its messages look like is tried against the vectors in
//! `tests/golden/entry.rs`.

use super::*;
use crate::testing::{markets, venue};
use cex_core::{ClientOrderId, OrderKind, OrderRequest, Price, Qty, Side, SymbolId, TimeInForce};
use cex_interface::{Effect, OrderRef, Payload, Reply, Secret, VenueConfig};

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_700_000_000 + secs)
}

fn place(client_id: &str) -> Request {
    Request::Place(OrderRequest {
        venue: venue(),
        symbol: SymbolId(0),
        client_id: ClientOrderId::new(client_id).expect("plain"),
        side: Side::Buy,
        kind: OrderKind::Limit { price: Price(300_005), qty: Qty(100_000), tif: TimeInForce::Gtc },
        expires_in: Duration::from_secs(2),
    })
}

struct Desk {
    link: EntryLink,
    out: Outbox,
}

impl Desk {
    fn connected() -> Self {
        let config = Config::new(VenueConfig::public(venue())).expect("valid");
        let signer = Signer::new(Secret::new("k".to_owned()), &Secret::new("s".to_owned()));
        let link = EntryLink::new(&config, &Arc::new(markets()), Arc::new(signer));
        let mut desk = Self { link, out: Outbox::default() };
        desk.tell(0, Input::Start);
        desk.tell(0, Input::Connected);
        desk
    }

    fn ready() -> Self {
        let mut desk = Self::connected();
        desk.hear(0, r#"{"request_id":"login","header":{"status":"200"},"data":{"result":{"uid":"1"}}}"#);
        assert_eq!(desk.link.state, State::Ready);
        desk
    }

    fn tell(&mut self, secs: i64, input: Input<'_>) {
        self.out.clear();
        self.link.handle(at(secs), input, &mut self.out).expect("understood");
    }

    fn hear(&mut self, secs: i64, text: &str) {
        self.tell(secs, Input::Text(text.as_bytes()));
    }

    fn call(&mut self, secs: i64, tag: u32, request: &Request) -> Result<(), ErrorKind> {
        self.out.clear();
        let give_up_at = at(secs) + Duration::from_secs(10);
        let call = LinkCall { tag, request, venue_now: at(secs), give_up_at };
        self.link.call(at(secs), call, &mut self.out)
    }

    fn sent(&self) -> Vec<&str> {
        let texts = self.out.effects.iter().filter_map(|effect| match effect {
            Effect::Send(Payload::Text(text)) => Some(text.as_str()),
            Effect::Send(_) | Effect::Connect(_) | Effect::Request { .. } | Effect::Reconnect(_) => None,
        });
        texts.collect()
    }

    /// Tags of the calls that ended, with their outcomes.
    fn ended(&self) -> Vec<(u32, Option<Outcome>)> {
        let ended = self.out.answers.iter();
        ended.map(|answer| (answer.tag, answer.result.as_ref().err().map(ExchangeError::outcome))).collect()
    }
}

fn placed(id: u64, client_id: &str) -> String {
    format!(
        r#"{{"request_id":"{id}","header":{{"status":"200"}},"data":{{"result":{{"id":"9","text":"t-{client_id}"}}}}}}"#
    )
}

const ANNOUNCED: &str = r#"{"type":"upgrade","msg":"soon"}"#;

#[test]
fn nothing_is_sent_before_the_login_is_answered() {
    let mut desk = Desk::connected();
    assert_eq!(desk.call(0, 1, &place("a")), Err(ErrorKind::Connection(Phase::BeforeSend)));
    assert!(desk.out.is_empty(), "{:?}", desk.out);
    desk.tell(10, Input::Wake);
    assert_eq!(desk.out.effects.last(), Some(&Effect::Reconnect(CloseReason::Silent)));
}

#[test]
fn answers_find_their_calls_whatever_their_order() {
    let mut desk = Desk::ready();
    for (tag, client_id) in [(11, "a"), (12, "b"), (13, "c")] {
        desk.call(0, tag, &place(client_id)).expect("it leaves");
        assert_eq!(desk.sent().len(), 1);
    }
    desk.hear(1, &placed(2, "b"));
    assert_eq!(desk.ended(), [(12, None)]);
    desk.hear(1, &placed(2, "b"));
    assert_eq!(desk.ended(), [], "an answer that comes twice belongs to nobody");
    desk.hear(1, &placed(3, "a"));
    assert_eq!(desk.ended(), [(13, Some(Outcome::Unknown))], "an answer about another order proves nothing");
    desk.hear(1, &placed(1, "a"));
    assert_eq!(desk.ended(), [(11, None)]);
}

#[test]
fn what_has_no_answer_in_time_is_unknown_and_its_late_answer_nobodys() {
    let mut desk = Desk::ready();
    desk.call(0, 1, &place("a")).expect("it leaves");
    desk.call(4, 2, &place("b")).expect("it leaves");
    assert_eq!(desk.link.wakeup_at(), Some(at(10)));
    desk.hear(9, r#"{"time":1,"channel":"spot.pong","event":"","result":null}"#);
    desk.tell(10, Input::Wake);
    assert_eq!(desk.ended(), [(1, Some(Outcome::Unknown))]);
    assert_eq!(desk.link.wakeup_at(), Some(at(14)));
    desk.hear(11, &placed(1, "a"));
    assert_eq!(desk.ended(), []);
    desk.hear(11, &placed(2, "b"));
    assert_eq!(desk.ended(), [(2, None)]);
}

#[test]
fn a_loss_leaves_every_call_unknown_and_sends_none_again() {
    let mut desk = Desk::ready();
    desk.call(0, 1, &place("a")).expect("it leaves");
    desk.call(0, 2, &place("b")).expect("it leaves");
    desk.tell(1, Input::Disconnected);
    assert_eq!(desk.ended(), [(1, Some(Outcome::Unknown)), (2, Some(Outcome::Unknown))]);
    assert_eq!(desk.call(1, 3, &place("c")), Err(ErrorKind::Connection(Phase::BeforeSend)));
    desk.tell(2, Input::Start);
    desk.tell(2, Input::Connected);
    let [login] = desk.sent()[..] else { panic!("{:?}", desk.out) };
    assert!(login.contains("spot.login"), "{login}");
    desk.hear(2, r#"{"request_id":"login","header":{"status":"200"},"data":{"result":{}}}"#);
    assert_eq!(desk.sent(), [""; 0], "nothing of the old connection");
    desk.hear(2, &placed(1, "a"));
    assert_eq!(desk.ended(), [], "numbers are not used again");
}

#[test]
fn an_end_leaves_what_waits_unknown() {
    let mut desk = Desk::ready();
    desk.call(0, 1, &place("a")).expect("it leaves");
    desk.tell(1, Input::Stop);
    assert_eq!(desk.ended(), [(1, Some(Outcome::Unknown))]);
    assert_eq!(desk.call(1, 2, &place("b")), Err(ErrorKind::Connection(Phase::BeforeSend)));
}

#[test]
fn an_announced_end_waits_for_what_is_under_way() {
    let mut desk = Desk::ready();
    desk.call(0, 1, &place("a")).expect("it leaves");
    desk.hear(1, ANNOUNCED);
    assert_eq!(desk.out.effects, []);
    assert_eq!(desk.call(1, 2, &place("b")), Err(ErrorKind::Connection(Phase::BeforeSend)));
    desk.hear(2, &placed(1, "a"));
    assert_eq!(desk.ended(), [(1, None)]);
    assert_eq!(desk.out.effects, [Effect::Reconnect(CloseReason::Announced)]);

    let mut idle = Desk::ready();
    idle.hear(1, ANNOUNCED);
    assert_eq!(idle.out.effects, [Effect::Reconnect(CloseReason::Announced)]);
}

#[test]
fn a_clock_that_is_off_is_set_by_the_refusal_once() {
    let mut desk = Desk::connected();
    let refusal = r#"{"request_id":"login","header":{"status":"403","response_time":"1700000090000"},
        "data":{"errs":{"label":"REQUEST_EXPIRED","message":"x"}}}"#;
    desk.hear(0, refusal);
    let [again] = desk.sent()[..] else { panic!("{:?}", desk.out) };
    assert!(again.contains(r#""timestamp":"1700000090""#), "{again}");
    desk.hear(0, refusal);
    assert_eq!(desk.out.effects, [Effect::Reconnect(CloseReason::Refused)], "once is enough");
    assert_eq!(desk.call(0, 1, &place("a")), Err(ErrorKind::ClockSkew));
}

/// GATEIO-WS-35.
#[test]
fn a_session_that_lost_its_login_makes_another_when_what_waits_has_ended() {
    let logged_out = |id: u64| {
        format!(
            r#"{{"request_id":"{id}","header":{{"status":"400"}},"data":{{"errs":{{"label":"AUTHENTICATION_FAILED","message":"Not login"}}}}}}"#
        )
    };
    let mut desk = Desk::ready();
    desk.call(0, 1, &place("a")).expect("it leaves");
    desk.hear(1, &logged_out(1));
    assert_eq!(desk.ended(), [(1, Some(Outcome::Refused))]);
    assert_eq!(desk.out.link, [LinkEvent::Refused { symbol: None, stream: StreamKind::Account }]);
    assert_eq!(desk.out.effects, [Effect::Reconnect(CloseReason::Refused)]);
    assert_eq!(desk.call(1, 2, &place("b")), Err(ErrorKind::Connection(Phase::BeforeSend)));

    let mut desk = Desk::ready();
    desk.call(0, 1, &place("a")).expect("it leaves");
    desk.call(0, 2, &place("b")).expect("it leaves");
    desk.hear(1, &logged_out(1));
    assert_eq!(desk.out.effects, [], "the other may still have its result");
    assert_eq!(desk.call(1, 3, &place("c")), Err(ErrorKind::Connection(Phase::BeforeSend)));
    desk.hear(1, &placed(2, "b"));
    assert_eq!(desk.ended(), [(2, None)]);
    assert_eq!(desk.out.effects, [Effect::Reconnect(CloseReason::Refused)]);

    let mut desk = Desk::ready();
    desk.call(0, 1, &place("a")).expect("it leaves");
    desk.hear(
        1,
        r#"{"request_id":"1","header":{"status":"400"},"data":{"errs":{"label":"BALANCE_NOT_ENOUGH","message":"x"}}}"#,
    );
    assert_eq!(desk.out.effects, [], "an ordinary refusal");
    desk.call(1, 2, &place("b")).expect("it leaves");
}

#[test]
fn pongs_alone_do_not_keep_a_connection() {
    let mut desk = Desk::ready();
    let mut asked = Vec::new();
    for second in 1..60 {
        desk.tell(second, Input::Pong);
        if desk.link.wakeup_at().is_some_and(|due| due <= at(second)) {
            desk.tell(second, Input::Wake);
            asked.append(&mut desk.out.effects);
        }
    }
    assert_eq!(asked.last(), Some(&Effect::Reconnect(CloseReason::Silent)), "{asked:?}");
}

#[test]
fn what_cannot_be_read_is_unknown_or_nobodys() {
    let mut desk = Desk::ready();
    desk.call(0, 1, &place("a")).expect("it leaves");
    desk.hear(1, r#"{"request_id":"1","header":{},"data":{"result":{"id":"9","text":"t-a"}}}"#);
    assert_eq!(desk.ended(), [(1, Some(Outcome::Unknown))], "no status is no success");
    for frame in [
        r#"{"request_id":"2","hea"#,
        r#"{"request_id":["2"],"header":{}}"#,
        r#"{"time":1,"channel":"","event":"","error":{"code":1,"message":"x"}}"#,
    ] {
        desk.call(1, 2, &place("b")).expect("it leaves");
        desk.out.clear();
        let told = desk.link.handle(at(1), Input::Text(frame.as_bytes()), &mut desk.out);
        assert!(matches!(told, Err(ExchangeError { kind: ErrorKind::Undecodable(_), .. })), "{frame}");
        assert_eq!(desk.out.link, [LinkEvent::Undecodable { symbol: None }]);
        assert_eq!(desk.ended(), [], "{frame}");
    }
    assert!(desk.link.handle(at(1), Input::Binary(b"x"), &mut desk.out).is_err());
}

#[test]
fn what_waits_is_bounded() {
    let mut desk = Desk::ready();
    for tag in 0..u32::try_from(MOST_WAITING).expect("few") {
        desk.call(0, tag, &place("a")).expect("it leaves");
    }
    assert!(matches!(desk.call(0, 999, &place("a")), Err(ErrorKind::Throttled { .. })));
    assert!(desk.out.is_empty());
}

#[test]
fn other_calls_are_not_made_here() {
    let mut desk = Desk::ready();
    let symbol = SymbolId(0);
    for request in [Request::Account, Request::CancelAll { symbol }, Request::OpenOrders { symbol: None }] {
        assert_eq!(desk.call(0, 1, &request), Err(ErrorKind::Unsupported), "{request:?}");
    }
    let unusual = Request::Order { symbol: SymbolId(3), order: OrderRef::Client(ClientOrderId::default()) };
    assert!(matches!(desk.call(0, 1, &unusual), Err(ErrorKind::InvalidInput(_))));
    assert!(desk.out.is_empty());
}

#[test]
fn limits_are_not_learned_where_they_are_not_kept() {
    let answer = r#"{"request_id":"1","header":{"status":"429","x_gate_ratelimit_limit":10},
        "data":{"errs":{"label":"TOO_MANY_REQUESTS","message":"(211)"}}}"#;
    for (learns, told) in [(true, 1), (false, 0)] {
        let mut desk = Desk::ready();
        desk.link.learns_limits = learns;
        desk.call(0, 1, &place("a")).expect("it leaves");
        desk.hear(1, answer);
        assert_eq!(desk.out.answers[0].feedback.len(), told);
        assert!(matches!(desk.out.answers[0].result, Err(ref error) if error.outcome() == Outcome::Refused));
    }
}

#[test]
fn results_are_typed_as_over_rest() {
    let mut desk = Desk::ready();
    desk.call(0, 1, &place("a")).expect("it leaves");
    desk.hear(1, &placed(1, "a"));
    assert!(matches!(desk.out.answers[0].result, Ok(Reply::Placed(_))), "{:?}", desk.out.answers);
}
