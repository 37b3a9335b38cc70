//! Every open order of an account, cancelled and looked for until there is none.

use cex_core::SymbolId;
use cex_interface::Request;
use cex_transport::{Lists, Rest};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How long open orders may take to be gone once they were cancelled, and how often looking for them may fail.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks at open orders.
const LOOK: Duration = Duration::from_millis(200);

/// Cancels all open orders of the markets registered; how many there were. An order that was on its way may show up after the first
/// look, so there must be none twice. What cannot be cancelled keeps nothing else from it, and is tried again.
///
/// # Errors
/// In words, when it is not proven that nothing is open.
pub async fn all(rest: &Rest) -> Result<usize, String> {
    all_within(rest, PATIENCE).await
}

/// As [`all`], with so much patience from the first cancels on.
pub(super) async fn all_within(rest: &Rest, patience: Duration) -> Result<usize, String> {
    let (mut canceled, mut empty) = (BTreeSet::new(), 0);
    let (mut until, mut is_told) = (None, false);
    loop {
        let (open, failed) = match Lists::of(rest).open_orders().await {
            Ok(open) if open.unreadable > 0 => {
                let what = format!("{} open orders could not be read", open.unreadable);
                (open.rows, Some(what))
            }
            Ok(open) => (open.rows, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        empty = if open.is_empty() && failed.is_none() { empty + 1 } else { 0 };
        if empty == 2 {
            return Ok(canceled.len());
        }
        canceled.extend(open.iter().map(|order| (order.order_id, order.client_id)));
        let symbols: BTreeSet<SymbolId> = open.iter().map(|order| order.symbol).collect();
        for symbol in symbols {
            if let Err(error) = rest.call(&Request::CancelAll { symbol }).await
                && !std::mem::replace(&mut is_told, true)
            {
                tracing::warn!(%error, "open orders were not cancelled: they are looked for again");
            }
        }
        // Only now: what a look shows is cancelled however long the look took.
        let until = *until.get_or_insert_with(|| Instant::now() + patience);
        if Instant::now() > until && empty == 0 {
            return Err(failed.unwrap_or_else(|| format!("{} orders are still open", open.len())));
        }
        tokio::time::sleep(LOOK).await;
    }
}
