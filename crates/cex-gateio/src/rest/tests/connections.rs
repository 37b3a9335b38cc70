//! Wishes spread over connections.

use super::*;

#[test]
fn wishes_are_spread_over_connections() {
    let gateio = gateio(&[("books_per_connection", "2")]);
    let markets = Arc::new(markets());
    let wish = |symbol, stream| Subscription { symbol: SymbolId(symbol), stream };
    let wanted = [
        wish(0, StreamKind::Book),
        wish(1, StreamKind::Book),
        wish(1, StreamKind::Book),
        wish(2, StreamKind::Book),
        wish(3, StreamKind::Book),
        wish(0, StreamKind::Trades),
        wish(0, StreamKind::BookTicker),
    ];
    let links = gateio.market_links(&markets, &wanted).expect("possible");
    let carried: Vec<_> = links.iter().map(|link| (link.name(), link.subscriptions().len())).collect();
    // The first link also tells of the pair whose name is not sent.
    assert_eq!(carried, [("gateio book 1", 3), ("gateio book 2", 1), ("gateio public 1", 2)]);
    let failed = |wanted| gateio.market_links(&markets, &[wanted]).map(|_| ()).map_err(|error| error.kind);
    for stream in [StreamKind::Account, StreamKind::TopLevels(7)] {
        assert_eq!(failed(wish(0, stream)), Err(ErrorKind::Unsupported), "{stream:?}");
    }
    assert_eq!(failed(wish(9, StreamKind::Book)), Err(ErrorKind::InvalidInput("unknown symbol")));
    let links = gateio.market_links(&markets, &[wish(3, StreamKind::Book)]).expect("possible");
    assert_eq!(links[0].subscriptions(), [wish(3, StreamKind::Book)]);
}

/// Plain pairs, so many.
fn many(count: u32) -> Arc<Markets> {
    let known = markets().get(SymbolId(0)).expect("BTC").clone();
    let market = |index: u32| {
        let mut market = Market { id: SymbolId(index), ..known.clone() };
        market.info.native = cex_core::Text::new(&format!("C{index}_USDT")).expect("short");
        market
    };
    Arc::new(Markets::new((0..count).map(market).collect()))
}

/// The limit is what the exchange gives an address, halved for successors (GATEIO-WS-28).
#[test]
fn more_than_the_connections_carry_is_refused_in_words() {
    let gateio = gateio(&[("books_per_connection", "10"), ("connections_max", "3")]);
    let books = (0..21).map(|symbol| Subscription { symbol: SymbolId(symbol), stream: StreamKind::Book });
    let mut wanted: Vec<_> = books.collect();
    assert_eq!(gateio.market_links(&many(21), &wanted).map(|links| links.len()).ok(), Some(3));
    wanted.push(Subscription { symbol: SymbolId(0), stream: StreamKind::Trades });
    let error = gateio.market_links(&many(21), &wanted).map(|_| ()).expect_err("too many");
    assert_eq!(
        error.to_string(),
        "gateio subscribe: invalid input: more subscriptions than the connections carry (21 subscriptions are wanted \
         and 20 fit: 2 connections of 10 each; drop symbols or streams, or move some to another account at another \
         address; books_per_connection is 10, at most 200)"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_wish_is_in_exactly_one_link_and_no_link_over_its_limit(
        wanted in prop::collection::vec((0u32..120, 0..PUBLIC_STREAMS.len()), 0..600),
        each in 1usize..60,
        most in 1usize..20,
    ) {
        let wish = |(symbol, at): (u32, usize)| Subscription { symbol: SymbolId(symbol), stream: PUBLIC_STREAMS[at] };
        let wanted: Vec<_> = wanted.into_iter().map(wish).collect();
        let distinct: BTreeSet<_> = wanted.iter().map(|wish| (wish.symbol, wish.stream)).collect();
        let books = distinct.iter().filter(|(_, stream)| *stream == StreamKind::Book).count();
        let needed = books.div_ceil(each) + (distinct.len() - books).div_ceil(limits::OTHERS_PER_CONNECTION);
        let options = [("books_per_connection", each.to_string()), ("connections_max", most.to_string())];
        let options: Vec<(&str, &str)> = options.iter().map(|(name, value)| (*name, value.as_str())).collect();
        match gateio(&options).market_links(&many(120), &wanted) {
            Err(_) => prop_assert!(needed > most),
            Ok(links) => {
                prop_assert!(links.len() == needed && needed <= most);
                let mut carried = BTreeSet::new();
                for link in &links {
                    let has_books = link.subscriptions().iter().any(|wish| wish.stream == StreamKind::Book);
                    let limit = if has_books { each } else { limits::OTHERS_PER_CONNECTION };
                    prop_assert!(link.subscriptions().len() <= limit);
                    for wish in link.subscriptions() {
                        prop_assert!(carried.insert((wish.symbol, wish.stream)));
                    }
                }
                prop_assert_eq!(carried, distinct);
            }
        }
    }
}
