//! Every open order of an account, cancelled and looked for until there is none.

use super::desk::Desk;
use cex_core::{SymbolId, VenueId};
use cex_interface::Request;
use cex_transport::{Lists, Rest};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long open orders may take to be gone once they were cancelled, and how often looking for them may fail.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks at open orders.
const LOOK: Duration = Duration::from_millis(200);
/// Before what is not proven is tried again: at first, and twice as long each time, up to this.
const AGAIN: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(30)];
/// How many cancels may be on their way at once: closing orders need connections too.
const AT_ONCE: usize = 4;
/// How long one may take before the next has its turn. It is tried again when its orders show up in the next look.
const CANCEL: Duration = Duration::from_secs(3);
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
pub async fn all(rest: &Arc<Rest>) -> Result<usize, String> {
    all_within(rest, PATIENCE).await
}

/// As [`all`], with so much patience from the first cancels on.
pub(super) async fn all_within(rest: &Arc<Rest>, patience: Duration) -> Result<usize, String> {
    let (mut canceled, mut empty) = (BTreeSet::new(), 0);
    let (mut until, mut is_told) = (None, false);
    loop {
        let (mut open, mut failed) = (0, None);
        // What is in one answer is cancelled before the next is asked for: of many symbols the last may come a minute later.
        let mut parts = Lists::of(rest).open_orders_in_parts();
        loop {
            let part = match timeout(ANSWER, parts.next()).await {
                Ok(Ok(Some(part))) => part,
                Ok(Ok(None)) => break,
                Ok(Err(error)) => {
                    failed = Some(error.to_string());
                    break;
                }
                Err(_) => return Err("it does not answer".to_owned()),
            };
            if part.unreadable > 0 {
                failed = Some(format!("{} open orders could not be read", part.unreadable));
            }
            open += part.len();
            canceled.extend(part.iter().map(|order| (order.order_id, order.client_id)));
            let refused = cancel_in(rest, part.iter().map(|order| order.symbol).collect()).await;
            if let Some(error) = refused
                && !std::mem::replace(&mut is_told, true)
            {
                tracing::warn!(error, "open orders were not cancelled: they are looked for again");
            }
        }
        empty = if open == 0 && failed.is_none() { empty + 1 } else { 0 };
        if empty == 2 {
            return Ok(canceled.len());
        }
        // Only now: what a look shows is cancelled however long the look took.
        let until = *until.get_or_insert_with(|| Instant::now() + patience);
        if Instant::now() > until && empty == 0 {
            return Err(failed.unwrap_or_else(|| format!("{open} orders are still open")));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Cancels all open orders of these symbols, some at once; why that failed somewhere. One that is not answered holds up none of the
/// others for long.
async fn cancel_in(rest: &Arc<Rest>, symbols: BTreeSet<SymbolId>) -> Option<String> {
    let mut failed = None;
    let mut symbols = symbols.into_iter();
    let mut asked = JoinSet::new();
    loop {
        for symbol in symbols.by_ref().take(AT_ONCE - asked.len()) {
            let rest = Arc::clone(rest);
            asked
                .spawn_local(async move { timeout(CANCEL, rest.call(&Request::CancelAll { symbol })).await });
        }
        match asked.join_next().await {
            None => return failed,
            Some(Ok(Ok(Ok(_)))) => {}
            Some(Ok(Ok(Err(error)))) => failed = Some(error.to_string()),
            Some(Ok(Err(_))) => failed = Some("a cancel was not answered in time".to_owned()),
            Some(Err(panicked)) => failed = Some(panicked.to_string()),
        }
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
    let cancel = |rest: Arc<Rest>| async move { all(&rest).await };
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
