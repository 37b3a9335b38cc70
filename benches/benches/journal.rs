//! Budget: what a record costs the thread that trades, and how many a second the journal takes while groups of them go to
//! a real disk.

use cex_arb::show::summary::Latency;
use cex_benches::measure::{Bound, Budget, Contestant, figure, finish, measure, percentiles};
use cex_core::Timestamp;
use cex_journal::{Options, Reader, SyncPolicy, Writer, messages, open_directory};
use hdrhistogram::Histogram;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
/// Records of the sustained run: some seconds, and several segments.
const MANY: u64 = 2_000_000;
/// Records that are timed one by one.
const TIMED: u64 = 200_000;

fn main() -> ExitCode {
    // Beside the programs, on the disk that builds use: a memory file system would measure nothing.
    let program = std::env::current_exe().expect("this program");
    let dir = program.with_file_name(format!("journal-bench-{}", std::process::id()));
    let results = [append(&dir.join("append")), sustained(&dir.join("sustained")), steps(&dir.join("steps"))];
    std::fs::remove_dir_all(&dir).expect("our own directory");
    finish(&results)
}

fn writer(dir: &Path, options: Options) -> Writer {
    let mut writer = open_directory(dir, options, NOW).expect("a disk with room").writer;
    writer.begin(NOW, messages::SessionStart::default()).expect("a disk with room");
    writer
}

/// Both legs of a plan, as they stand in a journal before a byte of either is sent.
fn intent() -> messages::Intent {
    let leg = |venue: &str, side: messages::Side| messages::Leg {
        venue: venue.to_owned(),
        client_id: "mwpq94sf-2s".to_owned(),
        side: side.into(),
        r#type: messages::OrderType::LimitIoc.into(),
        price: 642_101_000,
        price_dp: 4,
        qty: 8_400_000,
        qty_dp: 8,
        notional: "5393.6484".to_owned(),
        expires_in_ns: 1_500_000_000,
    };
    messages::Intent {
        arbitrage: 77,
        parent: String::new(),
        carried: String::new(),
        symbol: "BTC/USDT".to_owned(),
        legs: vec![leg("mexc", messages::Side::Buy), leg("gateio", messages::Side::Sell)],
        expected: "1.67".to_owned(),
        net_edge_e8: 31_000,
        purpose: "open".to_owned(),
        acknowledged: false,
    }
}

fn sent() -> messages::OrderSent {
    messages::OrderSent {
        venue: "gateio".to_owned(),
        client_id: "mwpq94sf-2s".to_owned(),
        expires_at_ns: NOW.as_nanos(),
    }
}

/// One record at a time, each in the page cache when the call returns.
fn append(dir: &Path) -> bool {
    let (mut writer, intent) = (writer(dir, Options::default()), intent());
    let mut times = Histogram::<u64>::new(3).expect("three digits");
    for count in 0..2 * TIMED {
        let started = Instant::now();
        writer.append(NOW, &intent).expect("a disk with room");
        if count >= TIMED {
            times.record(started.elapsed().as_nanos() as u64).expect("in range");
        }
    }
    percentiles(
        "an intent of two legs, until it survives the end of the process",
        &Latency::from(&times),
        Some((1_500, 20_000)),
    )
}

/// As fast as it goes, one write a record, until the last is on disk.
fn sustained(dir: &Path) -> bool {
    let (mut writer, sent) = (writer(dir, Options::default()), sent());
    let health = writer.health();
    let (started, mut lag) = (Instant::now(), Duration::ZERO);
    for count in 0..MANY {
        writer.append(NOW, &sent).expect("a disk with room");
        if count % 1_000 == 0 {
            lag = lag.max(health.lag(Instant::now()));
        }
    }
    writer.sync().expect("a sound disk");
    let rate = MANY as f64 / started.elapsed().as_secs_f64();
    println!("  {MANY} records, longest lag {} ms", lag.as_millis());
    drop(writer);
    let (started, reader) = (Instant::now(), Reader::of_directory(dir, 0).expect("a journal"));
    let records = reader.inspect(|record| assert!(record.is_ok(), "damaged")).count();
    println!("  read back and verified: {:.0} records/s", records as f64 / started.elapsed().as_secs_f64());
    figure(
        "sustained, one write a record, all on disk at the end",
        rate,
        "records/s",
        Bound::AtLeast(500_000.0),
    )
}

/// What a record costs without the system, and with the disk.
fn steps(dir: &Path) -> bool {
    let options = |sync| Options { sync, ..Options::default() };
    let mut staged = writer(&dir.join("staged"), Options::default());
    let mut strict = writer(&dir.join("strict"), options(SyncPolicy::Strict));
    let mut grouped = writer(&dir.join("grouped"), Options::default());
    let intent = intent();
    measure(
        "the same intent by what is waited for",
        Budget::None,
        vec![
            Contestant::new("staged, written 256 KiB at once", 1, || {
                staged.stage(NOW, &intent).expect("room")
            }),
            Contestant::new("written", 1, || grouped.append(NOW, &intent).expect("room")),
            Contestant::new("written and on disk (strict)", 1, || strict.append(NOW, &intent).expect("room")),
        ],
    )
}
