//! The public link, told what happens to it.

use super::*;
use crate::testing::{at, markets, venue};
use crate::wire::{PublicAggreBookTicker, PublicAggreDeal};
use cex_core::{Level, Price, Qty, Side};
use cex_interface::{Payload, VenueConfig};
use cex_proto::mexc::PublicAggreDeals;

fn settings() -> Settings {
    Settings::read(VenueConfig::public(venue())).expect("defaults")
}

fn subscriptions(stream: StreamKind) -> Vec<Subscription> {
    (0..4).map(|symbol| Subscription { symbol: SymbolId(symbol), stream }).collect()
}

fn link(wanted: &[Subscription]) -> Box<dyn Link> {
    plan::links(&settings(), &markets(), wanted).expect("a plan").pop().expect("one link")
}

/// What one input leads to.
fn tell(link: &mut dyn Link, millis: i64, input: Input<'_>) -> (Outbox, Result<(), ExchangeError>) {
    let mut out = Outbox::default();
    let result = link.handle(at(millis), input, &mut out);
    (out, result)
}

fn live(wanted: &[Subscription]) -> Box<dyn Link> {
    let mut link = link(wanted);
    assert!(tell(&mut *link, 0, Input::Start).1.is_ok());
    assert!(tell(&mut *link, 0, Input::Connected).1.is_ok());
    link
}

fn frame(channel: &str, symbol: &str, body: Body) -> Vec<u8> {
    PushDataV3ApiWrapper {
        channel: channel.to_owned(),
        symbol: Some(symbol.to_owned()),
        send_time: Some(1_754_741_322_152),
        body: Some(body),
        ..PushDataV3ApiWrapper::default()
    }
    .encode_to_vec()
}

#[test]
fn connects_subscribes_and_says_what_it_carries() {
    let wanted = subscriptions(StreamKind::Book);
    let mut link = link(&wanted);
    assert_eq!((link.name(), link.subscriptions()), ("mexc market 1", &wanted[..]));
    let (out, _) = tell(&mut *link, 0, Input::Start);
    assert_eq!(out.effects, [Effect::Connect("wss://wbs-api.mexc.com/ws".to_owned())]);
    let (out, _) = tell(&mut *link, 0, Input::Connected);
    assert_eq!(out.link, [LinkEvent::Up]);
    let [Effect::Send(Payload::Text(message))] = &out.effects[..] else { panic!("{:?}", out.effects) };
    assert!(message.contains("\"spot@public.aggre.depth.v3.api.pb@10ms@龙虾USDT\""), "raw UTF-8: {message}");
    let (out, _) = tell(&mut *link, 1, Input::Disconnected);
    assert_eq!((out.link, link.wakeup_at()), (vec![LinkEvent::Down], None));
}

#[test]
fn best_prices_become_events() {
    let mut link = live(&subscriptions(StreamKind::BookTicker));
    let channel = "spot@public.aggre.bookTicker.v3.api.pb@10ms@BTCUSDT";
    let ticker = PublicAggreBookTicker {
        bid_price: "104209.99".to_owned(),
        bid_quantity: "1.2".to_owned(),
        version: "61000000123".to_owned(),
        ..PublicAggreBookTicker::default()
    };
    let (out, result) =
        tell(&mut *link, 1, Input::Binary(&frame(channel, "BTCUSDT", Body::PublicAggreBookTicker(ticker))));
    let expected = cex_core::BookTicker {
        symbol: SymbolId(0),
        bid: Some(Level { price: Price(10_420_999), qty: Qty(120_000_000) }),
        ask: None,
        seq: Some(61_000_000_123),
        exchange_ts: at(1_754_741_322_152),
    };
    assert_eq!((result, out.market), (Ok(()), vec![MarketEvent::BookTicker(expected)]));
}

#[test]
fn trades_become_events_all_or_none() {
    let deal = |price: &str, trade_type, trade_id: &str| PublicAggreDeal {
        price: price.to_owned(),
        quantity: "0.0125".to_owned(),
        trade_type,
        time: 1_781_690_002_994,
        trade_id: trade_id.to_owned(),
    };
    let channel = "spot@public.aggre.deals.v3.api.pb@10ms@BTCUSDT";
    let send = |deals: Vec<PublicAggreDeal>| {
        let deals = PublicAggreDeals { deals, event_type: String::new() };
        tell(
            &mut *live(&subscriptions(StreamKind::Trades)),
            1,
            Input::Binary(&frame(channel, "BTCUSDT", Body::PublicAggreDeals(deals))),
        )
    };
    let joined = "731579883561406466X1_731579883561406467X0";
    let (out, result) = send(vec![deal("104210.01", 1, ""), deal("104210", 2, joined)]);
    let sides: Vec<_> = out
        .market
        .iter()
        .map(|event| match event {
            MarketEvent::Trade(trade) => {
                (trade.taker_side, trade.price, trade.trade_id.map(|id| id.to_string()))
            }
            other => panic!("{other:?}"),
        })
        .collect();
    let last = Some("731579883561406467X0".to_owned());
    assert_eq!(sides, [(Side::Buy, Price(10_421_001), None), (Side::Sell, Price(10_421_000), last)]);
    assert_eq!(result, Ok(()));

    let (out, result) = send(vec![deal("104210.01", 1, ""), deal("104210", 3, "")]);
    assert!(result.is_err() && out.market.is_empty());
    assert_eq!(out.link, [LinkEvent::Undecodable { symbol: Some(SymbolId(0)) }]);
}

#[test]
fn what_cannot_be_read_makes_its_book_stale_and_leaves_no_levels() {
    let mut link = live(&subscriptions(StreamKind::Book));
    let depth = cex_proto::mexc::PublicAggreDepths {
        asks: vec![cex_proto::mexc::DepthLevel { price: "1.00".to_owned(), quantity: "1".to_owned() }],
        from_version: "2".to_owned(),
        to_version: "1".to_owned(),
        ..Default::default()
    };
    let backwards =
        frame("spot@public.aggre.depth.v3.api.pb@10ms@ETHUSDT", "ETHUSDT", Body::PublicAggreDepths(depth));
    let (out, result) = tell(&mut *link, 1, Input::Binary(&backwards));
    assert!(result.is_err() && out.market.is_empty() && out.levels.is_empty());
    assert_eq!(out.link, [LinkEvent::Undecodable { symbol: Some(SymbolId(3)) }]);

    let (out, result) = tell(&mut *link, 1, Input::Binary(&backwards[..backwards.len() - 1]));
    assert!(result.is_err());
    assert_eq!(out.link, [LinkEvent::Undecodable { symbol: None }], "the whole connection");
}

#[test]
fn silence_asks_for_a_new_connection_and_late_frames_do_not_count() {
    let mut link = live(&subscriptions(StreamKind::Book));
    let mut asked = Vec::new();
    while let Some(due) = link.wakeup_at() {
        let (out, _) = tell(&mut *link, due.as_millis(), Input::Wake);
        asked.extend(out.effects);
    }
    let ping = Effect::Send(Payload::Text(r#"{"method":"PING"}"#.to_owned()));
    // Nobody acknowledged either, which shows after ten seconds already.
    assert_eq!(asked, [Effect::Reconnect(CloseReason::Refused)]);

    let mut link = live(&subscriptions(StreamKind::Book));
    let ack = br#"{"id":1,"code":0,"msg":"spot@public.aggre.depth.v3.api.pb@10ms@BTCUSDT"}"#;
    assert!(tell(&mut *link, 1_000, Input::Text(ack)).1.is_ok());
    let mut asked = Vec::new();
    while let Some(due) = link.wakeup_at() {
        let (out, _) = tell(&mut *link, due.as_millis(), Input::Wake);
        asked.extend(out.effects);
    }
    assert_eq!(asked, [ping.clone(), ping, Effect::Reconnect(CloseReason::Silent)]);
    let (out, result) = tell(&mut *link, 32_000, Input::Binary(&[0xff]));
    assert!(out.is_empty() && result.is_ok());
}

#[test]
fn frames_of_others_pass_by() {
    let mut link = live(&subscriptions(StreamKind::Book));
    for (channel, symbol, body) in [
        (
            "spot@public.aggre.depth.v3.api.pb@10ms@ZZZUSDT",
            "ZZZUSDT",
            Body::PublicAggreDepths(Default::default()),
        ),
        (
            "spot@public.increase.depth.v3.api.pb@BTCUSDT",
            "BTCUSDT",
            Body::PublicIncreaseDepths(Default::default()),
        ),
    ] {
        let (out, result) = tell(&mut *link, 1, Input::Binary(&frame(channel, symbol, body)));
        assert!(out.is_empty() && result.is_ok(), "{channel}");
    }
    assert!(tell(&mut *link, 1, Input::Binary(&[])).1.is_ok(), "an empty frame is an empty message");
}

/// Of the tickers of all symbols those asked for are passed on, and one that cannot be read hides no other.
#[test]
fn one_channel_of_all_tickers_tells_of_those_asked_for() {
    let ticker = |symbol: &str, price: &str| PublicMiniTicker {
        symbol: symbol.to_owned(),
        price: price.to_owned(),
        ..PublicMiniTicker::default()
    };
    let all = Channel {
        name: "spot@public.miniTickers.v3.api.pb@24H".to_owned(),
        symbols: vec![SymbolId(3), SymbolId(0)],
        stream: StreamKind::Ticker,
    };
    let mut link = MarketLink::new(&settings(), markets(), 1, vec![all.clone()]);
    for input in [Input::Start, Input::Connected] {
        assert!(tell(&mut link, 0, input).1.is_ok());
    }
    let items = [("BTCUSDT", "x"), ("MXUSDT", "2.6"), ("ETHUSDT", "4"), ("ZZZUSDT", "1")]
        .map(|(s, p)| ticker(s, p))
        .to_vec();
    let tickers = cex_proto::mexc::PublicMiniTickers { items };
    let message = PushDataV3ApiWrapper {
        channel: all.name.clone(),
        send_time: Some(5),
        body: Some(Body::PublicMiniTickers(tickers)),
        ..PushDataV3ApiWrapper::default()
    };
    let (out, result) = tell(&mut link, 1, Input::Binary(&message.encode_to_vec()));
    assert!(result.is_err());
    assert_eq!(out.link, [LinkEvent::Undecodable { symbol: Some(SymbolId(0)) }]);
    let [MarketEvent::Ticker(told)] = &out.market[..] else { panic!("{:?}", out.market) };
    assert_eq!((told.symbol, told.last.to_string().as_str(), told.as_of), (SymbolId(3), "4", at(5)));

    let ack = format!(r#"{{"id":1,"code":0,"msg":"{}"}}"#, all.name);
    let (out, _) = tell(&mut link, 2, Input::Text(ack.as_bytes()));
    let subscribed = |id| LinkEvent::Subscribed { symbol: Some(SymbolId(id)), stream: StreamKind::Ticker };
    assert_eq!(out.link, [subscribed(3), subscribed(0)]);
}

#[test]
fn a_stream_whose_data_comes_before_its_acknowledgement_stands() {
    for (stream, channel, body) in [
        (
            StreamKind::TopLevels(5),
            "spot@public.limit.depth.v3.api.pb@BTCUSDT@5",
            Body::PublicLimitDepths(cex_proto::mexc::PublicLimitDepths {
                version: "7".to_owned(),
                ..Default::default()
            }),
        ),
        (
            StreamKind::Klines(cex_core::KlineInterval::Hour8),
            "spot@public.kline.v3.api.pb@BTCUSDT@Hour8",
            Body::PublicSpotKline(cex_proto::mexc::PublicSpotKline {
                interval: "Hour8".to_owned(),
                opening_price: "1".to_owned(),
                closing_price: "2".to_owned(),
                highest_price: "3".to_owned(),
                lowest_price: "1".to_owned(),
                ..Default::default()
            }),
        ),
    ] {
        let mut link = live(&[Subscription { symbol: SymbolId(0), stream }]);
        // Without the wrapper's word the channel tells the symbol.
        let message = PushDataV3ApiWrapper {
            channel: channel.to_owned(),
            body: Some(body),
            ..PushDataV3ApiWrapper::default()
        };
        let (out, result) = tell(&mut *link, 1, Input::Binary(&message.encode_to_vec()));
        assert_eq!((result, out.market.len()), (Ok(()), 1), "{channel}");
        let (out, _) = tell(&mut *link, 10_000, Input::Wake);
        let subscribed = LinkEvent::Subscribed { symbol: Some(SymbolId(0)), stream };
        assert_eq!(out.link, [subscribed], "{channel}");
    }
}
