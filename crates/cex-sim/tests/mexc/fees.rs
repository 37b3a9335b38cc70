//! Fees in MX: on request, while there is enough of it.

use crate::bench::{BTC, Bench, asset, code, decimal, text};
use cex_core::{Decimal, Side};
use sonic_rs::{JsonContainerTrait as _, JsonValueTrait as _};

fn buy(bench: &mut Bench) {
    let order = "symbol=BTCUSDT&side=BUY&type=IMMEDIATE_OR_CANCEL&quantity=1&price=100";
    assert_eq!(bench.signed("POST", "order", order).0, 200);
}

fn deducts(bench: &mut Bench) -> Option<bool> {
    bench.signed("GET", "mxDeduct/enable", "").1["data"]["mxDeductEnable"].as_bool()
}

#[test]
fn fees_are_taken_in_mx_while_there_is_enough_of_it() {
    let mut bench = Bench::new();
    bench.rest(BTC, Side::Sell, "100", "10");
    let (now, client, mx) = (bench.now, bench.client, asset("MX"));
    // A fee of 0.05 USDT is 0.0167 MX.
    bench.exchange.set_balance(now, client, mx, decimal("0.03")).expect("an amount");
    assert_eq!(deducts(&mut bench), Some(false));
    buy(&mut bench);
    let (status, answer) = bench.signed("POST", "mxDeduct/enable", "mxDeductEnable=true");
    assert_eq!((status, answer["data"]["mxDeductEnable"].as_bool()), (200, Some(true)), "{answer:?}");
    assert_eq!(deducts(&mut bench), Some(true));
    buy(&mut bench);
    buy(&mut bench);
    bench.signed("POST", "mxDeduct/enable", "mxDeductEnable=false");
    assert_eq!(deducts(&mut bench), Some(false));
    buy(&mut bench);
    let (_, trades) = bench.signed("GET", "myTrades", "symbol=BTCUSDT");
    let mut fees: Vec<(String, Decimal)> = trades
        .as_array()
        .expect("trades")
        .iter()
        .map(|row| (text(&row["commissionAsset"]).to_owned(), decimal(text(&row["commission"]))))
        .collect();
    fees.reverse();
    let usdt = ("USDT".to_owned(), decimal("0.05"));
    let (coin, fee) = fees[1].clone();
    assert_eq!(
        (&fees[0], &fees[2], &fees[3]),
        (&usdt, &usdt, &usdt),
        "what is left of MX is too little for another"
    );
    assert_eq!(coin, "MX");
    let thrice = fee.checked_mul(decimal("3")).expect("small");
    assert!(thrice >= decimal("0.05") && thrice < decimal("0.0501"), "{fee} MX, rounded up");
    let left = bench.exchange.balance(client, mx).0;
    assert_eq!(left.checked_add(fee).expect("small"), decimal("0.03"));
}

#[test]
fn what_is_neither_yes_nor_no_changes_nothing() {
    let mut bench = Bench::new();
    for params in ["", "mxDeductEnable=", "mxDeductEnable=1"] {
        let refused = bench.signed("POST", "mxDeduct/enable", params);
        assert_eq!(code(&refused), 700_004, "{params}: {refused:?}");
    }
    assert_eq!(deducts(&mut bench), Some(false));
}
