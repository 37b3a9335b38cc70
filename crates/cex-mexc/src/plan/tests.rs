//! Wishes spread over connections, by what the links send.

use super::*;
use crate::testing::{at, markets, venue};
use cex_interface::{Effect, Input, Outbox, Payload, VenueConfig};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn settings(options: &[(&str, &str)]) -> Settings {
    let mut config = VenueConfig::public(venue());
    config.options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Settings::read(config).expect("valid")
}

/// So many markets.
fn many(count: u32) -> Arc<Markets> {
    let known = markets().get(SymbolId(0)).expect("BTC").clone();
    let market = |index: u32| {
        let mut market = Market { id: SymbolId(index), ..known.clone() };
        market.info.native = cex_core::Text::new(&format!("C{index}USDT")).expect("short");
        market
    };
    Arc::new(Markets::new((0..count).map(market).collect()))
}

/// The channels a link asks for once it is connected.
fn asked(link: &mut dyn Link) -> Vec<String> {
    let mut out = Outbox::default();
    for input in [Input::Start, Input::Connected] {
        link.handle(at(0), input, &mut out).expect("handled");
    }
    let mut names = Vec::new();
    for effect in &out.effects {
        let Effect::Send(Payload::Text(text)) = effect else { continue };
        let (_, params) = text.split_once(r#""params":["#).expect("a subscription");
        names.extend(params.trim_end_matches("]}").split(',').map(|name| name.trim_matches('"').to_owned()));
    }
    names
}

fn wish(symbol: u32, stream: StreamKind) -> Subscription {
    Subscription { symbol: SymbolId(symbol), stream }
}

#[test]
fn connections_are_as_few_as_can_be_and_evenly_filled() {
    let wanted: Vec<_> = (0..31).map(|symbol| wish(symbol, StreamKind::Trades)).collect();
    let sizes = |wanted: &[Subscription]| -> Vec<usize> {
        let links = links(&settings(&[]), &many(31), wanted).expect("a plan");
        links.iter().map(|link| link.subscriptions().len()).collect()
    };
    assert_eq!(sizes(&wanted[..30]), [30]);
    assert_eq!(sizes(&wanted), [16, 15]);
    assert_eq!(sizes(&[wanted[0], wanted[0]]), [1], "named twice, made once");
    assert!(sizes(&[]).is_empty());
}

#[test]
fn what_cannot_be_asked_for_is_refused() {
    let refused = |symbol, stream| {
        links(&settings(&[]), &markets(), &[wish(symbol, stream)]).map(|_| ()).expect_err("refused").kind
    };
    assert!(matches!(refused(99, StreamKind::Book), ErrorKind::InvalidInput(_)));
    for stream in [
        StreamKind::Account,
        StreamKind::TopLevels(7),
        StreamKind::TopLevels(50),
        StreamKind::Klines(KlineInterval::Hour12),
    ] {
        assert_eq!(refused(0, stream), ErrorKind::Unsupported, "{stream:?}");
    }
    let mut odd = markets().get(SymbolId(0)).expect("BTC").clone();
    odd.info.native = cex_core::Text::new("A\"B").expect("short");
    assert_eq!(channel(&settings(&[]), &odd, StreamKind::Book).map(|_| ()), Err(ErrorKind::InvalidSymbol));
}

/// Every stream that is claimed has a channel (MEXC-WS-12, MEXC-WS-14 to MEXC-WS-17).
#[test]
fn every_claimed_stream_has_its_channel() {
    let settings = settings(&[("depth_interval", "100ms"), ("book_ticker", "batch")]);
    let markets = markets();
    let btc = markets.get(SymbolId(0)).expect("BTC");
    let name = |stream| channel(&settings, btc, stream).expect("claimed").name;
    for stream in STREAMS {
        assert!(name(stream).starts_with("spot@public."), "{stream:?}");
    }
    for (stream, expected) in [
        (StreamKind::Book, "spot@public.aggre.depth.v3.api.pb@100ms@BTCUSDT"),
        (StreamKind::Trades, "spot@public.aggre.deals.v3.api.pb@100ms@BTCUSDT"),
        (StreamKind::BookTicker, "spot@public.bookTicker.batch.v3.api.pb@BTCUSDT"),
        (StreamKind::Ticker, "spot@public.miniTicker.v3.api.pb@BTCUSDT@24H"),
        (StreamKind::TopLevels(20), "spot@public.limit.depth.v3.api.pb@BTCUSDT@20"),
        (StreamKind::Klines(KlineInterval::Hour1), "spot@public.kline.v3.api.pb@BTCUSDT@Min60"),
        (StreamKind::Klines(KlineInterval::Hour8), "spot@public.kline.v3.api.pb@BTCUSDT@Hour8"),
    ] {
        assert_eq!(name(stream), expected);
    }
    let single = channel(&self::settings(&[]), btc, StreamKind::BookTicker).expect("claimed").name;
    assert_eq!(single, "spot@public.aggre.bookTicker.v3.api.pb@10ms@BTCUSDT");
}

#[test]
fn many_tickers_share_one_channel() {
    let tickers = |count| (0..count).map(|symbol| wish(symbol, StreamKind::Ticker)).collect::<Vec<_>>();
    let plan = |count: u32| links(&settings(&[]), &many(200), &tickers(count)).expect("a plan");
    let mut few = plan(29);
    assert_eq!((few.len(), asked(&mut *few[0]).len()), (1, 29));
    let mut all = plan(200);
    assert_eq!((all.len(), asked(&mut *all[0])), (1, vec![ALL_TICKERS.to_owned()]));
    assert_eq!(all[0].subscriptions(), tickers(200));
}

/// The limit is what an address is seen to be given, halved for successors (MEXC-WS-18).
#[test]
fn more_than_the_connections_carry_is_refused_in_words() {
    let books = |count| (0..count).map(|symbol| wish(symbol, StreamKind::Book)).collect::<Vec<_>>();
    let plan = |count: u32| links(&settings(&[("connections_max", "2")]), &many(61), &books(count));
    assert_eq!(plan(60).map(|links| links.len()).ok(), Some(2));
    let error = plan(61).map(|_| ()).expect_err("too many");
    assert_eq!(
        error.to_string(),
        "mexc subscribe: invalid input: more subscriptions than the connections carry (61 subscriptions are wanted and \
         60 fit: 2 connections of 30 each; drop symbols or streams, or move some to another account at another address)"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_wish_is_in_exactly_one_link_and_no_link_over_its_limit(
        wanted in prop::collection::vec((0u32..120, 0..STREAMS.len()), 0..400),
        most in 1usize..20,
    ) {
        let wanted: Vec<_> = wanted.into_iter().map(|(symbol, at)| wish(symbol, STREAMS[at])).collect();
        let distinct: BTreeSet<_> = wanted.iter().map(|wish| (wish.symbol, wish.stream)).collect();
        let tickers = distinct.iter().filter(|(_, stream)| *stream == StreamKind::Ticker).count();
        let shared = if tickers < ALL_TICKERS_FROM { 0 } else { tickers - 1 };
        let settings = settings(&[("connections_max", &most.to_string())]);
        match links(&settings, &many(120), &wanted) {
            Err(_) => prop_assert!(distinct.len() - shared > most * limits::SUBSCRIPTIONS_PER_CONNECTION),
            Ok(mut links) => {
                prop_assert!(links.len() <= most);
                let mut carried: BTreeMap<_, usize> = BTreeMap::new();
                let mut names = Vec::new();
                for link in &mut links {
                    let channels = asked(&mut **link);
                    prop_assert!(channels.len() <= limits::SUBSCRIPTIONS_PER_CONNECTION);
                    names.extend(channels);
                    for wish in link.subscriptions() {
                        *carried.entry((wish.symbol, wish.stream)).or_default() += 1;
                    }
                }
                prop_assert!(carried.values().all(|times| *times == 1));
                prop_assert!(carried.keys().eq(distinct.iter()));
                prop_assert_eq!(names.len(), distinct.len() - shared);
                prop_assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
            }
        }
    }
}
