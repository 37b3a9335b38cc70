//! The proof at the end of a demo: our profit and holdings against the simulated exchanges' own account ledgers.
//!
//! The ledgers know nothing of arbitrages. Their balances say how much quote came in; their fills, told apart by client
//! order id, say how much base each arbitrage moved, to be valued at that arbitrage's mark. Everything is exact, so the
//! difference to what we booked must be zero to the last digit.

use crate::show::summary::Mismatch;
use cex_core::{Asset, ClientOrderId, Decimal, NumError, Side, VenueId};
use cex_sim::server::AccountLedger;
use std::collections::{BTreeMap, BTreeSet};

/// What the ledgers say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Profit by the exchanges' ledgers.
    pub profit: Decimal,
    /// Holdings that differ from ours.
    pub mismatches: Vec<Mismatch>,
    /// Venues whose holdings were not compared, because their account was not read before the end.
    pub unread: Vec<String>,
}

/// Compares one run: the ledger of our account at each venue, what each of our orders' base is valued at, and our
/// holdings. Of a venue that is not among `read` we never heard what it holds.
pub fn prove(
    ledgers: &[(VenueId, &AccountLedger)],
    marks: &BTreeMap<ClientOrderId, Decimal>,
    holdings: &BTreeMap<(VenueId, Asset), Decimal>,
    read: &BTreeSet<VenueId>,
) -> Result<Proof, NumError> {
    let mut proof = Proof { profit: Decimal::ZERO, mismatches: Vec::new(), unread: Vec::new() };
    for (venue, ledger) in ledgers {
        let moved = quote_change(ledger)?.checked_add(base_worth(ledger, marks)?)?;
        proof.profit = proof.profit.checked_add(moved)?;
        // Nothing may be traded out of an account that was not read: where that happened, the holdings must show it.
        if read.contains(venue) || !ledger.fills.is_empty() {
            proof.mismatches.extend(differing(*venue, ledger, holdings)?);
        } else {
            proof.unread.push(venue.to_string());
        }
    }
    Ok(proof)
}

/// How much more of every quote asset there is than was deposited.
fn quote_change(ledger: &AccountLedger) -> Result<Decimal, NumError> {
    let quotes: BTreeSet<Asset> = ledger.fills.iter().map(|fill| fill.symbol.quote).collect();
    quotes.iter().try_fold(Decimal::ZERO, |sum, quote| {
        let mut deposited = ledger.deposits.iter().filter(|(asset, _)| asset == quote);
        let deposited = deposited.try_fold(Decimal::ZERO, |sum, (_, amount)| sum.checked_add(*amount))?;
        sum.checked_add(held(ledger, *quote)?.checked_sub(deposited)?)
    })
}

/// What the base moved by each fill is worth at the mark of its arbitrage; a fill of no arbitrage of ours at its price.
fn base_worth(ledger: &AccountLedger, marks: &BTreeMap<ClientOrderId, Decimal>) -> Result<Decimal, NumError> {
    ledger.fills.iter().try_fold(Decimal::ZERO, |sum, fill| {
        // Gate.io spells our id with a prefix of its own.
        let ours = fill.client_id.strip_prefix("t-").unwrap_or(&fill.client_id);
        let mark = ClientOrderId::new(ours).and_then(|ours| marks.get(&ours)).copied().unwrap_or(fill.price);
        let fee = if fill.fee_asset == fill.symbol.base { fill.fee } else { Decimal::ZERO };
        let moved = match fill.side {
            Side::Buy => fill.qty.checked_sub(fee)?,
            Side::Sell => fill.qty.negated()?.checked_sub(fee)?,
        };
        sum.checked_add(moved.checked_mul(mark)?)
    })
}

fn differing(
    venue: VenueId,
    ledger: &AccountLedger,
    holdings: &BTreeMap<(VenueId, Asset), Decimal>,
) -> Result<Vec<Mismatch>, NumError> {
    let listed = ledger.balances.iter().map(|(asset, ..)| *asset);
    let known = holdings.keys().filter(|(known, _)| *known == venue).map(|(_, asset)| *asset);
    let assets: BTreeSet<Asset> = listed.chain(known).collect();
    let mut mismatches = Vec::new();
    for asset in assets {
        let ours = holdings.get(&(venue, asset)).copied().unwrap_or_default();
        let theirs = held(ledger, asset)?;
        if ours != theirs {
            mismatches.push(Mismatch {
                venue: venue.to_string(),
                asset: asset.to_string(),
                ours: ours.to_string(),
                theirs: theirs.to_string(),
            });
        }
    }
    Ok(mismatches)
}

fn held(ledger: &AccountLedger, asset: Asset) -> Result<Decimal, NumError> {
    let rows = ledger.balances.iter().filter(|(known, ..)| *known == asset);
    rows.map(|(_, free, locked)| free.checked_add(*locked))
        .try_fold(Decimal::ZERO, |sum, total| sum.checked_add(total?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cex_sim::matching::{OrderNo, TradeNo};
    use cex_sim::server::{LedgerFill, SimExchange};

    fn decimal(text: &str) -> Decimal {
        text.parse().expect("a decimal")
    }

    fn account() -> AccountLedger {
        let usdt: Asset = "USDT".parse().expect("short");
        AccountLedger {
            exchange: SimExchange::Mexc,
            name: "rich".to_owned(),
            deposits: vec![(usdt, decimal("100"))],
            balances: vec![(usdt, decimal("100"), Decimal::ZERO)],
            fills: Vec::new(),
            orders: Vec::new(),
        }
    }

    #[test]
    fn holdings_are_compared_once_the_account_was_read_or_something_was_traded_in_it() {
        let venue = VenueId::new(0, "mexc").expect("short");
        let compared = |ledger: &AccountLedger, read: &[VenueId]| {
            let read = read.iter().copied().collect();
            let proof = prove(&[(venue, ledger)], &BTreeMap::new(), &BTreeMap::new(), &read).expect("small");
            (proof.mismatches.len(), proof.unread)
        };
        let unread = vec!["mexc".to_owned()];
        assert_eq!(compared(&account(), &[]), (0, unread), "we hold nothing, because nobody has told us yet");
        assert_eq!(compared(&account(), &[venue]), (1, Vec::new()));
        let usdt = account().deposits[0].0;
        let symbol: cex_core::Symbol = "BTC/USDT".parse().expect("a symbol");
        let fill = LedgerFill {
            symbol,
            trade: TradeNo(1),
            order: OrderNo(1),
            client_id: String::new(),
            side: Side::Buy,
            price: decimal("1"),
            qty: decimal("1"),
            notional: decimal("1"),
            fee: Decimal::ZERO,
            fee_asset: usdt,
            is_maker: false,
            at: cex_core::Timestamp::EPOCH,
        };
        let traded = AccountLedger { fills: vec![fill], ..account() };
        assert_eq!(compared(&traded, &[]), (1, Vec::new()));
    }
}
