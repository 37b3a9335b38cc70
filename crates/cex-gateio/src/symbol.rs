//! `BTC/USDT` and `BTC_USDT`; a row of the exchange's pair list to [`SymbolInfo`].

use crate::wire::{CurrencyPair, Fault, Scalar, optional, text, time};
use cex_core::{Bps, Decimal, Scale, Symbol, SymbolInfo, Text, Timestamp, TradingStatus};

/// Whether a spelling is of the kind every part of the exchange takes: `[A-Z0-9]+_[A-Z0-9]+` (GATEIO-SYM-01).
#[must_use]
pub fn is_plain(native: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    };
    native.split_once('_').is_some_and(|(base, quote)| plain(base) && plain(quote))
}

/// Leveraged tokens: `BTC3L`, `BTC5S` (GATEIO-SYM-06). The pair list does not mark them; their names do.
fn is_leveraged(base: &str) -> bool {
    ["3L", "3S", "5L", "5S"].iter().any(|end| base.len() > end.len() && base.ends_with(end))
}

/// The rules of one pair. A fault concerns this pair alone.
pub(crate) fn info(row: &CurrencyPair<'_>) -> Result<SymbolInfo, Fault> {
    let symbol = Symbol::new(row.base.as_str(), row.quote.as_str()).map_err(|_| "asset name")?;
    let native = Text::new(row.id.as_str()).map_err(|_| "pair name too long")?;
    let price_dp = decimals(&row.precision)?;
    let lot_dp = decimals(&row.amount_precision)?;
    // A limit that is not named is none (GATEIO-SYM-05).
    let zero_if_absent = |field| optional(field).map(Option::unwrap_or_default);
    let fee = list_fee(row.fee.as_ref())?;
    Ok(SymbolInfo {
        symbol,
        native,
        status: status(row.trade_status.as_str()),
        // Anything but `normal` is a market of its own kind, such as pre-market trading (GATEIO-SYM-04).
        api_tradable: matches!(text(row.kind.as_ref()), "" | "normal"),
        risk_flagged: text(row.st_tag.as_ref()) == "true" || is_leveraged(row.base.as_str()),
        tick: Decimal::new(1, price_dp),
        lot: Decimal::new(1, lot_dp),
        // Books may go beyond it (GATEIO-SYM-07), for which a scale has room.
        price_dp,
        lot_dp,
        min_qty: zero_if_absent(row.min_base_amount.as_ref())?,
        min_notional: zero_if_absent(row.min_quote_amount.as_ref())?,
        max_qty: optional(row.max_base_amount.as_ref())?,
        max_notional: optional(row.max_quote_amount.as_ref())?,
        price_band: optional(row.up_rate.as_ref())?.zip(optional(row.down_rate.as_ref())?),
        maker_fee: fee,
        taker_fee: fee,
        // The later of both sides, since both are needed.
        opens_at: date(row.buy_start.as_ref()).max(date(row.sell_start.as_ref())),
        delists_at: date(row.delisting_time.as_ref()),
    })
}

/// A step is 10^-n; there is no other tick or lot (GATEIO-SYM-02).
fn decimals(field: &Scalar<'_>) -> Result<u8, Fault> {
    let count = field.integer()?;
    u8::try_from(count).ok().filter(|dp| *dp <= Scale::MAX_DP).ok_or("more decimals than we carry")
}

fn status(trade_status: &str) -> TradingStatus {
    match trade_status {
        "tradable" => TradingStatus::Trading,
        "buyable" => TradingStatus::BuyOnly,
        "sellable" => TradingStatus::SellOnly,
        // `untradable`, and whatever may be invented.
        _ => TradingStatus::Halted,
    }
}

/// The pair list tells its fee in percent, unlike every other place (GATEIO-SYM-03).
fn list_fee(field: Option<&Scalar<'_>>) -> Result<Bps, Fault> {
    let percent = optional(field)?.unwrap_or_default();
    Bps::from_fraction(Decimal::new(percent.mantissa(), percent.dp() + 2)).map_err(|_| "fee")
}

/// A date in seconds; zero is none.
fn date(field: Option<&Scalar<'_>>) -> Option<Timestamp> {
    Some(time(None, field)).filter(|at| *at > Timestamp::EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::parse;

    fn read(json: &str) -> Result<SymbolInfo, Fault> {
        info(&parse::<CurrencyPair<'_>>(json.as_bytes())?)
    }

    const ETH: &str = r#"{"id":"ETH_USDT","base":"ETH","base_name":"Ethereum","quote":"USDT","fee":"0.2",
        "min_base_amount":"0.001","min_quote_amount":"3","max_quote_amount":"10000000","amount_precision":4,"precision":2,
        "trade_status":"tradable","sell_start":1516378650,"buy_start":1516378651,"delisting_time":0,"type":"normal",
        "st_tag":false,"up_rate":"0.05","down_rate":"0.02","slippage":"0.05","market_order_max_stock":"100000"}"#;

    #[test]
    fn a_pair_becomes_rules() {
        let eth = read(ETH).expect("complete");
        assert_eq!((eth.symbol.to_string().as_str(), eth.native.as_str()), ("ETH/USDT", "ETH_USDT"));
        assert_eq!((eth.price_dp, eth.lot_dp), (2, 4));
        assert_eq!((eth.tick.to_string().as_str(), eth.lot.to_string().as_str()), ("0.01", "0.0001"));
        assert_eq!((eth.min_qty.to_string(), eth.min_notional.to_string()), ("0.001".into(), "3".into()));
        assert_eq!((eth.max_qty, eth.max_notional), (None, Some(Decimal::from(10_000_000))));
        assert_eq!((eth.maker_fee, eth.taker_fee), (Bps::from_bps(20), Bps::from_bps(20)));
        assert_eq!(eth.price_band, Some((Decimal::new(5, 2), Decimal::new(2, 2))));
        assert_eq!((eth.opens_at, eth.delists_at), (Some(Timestamp::from_secs(1_516_378_651)), None));
        assert!(eth.is_tradable() && !eth.risk_flagged);
    }

    #[test]
    fn a_pair_of_the_oldest_kind_and_numbers_as_texts_are_read() {
        let old = read(
            r#"{"id":"HAI_ETH","base":"HAI","quote":"ETH","fee":"0.2","min_base_amount":null,"amount_precision":"0",
            "precision":"14","trade_status":"tradable","sell_start":"0","buy_start":"0"}"#,
        )
        .expect("complete");
        assert_eq!((old.price_dp, old.lot_dp, old.min_qty, old.opens_at), (14, 0, Decimal::ZERO, None));
        assert!(old.scale().is_ok());
    }

    #[test]
    fn flags_close_sides_and_markets() {
        let check = |from: &str, to: &str, expected: (TradingStatus, bool, bool)| {
            let info = read(&ETH.replace(from, to)).expect("complete");
            assert_eq!((info.status, info.api_tradable, info.risk_flagged), expected, "{to}");
        };
        check("\"tradable\"", "\"untradable\"", (TradingStatus::Halted, true, false));
        check("\"tradable\"", "\"buyable\"", (TradingStatus::BuyOnly, true, false));
        check("\"tradable\"", "\"sellable\"", (TradingStatus::SellOnly, true, false));
        check("\"tradable\"", "\"auction\"", (TradingStatus::Halted, true, false));
        check("\"normal\"", "\"premarket\"", (TradingStatus::Trading, false, false));
        check("\"st_tag\":false", "\"st_tag\":true", (TradingStatus::Trading, true, true));
        check("\"base\":\"ETH\"", "\"base\":\"ETH3L\"", (TradingStatus::Trading, true, true));
        assert_eq!(
            read(&ETH.replace("\"delisting_time\":0", "\"delisting_time\":1800000000"))
                .map(|info| info.delists_at),
            Ok(Some(Timestamp::from_secs(1_800_000_000)))
        );
    }

    #[test]
    fn rules_that_cannot_be_held_are_refused() {
        for (from, to) in [
            ("\"precision\":2", "\"precision\":19"),
            ("\"precision\":2", "\"precision\":-1"),
            ("\"3\"", "\"3e1\""),
            ("\"base\":\"ETH\"", "\"base\":\"\""),
        ] {
            assert!(read(&ETH.replace(from, to)).is_err(), "{to}");
        }
    }

    #[test]
    fn plain_spellings() {
        for (native, plain) in [
            ("BTC_USDT", true),
            ("1INCH_USDT", true),
            ("龙虾_USDT", false),
            ("BTCUSDT", false),
            ("A_B_C", false),
            ("_B", false),
        ] {
            assert_eq!(is_plain(native), plain, "{native}");
        }
    }
}
