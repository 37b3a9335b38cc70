//! What is between: pieces of a few bytes; and streams whose rights end without a word.

use super::{Gateio, Mexc, btc, buy, decimal, fill_books, fired, inject};
use crate::client::{Http, Ws, parse, run, start_quiet, text};
use cex_sim::fault::{Fault, VenueFault};
use sonic_rs::JsonValueTrait as _;
use std::time::Duration;

#[test]
fn what_comes_in_pieces_says_the_same() {
    run(async {
        let sim = start_quiet();
        fill_books(&sim);
        let id = inject(&sim, Gateio, Fault::venue(VenueFault::Slice(3)));
        assert_eq!(fired(&sim, id), 1);
        let mut http = Http::connect(&sim, Gateio).await.expect("connected");
        let (status, whole) = http.get("/api/v4/spot/currency_pairs").await.expect("an answer");
        assert_eq!((status, parse(&whole)[0]["id"].as_str()), (200, Some("BTC_USDT")));
        let mut ws = Ws::connect(&sim, Gateio).await.expect("connected");
        ws.subscribe("spot.obu", r#"["ob.BTC_USDT.50"]"#).await;
        let whole = ws.next(|frame| frame["result"]["full"].as_bool() == Some(true)).await;
        assert_eq!(whole["result"]["b"][0][0].as_str(), Some("99"));
        for step in 1..20 {
            let qty = decimal(&format!("0.{step}1"));
            sim.place_quote(Gateio, btc(), cex_core::Side::Buy, decimal("98"), qty).expect("on the grid");
        }
        let frame = ws.next(|frame| frame["result"]["U"].as_u64().is_some()).await;
        assert_eq!(text(&frame["result"]["s"]), "ob.BTC_USDT.50");
        sim.clear(id).expect("it is there");
        assert_eq!(buy(&mut http, "t-one").await.expect("an answer").0, 201);
    });
}

#[test]
fn private_streams_that_lost_their_rights_are_silent_and_stay_open() {
    run(async {
        let sim = start_quiet();
        fill_books(&sim);
        let account = sim.accounts()[0].clone();
        let mut gateio = Ws::connect(&sim, Gateio).await.expect("connected");
        gateio.subscribe_private(&account, "spot.orders").await;
        let mut http = Http::connect(&sim, Gateio).await.expect("connected");
        buy(&mut http, "t-one").await.expect("an answer");
        let told = gateio.next(|frame| frame["event"].as_str() == Some("update")).await;
        assert_eq!(text(&told["result"][0]["text"]), "t-one");

        let mut rest = Http::connect(&sim, Mexc).await.expect("connected");
        let (_, made) = rest.mexc("POST", "/userDataStream", "").await;
        let query = format!("?listenKey={}", text(&made["listenKey"]));
        let mut mexc = Ws::connect_with(&sim, Mexc, &query).await.expect("connected");
        let request = r#"{"method":"SUBSCRIPTION","params":["spot@private.orders.v3.api.pb"]}"#;
        mexc.send(request).await.expect("sent");
        mexc.read().await.expect("an acknowledgement");

        for exchange in [Gateio, Mexc] {
            let id = inject(&sim, exchange, Fault::venue(VenueFault::Deauthorize));
            assert_eq!(fired(&sim, id), 1);
        }
        buy(&mut http, "t-two").await.expect("an answer");
        let order = "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=0.5&price=98";
        assert_eq!(rest.mexc("POST", "/order", order).await.0, 200);
        // Whatever either is sent after its order would have come before the answer to a ping.
        gateio.send(r#"{"time":1,"channel":"spot.ping"}"#).await.expect("sent");
        let next = gateio.next(|_| true).await;
        assert_eq!(text(&next["channel"]), "spot.pong");
        mexc.send(r#"{"method":"PING"}"#).await.expect("sent");
        let (_, next) = tokio::time::timeout(Duration::from_secs(5), mexc.read())
            .await
            .expect("an answer in time")
            .expect("a frame");
        assert_eq!(text(&parse(&next)["msg"]), "PONG");
    });
}
