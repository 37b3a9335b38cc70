//! The program `arb`, as a library, so that benches and tests can run the very wiring that trades. This crate only wires;
//! `arb --help` says what it does.
//!
//! | module | what |
//! |---|---|
//! | [`cli`], [`exit`] | the command line; exit codes and failures that say how to fix them |
//! | [`log`], [`crash`] | where logs go; what is written down of a bug |
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
pub mod crash;
pub mod exit;
pub mod journal;
pub mod log;
pub mod replay;
pub mod run;
pub mod show;
pub mod sim;
pub mod venues;

use cex_errors::Plain;
use clap::Parser;
use cli::{Cli, Command};
use exit::Exit;
use std::io::IsTerminal;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::debug_fn;
use tracing_subscriber::util::SubscriberInitExt;

/// The commit that was built, `-dirty` behind it where what was built differed from it; `unknown` outside of a checkout.
pub const BUILD: &str = env!("ARB_BUILD");

/// Runs the program: reads the command line, does what it says, and returns the exit code.
#[must_use]
pub fn main() -> ExitCode {
    crash::leave_no_core();
    let cli = Cli::parse();
    let screen = match &cli.command {
        Command::Demo(args) => !args.json && !args.quiet,
        Command::Run(args) => !args.json && !args.quiet,
        _other => false,
    } && std::io::stdout().is_terminal();
    log_to_stderr(screen);
    crash::tell_of_panics();
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
        Ok(()) => {
            log::flush();
            ExitCode::SUCCESS
        }
        Err(failure) => {
            if !matches!(failure.exit, Exit::Interrupted | Exit::Terminated) {
                log::say(&failure.to_string());
            }
            ExitCode::from(failure.exit.code())
        }
    }
}

/// Logs go to stderr, never between the lines of a result; while a `screen` is drawn, where that puts them. `RUST_LOG=cex=debug`
/// shows the whole house.
fn log_to_stderr(screen: bool) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,start=info"));
    let colours = !screen
        && std::io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    // A system without a thread to spare says so as soon as a run asks for its own.
    let Ok(log) = log::Log::spawn(std::io::stderr()) else { return };
    log::install(log.clone());
    logger(filter, colours, log).init();
}

/// What writes logs. It spells out whatever in a value would steer a terminal (X7).
fn logger<W: for<'a> MakeWriter<'a> + Send + Sync + 'static>(
    filter: EnvFilter,
    colours: bool,
    writer: W,
) -> impl SubscriberInitExt + tracing::Subscriber + Send + Sync {
    // The library's own fields pass on whatever a value holds.
    let fields = debug_fn(|out, field, value| {
        let value = format!("{value:?}");
        match field.name() {
            "message" => write!(out, "{}", Plain(&value)),
            name => write!(out, "{name}={}", Plain(&value)),
        }
    });
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(writer);
    // It would tell of a line that could not be written by a line, and end the process over that.
    subscriber.log_internal_errors(false).fmt_fields(fields.delimited(" ")).finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cex_core::OrderId;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("no panic").write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_an_exchange_calls_an_order_cannot_steer_the_terminal_of_a_log() {
        let said = Buffer::default();
        let writer = said.clone();
        let order = OrderId::new("9\u{1b}[2J\u{1b}]0;x\u{7}\n2026 INFO fine").expect("short");
        tracing::subscriber::with_default(
            logger(EnvFilter::new("warn"), false, move || writer.clone()),
            || {
                tracing::warn!(%order, "an order that is not ours is open");
            },
        );
        let text = String::from_utf8(said.0.lock().expect("no panic").clone()).expect("text");
        let controls: Vec<char> = text.trim_end().chars().filter(|char| char.is_control()).collect();
        assert_eq!(controls, [], "{text:?}");
        assert!(text.contains(r"is open order=9\u{1b}[2J"), "{text}");
    }
}
