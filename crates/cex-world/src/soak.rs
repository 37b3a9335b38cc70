//! Many seeds on several threads, and what is told of them.

use crate::check::Counts;
use crate::run::{Options, Report, run};
use serde::Serialize;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Which seeds are run, and how.
#[derive(Debug, Clone, Copy)]
pub struct Seeds {
    /// The first one.
    pub from: u64,
    /// How many.
    pub count: u64,
    /// On so many threads.
    pub jobs: usize,
    /// Stops early once so many seeds have failed.
    pub failures_max: usize,
    /// Of so many seeds one is run twice: its hashes must agree.
    pub twice_every: u64,
}

/// What many seeds came to.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// Seeds run.
    pub seeds: u64,
    /// Of these, run twice with the same hash.
    pub repeated: u64,
    /// Time that passed in the worlds.
    pub virtual_time: Duration,
    /// Sums of all numbers.
    pub counts: Counts,
    /// The runs in which something does not hold, by seed.
    pub failed: BTreeMap<u64, Report>,
    /// Seeds of which two runs differ.
    pub differing: Vec<u64>,
    /// The sum of all hashes, whatever the order: two builds that make the same of the same seeds have the same.
    pub hash: u64,
}

/// Runs these seeds.
pub fn soak(seeds: Seeds, options: &Options) -> Summary {
    let Seeds { from, count, jobs, failures_max, twice_every } = seeds;
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let summary = Mutex::new(Summary::default());
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        return;
                    }
                    let report = named(from + index, options);
                    let again =
                        (index.is_multiple_of(twice_every.max(1))).then(|| named(from + index, options).hash);
                    let mut summary = summary.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    summary.add(report, again);
                    if summary.failed.len() + summary.differing.len() >= failures_max {
                        stop.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    summary.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

thread_local! {
    /// Which seed runs on this thread.
    static SEED: Cell<Option<u64>> = const { Cell::new(None) };
}

/// From now on a panic says in which seed it was.
pub fn name_seeds_in_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if let Some(seed) = SEED.get() {
            eprintln!("in seed {seed}:");
        }
        usual(panic);
    }));
}

/// Runs one seed, here: a thread of its own would get memory of its own, new from the system every time.
fn named(seed: u64, options: &Options) -> Report {
    SEED.set(Some(seed));
    let report = run(seed, options);
    SEED.set(None);
    report
}

/// [`Summary`] as one line of JSON. Every number is a count that may be added to that of other seeds; the hash is a text, since
/// many readers of JSON have no 64 bits.
#[derive(Debug, Serialize)]
struct Told<'a> {
    from: u64,
    seeds: u64,
    repeated: u64,
    hash: String,
    virtual_ms: u128,
    things_that_came: u64,
    books_compared: u64,
    arbitrages: u64,
    orders: u64,
    fills: u64,
    placements_unknown: u64,
    processes_died: u64,
    starts_failed: u64,
    starts_that_searched: u64,
    lost_fills_found: u64,
    resumed_running: u64,
    resumed_alone: u64,
    endings: &'a BTreeMap<&'static str, u64>,
    alarms: &'a BTreeMap<&'static str, u64>,
    faults: &'a BTreeMap<String, u64>,
    failed: Vec<u64>,
    differing: &'a [u64],
}

impl Summary {
    /// Whether everything holds.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.failed.is_empty() && self.differing.is_empty()
    }

    /// One line of JSON, of seeds from `from` on. Counts of several runs add up; `failed` and `differing` list seeds.
    #[must_use]
    pub fn to_json(&self, from: u64) -> String {
        let counts = &self.counts;
        let told = Told {
            from,
            seeds: self.seeds,
            repeated: self.repeated,
            hash: format!("{:016x}", self.hash),
            virtual_ms: self.virtual_time.as_millis(),
            things_that_came: counts.steps,
            books_compared: counts.books,
            arbitrages: counts.opened,
            orders: counts.orders,
            fills: counts.fills,
            placements_unknown: counts.unknown,
            processes_died: counts.deaths,
            starts_failed: counts.failed_starts,
            starts_that_searched: counts.searches,
            lost_fills_found: counts.found,
            resumed_running: counts.resumed,
            resumed_alone: counts.resumed_alone,
            endings: &counts.endings,
            alarms: &counts.alarms,
            faults: &counts.faults,
            failed: self.failed.keys().copied().collect(),
            differing: &self.differing,
        };
        sonic_rs::to_string(&told).expect("counts and names are always valid JSON")
    }

    fn add(&mut self, report: Report, again: Option<u64>) {
        self.seeds += 1;
        self.virtual_time += report.virtual_time;
        self.hash = self.hash.wrapping_add(report.hash);
        if let Some(again) = again {
            self.repeated += 1;
            if again != report.hash {
                self.differing.push(report.seed);
            }
        }
        self.counts.add(&report.counts);
        if !report.violations.is_empty() {
            self.failed.insert(report.seed, report);
        }
    }
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.opened += other.opened;
        self.orders += other.orders;
        self.fills += other.fills;
        self.unknown += other.unknown;
        self.books += other.books;
        self.steps += other.steps;
        self.deaths += other.deaths;
        self.failed_starts += other.failed_starts;
        self.searches += other.searches;
        self.found += other.found;
        self.resumed += other.resumed;
        self.resumed_alone += other.resumed_alone;
        other.endings.iter().for_each(|(name, count)| *self.endings.entry(name).or_default() += count);
        other.alarms.iter().for_each(|(name, count)| *self.alarms.entry(name).or_default() += count);
        other.faults.iter().for_each(|(name, count)| *self.faults.entry(name.clone()).or_default() += count);
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = &self.counts;
        writeln!(
            f,
            "seeds              {} ({} of them twice, with the same hash)",
            self.seeds, self.repeated
        )?;
        writeln!(f, "hash of all        {:016x}", self.hash)?;
        writeln!(f, "virtual time       {} s", self.virtual_time.as_secs())?;
        writeln!(f, "things that came   {}", counts.steps)?;
        writeln!(f, "books compared     {}", counts.books)?;
        writeln!(f, "arbitrages         {}", counts.opened)?;
        writeln!(f, "orders             {}", counts.orders)?;
        writeln!(f, "fills              {}", counts.fills)?;
        writeln!(f, "placements unknown {}, each of which became known", counts.unknown)?;
        writeln!(
            f,
            "processes that died {}, and {} starts that failed",
            counts.deaths, counts.failed_starts
        )?;
        writeln!(
            f,
            "starts that searched {}, and found {} fills of which no record told",
            counts.searches, counts.found
        )?;
        writeln!(
            f,
            "operators looked    {} times at a process, and {} times at none",
            counts.resumed, counts.resumed_alone
        )?;
        for (ending, count) in &counts.endings {
            writeln!(f, "  ended {ending:<12} {count}")?;
        }
        for (alarm, count) in &counts.alarms {
            writeln!(f, "  alarm {alarm}: {count}")?;
        }
        for (fault, count) in &counts.faults {
            writeln!(f, "  fault {fault:<28} {count}")?;
        }
        write!(f, "seeds that failed  {}", self.failed.len() + self.differing.len())
    }
}

#[cfg(test)]
mod tests {
    use super::Summary;
    use crate::run::{Options, run};
    use sonic_rs::{JsonContainerTrait as _, JsonValueTrait as _};

    #[test]
    fn json_has_the_counts_and_can_be_read_whatever_faults_are_called() {
        let mut summary = Summary::default();
        let report = run(1, &Options::default());
        let (orders, hash) = (report.counts.orders, report.hash);
        summary.add(report.clone(), Some(hash));
        summary.add(report, Some(hash ^ 1));
        summary.counts.faults.insert("insert \"{\"".to_owned(), 3);
        let read: sonic_rs::Value = sonic_rs::from_str(&summary.to_json(1)).expect("JSON");
        let number = |name: &str| read.get(name).and_then(sonic_rs::JsonValueTrait::as_u64);
        assert!(orders > 0);
        assert_eq!(
            (number("orders"), number("seeds"), number("repeated")),
            (Some(2 * orders), Some(2), Some(2))
        );
        assert_eq!(read["faults"]["insert \"{\""].as_u64(), Some(3));
        let seeds = |name: &str| read[name].as_array().map(sonic_rs::Array::len);
        assert_eq!((seeds("differing"), seeds("failed")), (Some(1), Some(0)));
        assert!(!summary.to_json(1).contains('\n'));
    }
}
