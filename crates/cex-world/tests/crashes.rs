//! Crashes at effects of a trading process: a sample of what `cargo xtask soak --crashes` does at each.

use cex_world::Family;
use cex_world::crashes::{Plan, crash_everywhere};
use cex_world::run::Options;

#[test]
fn a_process_that_dies_at_any_effect_loses_nothing() {
    let plan = Plan { seeds: 1..3, every: 19, recovery_every: 60, jobs: 2, failures_max: 5 };
    let options = Options { families: vec![Family::T, Family::O, Family::H], ..Options::default() };
    let summary = crash_everywhere(&plan, &options);
    for failure in &summary.failed {
        println!("{}: {:?}", failure.crash, failure.report.violations);
    }
    assert!(summary.is_clean(), "{summary}");
    // It would prove nothing if nobody died, or nothing was traded.
    assert!(summary.crashes >= 10 && summary.in_recovery >= 5 && summary.fills > 100, "{summary}");
    assert!(summary.deaths >= summary.crashes + summary.in_recovery, "{summary}");
}
