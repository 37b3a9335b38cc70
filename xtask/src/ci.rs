//! `ci`: everything that must hold, in the order in which failures are cheapest to find.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::TaskError;
use crate::{clients, codegen, compliance, faults, fixtures, kills, layers, process, soak, tidy};

/// Where a checkout's neighbour may hold recorded payloads; they are not part of the project.
const FIXTURES: &str = "../shared/fixtures";

/// The adapters as someone takes them who wants the codec alone; no other step builds them without `client`.
const ADAPTERS_ALONE: &[&str] = &[
    "clippy",
    "--package=cex-mexc",
    "--package=cex-gateio",
    "--no-default-features",
    "--locked",
    "--",
    "-D",
    "warnings",
];

/// One step: its name in the summary, and what it does.
struct Step<'a> {
    name: &'static str,
    run: Box<dyn Fn() -> Result<Outcome, TaskError> + 'a>,
}

/// How a step that did not fail ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Passed,
    /// Nothing was checked, and why.
    NotRun(String),
}

/// How a step appears in the summary.
#[derive(Debug)]
enum Status {
    Passed,
    NotRun(String),
    Failed(String),
    /// An earlier step failed.
    Skipped,
}

struct Row {
    name: &'static str,
    status: Status,
    took: Duration,
}

/// Runs every step; after a failure the later ones only with `keep_going`.
///
/// # Errors
/// Names the steps that failed, after the summary.
pub(crate) fn run(root: &Path, keep_going: bool) -> Result<(), TaskError> {
    let mut out = io::stdout();
    let rows = run_steps(&steps(root), keep_going, &mut out)
        .map_err(|source| TaskError::io("standard output", source))?;
    let failed: Vec<_> =
        rows.iter().filter(|row| matches!(row.status, Status::Failed(_))).map(|row| row.name).collect();
    if failed.is_empty() { Ok(()) } else { Err(TaskError::Steps(failed)) }
}

fn steps(root: &Path) -> Vec<Step<'_>> {
    let cargo = move |name, args: &'static [&'static str]| {
        step(name, move || process::run(process::cargo(root).args(args)))
    };
    let mut steps = vec![
        cargo("fmt", &["fmt", "--all", "--check"]),
        cargo("clippy", &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]),
        cargo("adapters", ADAPTERS_ALONE),
        step("layers", || layers::run(root)),
        step("tidy", || tidy::run(root)),
        step("faults", || faults::run(root)),
        step("codegen", || codegen::run(root, true)),
    ];
    if process::has_subcommand(root, "nextest") {
        steps.push(cargo("tests", &["nextest", "run", "--workspace", "--locked"]));
        // nextest does not run the examples in the documentation.
        steps.push(cargo("doc tests", &["test", "--workspace", "--doc", "--locked"]));
    } else {
        steps.push(cargo("tests", &["test", "--workspace", "--locked"]));
    }
    steps.push(step("compliance", || compliance::run(root, &compliance::Options::default())));
    steps.push(step("kills", || kills::run(root, &kills::Options::default())));
    steps.push(step("world", || soak::run(root, &soak::Options::default())));
    steps.push(step("crashes", || soak::run(root, &soak::Options::crashes())));
    steps.push(Step { name: "clients", run: Box::new(|| public_clients(root)) });
    steps.push(step("rustdoc", || {
        let args = ["doc", "--workspace", "--no-deps", "--locked"];
        process::run(process::cargo(root).args(args).env("RUSTDOCFLAGS", "-D warnings"))
    }));
    steps.push(Step { name: "deny", run: Box::new(|| deny(root)) });
    steps.push(Step { name: "fixtures", run: Box::new(|| recorded_payloads(root)) });
    steps
}

fn step<'a>(name: &'static str, run: impl Fn() -> Result<(), TaskError> + 'a) -> Step<'a> {
    Step { name, run: Box::new(move || run().map(|()| Outcome::Passed)) }
}

/// Licences, advisories, sources and banned crates, by a program that is not part of the toolchain.
fn deny(root: &Path) -> Result<Outcome, TaskError> {
    if !process::has_subcommand(root, "deny") {
        let reason = "cargo-deny is not installed: `cargo install --locked cargo-deny`";
        return Ok(Outcome::NotRun(reason.to_owned()));
    }
    process::run(process::cargo(root).args(["deny", "--locked", "check"])).map(|()| Outcome::Passed)
}

/// The simulator against public clients, where a machine of its own checks the project: it downloads packages of Python.
fn public_clients(root: &Path) -> Result<Outcome, TaskError> {
    if std::env::var_os("CI").is_none_or(|value| value != "true") {
        let reason = "CI is not \"true\": `cargo xtask clients` runs it";
        return Ok(Outcome::NotRun(reason.to_owned()));
    }
    clients::run(root).map(|verdict| match verdict {
        clients::Verdict::Passed => Outcome::Passed,
        clients::Verdict::NotRun(why) => Outcome::NotRun(why),
    })
}

fn recorded_payloads(root: &Path) -> Result<Outcome, TaskError> {
    let dir = root.join(FIXTURES);
    if !dir.is_dir() {
        return Ok(Outcome::NotRun(format!("no directory {FIXTURES}")));
    }
    fixtures::run(root, &dir, &[]).map(|()| Outcome::Passed)
}

/// Runs `steps` in order, writing a heading and the time of each and a table at the end.
fn run_steps(steps: &[Step<'_>], keep_going: bool, out: &mut impl Write) -> io::Result<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    let mut failed = false;
    for step in steps {
        if failed && !keep_going {
            rows.push(Row { name: step.name, status: Status::Skipped, took: Duration::ZERO });
            continue;
        }
        writeln!(out, "\n== {}", step.name)?;
        out.flush()?;
        let began = Instant::now();
        let status = match (step.run)() {
            Ok(Outcome::Passed) => Status::Passed,
            Ok(Outcome::NotRun(why)) => Status::NotRun(why),
            Err(error) => {
                failed = true;
                Status::Failed(error.to_string())
            }
        };
        let row = Row { name: step.name, status, took: began.elapsed() };
        write_outcome(&row, out)?;
        rows.push(row);
    }
    write_summary(&rows, out)?;
    Ok(rows)
}

fn write_outcome(row: &Row, out: &mut impl Write) -> io::Result<()> {
    match &row.status {
        Status::Failed(error) => {
            writeln!(out, "{error}\n-- {}: FAILED after {}", row.name, Seconds(row.took))
        }
        Status::NotRun(why) => writeln!(out, "-- {}: NOT RUN: {why}", row.name),
        Status::Passed | Status::Skipped => writeln!(out, "-- {}: passed in {}", row.name, Seconds(row.took)),
    }
}

fn write_summary(rows: &[Row], out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\n== summary")?;
    for row in rows {
        let (word, note) = match &row.status {
            Status::Passed => ("passed", ""),
            Status::NotRun(why) => ("not run", why.as_str()),
            Status::Failed(error) => ("FAILED", error.lines().next().unwrap_or_default()),
            Status::Skipped => ("skipped", "an earlier step failed; --keep-going runs the rest too"),
        };
        let took = Seconds(row.took).to_string();
        writeln!(out, "{}", format!("  {:<10} {word:<8} {took:>9}  {note}", row.name).trim_end())?;
    }
    let count = |wanted: fn(&Status) -> bool| rows.iter().filter(|row| wanted(&row.status)).count();
    let total = rows.iter().map(|row| row.took).sum();
    writeln!(
        out,
        "ci: {} passed, {} failed, {} not run, {} skipped in {}",
        count(|status| matches!(status, Status::Passed)),
        count(|status| matches!(status, Status::Failed(_))),
        count(|status| matches!(status, Status::NotRun(_))),
        count(|status| matches!(status, Status::Skipped)),
        Seconds(total)
    )
}

/// A duration in seconds with one decimal.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} s", self.0.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    /// Runs a passing, a failing, an absent and another passing step; returns the names run, and what was printed.
    fn sample(keep_going: bool) -> (Vec<&'static str>, String, Vec<Row>) {
        let ran = RefCell::new(Vec::new());
        let note = |name| ran.borrow_mut().push(name);
        let steps = [
            step("first", || {
                note("first");
                Ok(())
            }),
            step("second", || {
                note("second");
                TaskError::unless_empty("tidy", vec!["a: wrong".to_owned()])
            }),
            Step {
                name: "third",
                run: Box::new(|| {
                    note("third");
                    Ok(Outcome::NotRun("no such tool".to_owned()))
                }),
            },
        ];
        let mut out = Vec::new();
        let rows = run_steps(&steps, keep_going, &mut out).unwrap();
        drop(steps);
        (ran.into_inner(), String::from_utf8(out).unwrap(), rows)
    }

    #[test]
    fn stops_at_the_first_failure_and_says_so() {
        let (ran, printed, rows) = sample(false);
        assert_eq!(ran, ["first", "second"]);
        assert!(matches!(rows[2].status, Status::Skipped), "{:?}", rows[2].status);
        assert!(printed.contains("tidy: 1 problem found\n  a: wrong\n-- second: FAILED after"), "{printed}");
        assert!(printed.contains("\n  third      skipped"), "{printed}");
        assert!(printed.contains("ci: 1 passed, 1 failed, 0 not run, 1 skipped"), "{printed}");
    }

    #[test]
    fn keeps_going_when_told() {
        let (ran, printed, rows) = sample(true);
        assert_eq!(ran, ["first", "second", "third"]);
        assert!(matches!(rows[1].status, Status::Failed(_)), "{:?}", rows[1].status);
        assert!(printed.contains("-- third: NOT RUN: no such tool"), "{printed}");
        assert!(printed.contains("not run"), "{printed}");
        assert!(printed.contains("ci: 1 passed, 1 failed, 1 not run, 0 skipped"), "{printed}");
    }
}
