//! What came of a run, as data: the record the requirements ask for.

mod record;

pub use record::{Figure, MutantResult, Percentiles, Status, TestMetrics, TestResult};

use crate::runner::millis;
use cex_core::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Everything of one exchange.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Name of the exchange.
    pub exchange: &'static str,
    /// What was run, in words: the simulated exchange, or the public part of the real one.
    pub test_suite: &'static str,
    /// When the run began, by this machine's clock.
    pub start_time: String,
    /// When the run ended, by this machine's clock.
    pub end_time: String,
    /// How long the run took, in milliseconds.
    pub duration_ms: f64,
    /// Behaviours run or skipped.
    pub total_tests: usize,
    /// Shown.
    pub passed_tests: usize,
    /// Not shown.
    pub failed_tests: usize,
    /// Could not be tried.
    pub error_tests: usize,
    /// Did not end.
    pub timeout_tests: usize,
    /// Not claimed.
    pub skipped_tests: usize,
    /// Not shown and known.
    pub known_gaps: usize,
    /// Over everything.
    pub overall_status: &'static str,
    /// What the run ended with: 0 well, 1 failed, 2 error, 3 timeout, 4 configuration.
    pub exit_code: u8,
    /// Each.
    pub test_results: Vec<TestResult>,
    /// Broken adapters.
    pub mutants: Vec<MutantResult>,
    /// Sums.
    pub summary_metrics: Summary,
    /// Machine and build it ran on: system, architecture, cores, version, and whether it was optimised.
    pub system_info: BTreeMap<&'static str, String>,
    /// What the results mean, in yes and no.
    pub compliance_status: ComplianceStatus,
    /// The thresholds in force.
    pub thresholds: Vec<Figure>,
}

/// Sums over a run.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Summary {
    /// Of all behaviours, one after the other.
    pub total_execution_time_ms: f64,
    /// Calls.
    pub total_network_requests: u64,
    /// Frames.
    pub total_data_points_received: u64,
    /// Failed calls, wanted or not.
    pub total_error_count: u64,
    /// On average.
    pub average_test_time_ms: f64,
    /// Passed over run.
    pub success_rate: f64,
    /// Part of the performance behaviours that met their thresholds.
    pub hft_performance_score: f64,
    /// Broken adapters noticed, of all tried.
    pub mutants_caught: (usize, usize),
}

/// What a run means.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ComplianceStatus {
    /// Everything claimed was shown.
    pub overall_compliant: bool,
    /// Every threshold was met.
    pub performance_compliant: bool,
    /// No behaviour ended in error or without end.
    pub error_rate_compliant: bool,
    /// Nothing claimed was left out.
    pub all_tests_executed: bool,
}

/// What the report is made of.
pub(crate) struct Parts {
    pub(crate) exchange: &'static str,
    pub(crate) test_suite: &'static str,
    pub(crate) start_time: String,
    pub(crate) took: Duration,
    pub(crate) claimed: usize,
    pub(crate) results: Vec<TestResult>,
    pub(crate) mutants: Vec<MutantResult>,
}

impl Report {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { exchange, test_suite, start_time, took, claimed, results, mutants } = parts;
        let count = |status| results.iter().filter(|result| result.status == status).count();
        let run = results.iter().filter(|result| result.status != Status::Skipped);
        let ran = run.clone().count();
        let sum =
            |part: fn(&TestMetrics) -> u64| run.clone().map(|result| part(&result.metrics)).sum::<u64>();
        let total: f64 = run.clone().map(|result| result.duration_ms).sum();
        let timed: Vec<_> = run.clone().filter(|result| result.test_category == "PERFORMANCE").collect();
        let fast = timed.iter().filter(|result| result.status == Status::Passed).count();
        let caught = mutants.iter().filter(|mutant| mutant.caught).count();
        let (failed, error, timeout) = (count(Status::Failed), count(Status::Error), count(Status::Timeout));
        let exit_code = match (failed, error, timeout) {
            _ if ran == 0 => 2,
            (0, 0, 0) if caught == mutants.len() => 0,
            (0, 0, 1..) => 3,
            (0, 1.., _) => 2,
            _ => 1,
        };
        let thresholds = results.iter().flat_map(|result| result.metrics.measured.clone()).collect();
        Self {
            exchange,
            test_suite,
            start_time,
            end_time: stamp(),
            duration_ms: millis(took),
            total_tests: results.len(),
            passed_tests: count(Status::Passed),
            failed_tests: failed,
            error_tests: error,
            timeout_tests: timeout,
            skipped_tests: count(Status::Skipped),
            known_gaps: count(Status::KnownGap),
            overall_status: if exit_code == 0 { "PASSED" } else { "FAILED" },
            exit_code,
            summary_metrics: Summary {
                total_execution_time_ms: total,
                total_network_requests: sum(|metrics| metrics.network_requests),
                total_data_points_received: sum(|metrics| metrics.data_points_received),
                total_error_count: sum(|metrics| metrics.error_count),
                average_test_time_ms: ratio(total, ran as f64),
                success_rate: ratio(count(Status::Passed) as f64, ran as f64),
                hft_performance_score: ratio(fast as f64, timed.len() as f64),
                mutants_caught: (caught, mutants.len()),
            },
            system_info: system_info(),
            compliance_status: ComplianceStatus {
                overall_compliant: exit_code == 0 && count(Status::KnownGap) == 0,
                performance_compliant: fast == timed.len(),
                error_rate_compliant: error + timeout == 0,
                all_tests_executed: ran == claimed,
            },
            thresholds,
            test_results: results,
            mutants,
        }
    }

    /// As JSON.
    ///
    /// # Errors
    /// Never in practice.
    pub fn to_json(&self) -> Result<String, String> {
        sonic_rs::to_string_pretty(self).map_err(|error| error.to_string())
    }
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// The time, for people and programs.
pub(crate) fn stamp() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(0)).to_string()
}

/// Resident memory, where the system tells it.
pub(crate) fn megabytes_now() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kilobytes| kilobytes / 1_024.0)
}

fn system_info() -> BTreeMap<&'static str, String> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    BTreeMap::from([
        ("os", std::env::consts::OS.to_owned()),
        ("arch", std::env::consts::ARCH.to_owned()),
        ("cores", cores.to_string()),
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("optimised", (!cfg!(debug_assertions)).to_string()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::Figures;

    fn result(status: Status) -> TestResult {
        TestResult {
            test_name: "orders::x".to_owned(),
            test_category: "COMPLIANCE",
            theme: "orders",
            catalogue_rows: "",
            status,
            exchange: "any",
            start_time: stamp(),
            end_time: stamp(),
            duration_ms: 1.0,
            metrics: TestMetrics::new(Duration::from_millis(1), &Figures::default(), None),
            error_code: status.error_code(),
            error_message: None,
            expected_behavior: "",
            actual_behavior: String::new(),
        }
    }

    fn exit(statuses: &[Status], caught: &[bool]) -> u8 {
        let mutant = |caught: &bool| MutantResult {
            mutant: "m",
            says: "",
            caught_by: "",
            caught: *caught,
            found: String::new(),
        };
        Report::new(Parts {
            exchange: "any",
            test_suite: "simulated",
            start_time: stamp(),
            took: Duration::ZERO,
            claimed: statuses.len(),
            results: statuses.iter().copied().map(result).collect(),
            mutants: caught.iter().map(mutant).collect(),
        })
        .exit_code
    }

    #[test]
    fn exit_codes_tell_what_happened() {
        for (statuses, caught, expected) in [
            (&[Status::Passed][..], &[true][..], 0),
            (&[Status::Passed, Status::Skipped, Status::KnownGap], &[], 0),
            (&[Status::Passed], &[true, false], 1),
            (&[Status::Failed, Status::Timeout, Status::Error], &[], 1),
            (&[Status::Passed, Status::Error, Status::Timeout], &[], 2),
            (&[Status::Passed, Status::Timeout], &[], 3),
            (&[], &[], 2),
            (&[Status::Skipped], &[], 2),
        ] {
            assert_eq!(exit(statuses, caught), expected, "{statuses:?} {caught:?}");
        }
    }
}
