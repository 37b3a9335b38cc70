//! What came of one behaviour, or of one broken adapter.

use crate::runner::millis;
use crate::stage::{Figures, Measured};
use cex_transport::metrics::LatencySnapshot;
use serde::Serialize;
use std::time::Duration;

/// How one behaviour ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Shown.
    Passed,
    /// Not shown.
    Failed,
    /// Not claimed, so not run.
    Skipped,
    /// It could not be tried.
    Error,
    /// It did not end.
    Timeout,
    /// Not shown, and listed as a known gap.
    KnownGap,
}

impl Status {
    /// The code of the report's vocabulary; none for what is well.
    #[must_use]
    pub const fn error_code(self) -> Option<&'static str> {
        match self {
            Self::Passed | Self::Skipped => None,
            Self::Failed | Self::KnownGap => Some("VALIDATION_ERROR"),
            Self::Error => Some("UNKNOWN_ERROR"),
            Self::Timeout => Some("TIMEOUT_ERROR"),
        }
    }

    /// One letter for tables.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passed => "ok",
            Self::Failed => "FAILED",
            Self::Skipped => "-",
            Self::Error => "ERROR",
            Self::Timeout => "TIMEOUT",
            Self::KnownGap => "known gap",
        }
    }
}

/// Figures of one behaviour.
#[derive(Debug, Clone, Serialize)]
pub struct TestMetrics {
    /// How long it took, stage included.
    pub execution_time_ms: f64,
    /// Resident memory of the whole process when it ended.
    pub memory_usage_mb: Option<f64>,
    /// Calls made.
    pub network_requests: u64,
    /// Frames received.
    pub data_points_received: u64,
    /// Calls that failed, wanted or not.
    pub error_count: u64,
    /// Round trips of its commonest call.
    pub latency_percentiles: Option<Percentiles>,
    /// Figures that were held against thresholds.
    pub measured: Vec<Figure>,
}

/// A histogram's figures, in milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Percentiles {
    /// Number of measurements.
    pub count: u64,
    /// Median.
    pub p50_ms: f64,
    /// Nine of ten were no longer.
    pub p90_ms: f64,
    /// Ninety-nine of a hundred were no longer.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

/// A figure and its threshold.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// Name of what was measured.
    pub name: &'static str,
    /// The figure.
    pub value: f64,
    /// The most it may be.
    pub at_most: f64,
}

impl From<&Measured> for Figure {
    fn from(measured: &Measured) -> Self {
        Self { name: measured.name, value: measured.value, at_most: measured.at_most }
    }
}

impl From<LatencySnapshot> for Percentiles {
    fn from(seen: LatencySnapshot) -> Self {
        Self {
            count: seen.count,
            p50_ms: millis(seen.p50),
            p90_ms: millis(seen.p90),
            p99_ms: millis(seen.p99),
            max_ms: millis(seen.max),
        }
    }
}

impl TestMetrics {
    pub(crate) fn new(took: Duration, figures: &Figures, memory_usage_mb: Option<f64>) -> Self {
        Self {
            execution_time_ms: millis(took),
            memory_usage_mb,
            network_requests: figures.calls,
            data_points_received: figures.frames,
            error_count: figures.failed,
            latency_percentiles: figures.round_trip.map(Percentiles::from),
            measured: figures.measured.iter().map(Figure::from).collect(),
        }
    }
}

/// What came of one behaviour.
#[derive(Debug, Clone, Serialize)]
pub struct TestResult {
    /// `theme::name`.
    pub test_name: String,
    /// In the report's vocabulary.
    pub test_category: &'static str,
    /// Name of the theme the behaviour belongs to.
    pub theme: &'static str,
    /// Rows of the fault catalogue covered.
    pub catalogue_rows: &'static str,
    /// How the behaviour ended.
    pub status: Status,
    /// Name of the exchange.
    pub exchange: &'static str,
    /// When the behaviour began, by this machine's clock.
    pub start_time: String,
    /// When the behaviour ended, by this machine's clock.
    pub end_time: String,
    /// How long it took, stage included, in milliseconds.
    pub duration_ms: f64,
    /// Figures.
    pub metrics: TestMetrics,
    /// In the report's vocabulary.
    pub error_code: Option<&'static str>,
    /// What went wrong; `None` when nothing did.
    pub error_message: Option<String>,
    /// What was expected, in words.
    pub expected_behavior: &'static str,
    /// What was found, in words.
    pub actual_behavior: String,
}

/// What came of one broken adapter.
#[derive(Debug, Clone, Serialize)]
pub struct MutantResult {
    /// Name of the mutant.
    pub mutant: &'static str,
    /// What is wrong with it, in words.
    pub says: &'static str,
    /// The behaviour that should notice.
    pub caught_by: &'static str,
    /// Whether that behaviour failed on it, and passes on the whole adapter.
    pub caught: bool,
    /// What that behaviour said of it.
    pub found: String,
}
