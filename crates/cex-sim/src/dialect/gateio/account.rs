//! What an account has and what it pays.

use super::json::{self, Object};
use super::refusal::Refusal;
use super::rest::Request;
use super::{Gateio, user_id};
use crate::matching::{AccountIndex, Exchange, MarketIndex, MarketRules};
use cex_core::Asset;

/// `GET /account/detail`: a classic account.
pub(super) fn detail(account: AccountIndex) -> String {
    let mut body = String::new();
    json::object(&mut body, |row| {
        row.plain("user_id", user_id(account));
        row.plain("ip_whitelist", "[]");
        row.plain("currency_pairs", "[]");
        row.object("key", |key| key.plain("mode", 1));
        row.plain("tier", 0);
        row.quoted("tier_expire_time", "0001-01-01T00:00:00Z");
        row.plain("copy_trading_role", 0);
    });
    body
}

/// `GET /account/rate_limit`
pub(super) fn rate_limit(request: &Request<'_>) -> String {
    let mut body = String::new();
    json::array(&mut body, [()], |out, ()| {
        json::object(out, |row| {
            row.quoted("type", "spot");
            row.quoted("tier", 1);
            row.quoted("ratio", 0);
            row.quoted("main_ratio", 0);
            row.quoted("updated_at", request.now.as_secs());
        });
    });
    body
}

/// `GET /spot/accounts`.
pub(super) fn balances(
    gateio: &Gateio,
    exchange: &Exchange,
    account: AccountIndex,
    request: &Request<'_>,
) -> Result<String, Refusal> {
    let wanted = request.query.get("currency").map(|name| known_asset(exchange, name)).transpose()?;
    let rows = exchange.balances(account).filter(|(asset, ..)| wanted.is_none_or(|wanted| wanted == *asset));
    let mut body = String::new();
    json::array(&mut body, rows, |out, (asset, free, locked)| {
        json::object(out, |row| {
            row.text("currency", asset.as_str());
            row.quoted("available", free);
            row.quoted("locked", locked);
            row.plain("update_id", gateio.balance_version(account, asset));
        });
    });
    Ok(body)
}

/// `GET /wallet/fee` and the older `GET /spot/fee`. Without a pair: the rates of the exchange's first market.
pub(super) fn fee(
    gateio: &Gateio,
    exchange: &Exchange,
    account: AccountIndex,
    request: &Request<'_>,
) -> Result<String, Refusal> {
    let market = match request.query.get("currency_pair") {
        Some(name) => gateio.names.market(name)?,
        None => MarketIndex(0),
    };
    let rules = exchange.markets().get(market.0 as usize).ok_or_else(|| Refusal::unknown_pair(""))?;
    let mut body = String::new();
    json::object(&mut body, |row| fee_row(row, account, rules));
    Ok(body)
}

/// `GET /spot/batch_fee`: an object keyed by pair.
pub(super) fn batch_fee(
    gateio: &Gateio,
    exchange: &Exchange,
    account: AccountIndex,
    request: &Request<'_>,
) -> Result<String, Refusal> {
    const MOST_PAIRS: usize = 50;
    let names: Vec<&str> = request.query.required("currency_pairs")?.split(',').collect();
    if names.len() > MOST_PAIRS {
        return Err(Refusal::new(400, "TOO_MANY_CURRENCY_PAIRS", format!("at most {MOST_PAIRS} pairs")));
    }
    let markets = names.iter().map(|name| gateio.names.market(name)).collect::<Result<Vec<_>, _>>()?;
    let mut body = String::new();
    json::object(&mut body, |rows| {
        for (name, market) in names.iter().zip(markets) {
            rows.object(name, |row| fee_row(row, account, exchange.rules(market)));
        }
    });
    Ok(body)
}

fn fee_row(row: &mut Object<'_>, account: AccountIndex, rules: &MarketRules) {
    row.plain("user_id", user_id(account));
    row.quoted("taker_fee", rules.taker_fee.fraction());
    row.quoted("maker_fee", rules.maker_fee.fraction());
    row.plain("gt_discount", false);
    row.quoted("gt_taker_fee", 0);
    row.quoted("gt_maker_fee", 0);
    row.quoted("loan_fee", "0.18");
    row.quoted("point_type", 1);
    row.quoted("futures_taker_fee", "0.0005");
    row.quoted("futures_maker_fee", "0.0002");
    row.quoted("delivery_taker_fee", "0.0005");
    row.quoted("delivery_maker_fee", "0.0002");
    row.plain("debit_fee", 3);
}

/// The coin of this name, if any market trades it or is paid in it.
pub(super) fn known_asset(exchange: &Exchange, name: &str) -> Result<Asset, Refusal> {
    let trades = |asset: Asset| {
        exchange.markets().iter().any(|rules| asset == rules.symbol.base || asset == rules.symbol.quote)
    };
    let asset = Asset::new(name).ok().filter(|asset| asset.as_str() == name && trades(*asset));
    asset.ok_or_else(|| Refusal::new(400, "INVALID_CURRENCY", format!("Invalid currency {name}")))
}
