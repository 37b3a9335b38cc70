//! Calls that fail before the exchange sees them, and answers that are lost after it has acted.

use super::{Gateio, ORDERS, buy, fill_books, fired, inject, orders, statuses};
use crate::client::{Http, parse, run, start_quiet, text};
use cex_core::OrderStatus;
use cex_sim::fault::{Canned, Fault, Moment, RestEffect};
use sonic_rs::JsonValueTrait as _;
use std::time::Duration;
use tokio::time::{Instant, timeout};

#[test]
fn a_connection_closes_before_or_after_the_order() {
    run(async {
        for (moment, expected) in [(Moment::Before, vec![]), (Moment::After, vec![OrderStatus::Filled])] {
            for effect in [RestEffect::Close, RestEffect::Reset] {
                let sim = start_quiet();
                fill_books(&sim);
                let id = inject(&sim, Gateio, Fault::rest("POST", ORDERS, moment, effect));
                let mut http = Http::connect(&sim, Gateio).await.expect("connected");
                assert!(buy(&mut http, "t-one").await.is_err(), "no answer came");
                assert_eq!(statuses(&sim), expected, "{moment}");
                assert_eq!(fired(&sim, id), 1);
                let mut again = Http::connect(&sim, Gateio).await.expect("the next connection is fine");
                let (status, _) = buy(&mut again, "t-two").await.expect("an answer");
                assert_eq!(status, 201);
            }
        }
    });
}

#[test]
fn a_stalled_call_never_ends_whether_it_took_effect_or_not() {
    run(async {
        for (moment, count) in [(Moment::Before, 0), (Moment::After, 1)] {
            let sim = start_quiet();
            fill_books(&sim);
            inject(&sim, Gateio, Fault::rest("POST", ORDERS, moment, RestEffect::Stall));
            let mut http = Http::connect(&sim, Gateio).await.expect("connected");
            let answer = timeout(Duration::from_millis(300), buy(&mut http, "t-one")).await;
            assert!(answer.is_err(), "{moment}: {answer:?}");
            assert_eq!(orders(&sim).len(), count, "{moment}");
            sim.stop().expect("a stalled call keeps nobody from stopping");
        }
    });
}

#[test]
fn late_calls_and_answers_take_their_time() {
    run(async {
        let sim = start_quiet();
        fill_books(&sim);
        let delay = Duration::from_millis(150);
        let mut http = Http::connect(&sim, Gateio).await.expect("connected");
        for moment in [Moment::Before, Moment::After] {
            inject(&sim, Gateio, Fault::rest("POST", ORDERS, moment, RestEffect::Late(delay)));
            let began = Instant::now();
            let (status, _) = buy(&mut http, "t-one").await.expect("an answer");
            assert!(status == 201 && began.elapsed() >= delay, "{moment}");
        }
        assert_eq!(orders(&sim).len(), 2);
    });
}

#[test]
fn another_answer_comes_instead() {
    run(async {
        let sim = start_quiet();
        fill_books(&sim);
        let mut http = Http::connect(&sim, Gateio).await.expect("connected");
        let busy = Canned::json(429, r#"{"label":"TOO_MANY_REQUESTS"}"#).retry_after(3);
        for (moment, canned, count) in [
            (Moment::Before, Canned::html(502), 0),
            (Moment::Before, busy.clone(), 0),
            (Moment::After, Canned::empty(503), 1),
        ] {
            inject(&sim, Gateio, Fault::rest("POST", ORDERS, moment, RestEffect::Answer(canned.clone())));
            let (status, body) = buy(&mut http, "t-one").await.expect("an answer");
            assert_eq!((status, body.as_ref()), (canned.status, canned.body.as_slice()));
            assert_eq!(orders(&sim).len(), count, "{moment} {status}");
        }
    });
}

#[test]
fn bodies_are_truncated_honestly_or_cut_off() {
    run(async {
        let sim = start_quiet();
        let time = "/api/v4/spot/time";
        inject(&sim, Gateio, Fault::rest("GET", time, Moment::After, RestEffect::Truncate(5)));
        let mut http = Http::connect(&sim, Gateio).await.expect("connected");
        let (status, body) = http.get(time).await.expect("a whole answer");
        assert_eq!((status, body.len()), (200, 5));
        assert!(http.get(time).await.expect("the connection stays").1.len() > 5);
        for at in [0, 5, 1_000] {
            inject(&sim, Gateio, Fault::rest("GET", time, Moment::After, RestEffect::CutBody(at)));
            let mut http = Http::connect(&sim, Gateio).await.expect("connected");
            assert!(http.get(time).await.is_err(), "cut at {at}");
        }
    });
}

#[test]
fn a_kept_connection_ends_after_its_answer() {
    run(async {
        let sim = start_quiet();
        let time = "/api/v4/spot/time";
        inject(&sim, Gateio, Fault::rest("GET", time, Moment::After, RestEffect::HangUp).skip(1));
        let mut http = Http::connect(&sim, Gateio).await.expect("connected");
        for _ in 0..2 {
            let (status, body) = http.get(time).await.expect("an answer");
            assert!(status == 200 && parse(&body)["server_time"].as_u64().is_some());
        }
        assert!(http.get(time).await.is_err(), "nobody is there any more");
    });
}

#[test]
fn counts_and_skips_are_respected_and_what_is_cleared_is_gone() {
    run(async {
        let sim = start_quiet();
        let fault = || Fault::rest("", "", Moment::Before, RestEffect::Answer(Canned::empty(500)));
        let twice = inject(&sim, Gateio, fault().skip(1).times(2));
        let mut http = Http::connect(&sim, Gateio).await.expect("connected");
        let mut statuses = Vec::new();
        for _ in 0..4 {
            statuses.push(http.get("/api/v4/spot/time").await.expect("an answer").0);
        }
        assert_eq!((statuses, fired(&sim, twice)), (vec![200, 500, 500, 200], 2));
        assert!(sim.faults().expect("running").is_empty(), "it is used up");
        let always = inject(&sim, Gateio, fault().always());
        assert_eq!(http.get("/api/v4/spot/time").await.expect("an answer").0, 500);
        assert_eq!(sim.faults().expect("running")[0].id, always);
        sim.clear(always).expect("it is there");
        assert!(sim.clear(always).is_err(), "it is not there any more");
        let (status, body) = http.get("/api/v4/nowhere").await.expect("an answer");
        assert_eq!((status, text(&parse(&body)["label"])), (404, "NOT_FOUND"));
        let log = sim.fired().expect("running");
        assert_eq!(log.len(), 3);
        assert!(log.iter().all(|fired| fired.exchange == Gateio && fired.hit == "GET /api/v4/spot/time"));
    });
}
