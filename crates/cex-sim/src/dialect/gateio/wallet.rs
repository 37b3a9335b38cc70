//! What came of balances, and what wallets would cost.

use super::Gateio;
use super::account::known_asset;
use super::json;
use super::refusal::Refusal;
use super::rest::Request;
use super::shape;
use crate::matching::{AccountIndex, BalanceChange, Exchange};
use cex_core::{Asset, Decimal};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How many entries of an account are remembered.
const ENTRIES_KEPT: usize = 1_000;

/// The last changes of each account's balances.
#[derive(Debug, Default)]
pub(super) struct AccountBook {
    last_id: u64,
    entries: BTreeMap<AccountIndex, VecDeque<Entry>>,
}

#[derive(Debug)]
struct Entry {
    id: u64,
    change: BalanceChange,
    /// What is free and what is locked together, moved and after.
    moved: Decimal,
    total: Decimal,
}

impl AccountBook {
    /// Enters a change. What only locks or frees is no entry: nothing came or went.
    pub(super) fn enter(&mut self, change: &BalanceChange) {
        let moved = change.free_change.checked_add(change.locked_change);
        let total = change.free.checked_add(change.locked);
        let (Ok(moved), Ok(total)) = (moved, total) else { return };
        if moved.is_zero() {
            return;
        }
        self.last_id += 1;
        let entries = self.entries.entry(change.account).or_default();
        if entries.len() >= ENTRIES_KEPT {
            entries.pop_front();
        }
        entries.push_back(Entry { id: self.last_id, change: *change, moved, total });
    }
}

/// `GET /spot/account_book`, newest first.
pub(super) fn account_book(
    gateio: &Gateio,
    exchange: &Exchange,
    account: AccountIndex,
    request: &Request<'_>,
) -> Result<String, Refusal> {
    let query = request.query;
    let asset = query.get("currency").map(|name| known_asset(exchange, name)).transpose()?;
    let limit = query.number("limit", 100, (1, 1_000))?;
    let page = query.number("page", 1, (1, u64::from(u32::MAX)))?;
    let from = query.optional_number("from")?.unwrap_or(i64::MIN);
    let to = query.optional_number("to")?.unwrap_or(i64::MAX);
    let kind = query.get("type");
    let wanted = |entry: &&Entry| {
        asset.is_none_or(|asset| asset == entry.change.asset)
            && (from..=to).contains(&entry.change.at.as_secs())
            && kind.is_none_or(|kind| kind == shape::change_type(entry.change.reason))
    };
    let entries = gateio.book.entries.get(&account).into_iter().flat_map(|entries| entries.iter().rev());
    let skip = usize::try_from((page - 1).saturating_mul(limit)).unwrap_or(usize::MAX);
    let mut body = String::new();
    json::array(&mut body, entries.filter(wanted).skip(skip).take(limit as usize), |out, entry| {
        json::object(out, |row| {
            row.quoted("id", entry.id);
            row.plain("time", entry.change.at.as_millis());
            row.text("currency", entry.change.asset.as_str());
            row.quoted("change", entry.moved);
            row.quoted("balance", entry.total);
            row.quoted("type", shape::change_type(entry.change.reason));
            row.quoted("text", "");
        });
    });
    Ok(body)
}

/// `GET /wallet/withdraw_status`: every coin lives on one chain of its own name, and leaving it costs nothing.
pub(super) fn withdraw_status(exchange: &Exchange, request: &Request<'_>) -> Result<String, Refusal> {
    let wanted = request.query.get("currency").map(|name| known_asset(exchange, name)).transpose()?;
    let assets: BTreeSet<Asset> =
        exchange.markets().iter().flat_map(|rules| [rules.symbol.base, rules.symbol.quote]).collect();
    let assets = assets.into_iter().filter(|asset| wanted.is_none_or(|wanted| wanted == *asset));
    let mut body = String::new();
    json::array(&mut body, assets, |out, asset| {
        json::object(out, |row| {
            for name in ["currency", "name", "name_cn"] {
                row.text(name, asset.as_str());
            }
            row.quoted("deposit", 0);
            row.quoted("withdraw_percent", "0%");
            for name in ["withdraw_fix", "withdraw_amount_mini"] {
                row.quoted(name, 0);
            }
            for name in ["withdraw_day_limit", "withdraw_day_limit_remain", "withdraw_eachtime_limit"] {
                row.quoted(name, 1_000_000);
            }
            row.object("withdraw_fix_on_chains", |row| row.quoted(asset.as_str(), 0));
            row.object("withdraw_percent_on_chains", |row| row.quoted(asset.as_str(), "0%"));
        });
    });
    Ok(body)
}
