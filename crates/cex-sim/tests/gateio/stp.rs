//! Self-trade prevention: only for accounts of a group, in the exchange's own words.

use crate::bench::{BTC, Bench, KEY, label, text};
use cex_core::Side;
use cex_sim::dialect::gateio::GateioConfig;
use sonic_rs::JsonValueTrait as _;

const ORDERS: &str = "/api/v4/spot/orders";

fn order(side: &str, price: &str, more: &str) -> String {
    format!(r#"{{"currency_pair":"BTC_USDT","side":"{side}","amount":"0.001","price":"{price}"{more}}}"#)
}

#[test]
fn a_group_s_orders_do_not_meet_one_another() {
    let config = GateioConfig { stp_groups: [(KEY.to_owned(), 7)].into(), ..GateioConfig::default() };
    for (act, new_ends, old_status) in
        [("cn", true, "open"), ("co", false, "cancelled"), ("cb", true, "cancelled")]
    {
        let mut bench = Bench::with(config.clone());
        let (_, old) = bench.json("POST", ORDERS, "", &order("sell", "30000", ""));
        let more = format!(r#","stp_act":"{act}""#);
        let (status, new) = bench.json("POST", ORDERS, "", &order("buy", "30000", &more));
        assert_eq!((status, new["stp_id"].as_u64(), text(&new["stp_act"])), (201, Some(7), act));
        let expected = if new_ends { ("cancelled", "stp") } else { ("open", "open") };
        assert_eq!((text(&new["status"]), text(&new["finish_as"])), expected, "{act}");
        let path = format!("{ORDERS}/{}", text(&old["id"]));
        let (_, old) = bench.json("GET", &path, "currency_pair=BTC_USDT", "");
        assert_eq!(text(&old["status"]), old_status, "{act}");
        assert!(bench.exchange.fills(bench.client).is_empty(), "{act}");
    }
}

#[test]
fn without_a_group_there_is_no_such_thing() {
    let mut bench = Bench::new();
    let (status, answer) = bench.json("POST", ORDERS, "", &order("buy", "30000", r#","stp_act":"cn""#));
    assert_eq!((status, label(&answer)), (400, "INVALID_PARAM_VALUE"));
    bench.rest(BTC, Side::Sell, "30000", "0.001");
    let (status, answer) = bench.json("POST", ORDERS, "", &order("buy", "30000", r#","stp_act":"-""#));
    assert_eq!((status, text(&answer["status"]), answer["stp_id"].as_u64()), (201, "closed", Some(0)));
}
