//! Every open order of an account, cancelled and looked for until there is none.

use cex_core::{Markets, SymbolId};
use cex_errors::ErrorKind;
use cex_interface::{Reply, Request};
use cex_transport::Rest;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How long open orders may take to be gone once they were cancelled.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks at open orders.
const LOOK: Duration = Duration::from_millis(200);

/// Cancels all open orders of these markets; how many there were. An order that was on its way may show up after the first
/// look, so there must be none twice.
///
/// # Errors
/// In words, when it is not proven that nothing is open.
pub async fn all(rest: &Rest, markets: &Markets) -> Result<usize, String> {
    let (mut canceled, mut empty) = (0, 0);
    let until = Instant::now() + PATIENCE;
    while empty < 2 {
        let open = open_symbols(rest, markets).await?;
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
async fn open_symbols(rest: &Rest, markets: &Markets) -> Result<Vec<SymbolId>, String> {
    let symbols = |reply: Reply| match reply {
        Reply::Orders(orders) => Ok(orders.iter().map(|order| order.symbol).collect::<Vec<_>>()),
        Reply::Incomplete(incomplete) => {
            Err(format!("{} open orders could not be read", incomplete.unreadable.len()))
        }
        other => Err(format!("open orders were answered as {other:?}")),
    };
    match rest.call(&Request::OpenOrders { symbol: None }).await {
        Ok(reply) => symbols(reply),
        // An exchange that lists them by symbol only is asked for each.
        Err(error) if error.kind == ErrorKind::Unsupported => {
            let mut all = Vec::new();
            for market in markets.iter() {
                let reply = rest.call(&Request::OpenOrders { symbol: Some(market.id) }).await;
                all.extend(symbols(reply.map_err(|error| error.to_string())?)?);
            }
            Ok(all)
        }
        Err(error) => Err(error.to_string()),
    }
}
