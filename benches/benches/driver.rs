//! Budgets of the live wiring, from inside: from the socket read that brought a frame to the end of the decision, and to the
//! moment the signed bytes of an order are handed to the socket.

use cex_arb::run::pace::Pace;
use cex_arb::show::summary::Latency;
use cex_benches::counterpart::Counterpart;
use cex_benches::live::{Addresses, Live, Report};
use cex_benches::measure::{finish, percentiles};
use cex_benches::script::Script;
use cex_engine::Ending;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

const SYMBOLS: usize = 40;
/// Crossings until caches, predictors and tables are as they stay, and those that are measured.
const WARM_UP: usize = 500;
const CROSSINGS: usize = 4_000;

fn main() -> ExitCode {
    let mut kept = Vec::new();
    for (pace, what) in [
        (Pace::Alert, "is alert, as it is in arb run"),
        (Pace::Sleep, "sleeps whenever there is no frame (--sleep)"),
    ] {
        println!("== the trading thread {what}\n");
        kept.extend(run(pace));
    }
    finish(&kept)
}

fn run(pace: Pace) -> Vec<bool> {
    let counterpart = Counterpart::bind(SYMBOLS).expect("a port of loopback");
    let addresses = Addresses::of(&counterpart);
    let ready = Arc::new(AtomicBool::new(false));
    let (warm, measured) = (oneshot::channel(), oneshot::channel());
    let player = play(counterpart, Arc::clone(&ready), [warm.0, measured.0]);
    let report = pace.block_on(async {
        let live = Live::open(&addresses, pace).await;
        ready.store(true, Ordering::Release);
        warm.1.await.expect("the counterpart does not panic");
        let before = live.report().frames_and_reads;
        measured.1.await.expect("the counterpart does not panic");
        // Its last fills are still on the way.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let mut report = live.report();
        report.frames_and_reads.0 -= before.0;
        report.frames_and_reads.1 -= before.1;
        report
    });
    let traded = player.join().expect("the counterpart does not panic");
    judge(&report.expect("a runtime"), traded, pace)
}

/// Plays on a thread of its own; how many measured crossings brought both orders.
fn play(
    counterpart: Counterpart,
    ready: Arc<AtomicBool>,
    reached: [oneshot::Sender<()>; 2],
) -> JoinHandle<usize> {
    std::thread::spawn(move || {
        let mut script = Script::new(counterpart, 42);
        script.serve_until(|| ready.load(Ordering::Acquire));
        let mut traded = 0;
        for (rounds, reached) in [WARM_UP, CROSSINGS].into_iter().zip(reached) {
            traded = (0..rounds).filter(|_| script.round().times().is_some()).count();
            reached.send(()).expect("somebody waits for it");
        }
        script.serve_for(Duration::from_millis(100));
        traded
    })
}

fn judge(report: &Report, traded: usize, pace: Pace) -> Vec<bool> {
    let (frames, reads) = report.frames_and_reads;
    println!(
        "{frames} frames in {reads} reads; {traded} of {CROSSINGS} crossings traded on both exchanges\n"
    );
    for venue in &report.view.venues {
        assert_eq!((venue.gaps, venue.resyncs), (0, 0), "every frame was used");
    }
    let level = report.view.totals.ended.get(&Ending::BothFilled).copied().unwrap_or_default();
    assert_eq!((level, report.view.open), (report.view.totals.started, 0), "every arbitrage ended level");
    assert!(traded * 100 >= CROSSINGS * 99, "crossings are traded: {:?}", report.view.totals);
    let rows = report.tally.stopwatch.rows();
    let row = |name: &str| {
        rows.iter().find(|(known, _)| *known == name).map(|(_, times)| times.clone()).unwrap_or_default()
    };
    let show = |title: &str, times: &Latency, budget| percentiles(title, times, budget);
    // Budgets are of what `arb run` does; who lets the thread sleep wants the core and not the latency.
    let budget = |half, most| (pace == Pace::Alert).then_some((half, most));
    vec![
        show("bytes received to decision", &row("frame_to_decision"), budget(2_000, 10_000)),
        show(
            "bytes received to signed order bytes, first leg",
            &row("frame_to_leg_signed"),
            budget(5_000, 20_000),
        ),
        show("bytes received to signed order bytes, both legs", &row("frame_to_legs_signed"), None),
        show("bytes received to orders handed to their sockets", &row("frame_to_order_written"), None),
        show("order written to its answer", &row("order_round_trip"), None),
    ]
}
