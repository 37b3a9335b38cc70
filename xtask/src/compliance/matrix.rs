//! Behaviours by exchanges, as text, and what is missing in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::report::{Figure, Report};

/// One letter-sized word for a status.
pub(super) fn word(status: &str) -> &str {
    match status {
        "PASSED" => "ok",
        "SKIPPED" => "-",
        "KNOWN_GAP" => "known gap",
        other => other,
    }
}

/// Every behaviour any report names, in the order of the first that names it.
pub(super) fn names(reports: &[Report]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let all = reports.iter().flat_map(|report| &report.test_results).map(|row| row.test_name.clone());
    let mut names: Vec<String> = all.filter(|name| seen.insert(name.clone())).collect();
    names.sort_by_key(|name| name.split("::").next().unwrap_or_default().to_owned());
    names
}

/// The matrix, what failed, and which mutant was caught by what.
pub(super) fn table(reports: &[Report]) -> String {
    let mut out = String::from("\nbehaviour by exchange (- not claimed)\n");
    let heading = |out: &mut String| {
        let _ = write!(out, "{:<84}", "");
        for report in reports {
            let _ = write!(out, " {:<10}", report.exchange);
        }
        out.push('\n');
    };
    heading(&mut out);
    for name in names(reports) {
        let _ = write!(out, "{name:<84}");
        for report in reports {
            let status = report.row(&name).map_or("MISSING", |row| word(&row.status));
            let _ = write!(out, " {status:<10}");
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
    }
    mutants(reports, &mut out);
    for report in reports {
        for figure in &report.thresholds {
            let Figure { name, value, at_most } = figure;
            let _ = writeln!(out, "{:<8} {name:<36} {value:>12.1} of at most {at_most:.0}", report.exchange);
        }
    }
    for report in reports {
        let broken =
            report.test_results.iter().filter(|row| !matches!(row.status.as_str(), "PASSED" | "SKIPPED"));
        for row in broken {
            let why = row.error_message.as_deref().unwrap_or_default();
            let _ = writeln!(out, "{} {} {}: {why}", report.exchange, word(&row.status), row.test_name);
        }
    }
    out
}

fn mutants(reports: &[Report], out: &mut String) {
    let mutants = reports.iter().flat_map(|report| &report.mutants);
    let all: BTreeMap<&str, &str> =
        mutants.map(|mutant| (mutant.mutant.as_str(), mutant.caught_by.as_str())).collect();
    if !all.is_empty() {
        out.push_str("\nbroken adapter, and the behaviour that notices (- cannot be broken like this)\n");
    }
    for (name, by) in all {
        let word = |report: &Report| match report.mutants.iter().find(|mutant| mutant.mutant == name) {
            Some(mutant) if mutant.caught => "caught",
            Some(_) => "MISSED",
            None => "-",
        };
        let words = reports.iter().map(|report| format!("{:<6}", word(report))).collect::<Vec<_>>().join(" ");
        let _ = writeln!(out, "{name:<42} {by:<66} {}", words.trim_end());
    }
    out.push('\n');
}

/// What keeps the matrix from being whole.
pub(super) fn holes(reports: &[Report], least_behaviours: usize, least_mutants: usize) -> Vec<String> {
    let mut holes = Vec::new();
    let names = names(reports);
    if names.len() < least_behaviours {
        holes.push(format!("{} behaviours; there must be {least_behaviours}", names.len()));
    }
    for report in reports {
        let exchange = &report.exchange;
        let missing = names.iter().filter(|name| report.row(name).is_none());
        holes.extend(missing.map(|name| format!("{exchange}: {name} did not run")));
        if report.count("SKIPPED") == report.test_results.len() {
            holes.push(format!("{exchange}: nothing ran"));
        }
        let missed = report.mutants.iter().filter(|mutant| !mutant.caught);
        holes.extend(missed.map(|mutant| {
            format!(
                "{exchange}: the broken adapter {} was not noticed by {}",
                mutant.mutant, mutant.caught_by
            )
        }));
        if report.mutants.len() < least_mutants {
            let count = report.mutants.len();
            holes.push(format!("{exchange}: {count} broken adapters tried; there must be {least_mutants}"));
        }
    }
    holes
}

/// The closing lines.
pub(super) fn summary(reports: &[Report], still: usize, code: u8) -> String {
    let mut out = String::new();
    for report in reports {
        if report.test_results.is_empty() {
            let _ = writeln!(out, "{:<8} could not be reached: nothing was checked", report.exchange);
            continue;
        }
        let caught = report.mutants.iter().filter(|mutant| mutant.caught).count();
        let _ = writeln!(
            out,
            "{:<8} {} passed, {} failed, {} errors, {} timeouts, {} known gaps, {} not claimed; {caught} of {} broken adapters noticed; {:.1} s",
            report.exchange,
            report.count("PASSED"),
            report.count("FAILED"),
            report.count("ERROR"),
            report.count("TIMEOUT"),
            report.count("KNOWN_GAP"),
            report.count("SKIPPED"),
            report.mutants.len(),
            report.duration_ms / 1_000.0,
        );
        let mut themes: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for row in report.test_results.iter().filter(|row| row.status != "SKIPPED") {
            let theme = themes.entry(&row.theme).or_default();
            theme.0 += usize::from(row.status == "PASSED");
            theme.1 += 1;
        }
        let words = themes.iter().map(|(theme, (passed, all))| format!("{theme} {passed}/{all}"));
        let _ = writeln!(out, "{:<8} {}", "", words.collect::<Vec<_>>().join(", "));
    }
    let gaps: usize = reports.iter().map(|report| report.count("KNOWN_GAP")).sum();
    let unchecked = reports.iter().all(|report| report.test_results.is_empty());
    let word = match (code, gaps) {
        (1.., _) if unchecked => "nothing was checked".to_owned(),
        (0, 0) => "compliant".to_owned(),
        (0, gaps) => format!("compliant but for {gaps} known gaps"),
        _ => "NOT COMPLIANT".to_owned(),
    };
    let _ = write!(out, "verify-compliance: {word} (exit code {code}, {still} static problems)");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compliance::report::{Mutant, Row};

    fn report(exchange: &str, rows: &[(&str, &str)], caught: &[bool]) -> Report {
        let row = |(name, status): &(&str, &str)| Row {
            test_name: (*name).to_owned(),
            test_category: String::new(),
            theme: "orders".to_owned(),
            catalogue_rows: String::new(),
            status: (*status).to_owned(),
            duration_ms: 0.0,
            expected_behavior: String::new(),
            error_message: None,
        };
        let mutant = |caught: &bool| Mutant {
            mutant: "m".to_owned(),
            says: String::new(),
            caught_by: "b".to_owned(),
            caught: *caught,
        };
        Report {
            test_results: rows.iter().map(row).collect(),
            mutants: caught.iter().map(mutant).collect(),
            ..Report::unreachable(exchange)
        }
    }

    #[test]
    fn a_whole_matrix_has_no_holes() {
        let reports = [
            report("one", &[("orders::a", "PASSED"), ("orders::b", "SKIPPED")], &[true]),
            report("two", &[("orders::a", "PASSED"), ("orders::b", "PASSED")], &[true]),
        ];
        assert_eq!(holes(&reports, 2, 1), Vec::<String>::new());
        let table = table(&reports);
        assert!(table.contains("caught caught") && table.contains("orders::b"), "{table}");
    }

    #[test]
    fn an_exchange_that_cannot_be_reached_is_neither_compliant_nor_not() {
        let nobody = summary(&[Report::unreachable("kraken")], 0, 2);
        assert!(nobody.contains("kraken   could not be reached: nothing was checked"), "{nobody}");
        assert!(nobody.ends_with("verify-compliance: nothing was checked (exit code 2, 0 static problems)"));
        let one = summary(&[Report::unreachable("kraken"), report("mexc", &[("a", "PASSED")], &[])], 0, 2);
        assert!(one.contains("NOT COMPLIANT (exit code 2"), "{one}");
    }

    #[test]
    fn every_hole_is_named() {
        let reports = [
            report("one", &[("orders::a", "PASSED")], &[true, false]),
            report("two", &[("orders::b", "SKIPPED")], &[]),
        ];
        let found = holes(&reports, 3, 1);
        for expected in [
            "2 behaviours; there must be 3",
            "one: orders::b did not run",
            "one: the broken adapter m was not noticed by b",
            "two: orders::a did not run",
            "two: nothing ran",
            "two: 0 broken adapters tried; there must be 1",
        ] {
            assert!(found.iter().any(|hole| hole == expected), "{expected} is not among {found:#?}");
        }
        assert_eq!(found.len(), 6);
    }
}
