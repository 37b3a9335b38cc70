//! The exchange's trading rules as [`SymbolInfo`], and its symbol names in addresses.
//!
//! A native symbol is base and quote run together (`BTCUSDT`); it cannot be split by rule, so base and quote always
//! come from the rules themselves (MEXC-REST-05).

use crate::wire::{Filter, Scalar, SymbolEntry};
use cex_core::{Bps, Decimal, NumError, Symbol, SymbolInfo, Text, Timestamp, TradingStatus};

/// Why a symbol's rules cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// A field is missing, or not of its kind.
    #[error("{0} is missing or malformed")]
    Field(&'static str),
    /// A number cannot be held.
    #[error("{0}: {1}")]
    Number(&'static str, NumError),
}

/// The rules of one entry of `exchangeInfo`.
///
/// Units: prices and notionals in quote, quantities in base, fees and the price band as fractions.
///
/// - Price step 10^-`quotePrecision`, quantity step 10^-`baseAssetPrecision` (MEXC-REST-07).
/// - `baseSizePrecision` is the least quantity, not a step, and may be zero; `quoteAmountPrecision` is the least
///   notional, not a precision (MEXC-REST-08).
pub(crate) fn rules(entry: &SymbolEntry<'_>) -> Result<SymbolInfo, RulesError> {
    let native =
        entry.symbol.text().and_then(|name| Text::new(name).ok()).ok_or(RulesError::Field("symbol"))?;
    let base = entry.base_asset.text().ok_or(RulesError::Field("baseAsset"))?;
    let quote = entry.quote_asset.text().ok_or(RulesError::Field("quoteAsset"))?;
    let symbol = Symbol::new(base, quote).map_err(|_| RulesError::Field("baseAsset"))?;
    let price_dp = decimals(&entry.quote_precision, "quotePrecision")?;
    let lot_dp = decimals(&entry.base_asset_precision, "baseAssetPrecision")?;
    Ok(SymbolInfo {
        symbol,
        native,
        status: status(entry),
        api_tradable: is_api_tradable(entry),
        risk_flagged: entry.st.flag(),
        tick: Decimal::new(1, price_dp),
        lot: Decimal::new(1, lot_dp),
        price_dp,
        lot_dp,
        min_qty: number(&entry.base_size_precision, "baseSizePrecision")?.unwrap_or_default(),
        min_notional: number(&entry.quote_amount_precision, "quoteAmountPrecision")?.unwrap_or_default(),
        max_qty: None,
        max_notional: number(&entry.max_quote_amount, "maxQuoteAmount")?.filter(|limit| limit.is_positive()),
        price_band: price_band(&entry.filters)?,
        maker_fee: fee(&entry.maker_commission, "makerCommission")?,
        taker_fee: fee(&entry.taker_commission, "takerCommission")?,
        opens_at: entry.first_open_time.integer().map(Timestamp::from_millis),
        delists_at: None,
    })
}

/// `status` is `"1"` when online (words before August 2024); `tradeSideType` says which sides are open and comes as
/// number or text (MEXC-REST-09).
fn status(entry: &SymbolEntry<'_>) -> TradingStatus {
    if !matches!(entry.status.text(), Some("1" | "ENABLED")) {
        return TradingStatus::Halted;
    }
    match entry.trade_side_type.text() {
        None | Some("1") => TradingStatus::Trading,
        Some("2") => TradingStatus::BuyOnly,
        Some("3") => TradingStatus::SellOnly,
        Some(_) => TradingStatus::Halted,
    }
}

/// A book may stream although orders over the API are refused (MEXC-REST-10).
fn is_api_tradable(entry: &SymbolEntry<'_>) -> bool {
    entry.is_spot_trading_allowed.flag() && entry.permissions.iter().any(|name| name.text() == Some("SPOT"))
}

/// The band is given as multipliers of the last price: a buy at most `bidMultiplierUp` times, a sell at least
/// `askMultiplierDown` times (MEXC-REST-11).
fn price_band(filters: &[Filter<'_>]) -> Result<Option<(Decimal, Decimal)>, RulesError> {
    let band = |filter: &&Filter<'_>| filter.filter_type.text() == Some("PERCENT_PRICE_BY_SIDE");
    let Some(filter) = filters.iter().find(band) else { return Ok(None) };
    let up = number(&filter.bid_multiplier_up, "bidMultiplierUp")?;
    let down = number(&filter.ask_multiplier_down, "askMultiplierDown")?;
    let (Some(up), Some(down)) = (up, down) else { return Ok(None) };
    let above = up.checked_sub(Decimal::ONE).map_err(|error| RulesError::Number("bidMultiplierUp", error))?;
    let below =
        Decimal::ONE.checked_sub(down).map_err(|error| RulesError::Number("askMultiplierDown", error))?;
    Ok(Some((above, below)))
}

fn decimals(scalar: &Scalar<'_>, field: &'static str) -> Result<u8, RulesError> {
    let count = scalar.integer().and_then(|count| u8::try_from(count).ok());
    count.filter(|count| *count <= cex_core::Scale::MAX_DP).ok_or(RulesError::Field(field))
}

fn number(scalar: &Scalar<'_>, field: &'static str) -> Result<Option<Decimal>, RulesError> {
    scalar.decimal().map_err(|error| RulesError::Number(field, error))
}

fn fee(scalar: &Scalar<'_>, field: &'static str) -> Result<Bps, RulesError> {
    let fraction = number(scalar, field)?.ok_or(RulesError::Field(field))?;
    Bps::from_fraction(fraction).map_err(|error| RulesError::Number(field, error))
}

/// Appends `text` percent-encoded as UTF-8 with upper-case digits, as it must be sent and signed: symbols may hold
/// CJK characters and parentheses (MEXC-REST-05, MEXC-SIGN-03).
pub fn push_encoded(out: &mut String, text: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BTC: &str = r#"{"symbol":"BTCUSDT","status":"1","baseAsset":"BTC","baseAssetPrecision":8,"quoteAsset":"USDT",
        "quotePrecision":2,"quoteAssetPrecision":2,"baseCommissionPrecision":8,"quoteCommissionPrecision":2,
        "orderTypes":["LIMIT","MARKET","LIMIT_MAKER"],"isSpotTradingAllowed":true,"isMarginTradingAllowed":false,
        "quoteAmountPrecision":"1","baseSizePrecision":"0.000001","permissions":["SPOT"],"filters":[],
        "maxQuoteAmount":"4000000","makerCommission":"0","takerCommission":"0.0005","quoteAmountPrecisionMarket":"1",
        "maxQuoteAmountMarket":"4000000","fullName":"Bitcoin","tradeSideType":1,"contractAddress":"","st":false}"#;

    fn read(json: &str) -> Result<SymbolInfo, RulesError> {
        rules(&sonic_rs::from_str::<SymbolEntry<'_>>(json).expect("the shape of an entry"))
    }

    fn with(from: &str, to: &str) -> SymbolInfo {
        assert!(BTC.contains(from), "{from}");
        read(&BTC.replace(from, to)).expect("valid rules")
    }

    fn dec(text: &str) -> Decimal {
        text.parse().expect("a decimal")
    }

    #[test]
    fn names_that_mislead_are_read_for_what_they_are() {
        let btc = read(BTC).expect("valid rules");
        assert_eq!((btc.symbol.to_string().as_str(), btc.native.as_str()), ("BTC/USDT", "BTCUSDT"));
        assert_eq!((btc.tick, btc.lot), (dec("0.01"), dec("0.00000001")));
        assert_eq!((btc.min_qty, btc.min_notional), (dec("0.000001"), dec("1")));
        assert_eq!((btc.max_qty, btc.max_notional), (None, Some(dec("4000000"))));
        assert_eq!((btc.maker_fee, btc.taker_fee), (Bps::ZERO, Bps::from_bps(5)));
        assert!(btc.is_tradable() && !btc.risk_flagged && btc.price_band.is_none() && btc.opens_at.is_none());
    }

    #[test]
    fn numbers_may_come_as_text_and_text_as_numbers() {
        let quoted = with(r#""baseAssetPrecision":8"#, r#""baseAssetPrecision":"6""#);
        assert_eq!((quoted.lot_dp, quoted.lot), (6, dec("0.000001")));
        assert_eq!(
            with(r#""takerCommission":"0.0005""#, r#""takerCommission":0.0005"#).taker_fee,
            Bps::from_bps(5)
        );
    }

    #[test]
    fn what_may_be_traded_follows_status_side_and_permission() {
        for (from, to, status, tradable) in [
            (r#""status":"1""#, r#""status":"2""#, TradingStatus::Halted, false),
            (r#""status":"1""#, r#""status":"3""#, TradingStatus::Halted, false),
            (r#""status":"1""#, r#""status":"ENABLED""#, TradingStatus::Trading, true),
            (r#""tradeSideType":1"#, r#""tradeSideType":"2""#, TradingStatus::BuyOnly, false),
            (r#""tradeSideType":1"#, r#""tradeSideType":3"#, TradingStatus::SellOnly, false),
            (r#""tradeSideType":1"#, r#""tradeSideType":4"#, TradingStatus::Halted, false),
            (
                r#""isSpotTradingAllowed":true"#,
                r#""isSpotTradingAllowed":false"#,
                TradingStatus::Trading,
                false,
            ),
            (r#""permissions":["SPOT"]"#, r#""permissions":[]"#, TradingStatus::Trading, false),
        ] {
            let info = with(from, to);
            assert_eq!((info.status, info.is_tradable()), (status, tradable), "{to}");
        }
        assert!(with(r#""st":false"#, r#""st":true"#).risk_flagged);
    }

    #[test]
    fn a_band_is_a_distance_from_the_last_price() {
        let filter = r#""filters":[{"filterType":"PERCENT_PRICE_BY_SIDE","bidMultiplierUp":"5","askMultiplierDown":"0.2"}]"#;
        assert_eq!(with(r#""filters":[]"#, filter).price_band, Some((dec("4"), dec("0.8"))));
    }

    #[test]
    fn odd_symbols_are_read_and_impossible_ones_refused() {
        let lobster = with(r#""symbol":"BTCUSDT""#, r#""symbol":"龙虾USDT""#);
        assert_eq!(lobster.native.as_str(), "龙虾USDT");
        assert_eq!(
            with(r#""baseSizePrecision":"0.000001""#, r#""baseSizePrecision":"0""#).min_qty,
            Decimal::ZERO
        );
        for (from, to) in [
            (r#""quotePrecision":2"#, r#""quotePrecision":40"#),
            (r#""quotePrecision":2"#, r#""quotePrecision":null"#),
            (r#""takerCommission":"0.0005""#, r#""takerCommission":null"#),
            (r#""baseAsset":"BTC""#, r#""baseAsset":"""#),
        ] {
            assert!(read(&BTC.replace(from, to)).is_err(), "{to}");
        }
    }

    #[test]
    fn names_are_encoded_once_in_upper_case() {
        for (text, encoded) in [
            ("BTCUSDT", "BTCUSDT"),
            ("龙虾USDT", "%E9%BE%99%E8%99%BEUSDT"),
            ("GOLD(PAXG)USDT", "GOLD%28PAXG%29USDT"),
            ("BTCUSDT,MXUSDT", "BTCUSDT%2CMXUSDT"),
            ("a b+c", "a%20b%2Bc"),
        ] {
            let mut out = String::new();
            push_encoded(&mut out, text);
            assert_eq!(out, encoded);
        }
    }
}
