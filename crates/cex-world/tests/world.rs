//! A few seeds of the world, as ordinary tests; `cargo xtask soak` runs many.

use cex_world::Family;
use cex_world::run::{Options, Report, run};

fn with(families: &[Family]) -> Options {
    Options { families: families.to_vec(), ..Options::default() }
}

fn assert_holds(report: &Report) {
    assert!(report.violations.is_empty(), "seed {}: {:?}", report.seed, report.violations);
}

#[test]
fn a_world_without_faults_trades_and_its_books_balance() {
    let report = run(1, &with(&[]));
    assert_holds(&report);
    assert!(report.counts.opened > 20 && report.counts.fills > 40, "{:?}", report.counts);
    assert!(report.counts.books > 1_000, "{:?}", report.counts);
    assert!(report.counts.faults.is_empty(), "{:?}", report.counts.faults);
}

#[test]
fn a_seed_means_the_same_day_and_another_seed_another() {
    let hash = |seed| run(seed, &with(&Family::ALL)).hash;
    assert_eq!(hash(2), hash(2));
    assert_ne!(hash(2), hash(3));
}

#[test]
fn every_family_goes_wrong_and_everything_holds() {
    for (family, seed) in Family::ALL.into_iter().zip(10..) {
        let report = run(seed, &with(&[family]));
        assert_holds(&report);
        assert!(!report.counts.faults.is_empty(), "{family}");
    }
}

#[test]
fn a_trace_says_what_happened_and_changes_nothing() {
    let traced = run(5, &Options { trace: true, ..with(&Family::ALL) });
    assert!(traced.lines.iter().any(|line| line.contains("Open {")));
    assert_eq!(traced.hash, run(5, &with(&Family::ALL)).hash);
}

#[test]
fn an_operator_is_called_looks_and_the_day_goes_on() {
    let reports: Vec<Report> = (61..120).map(|seed| run(seed, &with(&[Family::P, Family::O]))).collect();
    reports.iter().for_each(assert_holds);
    let looked = |of: fn(&Report) -> u64| reports.iter().map(of).sum::<u64>();
    assert!(looked(|report| report.counts.resumed) > 0, "at a process that ran");
    assert!(looked(|report| report.counts.resumed_alone) > 0, "where none was there");
}
