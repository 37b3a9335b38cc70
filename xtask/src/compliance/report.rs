//! What an adapter's program wrote: the fields the matrix needs, and the text as it was.

use serde::Deserialize;

use crate::error::TaskError;

/// One adapter's report.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Report {
    pub(crate) exchange: String,
    pub(crate) start_time: String,
    pub(crate) duration_ms: f64,
    pub(crate) exit_code: u8,
    pub(crate) test_results: Vec<Row>,
    pub(crate) mutants: Vec<Mutant>,
    pub(crate) thresholds: Vec<Figure>,
    /// All of it.
    #[serde(skip)]
    pub(crate) raw: String,
}

/// One behaviour.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Row {
    pub(crate) test_name: String,
    pub(crate) test_category: String,
    pub(crate) theme: String,
    pub(crate) catalogue_rows: String,
    pub(crate) status: String,
    pub(crate) duration_ms: f64,
    pub(crate) expected_behavior: String,
    pub(crate) error_message: Option<String>,
}

/// One broken adapter.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Mutant {
    pub(crate) mutant: String,
    pub(crate) says: String,
    pub(crate) caught_by: String,
    pub(crate) caught: bool,
}

/// A figure and its threshold.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) at_most: f64,
}

impl Report {
    /// Reads what a program wrote.
    pub(crate) fn read(text: &str) -> Result<Self, TaskError> {
        let mut report: Self = sonic_rs::from_str(text).map_err(|error| TaskError::Output {
            command: "tests/compliance.rs --json".to_owned(),
            reason: error.to_string(),
        })?;
        text.trim().clone_into(&mut report.raw);
        Ok(report)
    }

    /// An exchange that could not be tried: an error, never a success.
    pub(crate) fn unreachable(exchange: &str) -> Self {
        Self {
            exchange: exchange.to_owned(),
            start_time: String::new(),
            duration_ms: 0.0,
            exit_code: 2,
            test_results: Vec::new(),
            mutants: Vec::new(),
            thresholds: Vec::new(),
            raw: format!("{{\"exchange\":{exchange:?},\"exit_code\":2,\"test_results\":[]}}"),
        }
    }

    /// How a behaviour ended here; nothing when it has no row.
    pub(crate) fn row(&self, name: &str) -> Option<&Row> {
        self.test_results.iter().find(|row| row.test_name == name)
    }

    /// How many rows have this status.
    pub(crate) fn count(&self, status: &str) -> usize {
        self.test_results.iter().filter(|row| row.status == status).count()
    }
}
