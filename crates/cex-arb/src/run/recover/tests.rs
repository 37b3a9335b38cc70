//! What a start hands to the engine.

use super::stage::{markets, recorder};
use super::*;
use crate::run::desk::tests::engine_config;
use cex_core::{Balance, Continuity, LinkEvent, SnapshotSource, SyncRule};
use cex_engine::{Commands, Event, VenueSetup};
use cex_journal::messages::{Mode, SessionStart, Side, Source};
use std::collections::BTreeMap;
use std::time::Duration;

const NOW: Timestamp = Timestamp::from_secs(1_000);

/// A journal by which an account held 5 coins and 1000 in quote, and then bought 2 coins at 100.
fn past() -> Past {
    let mut past = Past::default();
    let start = SessionStart { mode: Mode::Live.into(), ..Default::default() };
    past.take_in(1, NOW, &Entry::SessionStart(start));
    for (asset, free) in [("BTC", "5"), ("USDT", "1000")] {
        let balance = messages::Balance {
            venue: "mexc".to_owned(),
            asset: asset.to_owned(),
            free: free.to_owned(),
            locked: "0".to_owned(),
            source: Source::Answer.into(),
            ..Default::default()
        };
        past.take_in(2, NOW, &Entry::Balance(balance));
    }
    let fill = messages::Fill {
        venue: "mexc".to_owned(),
        symbol: "BTC/USDT".to_owned(),
        trade_id: "1".to_owned(),
        order_id: "1".to_owned(),
        client_id: "b".to_owned(),
        side: Side::Buy.into(),
        price: "100".to_owned(),
        qty: "2".to_owned(),
        ..Default::default()
    };
    past.take_in(3, NOW, &Entry::Fill(fill));
    past
}

#[test]
fn whoever_resumes_is_told_what_they_take_upon_themselves() {
    let leg = |side: Side, client_id: &str| messages::Leg {
        venue: "mexc".to_owned(),
        side: side.into(),
        client_id: client_id.to_owned(),
        ..Default::default()
    };
    let mut past = past();
    let intent = messages::Intent {
        symbol: "BTC/USDT".to_owned(),
        legs: vec![leg(Side::Buy, "x-1b"), leg(Side::Sell, "x-1s")],
        ..Default::default()
    };
    past.take_in(4, NOW, &Entry::Intent(intent));
    let told = standing_open(&past);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].ends_with("BTC/USDT: nothing, 2 orders not known to their end"), "{told:?}");
    let unfinished = Unfinished::new(past).map_err(|failure| failure.what).expect("no contradiction");
    assert_eq!(unfinished.open_symbols().len(), 1);
    let failure = unfinished.naming_what_is_open(Failure::new(Exit::Unreachable, "it is down", ""));
    assert_eq!(failure.what, format!("it is down; earlier runs left open: {}", told[0]));
    let mut past = unfinished.past;
    // In a session of its own, which trades nothing.
    past.take_in(5, NOW, &Entry::SessionStart(SessionStart::default()));
    past.take_in(6, NOW, &Entry::OperatorAck(messages::OperatorAck::default()));
    assert_eq!(standing_open(&past), Vec::<String>::new());
}

/// Whether the first account of a start so long after the fill is believed, when it says this.
fn is_believed(after: Duration, btc: &str, usdt: &str) -> bool {
    let (place, now) = (tempfile::tempdir().expect("a directory"), NOW + after);
    let sync = SyncRule {
        snapshot: SnapshotSource::Rest { depth: 100 },
        continuity: Continuity::Contiguous,
        depth: None,
    };
    let setups: Vec<_> = markets()
        .into_iter()
        .map(|(venue, markets)| VenueSetup {
            venue,
            markets,
            sync,
            taker_fees: BTreeMap::new(),
            order_windows: Vec::new(),
        })
        .collect();
    let mut engine = Engine::new(engine_config(), &setups, 1);
    let unfinished = Unfinished::new(past()).expect("no contradiction");
    let mut recorder = recorder(place.path(), now);
    assert_eq!(unfinished.enter(now, &mut engine, &mut recorder).expect("it fits"), 0);
    let (venue, mut out) = (setups[0].venue, Commands::default());
    engine.handle(now, Event::Link { venue, event: LinkEvent::AccountReady, symbols: &[] }, &mut out);
    let balance = |asset: &str, free: &str| Balance {
        asset: asset.parse().expect("a coin"),
        free: free.parse().expect("a decimal"),
        locked: Decimal::ZERO,
        as_of: now,
    };
    let balances = [balance("BTC", btc), balance("USDT", usdt)];
    engine.handle(now, Event::AccountRead { venue, asked_at: now, balances: &balances }, &mut out);
    engine.view(now).venues[0].account_ready
}

#[test]
fn the_first_account_is_compared_with_the_records_while_the_exchange_may_lag() {
    let soon = Duration::from_millis(100);
    assert!(is_believed(soon, "7", "800"), "nobody waits when all agrees");
    assert!(!is_believed(soon, "5", "1000"), "from before the last fill");
    assert!(!is_believed(soon, "7", "801"));
    assert!(!is_believed(Duration::from_millis(9_999), "5", "1000"));
    assert!(is_believed(Duration::from_secs(10), "5", "1000"), "somebody moved coins");
}
