//! Budget: from an exchange's sending of a frame that crosses two books to the whole request of the order it brings, measured
//! at the exchange; the live wiring against a plain program, in turn.

use cex_arb::run::pace::Pace;
use cex_arb::show::summary::Latency;
use cex_benches::counterpart::Counterpart;
use cex_benches::live::{Addresses, Live};
use cex_benches::measure::{Bound, figure, finish, median_of, percentiles};
use cex_benches::plain::Plain;
use cex_benches::script::Script;
use hdrhistogram::Histogram;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const SYMBOLS: usize = 40;
/// Turns of each contestant, and crossings in a turn: some until its caches are as they stay, then those that count.
const TURNS: usize = 40;
const TO_WARM_UP: usize = 20;
const MEASURED: usize = 80;
/// A program that panicked never will be.
const READY_WITHIN: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    let mut ours = Contestant::new("live wiring", Pace::Alert, |addresses, ready| {
        Box::pin(async move {
            let _live = Live::open(&addresses, Pace::Alert).await;
            ready.store(true, Ordering::Release);
            std::future::pending::<()>().await;
        })
    });
    let mut plain = Contestant::new("tokio-tungstenite, BTreeMap, hyper", Pace::Sleep, |addresses, ready| {
        Box::pin(async move {
            let plain = Plain::open(&addresses, SYMBOLS).await;
            ready.store(true, Ordering::Release);
            plain.run().await;
        })
    });
    let mut ratios = [Vec::new(), Vec::new()];
    for _ in 0..TURNS {
        let (ours, plain) = (ours.turn(), plain.turn());
        for (ratios, (ours, plain)) in ratios.iter_mut().zip(ours.into_iter().zip(plain)) {
            ratios.push(ours / plain);
        }
    }
    ours.show();
    plain.show();
    finish(&[
        figure(
            "first order, of the plain program's time",
            median_of(&ratios[0]),
            "times",
            Bound::AtMost(1.0),
        ),
        figure(
            "both orders, of the plain program's time",
            median_of(&ratios[1]),
            "times",
            Bound::AtMost(1.0),
        ),
    ])
}

type Program = std::pin::Pin<Box<dyn Future<Output = ()>>>;

/// A program on a thread of its own, and its own counterpart, which is played here.
struct Contestant {
    name: &'static str,
    script: Script,
    times: [Histogram<u64>; 2],
}

impl Contestant {
    fn new(name: &'static str, pace: Pace, program: fn(Addresses, Arc<AtomicBool>) -> Program) -> Self {
        let counterpart = Counterpart::bind(SYMBOLS).expect("a port of loopback");
        let addresses = Addresses::of(&counterpart);
        let ready = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ready);
        std::thread::spawn(move || {
            pace.block_on(program(addresses, told)).expect("a runtime");
        });
        let mut script = Script::new(counterpart, 42);
        let started = Instant::now();
        script.serve_until(|| {
            assert!(started.elapsed() < READY_WITHIN, "{name} is not ready in time");
            ready.load(Ordering::Acquire)
        });
        script.serve_for(Duration::from_millis(50));
        let histogram = || Histogram::new_with_bounds(1, 1_000_000_000, 3).expect("constants that fit");
        Self { name, script, times: [histogram(), histogram()] }
    }

    /// One turn; the medians of the first order's time and of both orders'.
    fn turn(&mut self) -> [f64; 2] {
        // What its connections wanted while the other had its turn.
        self.script.serve_for(Duration::from_millis(5));
        for _ in 0..TO_WARM_UP {
            self.script.round();
        }
        let mut turn = [Vec::new(), Vec::new()];
        for _ in 0..MEASURED {
            let times = self.script.round().times();
            let times = times.unwrap_or_else(|| panic!("{}: a crossing that was not traded", self.name));
            for ((times, turn), time) in self.times.iter_mut().zip(&mut turn).zip(times) {
                let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
                times.saturating_record(nanos);
                turn.push(nanos as f64);
            }
        }
        turn.map(|times| median_of(&times))
    }

    fn show(&self) {
        for (what, times) in ["first order", "both orders"].iter().zip(&self.times) {
            percentiles(&format!("{}: frame sent to {what} whole", self.name), &Latency::from(times), None);
        }
    }
}
