//! What the driver told, as a table, and what it comes to.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;

/// One line of the driver.
#[derive(Debug, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Line {
    /// What it is going to check.
    Plan { checks: Vec<Planned> },
    /// The result of one check.
    Check(Check),
    /// It is through.
    End,
}

/// A check to be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct Planned {
    client: String,
    exchange: String,
    check: String,
}

/// How a check went.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Check {
    /// Name of the client: `ccxt`.
    pub(super) client: String,
    /// Name of the exchange: `mexc`.
    pub(super) exchange: String,
    /// What was checked: a row of the table.
    pub(super) check: String,
    /// Whether the check held.
    pub(super) ok: bool,
    /// What went wrong; `None` when nothing did.
    pub(super) detail: Option<String>,
}

/// All checks, in the order in which they ran.
#[derive(Debug, Default)]
pub(super) struct Table {
    checks: Vec<Check>,
    /// What was planned and not run, and what else is wrong with the run itself.
    holes: Vec<String>,
    /// What was left out, and why.
    notes: Vec<String>,
}

impl Table {
    /// Reads the lines of a driver that has at least so many checks.
    ///
    /// # Errors
    /// When a line is none of the driver's.
    pub(super) fn read(lines: &[String], least_checks: usize) -> Result<Self, String> {
        let mut table = Self::default();
        let (mut planned, mut has_ended) = (Vec::new(), false);
        for line in lines {
            match sonic_rs::from_str(line).map_err(|error| format!("{error}: {line}"))? {
                Line::Plan { checks } => planned.extend(checks),
                Line::Check(check) => table.checks.push(check),
                Line::End => has_ended = true,
            }
        }
        if !has_ended {
            table.holes.push("the driver stopped half way".to_owned());
        }
        if planned.len() < least_checks {
            table
                .holes
                .push(format!("only {} checks were planned, of at least {least_checks}", planned.len()));
        }
        for wanted in planned {
            let Planned { client, exchange, check } = &wanted;
            let ran =
                |done: &&Check| done.client == *client && done.exchange == *exchange && done.check == *check;
            match table.checks.iter().filter(ran).count() {
                1 => {}
                times => table.holes.push(format!("{client} {exchange}: {check}: ran {times} times")),
            }
        }
        Ok(table)
    }

    /// Adds what another driver told.
    pub(super) fn join(&mut self, other: Self) {
        self.checks.extend(other.checks);
        self.holes.extend(other.holes);
        self.notes.extend(other.notes);
    }

    /// Adds what was left out, and why: a line below the table.
    pub(super) fn note(&mut self, text: String) {
        self.notes.push(text);
    }

    /// Adds a check that the driver knows nothing of.
    pub(super) fn add(&mut self, check: Check) {
        self.checks.push(check);
    }

    /// One line per problem.
    pub(super) fn problems(&self) -> Vec<String> {
        let failed = self.checks.iter().filter(|check| !check.ok).map(|check| {
            let detail = check.detail.as_deref().unwrap_or("no reason told");
            format!("{} {}: {}: {detail}", check.client, check.exchange, check.check)
        });
        failed.chain(self.holes.iter().cloned()).collect()
    }

    /// Check by client.
    pub(super) fn show(&self) -> String {
        let mut columns: Vec<(&str, &str)> = Vec::new();
        let mut rows: Vec<&str> = Vec::new();
        let mut cells = BTreeMap::new();
        for check in &self.checks {
            let column = (check.client.as_str(), check.exchange.as_str());
            if !columns.contains(&column) {
                columns.push(column);
            }
            if !rows.contains(&check.check.as_str()) {
                rows.push(&check.check);
            }
            cells.insert((check.check.as_str(), column), if check.ok { "pass" } else { "FAIL" });
        }
        let first = rows.iter().map(|row| row.len()).max().unwrap_or(0);
        let mut text = String::new();
        line(&mut text, "", first, columns.iter().map(|column| column.0));
        line(&mut text, "", first, columns.iter().map(|column| column.1));
        for row in rows {
            let cell = |column| cells.get(&(row, column)).copied().unwrap_or("");
            line(&mut text, row, first, columns.iter().map(|column| cell(*column)));
        }
        for note in &self.notes {
            // Writing to a text does not fail.
            let _ = writeln!(text, "{note}");
        }
        let passed = self.checks.iter().filter(|check| check.ok).count();
        let failed = self.checks.len() - passed;
        // Writing to a text does not fail.
        let _ = writeln!(text, "clients: {passed} passed, {failed} failed, {} holes", self.holes.len());
        text
    }
}

fn line<'a>(text: &mut String, row: &str, first: usize, cells: impl Iterator<Item = &'a str>) {
    let mut line = format!("{row:<first$}");
    for cell in cells {
        // Writing to a text does not fail.
        let _ = write!(line, "  {cell:<8}");
    }
    text.push_str(line.trim_end());
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST_CHECKS: usize = 100;

    fn lines(checks: &[(&str, bool)], ended: bool) -> Vec<String> {
        let place = r#""client":"ccxt","exchange":"mexc""#;
        let many = (0..LEAST_CHECKS).map(|number| format!("check {number}"));
        let names: Vec<String> = many.chain(checks.iter().map(|(name, _)| (*name).to_owned())).collect();
        let plan: Vec<String> = names.iter().map(|name| format!(r#"{{{place},"check":"{name}"}}"#)).collect();
        let mut lines = vec![format!(r#"{{"event":"plan","checks":[{}]}}"#, plan.join(","))];
        lines.extend(names.iter().filter_map(|name| {
            let ok = checks.iter().find(|(known, _)| known == name).is_none_or(|(_, ok)| *ok);
            let detail = if ok { "null" } else { r#""it broke""# };
            let is_lost = name == "lost";
            let row =
                format!(r#"{{"event":"check",{place},"check":"{name}","ok":{ok},"detail":{detail},"ms":1}}"#);
            (!is_lost).then_some(row)
        }));
        lines.extend(ended.then(|| r#"{"event":"end"}"#.to_owned()));
        lines
    }

    #[test]
    fn a_failed_check_and_a_check_that_did_not_run_are_problems() {
        let table =
            Table::read(&lines(&[("good", true), ("bad", false), ("lost", true)], true), LEAST_CHECKS)
                .unwrap();
        assert_eq!(
            table.problems(),
            ["ccxt mexc: bad: it broke", "ccxt mexc: lost: ran 0 times"],
            "{}",
            table.show()
        );
        let shown = table.show();
        assert!(shown.lines().any(|line| line.split_whitespace().eq(["bad", "FAIL"])), "{shown}");
        assert!(table.show().contains("clients: 101 passed, 1 failed, 1 holes"), "{}", table.show());
    }

    #[test]
    fn a_driver_that_stops_or_has_few_checks_does_not_pass() {
        let table = Table::read(&lines(&[], false), LEAST_CHECKS).unwrap();
        assert_eq!(table.problems(), ["the driver stopped half way"]);
        let table = Table::read(&[r#"{"event":"end"}"#.to_owned()], LEAST_CHECKS).unwrap();
        assert_eq!(table.problems().len(), 1, "{:?}", table.problems());
        assert!(Table::read(&["Traceback".to_owned()], LEAST_CHECKS).is_err());
    }

    #[test]
    fn two_drivers_make_one_table_and_what_was_left_out_is_told() {
        let mut table = Table::read(&lines(&[("good", true)], true), LEAST_CHECKS).unwrap();
        table.join(Table::read(&lines(&[("bad", false)], true), LEAST_CHECKS).unwrap());
        table.note("no Node".to_owned());
        assert_eq!(table.problems(), ["ccxt mexc: bad: it broke"]);
        assert!(
            table.show().ends_with("no Node\nclients: 201 passed, 1 failed, 0 holes\n"),
            "{}",
            table.show()
        );
    }
}
