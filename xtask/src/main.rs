//! The project's chores, run as `cargo xtask <task>`.
//!
//! What a machine can check about this repository is checked here, with the same command on a developer's machine and
//! elsewhere. This package uses no crate of ours, so that a broken build cannot stop it.

#![forbid(unsafe_code)]

mod bench;
mod ci;
mod clients;
mod codegen;
mod compliance;
mod error;
mod faults;
mod fixtures;
mod kills;
mod layers;
mod metadata;
mod process;
mod scaffold;
mod soak;
#[cfg(test)]
mod testdir;
mod tidy;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::TaskError;

/// The project's chores: checks, generated code, recorded payloads, benchmarks.
#[derive(Debug, Parser)]
#[command(name = "xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

/// One task of the command line.
#[derive(Debug, Subcommand)]
enum Task {
    /// Run everything that must hold, in order, and stop at the first failure
    Ci {
        /// Run the later steps too after one has failed
        #[arg(long)]
        keep_going: bool,
    },
    /// Compare the crates' dependencies with the table of who may use whom
    Layers,
    /// Check the house rules that neither rustfmt nor clippy knows
    Tidy,
    /// Generate the Rust types of proto/ into crates/cex-proto/src/gen
    Codegen {
        /// Write nothing; fail when the committed files differ from what proto/ gives
        #[arg(long)]
        check: bool,
    },
    /// Run every recorded payload of a directory through the adapters
    Fixtures {
        /// Directory of recorded payloads
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// Further arguments for the fixtures program
        #[arg(last = true)]
        args: Vec<String>,
    },
    /// Run every adapter through every behaviour it claims, and print behaviour by exchange
    VerifyCompliance(compliance::Options),
    /// Drive `arb sim` with public clients in Python, and print client by check; 2 when there is no Python or no index
    Clients,
    /// Run seeds of the simulated world, with faults, and check what must hold
    Soak(soak::Options),
    /// Print what covers every row of the fault catalogue, and check that it exists
    Faults,
    /// Kill the program at random moments while it trades, start it again, and compare its journal with the exchanges
    Kills(kills::Options),
    /// Write the files of a new adapter
    NewExchange {
        /// The exchange's name, lower case: `kraken`
        name: String,
    },
    /// Run the benchmarks, all or those named
    Bench {
        /// Bench targets of the cex-benches package, such as `decode` or `book`
        names: Vec<String>,
        /// Arguments for the benchmark programs themselves
        #[arg(last = true)]
        args: Vec<String>,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match workspace_root().and_then(|root| run(&root, cli.task)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(root: &Path, task: Task) -> Result<(), TaskError> {
    match task {
        Task::Ci { keep_going } => ci::run(root, keep_going),
        Task::Layers => layers::run(root),
        Task::Tidy => tidy::run(root),
        Task::Codegen { check } => codegen::run(root, check),
        Task::Fixtures { dir, args } => fixtures::run(root, &dir, &args),
        Task::Clients => match clients::run(root)? {
            clients::Verdict::Passed => Ok(()),
            clients::Verdict::NotRun(why) => {
                println!("clients: NOT RUN, nothing was checked: {why}");
                Err(TaskError::Exit { task: "clients", code: 2 })
            }
        },
        Task::Soak(options) => soak::run(root, &options),
        Task::Faults => faults::run(root),
        Task::Kills(options) => kills::run(root, &options),
        Task::NewExchange { name } => scaffold::run(root, &name),
        Task::VerifyCompliance(options) => compliance::run(root, &options),
        Task::Bench { names, args } => bench::run(root, &names, &args),
    }
}

/// The nearest directory upwards that holds a workspace manifest.
///
/// Cargo names this package's directory at run time; the path baked in at compile time could be another checkout's
/// when two of them share a target directory.
fn workspace_root() -> Result<PathBuf, TaskError> {
    let start = match env::var_os("CARGO_MANIFEST_DIR") {
        Some(dir) => PathBuf::from(dir),
        None => env::current_dir().map_err(|source| TaskError::io(".", source))?,
    };
    let is_root = |dir: &&Path| {
        std::fs::read_to_string(dir.join("Cargo.toml")).is_ok_and(|manifest| manifest.contains("[workspace]"))
    };
    start.ancestors().find(is_root).map(Path::to_path_buf).ok_or(TaskError::NoWorkspace { start })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn bench_names_and_program_arguments_are_told_apart() {
        let cli = Cli::try_parse_from(["xtask", "bench", "decode", "book", "--", "--quick"]).unwrap();
        let Task::Bench { names, args } = cli.task else { panic!("not a bench: {cli:?}") };
        assert_eq!(names, ["decode", "book"]);
        assert_eq!(args, ["--quick"]);
    }

    #[test]
    fn an_unknown_task_is_refused() {
        assert!(Cli::try_parse_from(["xtask", "deploy"]).is_err());
        assert!(Cli::try_parse_from(["xtask", "fixtures"]).is_err(), "fixtures needs a directory");
    }
}
