//! `verify-compliance`: every adapter through every behaviour it claims, broken adapters included, and one matrix of it all.
//!
//! Adapters are found by `[package.metadata.exchange]`. Each one's `tests/compliance.rs` is a program that runs the
//! behaviours and writes a report; this task builds and runs them, checks what can be checked without running anything,
//! and fails on any hole: a claimed behaviour that failed or did not run, an adapter whose report has other rows, a broken
//! adapter nobody noticed, or nothing run at all.

mod html;
mod matrix;
mod report;
mod still;

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::TaskError;
use crate::metadata::Metadata;
use crate::process;
use report::Report;

/// What the command line asks for.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Options {
    /// Only this exchange
    exchange: Option<String>,
    /// Check the public part against the real exchange: read-only, no keys
    #[arg(long)]
    live: bool,
    /// Write the whole record as JSON
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
    /// Write one self-contained page
    #[arg(long, value_name = "PATH")]
    html: Option<PathBuf>,
    /// Name the behaviours each adapter claims, and run nothing
    #[arg(long)]
    list: bool,
}

/// The least behaviours the suite must have, and the least broken adapters it must notice.
const LEAST_BEHAVIOURS: usize = 120;
const LEAST_MUTANTS: usize = 20;

/// One adapter of the workspace.
#[derive(Debug, Clone)]
pub(crate) struct Adapter {
    /// The exchange's name: `mexc`.
    pub(crate) name: String,
    /// The package: `cex-mexc`.
    pub(crate) package: String,
    /// Its directory.
    pub(crate) dir: PathBuf,
}

/// Runs the task.
///
/// # Errors
/// [`TaskError::Exit`] with 1 when something failed, 2 when something could not be tried, 3 when something did not end,
/// 4 when there is no such exchange.
pub(crate) fn run(root: &Path, options: &Options) -> Result<(), TaskError> {
    let adapters = adapters(root, options.exchange.as_deref())?;
    if options.list {
        return adapters.iter().try_for_each(|adapter| list(root, adapter));
    }
    let still = if options.live { Vec::new() } else { still::problems(root, &adapters)? };
    let mut reports = Vec::new();
    for adapter in &adapters {
        reports.push(try_adapter(root, adapter, options.live)?);
    }
    let problems =
        if options.live { Vec::new() } else { matrix::holes(&reports, LEAST_BEHAVIOURS, LEAST_MUTANTS) };
    print!("{}", matrix::table(&reports));
    for problem in still.iter().chain(&problems) {
        println!("verify-compliance: {problem}");
    }
    let code = exit_code(&reports, still.len() + problems.len());
    println!("{}", matrix::summary(&reports, still.len(), code));
    if let Some(path) = &options.json {
        write(path, &json(&reports, &still, &problems, code))?;
    }
    if let Some(path) = &options.html {
        write(path, &html::page(&reports, &still, &problems, code))?;
    }
    if code == 0 { Ok(()) } else { Err(TaskError::Exit { task: "verify-compliance", code }) }
}

/// Every adapter, or the one of this name.
pub(crate) fn adapters(root: &Path, wanted: Option<&str>) -> Result<Vec<Adapter>, TaskError> {
    let metadata = Metadata::load(root)?;
    let mut found: Vec<Adapter> = metadata
        .members()
        .filter_map(|package| {
            let name = package.exchange()?.to_owned();
            let dir = package.manifest_path.parent()?.to_path_buf();
            Some(Adapter { name, package: package.name.clone(), dir })
        })
        .collect();
    found.sort_by(|one, other| one.name.cmp(&other.name));
    let known = found.iter().map(|adapter| adapter.name.clone()).collect::<Vec<_>>().join(", ");
    if let Some(wanted) = wanted {
        found.retain(|adapter| adapter.name == wanted);
    }
    if found.is_empty() {
        println!("verify-compliance: no adapter {}; there are {known}", wanted.unwrap_or("at all"));
        return Err(TaskError::Exit { task: "verify-compliance", code: 4 });
    }
    Ok(found)
}

fn test_command(root: &Path, adapter: &Adapter, arguments: &[&str]) -> std::process::Command {
    let mut command = process::cargo(root);
    command.args([
        "test",
        "--quiet",
        "--locked",
        "--package",
        &adapter.package,
        "--test",
        "compliance",
        "--",
    ]);
    command.args(arguments);
    command
}

fn list(root: &Path, adapter: &Adapter) -> Result<(), TaskError> {
    let names = process::capture(&mut test_command(root, adapter, &["--list", "--format", "terse"]))?;
    for name in names.lines().filter_map(|line| line.strip_suffix(": test")) {
        println!("{:<8} {name}", adapter.name);
    }
    Ok(())
}

/// Builds and runs an adapter's program, and reads what it wrote.
fn try_adapter(root: &Path, adapter: &Adapter, live: bool) -> Result<Report, TaskError> {
    let directory = target_directory(root).join("compliance");
    fs::create_dir_all(&directory).map_err(|source| TaskError::io(&directory, source))?;
    let path = directory.join(format!("{}.json", adapter.name));
    // A report of an earlier run must not be taken for this one's.
    match fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(TaskError::io(&path, error));
        }
        _ => {}
    }
    let file = path.to_string_lossy().into_owned();
    let mut arguments = vec!["--json", file.as_str()];
    if live {
        arguments.push("--live");
    }
    let ran = process::run(&mut test_command(root, adapter, &arguments));
    match fs::read_to_string(&path) {
        Ok(text) => Report::read(&text),
        // Without a report there is nothing to show but how it ended.
        Err(_) if live => Ok(Report::unreachable(&adapter.name)),
        Err(_) => match ran {
            Err(error) => Err(error),
            Ok(()) => Err(TaskError::Output {
                command: format!("cargo test --package {} --test compliance", adapter.package),
                reason: "it succeeded and wrote no report".to_owned(),
            }),
        },
    }
}

fn target_directory(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}

/// The worst of all: failures before errors before timeouts; a hole is a failure.
fn exit_code(reports: &[Report], problems: usize) -> u8 {
    let codes: Vec<u8> = reports.iter().map(|report| report.exit_code).collect();
    if problems > 0 || codes.contains(&1) {
        return 1;
    }
    codes
        .iter()
        .copied()
        .find(|code| *code == 2)
        .or_else(|| codes.into_iter().find(|code| *code != 0))
        .unwrap_or(0)
}

fn json(reports: &[Report], still: &[String], problems: &[String], code: u8) -> String {
    let text = |lines: &[String]| sonic_rs::to_string(lines).unwrap_or_else(|_| "[]".to_owned());
    let reports: Vec<&str> = reports.iter().map(|report| report.raw.as_str()).collect();
    format!(
        "{{\"exit_code\":{code},\"static_problems\":{},\"holes\":{},\"reports\":[{}]}}\n",
        text(still),
        text(problems),
        reports.join(",")
    )
}

fn write(path: &Path, text: &str) -> Result<(), TaskError> {
    fs::write(path, text).map_err(|source| TaskError::io(path, source))?;
    println!("verify-compliance: wrote {}", path.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_exit_code_counts() {
        let report = |code| Report { exit_code: code, ..Report::unreachable("any") };
        let codes = |codes: &[u8], problems| {
            exit_code(&codes.iter().map(|code| report(*code)).collect::<Vec<_>>(), problems)
        };
        assert_eq!(codes(&[0, 0], 0), 0);
        assert_eq!(codes(&[0, 0], 1), 1);
        assert_eq!(codes(&[3, 2, 0], 0), 2);
        assert_eq!(codes(&[3, 2, 1], 0), 1);
        assert_eq!(codes(&[3, 0], 0), 3);
    }
}
