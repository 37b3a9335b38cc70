//! Every open order of an account, cancelled and looked for until there is none.

use cex_core::SymbolId;
use cex_interface::Request;
use cex_transport::{Lists, Rest};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How long open orders may take to be gone once they were cancelled.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks at open orders.
const LOOK: Duration = Duration::from_millis(200);

/// Cancels all open orders of the markets registered; how many there were. An order that was on its way may show up after the first
/// look, so there must be none twice.
///
/// # Errors
/// In words, when it is not proven that nothing is open.
pub async fn all(rest: &Rest) -> Result<usize, String> {
    let (mut canceled, mut empty) = (0, 0);
    let until = Instant::now() + PATIENCE;
    while empty < 2 {
        let open = open_symbols(rest).await?;
        empty = if open.is_empty() { empty + 1 } else { 0 };
        canceled += open.len();
        if !open.is_empty() && Instant::now() > until {
            return Err(format!("{} orders are still open", open.len()));
        }
        let symbols: BTreeSet<SymbolId> = open.into_iter().collect();
        for symbol in symbols {
            let answer = rest.call(&Request::CancelAll { symbol }).await;
            answer.map_err(|error| error.to_string())?;
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(canceled)
}

/// The symbol of every open order.
async fn open_symbols(rest: &Rest) -> Result<Vec<SymbolId>, String> {
    let open = Lists::of(rest).open_orders().await.map_err(|error| error.to_string())?;
    if open.unreadable > 0 {
        return Err(format!("{} open orders could not be read", open.unreadable));
    }
    Ok(open.iter().map(|order| order.symbol).collect())
}
