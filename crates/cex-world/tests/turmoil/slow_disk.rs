//! A disk that takes its time over an intent: the decision grows old while it is written down, and must not leave (R22).

use crate::stage::{Setting, play};
use cex_arb::run::control::Directory;
use cex_arb::run::record::{Recorder, Tolerance};
use cex_arb::show::Names;
use cex_engine::Ending;
use cex_journal::messages::SessionStart;
use cex_journal::storage::MemoryDisk;
use cex_journal::{Options, SyncPolicy};
use cex_risk::Mode;
use cex_transport::LinkConfig;
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

/// The settings let a decision be 50 ms old.
const SLOW_MILLIS: u64 = 60;
const QUICK_MILLIS: u64 = 10;

/// Time goes on under whoever waits for it without letting go: a system call that takes so long.
fn stand_still(millis: u64) {
    let mut passing = pin!(tokio::time::advance(Duration::from_millis(millis)));
    // The clock is moved at once; what is left of it is letting others run.
    let _ = passing.as_mut().poll(&mut Context::from_waker(Waker::noop()));
}

#[test]
fn a_decision_that_grows_old_while_it_is_written_down_does_not_leave() {
    play(Setting::new(61), |stage| async move {
        let takes = Arc::new(AtomicU64::new(0));
        let disk = MemoryDisk::default();
        let taken = Arc::clone(&takes);
        let is_up = move || {
            let millis = taken.load(Ordering::Relaxed);
            if millis > 0 {
                stand_still(millis);
            }
            true
        };
        disk.crash_when_down(Arc::new(is_up), 0);
        let options = Options { sync: SyncPolicy::Grouped(Duration::from_millis(5)), segment_bytes: 1 << 20 };
        let opened = cex_journal::open(Arc::new(disk), options, stage.clock.now()).expect("a new journal");
        let (opened, _syncer) = opened;
        let mut writer = opened.writer;
        writer.begin(stage.clock.now(), SessionStart::default()).expect("room");
        let trader = stage.trader(LinkConfig::default(), Mode::Active).await;
        let markets = trader.markets[0].iter();
        let names = Names {
            symbols: markets
                .map(|market| (market.id, (market.symbol(), market.scale)))
                .collect::<BTreeMap<_, _>>(),
            venues: vec!["mexc".to_owned(), "gateio".to_owned()],
            title: String::new(),
        };
        let tolerance = Tolerance { lag: Duration::MAX, free: 0 };
        let nowhere = Directory("/dev/null/world".into());
        trader.desk.record_into(Recorder::new(writer, tolerance, names, nowhere));
        let withheld =
            |view: &cex_engine::EngineView| view.totals.ended.get(&Ending::Withheld).copied().unwrap_or(0);

        takes.store(SLOW_MILLIS, Ordering::Relaxed);
        trader.recovers_within(Duration::from_secs(20)).await;
        for _ in 0..300 {
            if withheld(&trader.view()) >= 5 {
                break;
            }
            trader.watch_for(Duration::from_millis(100)).await;
        }
        takes.store(0, Ordering::Relaxed);
        let view = trader.view();
        assert!(withheld(&view) >= 5, "nothing was decided: {:?}", view.totals);
        assert_eq!(view.totals.started, 0, "it was {SLOW_MILLIS} ms old when it left");
        let ledger = stage.sim.ledger();
        let orders: usize = ledger.accounts.iter().map(|account| account.orders.len()).sum();
        assert_eq!(orders, 0, "the exchanges have none");

        // A disk that is slow, but not too slow.
        takes.store(QUICK_MILLIS, Ordering::Relaxed);
        trader.trades_within(2, Duration::from_secs(120)).await;
        takes.store(0, Ordering::Relaxed);
        trader.settle().await;
    });
}
