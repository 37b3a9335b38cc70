//! Every open order of an account, cancelled and looked for until there is none.

use super::desk::Desk;
use cex_core::{SymbolId, VenueId};
use cex_interface::Request;
use cex_transport::{Lists, Rest};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long open orders may take to be gone once they were cancelled, and how often looking for them may fail.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks at open orders.
const LOOK: Duration = Duration::from_millis(200);
/// Before what is not proven is tried again: at first, and twice as long each time, up to this.
const AGAIN: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(30)];
/// How long one question to an exchange may take at the end: together they must not outlast the patience of whoever waits for it.
pub(super) const ANSWER: Duration = Duration::from_secs(10);

/// Cancels what is open in the accounts of a run when its kill switch is thrown, until it is proven that nothing is, or an operator has
/// looked; until the task is dropped.
pub(super) async fn when_killed(desk: Desk) {
    loop {
        desk.until_killed().await;
        let [mut pause, longest] = AGAIN;
        while desk.is_halted() && desk.may_rest() && !after_kill(&desk).await.is_empty() {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    }
}

/// One pass of what the kill switch wants. Where it is not proven that nothing is open.
pub(super) async fn after_kill(desk: &Desk) -> Vec<VenueId> {
    let kills = desk.kills();
    let unproven = in_accounts(desk).await;
    if unproven.is_empty() {
        desk.nothing_rests(kills);
    }
    unproven
}

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

/// Asks every exchange whose account can be asked, whether or not its stream is up, all at once.
pub(super) async fn ask_accounts<T: 'static, F: Future<Output = T> + 'static>(
    desk: &Desk,
    ask: impl Fn(Arc<Rest>) -> F,
) -> Vec<(VenueId, Option<T>)> {
    let asked: Vec<_> = desk.look(|_, _, venues, _| {
        let with_key = venues.iter().filter(|venue| venue.has_key);
        with_key.map(|venue| (venue.id, Arc::clone(&venue.rest))).collect()
    });
    let asked: Vec<_> =
        asked.into_iter().map(|(venue, rest)| (venue, tokio::task::spawn_local(ask(rest)))).collect();
    let mut answers = Vec::new();
    for (venue, answer) in asked {
        answers.push((venue, answer.await.ok()));
    }
    answers
}

/// Cancels whatever is open: nothing of ours rests on purpose, and what is to be flat must not fill later. Where it is not proven
/// that nothing is open.
pub(super) async fn in_accounts(desk: &Desk) -> Vec<VenueId> {
    if desk.paper_accounts().is_some() {
        return Vec::new();
    }
    let cancel = |rest: Arc<Rest>| async move {
        let canceled = tokio::time::timeout(ANSWER, all(&rest)).await;
        canceled.unwrap_or_else(|_| Err("it does not answer".to_owned()))
    };
    let mut unproven = Vec::new();
    for (venue, canceled) in ask_accounts(desk, cancel).await {
        match canceled.unwrap_or_else(|| Err("asking panicked".to_owned())) {
            Ok(canceled) => tracing::info!(%venue, canceled, "no order is open"),
            Err(what) => {
                tracing::error!(%venue, what, "not proven that no order is open");
                unproven.push(venue);
            }
        }
    }
    unproven
}
