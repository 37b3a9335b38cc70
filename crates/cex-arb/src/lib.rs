//! The program `arb`, as a library, so that benches and tests can run the very wiring that trades. This crate only wires;
//! `arb --help` says what it does.
//!
//! | module | what |
//! |---|---|
//! | [`cli`], [`exit`] | the command line; exit codes and failures that say how to fix them |
//! | [`venues`] | the registered exchanges |
//! | [`run`] | [`run::desk::Desk`], the thread that trades; the demo around it |
//! | [`replay`] | recorded traffic through codecs and books |
//! | [`config`] | `arb.toml`, typed |
//! | [`journal`] | a look into a journal |
//! | [`sim`] | simulated exchanges for any client |
//! | [`show`] | what people see: a screen, lines, or JSON |
#![forbid(unsafe_code)]

pub mod cli;
pub mod config;
pub mod exit;
pub mod journal;
pub mod replay;
pub mod run;
pub mod show;
pub mod sim;
pub mod venues;

use clap::Parser;
use cli::{Cli, Command};
use exit::Exit;
use std::io::IsTerminal;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// Runs the program: reads the command line, does what it says, and returns the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let screen = match &cli.command {
        Command::Demo(args) => !args.json && !args.quiet,
        Command::Run(args) => !args.json && !args.quiet,
        _other => false,
    } && std::io::stdout().is_terminal();
    log_to_stderr(screen);
    let result = match &cli.command {
        Command::Demo(args) => run::demo::run(args),
        Command::Run(args) => run::live::run(args),
        Command::Status(args) => run::remote::status(args, &mut std::io::stdout().lock()),
        Command::Stop(args) => run::remote::stop(args, &mut std::io::stdout().lock()),
        Command::Kill(args) => run::remote::kill(args, &mut std::io::stdout().lock()),
        Command::Watch(args) => run::watch::watch(args, &mut std::io::stdout().lock()),
        Command::Resume(args) => run::remote::resume(args, &mut std::io::stdout().lock()),
        Command::Replay(args) => replay::run(args, &mut std::io::stdout().lock()),
        Command::Config(command) => {
            config::command::run(command, &config::Surroundings::real(), &mut std::io::stdout().lock())
        }
        Command::Journal(command) => journal::run(command, &mut std::io::stdout().lock()),
        Command::Sim(args) => sim::run(args, &mut std::io::stdout().lock()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !matches!(failure.exit, Exit::Interrupted | Exit::Terminated) {
                eprintln!("{failure}");
            }
            ExitCode::from(failure.exit.code())
        }
    }
}

/// Logs go to stderr, never between the lines of a result. `RUST_LOG=cex=debug` shows the whole house; while a screen is
/// drawn nothing is logged unless asked for.
fn log_to_stderr(screen: bool) {
    let usual = if screen { "off" } else { "warn" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(usual));
    let colours =
        std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr).init();
}
