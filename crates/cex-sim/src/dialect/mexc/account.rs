//! What an account has, pays and may listen to.

use super::Mexc;
use super::listen::ListenKeys;
use super::public::{market, object, rows};
use super::refusal::Refusal;
use super::rest::Request;
use crate::dialect::{Wallet, json};
use crate::matching::{AccountIndex, Exchange};
use cex_core::{Asset, Decimal, Timestamp};
use std::collections::BTreeSet;

/// `GET /account`: coins with a balance; a missing coin is zero.
pub(super) fn balances(exchange: &Exchange, account: AccountIndex) -> String {
    let held = exchange.balances(account).filter(|(_, free, locked)| !free.is_zero() || !locked.is_zero());
    object(|row| {
        for fee in ["makerCommission", "takerCommission", "buyerCommission", "sellerCommission"] {
            row.plain(fee, "null");
        }
        for right in ["canTrade", "canWithdraw", "canDeposit"] {
            row.plain(right, true);
        }
        row.plain("updateTime", "null");
        row.quoted("accountType", "SPOT");
        row.array("balances", held, |out, (asset, free, locked)| {
            json::object(out, |row| {
                row.text("asset", asset.as_str());
                row.quoted("free", free);
                row.quoted("locked", locked);
                row.quoted("available", free);
            });
        });
        row.plain("permissions", "[\"SPOT\"]");
    })
}

/// `GET /tradeFee`: JSON numbers with 18 decimals, for once.
pub(super) fn fee(mexc: &Mexc, exchange: &Exchange, request: &Request<'_>) -> Result<String, Refusal> {
    let rules = exchange.rules(market(mexc, request)?);
    Ok(object(|row| {
        row.object("data", |data| {
            data.plain("makerCommission", format_args!("{:.18}", rules.maker_fee.fraction()));
            data.plain("takerCommission", format_args!("{:.18}", rules.taker_fee.fraction()));
        });
        success(row, request.now);
    }))
}

/// What one MX is worth in quote when a fee is taken in it. No source tells the rate; this is ours.
const MX_WORTH: (i128, u8) = (3, 0);

/// `GET /mxDeduct/enable`: whether fees are taken in MX.
pub(super) fn mx_deduct(exchange: &Exchange, account: AccountIndex, now: Timestamp) -> String {
    object(|row| {
        let enabled = exchange.pays_fees_in(account).is_some();
        row.object("data", |data| data.plain("mxDeductEnable", enabled));
        success(row, now);
    })
}

/// `POST /mxDeduct/enable`: from now on fees are taken in MX while the balance lasts, or no more.
pub(super) fn set_mx_deduct(
    exchange: &mut Exchange,
    account: AccountIndex,
    request: &Request<'_>,
) -> Result<String, Refusal> {
    let coin = match request.params.required("mxDeductEnable")? {
        "true" => Asset::new("MX").ok().map(|mx| (mx, Decimal::new(MX_WORTH.0, MX_WORTH.1))),
        "false" => None,
        _ => return Err(Refusal::mandatory("mxDeductEnable")),
    };
    exchange.pay_fees_in(account, coin);
    Ok(mx_deduct(exchange, account, request.now))
}

fn success(row: &mut json::Object<'_>, now: Timestamp) {
    row.plain("code", 0);
    row.quoted("msg", "success");
    row.plain("timestamp", now.as_millis());
}

/// `GET /uid`
pub(super) fn uid(account: AccountIndex) -> String {
    object(|row| row.quoted("uid", 20_000_001 + u64::from(account.0)))
}

/// `GET /capital/config/getall`: every coin lives on one chain of its own name, enough for two venues to agree that it
/// is the same coin.
pub(super) fn coins(mexc: &Mexc, exchange: &Exchange) -> String {
    let assets: BTreeSet<Asset> =
        exchange.markets().iter().flat_map(|rules| [rules.symbol.base, rules.symbol.quote]).collect();
    rows(assets, |row, asset| {
        let name = asset.as_str();
        row.text("coin", name);
        row.text("name", name);
        let wallet = mexc.manners.wallet(asset);
        row.array("networkList", [name], |out, name| json::object(out, |row| network(row, name, wallet)));
    })
}

fn network(row: &mut json::Object<'_>, name: &str, wallet: Wallet) {
    for key in ["coin", "name", "network", "netWork"] {
        row.text(key, name);
    }
    row.plain("depositEnable", wallet.deposits);
    row.plain("withdrawEnable", wallet.withdrawals);
    for (key, value) in [("withdrawFee", 0), ("withdrawMin", 0), ("withdrawMax", 1_000_000)] {
        row.quoted(key, format_args!("{value}.{:018}", 0));
    }
    row.plain("withdrawIntegerMultiple", "null");
    row.plain("minConfirm", 1);
    row.plain("sameAddress", false);
    row.quoted("contract", "");
    for key in ["depositDesc", "withdrawTips", "depositTips"] {
        row.plain(key, "null");
    }
}

/// `POST /userDataStream`: a new key every time.
pub(super) fn create_listen_key(
    mexc: &mut Mexc,
    account: AccountIndex,
    now: Timestamp,
) -> Result<String, Refusal> {
    let key = mexc.listen_keys.create(now, account)?;
    Ok(listen_key(&key))
}

/// `GET /userDataStream`
pub(super) fn listen_keys(mexc: &Mexc, account: AccountIndex, now: Timestamp) -> String {
    object(|row| {
        row.plain("total", ListenKeys::total());
        row.plain("available", mexc.listen_keys.available(now, account));
        row.array("listenKey", mexc.listen_keys.of(now, account), json::text);
    })
}

/// `PUT /userDataStream`
pub(super) fn extend_listen_key(
    mexc: &mut Mexc,
    account: AccountIndex,
    request: &Request<'_>,
) -> Result<String, Refusal> {
    let key = request.params.required("listenKey")?;
    if !mexc.manners.listen_keys_lie {
        mexc.listen_keys.extend(request.now, account, key)?;
    }
    Ok(listen_key(key))
}

/// `DELETE /userDataStream`: its streams end as if it had expired.
pub(super) fn delete_listen_key(
    mexc: &mut Mexc,
    account: AccountIndex,
    request: &Request<'_>,
) -> Result<String, Refusal> {
    let key = request.params.required("listenKey")?;
    mexc.listen_keys.delete(request.now, account, key)?;
    mexc.sessions.check_soon(request.now);
    Ok(listen_key(key))
}

fn listen_key(key: &str) -> String {
    object(|row| row.text("listenKey", key))
}
