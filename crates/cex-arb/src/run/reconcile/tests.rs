//! What of a running market changed, and how that is adopted.

use super::super::desk::tests::quiet_desk;
use super::*;
use cex_core::{Continuity, Decimal, Scale, SnapshotSource, SyncRule, Text, TradingStatus};
use cex_engine::IdSource;

#[test]
fn our_orders_are_known_by_their_form() {
    let mut ids = IdSource::new(1_781_690_000_123);
    for leg in ['b', 's', 'c', 'p'] {
        assert!(is_our_form(ids.next(leg).as_str()));
    }
    for other in
        ["", "web-order", "mqhw82kb", "mqhw82kb-", "mqhw82kb-b", "mqhw82kb-1x", "MQHW82KB-1b", "arb-000017"]
    {
        assert!(!is_our_form(other), "{other}");
    }
}

fn decimal(text: &str) -> Decimal {
    text.parse().expect("a decimal")
}

fn info() -> SymbolInfo {
    SymbolInfo {
        symbol: "BTC/USDT".parse().expect("a symbol"),
        native: Text::new("BTCUSDT").expect("short"),
        status: TradingStatus::Trading,
        api_tradable: true,
        risk_flagged: false,
        tick: decimal("0.01"),
        lot: decimal("0.001"),
        price_dp: 2,
        lot_dp: 3,
        min_qty: Decimal::ZERO,
        min_notional: decimal("1"),
        max_qty: None,
        max_notional: None,
        price_band: None,
        maker_fee: Bps::ZERO,
        taker_fee: Bps::from_bps(10),
        opens_at: None,
        delists_at: None,
    }
}

#[test]
fn a_change_of_rules_is_told_in_words() {
    let info = info();
    let venue = VenueId::new(0, "a").expect("short");
    let scale = Scale::new(2, 3).expect("small");
    let market = Market::new(venue, SymbolId(0), info.clone(), scale).expect("rules fit");
    let (now, soon) = (Timestamp::from_secs(500), Timestamp::from_secs(1_000));
    let change = |market: &Market, told: Option<&SymbolInfo>| match difference(market, told, (now, soon)) {
        None => None,
        Some(Difference::Stop(why)) => Some(why),
        Some(Difference::Rules(Ok(changed))) => {
            assert_eq!((Some(&changed.info), changed.scale), (told, market.scale));
            Some("rules")
        }
        Some(Difference::Rules(Err(_))) => Some("finer"),
    };
    assert_eq!(change(&market, Some(&info)), None);
    assert_eq!(change(&market, None), Some("it is not listed any more"));
    let halted = SymbolInfo { api_tradable: false, ..info.clone() };
    assert_eq!(change(&market, Some(&halted)), Some("it cannot be traded now"));
    let at = |secs| SymbolInfo { delists_at: Some(Timestamp::from_secs(secs)), ..info.clone() };
    for (secs, why) in [(1_000, Some("it is delisted soon")), (1_001, None)] {
        let told = at(secs);
        assert_eq!(change(&market, Some(&told)), why);
    }
    for (secs, why) in [(501, Some("it has not opened yet")), (500, None)] {
        let told = SymbolInfo { opens_at: Some(Timestamp::from_secs(secs)), ..info.clone() };
        assert_eq!(change(&market, Some(&told)), why);
    }
    let flagged = SymbolInfo { risk_flagged: true, ..info.clone() };
    assert_eq!(change(&market, Some(&flagged)), Some("its exchange warns against it"));
    let coarser = SymbolInfo { lot: decimal("0.01"), ..info.clone() };
    assert_eq!(change(&market, Some(&coarser)), Some("rules"));
    let finer = SymbolInfo { lot: decimal("0.0001"), ..info };
    assert_eq!(change(&market, Some(&finer)), Some("finer"), "than the scale of the run");
}

/// A reconciler of one market at one venue, whose account states this fee, or none.
fn reconciler(stated: Option<Bps>) -> (Reconciler, Market) {
    let venue = VenueId::new(0, "a").expect("short");
    let market =
        Market::new(venue, SymbolId(0), info(), Scale::new(2, 3).expect("small")).expect("rules fit");
    let setup = VenueSetup {
        venue,
        markets: Arc::new(Markets::new(vec![market.clone()])),
        sync: SyncRule {
            snapshot: SnapshotSource::Rest { depth: 100 },
            continuity: Continuity::Contiguous,
            depth: None,
        },
        taker_fees: stated.map(|fee| (market.id, fee)).into_iter().collect(),
        order_windows: Vec::new(),
    };
    let desk = quiet_desk(std::slice::from_ref(&setup));
    let told = if stated.is_some() { Told::AsOne } else { Told::Listed };
    let setups = (std::slice::from_ref(&setup), &[told][..]);
    (Reconciler::new(desk, &[], setups, Reasons::default(), Duration::ZERO), market)
}

/// What a list says is compared and adopted at once; how many changes that were, and the fee and lot of the engine then.
fn adopt(
    reconciler: &Reconciler,
    market: &Market,
    told: SymbolInfo,
) -> (usize, Option<Bps>, Option<Decimal>) {
    let changes = reconciler.compare(0, Timestamp::from_secs(1), &[told]);
    assert_eq!(reconciler.reasons.why(market.id).is_some(), !changes.is_empty(), "left alone meanwhile");
    assert!(changes.iter().all(|change| reconciler.adopt(change)), "nothing is open");
    assert_eq!(reconciler.reasons.why(market.id), None, "and traded again");
    reconciler.desk.inspect(|_, engine| {
        let known = engine.market("a", market.symbol()).map(|market| market.info.lot);
        (changes.len(), engine.reckons_with(market), known)
    })
}

#[test]
fn a_list_fee_that_rises_is_adopted_alone_and_with_rules() {
    let (reconciler, market) = reconciler(None);
    let bps = |fee| Some(Bps::from_bps(fee));
    let told = |lot, fee| SymbolInfo { lot: decimal(lot), taker_fee: Bps::from_bps(fee), ..info() };
    let lot = |text| Some(decimal(text));
    for (listed, expected) in [
        (told("0.001", 10), (0, bps(10), lot("0.001"))),
        (told("0.01", 20), (1, bps(20), lot("0.01"))),
        (told("0.01", 20), (0, bps(20), lot("0.01"))),
        (told("0.01", 30), (1, bps(30), lot("0.01"))),
        // One that falls is not: what is reckoned with only rises in a run.
        (told("0.001", 5), (1, bps(30), lot("0.001"))),
        (told("0.001", 5), (0, bps(30), lot("0.001"))),
    ] {
        assert_eq!(adopt(&reconciler, &market, listed.clone()), expected, "{listed:?}");
    }
}

#[test]
fn a_list_fee_is_nothing_where_the_account_states_its_own() {
    let (reconciler, market) = reconciler(Some(Bps::from_bps(8)));
    let told = |lot, fee| SymbolInfo { lot: decimal(lot), taker_fee: Bps::from_bps(fee), ..info() };
    for (listed, changes) in [(told("0.001", 20), 0), (told("0.01", 20), 1)] {
        let (count, fee, _) = adopt(&reconciler, &market, listed);
        assert_eq!((count, fee), (changes, Some(Bps::from_bps(8))));
    }
}

#[test]
fn an_account_fee_that_rises_is_adopted_whoever_tells_it() {
    let (reconciler, market) = reconciler(Some(Bps::from_bps(8)));
    for (told, expected) in [(8, 8), (9, 9), (5, 9), (12, 12)] {
        let change = reconciler.compare_fee(0, market.id, Bps::from_bps(told));
        assert_eq!(change.is_some(), reconciler.reasons.why(market.id).is_some(), "left alone meanwhile");
        assert!(change.iter().all(|change| reconciler.adopt(change)), "nothing is open");
        assert_eq!(reconciler.reasons.why(market.id), None, "and traded again");
        let reckoned = reconciler.desk.inspect(|_, engine| engine.reckons_with(&market));
        assert_eq!(reckoned, Some(Bps::from_bps(expected)), "{told}");
    }
    assert_eq!(reconciler.symbols(0), [market.id]);
    assert_eq!(reconciler.market(0, market.id).map(|known| known.id), Some(market.id));
}

#[test]
fn the_only_market_of_a_run_that_is_not_listed_any_more_is_left_alone() {
    let (reconciler, market) = reconciler(None);
    assert!(reconciler.compare(0, Timestamp::from_secs(1), &[]).is_empty());
    assert_eq!(reconciler.reasons.why(market.id), Some("it is not listed any more"));
}
