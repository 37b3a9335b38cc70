//! The end of a run: what is open ends, our ledger is compared with the accounts, and the journal is closed.

use super::cancel::{self, ANSWER};
use super::control::Directory;
use super::dead_man::DeadMan;
use super::desk::{Desk, Seen, Tally};
use super::live::{Running, mode_name};
use super::past::VENUE_LAG;
use super::signals::Ended;
use super::venue::Venue;
use crate::config::Mode;
use crate::exit::{Exit, Failure};
use crate::show::Viewer;
use crate::show::summary::{Arbitrages, Mismatch, Summary};
use cex_core::{Account, Bps, Decimal, VenueId};
use cex_engine::{Engine, Event};
use cex_interface::{Reply, Request};
use cex_transport::Rest;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// How long orders on the way may take to end once the run is over: that the answer to a lost one never comes is known after ten
/// seconds, that it never arrived after its time to expire, the exchange's lag, and two questions; then what it left open is
/// closed.
const DRAIN: Duration = Duration::from_secs(30);
/// The reason of a session that ended halted, as its end in the journal says it.
pub(super) const HALTED: &str = "halted";
/// Of one that left exposure, an order of unknown fate, or a ledger that differs.
pub(super) const RESIDUAL: &str = "residual";
/// Between two readings of accounts that are not what we hold.
const READ_AGAIN: Duration = Duration::from_secs(1);
/// How long links may take to say goodbye.
const FAREWELL: Duration = Duration::from_secs(4);

/// Lets what is open end, says goodbye, and compares our ledger with the accounts. What came of the run; how it ends: what
/// could not be written down comes first; and whether no order may rest where none was to.
pub(super) async fn finish(
    running: Running,
    viewer: &Viewer,
    epoch: u64,
    (ended, run, flatten): (Ended, &'static str, Option<Bps>),
    directory: &Directory,
) -> (Summary, Result<(), Failure>, bool) {
    let Running { desk, links, helpers, dead_man } = running;
    let trades = run == mode_name(Mode::Live);
    let mut unproven = Vec::new();
    if flatten.is_some() || (trades && desk.may_rest()) {
        desk.tell_engine(Event::Kill);
        unproven = cancel::after_kill(&desk).await;
    }
    desk.drain(DRAIN, flatten).await;
    let accounts = compared_accounts(&desk).await;
    desk.stop_links();
    let farewell = async {
        for link in links {
            // A link that panicked has been reported by the runtime; there is nothing to wait for.
            let _ = link.await;
        }
    };
    if tokio::time::timeout(FAREWELL, farewell).await.is_err() {
        tracing::warn!("some connections did not end in time");
    }
    helpers.iter().for_each(JoinHandle::abort);
    // Not proven yet, thrown while it drained, or while that was looked for.
    let mut looked_for = None;
    while trades && desk.may_rest() && looked_for != Some(desk.kills()) {
        looked_for = Some(desk.kills());
        unproven = cancel::after_kill(&desk).await;
    }
    let flat = may_not_rest(&unproven, trades, desk.look(|_, view, _, _| view.open + view.unknown));
    disarm(&desk, dead_man, flat).await;
    let summary = desk.close(|engine, venues, tally| summary(epoch, engine, venues, &tally, &accounts));
    let summary = Summary { run, lines_dropped: viewer.dropped(), ..summary };
    // What halts while it drains holds the next run too. So does a file that nobody looked for any more.
    let halted = desk.is_halted() || directory.is_halted();
    let verdict = verdict(&summary, &End { seen: desk.seen(), ended, halted, trades, unproven });
    let reason = reason(ended, &verdict);
    let recorded = desk.take_recorder().map_or(Ok(()), |recorder| {
        let left = u32::try_from(summary.arbitrages.unknown).unwrap_or(u32::MAX);
        let (now, standing) = desk.standing();
        recorder
            .close(now, reason, left, &standing)
            .map_err(|error| Failure::new(Exit::CheckFailed, error.to_string(), error.remedy()))
    });
    (summary, recorded.and(verdict), flat)
}

/// Whether no order of a run may rest at its end: none does where that was looked for, and none is of unknown fate, `open` being the
/// arbitrages that did not end. That nobody had to look proves nothing of those.
const fn may_not_rest(unproven: &[VenueId], trades: bool, open: u32) -> bool {
    unproven.is_empty() && !(trades && open > 0)
}

/// What a session's end says of why it ended: who stopped it, or what an operator must look at.
fn reason(ended: Ended, verdict: &Result<(), Failure>) -> &'static str {
    match (verdict.as_ref().err().map(|failure| failure.exit), ended) {
        (Some(Exit::Halted), _) => HALTED,
        (Some(Exit::Residual), _) => RESIDUAL,
        (_, Ended::TimeUp) => "finished",
        (_, Ended::Stopped) => "stopped",
        (_, Ended::Interrupted | Ended::Terminated) => "interrupted",
    }
}

/// Takes the dead man's switches back when nothing of ours is open or unknown, nor may be for all that was looked at: they cancel whatever
/// is open in the account, orders that are not ours too. Otherwise they stay.
async fn disarm(desk: &Desk, dead_man: Vec<DeadMan>, proven: bool) {
    let is_flat = proven && desk.look(|_, view, _, _| view.open + view.unknown == 0);
    for switch in dead_man {
        switch.end(is_flat).await;
    }
}

/// The accounts at the end: what could be read of them, and who could not be asked.
#[derive(Default)]
struct Accounts {
    read: Vec<(VenueId, Account)>,
    unread: Vec<VenueId>,
}

/// What the exchanges say is held. Where that is not what we hold, or one does not answer, it is read again as long as an exchange
/// may tell of an account as it was before our last fills.
async fn compared_accounts(desk: &Desk) -> Accounts {
    let until = Instant::now() + VENUE_LAG;
    loop {
        let accounts = read_accounts(desk).await;
        let is_it = accounts.unread.is_empty()
            && desk.inspect(|_, engine| mismatches(engine, &accounts.read).is_empty());
        if is_it || Instant::now() >= until {
            return accounts;
        }
        tokio::time::sleep(READ_AGAIN).await;
    }
}

/// What the exchanges say is held, where they can be asked.
async fn read_accounts(desk: &Desk) -> Accounts {
    if let Some(read) = desk.paper_accounts() {
        return Accounts { read, unread: Vec::new() };
    }
    let mut accounts = Accounts::default();
    let ask =
        |rest: Arc<Rest>| async move { tokio::time::timeout(ANSWER, rest.call(&Request::Account)).await };
    for (venue, answer) in cancel::ask_accounts(desk, ask).await {
        match answer {
            Some(Ok(Ok(Reply::Account(account)))) => accounts.read.push((venue, account)),
            other => {
                tracing::warn!(%venue, ?other, "the account could not be read at the end");
                accounts.unread.push(venue);
            }
        }
    }
    accounts
}

fn summary(epoch: u64, engine: &Engine, venues: &[Venue], tally: &Tally, accounts: &Accounts) -> Summary {
    let view = engine.view(tally.closed_at);
    let rows = view.venues.iter().zip(venues).map(|(row, venue)| (venue.id.to_string(), venue.row(row)));
    let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let counts = view.totals.opportunities.iter();
    Summary {
        event: "summary",
        run: "",
        seed: epoch,
        elapsed_ms: millis(tally.elapsed),
        first_book_ms: tally.first_book.map(millis),
        exchanges: rows.collect(),
        opportunities: counts.map(|(verdict, count)| (verdict.name(), *count)).collect(),
        arbitrages: Arbitrages::new(&view.totals, view.open),
        pnl_expected: view.totals.expected.to_string(),
        pnl_realised: view.totals.realised.to_string(),
        pnl_other_fees: view.totals.other_fee.to_string(),
        pnl_ledger: None,
        pnl_difference: None,
        ledger_mismatches: mismatches(engine, &accounts.read),
        ledgers_unread: accounts.unread.iter().map(VenueId::to_string).collect(),
        odd_fills: [view.totals.late_fills, view.totals.foreign_fills, view.totals.duplicate_fills],
        alarms: view.totals.alarms,
        lines_dropped: 0,
        latency_ns: tally.stopwatch.rows().into_iter().collect(),
    }
}

/// Holdings that our ledger and an account tell differently.
fn mismatches(engine: &Engine, accounts: &[(VenueId, Account)]) -> Vec<Mismatch> {
    let held = engine.holdings().into_iter();
    held.filter_map(|(venue, asset, ours)| {
        let (_, account) = accounts.iter().find(|(known, _)| *known == venue)?;
        let theirs = account.balance(asset).map_or(Ok(Decimal::ZERO), cex_core::Balance::total).ok()?;
        let off = ours.checked_sub(theirs).and_then(Decimal::abs);
        // Rounding of what is told is no difference, and of a coin that is not traded nobody knows what is.
        let is_it = off.is_ok_and(|off| engine.unit(asset).is_none_or(|unit| off < unit));
        (!is_it).then(|| Mismatch {
            venue: venue.to_string(),
            asset: asset.to_string(),
            ours: ours.to_string(),
            theirs: theirs.to_string(),
        })
    })
    .collect()
}

/// How a run came to its end, beside what its summary tells.
struct End {
    /// What an operator has looked at, and so calls for none any more.
    seen: Seen,
    ended: Ended,
    halted: bool,
    /// Whether the run sends real orders.
    trades: bool,
    /// Where it was to be flat, and it is not proven that no order is open.
    unproven: Vec<VenueId>,
}

fn verdict(summary: &Summary, end: &End) -> Result<(), Failure> {
    let arbitrages = &summary.arbitrages;
    let parked = arbitrages.parked.saturating_sub(end.seen.parked);
    if arbitrages.unknown + parked > 0 {
        let what = format!("{} arbitrages unknown, {parked} parked", arbitrages.unknown);
        return Err(Failure::new(Exit::Residual, what, "look at the orders and holdings on both exchanges"));
    }
    if !summary.ledger_mismatches.is_empty() {
        let what =
            format!("{} holdings differ from the exchanges' accounts", summary.ledger_mismatches.len());
        return Err(Failure::new(
            Exit::Residual,
            what,
            "somebody else traded or moved coins, or we lost a fill",
        ));
    }
    if !end.unproven.is_empty() {
        let names: Vec<_> = end.unproven.iter().map(VenueId::to_string).collect();
        let what = format!("not proven that no order is open at {}", names.join(", "));
        return Err(Failure::new(Exit::Residual, what, "look there, or once it answers: arb kill"));
    }
    if end.trades && !summary.ledgers_unread.is_empty() {
        let what = format!("the account at {} could not be read", summary.ledgers_unread.join(", "));
        let fix =
            "compare it with what was traded, or start again when the exchange answers: a start compares too";
        return Err(Failure::new(Exit::Residual, what, fix));
    }
    let alarms = summary.alarms.saturating_sub(end.seen.alarms);
    if alarms > 0 {
        let what = format!("{alarms} alarms: something happened that must not");
        return Err(Failure::new(Exit::Halted, what, "arb journal dump tells what; then: arb resume"));
    }
    if end.halted {
        let what = "the run was halted: the next one waits for an operator";
        return Err(Failure::new(Exit::Halted, what, "look at both accounts, then: arb resume"));
    }
    end.ended.verdict()
}

#[cfg(test)]
mod tests {
    use super::super::desk::tests::quiet_desk;
    use super::super::pace::Pace;
    use super::*;
    use crate::show::{Show, Told};

    /// Shows nothing.
    struct Nobody;

    impl Show for Nobody {
        fn tell(&mut self, _: &Told) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// How a run ends that is interrupted, and halted by what happens while its links say goodbye.
    fn ended(halts: impl FnOnce(&Desk, &Directory) + 'static) -> Option<Exit> {
        let place = tempfile::tempdir().expect("a directory");
        let directory = Directory(place.path().to_owned());
        let run = async {
            let desk = quiet_desk(&[]);
            let link = tokio::task::spawn_local({
                let (desk, directory) = (desk.clone(), directory.clone());
                async move { halts(&desk, &directory) }
            });
            let running = Running { desk, links: vec![link], helpers: Vec::new(), dead_man: Vec::new() };
            let viewer = Viewer::spawn(Box::new(Nobody), |_| {}).expect("a thread");
            finish(running, &viewer, 1, (Ended::Interrupted, "LIVE", None), &directory).await
        };
        let (_, verdict, _) = Pace::Sleep.block_on(run).expect("a runtime");
        verdict.err().map(|failure| failure.exit)
    }

    #[test]
    fn what_an_operator_has_looked_at_calls_for_none_at_the_end() {
        let arbitrages = Arbitrages { parked: 2, ..Arbitrages::default() };
        let summary = Summary { arbitrages, alarms: 3, ..Summary::default() };
        let exit = |seen| {
            let end = End { seen, ended: Ended::Stopped, halted: false, trades: true, unproven: Vec::new() };
            verdict(&summary, &end).err().map(|failure| failure.exit)
        };
        assert_eq!(exit(Seen { alarms: 3, parked: 2 }), None);
        assert_eq!(exit(Seen { alarms: 3, parked: 1 }), Some(Exit::Residual));
        assert_eq!(exit(Seen { alarms: 2, parked: 2 }), Some(Exit::Halted));
    }

    #[test]
    fn what_could_not_be_asked_at_the_end_is_an_operators_where_orders_left() {
        let venue = VenueId::new(0, "gateio").expect("short");
        let exit = |trades, unread: &[VenueId], unproven: &[VenueId]| {
            let ledgers_unread = unread.iter().map(VenueId::to_string).collect();
            let summary = Summary { ledgers_unread, ..Summary::default() };
            let (seen, ended) = (Seen::default(), Ended::Stopped);
            let end = End { seen, ended, halted: false, trades, unproven: unproven.to_vec() };
            verdict(&summary, &end).err().map(|failure| (failure.exit, failure.what))
        };
        assert_eq!(exit(true, &[], &[]), None);
        assert_eq!(exit(false, &[venue], &[]), None, "nothing was traded");
        let unread = "the account at gateio could not be read".to_owned();
        assert_eq!(exit(true, &[venue], &[]), Some((Exit::Residual, unread)));
        let open = "not proven that no order is open at gateio".to_owned();
        assert_eq!(exit(true, &[], &[venue]), Some((Exit::Residual, open)));
    }

    /// Nobody looks for orders at the end of a run that was not halted; one that is lost may rest all the same.
    #[test]
    fn a_run_that_ends_with_a_lost_order_is_not_over_for_whoever_watches() {
        let venue = VenueId::new(0, "gateio").expect("short");
        assert!(may_not_rest(&[], true, 0));
        assert!(!may_not_rest(&[], true, 1), "arb watch cancels");
        assert!(!may_not_rest(&[venue], true, 0) && !may_not_rest(&[venue], false, 0));
        assert!(may_not_rest(&[], false, 1), "nothing was sent");
    }

    #[test]
    fn a_session_s_end_says_what_an_operator_must_look_at() {
        let failed = |exit| Err(Failure::new(exit, "", ""));
        for (ended, verdict, said) in [
            (Ended::TimeUp, Ok(()), "finished"),
            (Ended::Stopped, Ok(()), "stopped"),
            (Ended::Terminated, failed(Exit::Terminated), "interrupted"),
            (Ended::Stopped, failed(Exit::Halted), HALTED),
            (Ended::Interrupted, failed(Exit::Residual), RESIDUAL),
        ] {
            assert_eq!(reason(ended, &verdict), said, "{ended:?}");
        }
    }

    #[test]
    fn what_halts_a_run_that_drains_is_how_it_ends() {
        assert_eq!(ended(|_, _| ()), Some(Exit::Interrupted));
        assert_eq!(ended(|desk, _| desk.halt("R36", "more orders left")), Some(Exit::Halted));
        let file = |_: &Desk, directory: &Directory| directory.put_halt_file(&"somebody").expect("written");
        assert_eq!(ended(file), Some(Exit::Halted));
    }
}
