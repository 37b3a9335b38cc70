//! A running `arb sim`, ended with this value.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::error::TaskError;

/// Ports of its own, a seed that is always the same.
const ARGUMENTS: &[&str] = &[
    "sim",
    "--json",
    "--seed",
    "42",
    "--symbols",
    "20",
    "--mexc-port",
    "0",
    "--gateio-port",
    "0",
    "--control-port",
    "0",
];

/// How long it may take until it is ready.
const READY_MAX: Duration = Duration::from_secs(30);

/// A simulator that is ready. Dropping it ends the process.
#[derive(Debug)]
pub(super) struct Sim {
    process: Child,
    ready: String,
    /// Addresses as the documentation writes them, and where that is now.
    addresses: Vec<(&'static str, String)>,
}

impl Sim {
    /// Starts the program and waits until it is ready.
    ///
    /// # Errors
    /// When it cannot be started, ends early, or says something else than where it is.
    pub(super) fn start(program: &Path) -> Result<Self, TaskError> {
        let line = format!("arb {}", ARGUMENTS.join(" "));
        println!("$ {line}");
        let mut command = Command::new(program);
        command.args(ARGUMENTS).stdin(Stdio::null()).stdout(Stdio::piped());
        let spawned = command.spawn();
        let mut process = spawned.map_err(|source| TaskError::Spawn { command: line.clone(), source })?;
        let output = process.stdout.take();
        let bad = |reason: &str| TaskError::Output { command: line.clone(), reason: reason.to_owned() };
        let mut sim = Self { process, ready: String::new(), addresses: Vec::new() };
        let (tell, told) = mpsc::channel();
        let output = output.ok_or_else(|| bad("no output"))?;
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // Nobody waits any more once it is ready.
                let _ = tell.send(line);
            }
        });
        let next = || told.recv_timeout(READY_MAX).map_err(|_| bad("it did not become ready within 30 s"));
        sim.ready = next()?;
        let control = next()?;
        let place = |line: &str, path: &[&str]| {
            sonic_rs::get(line, path).ok().and_then(|found| serde_text(found.as_raw_str()))
        };
        let found = [
            ("http://127.0.0.1:7801", place(&sim.ready, &["mexc", "rest"])),
            ("http://127.0.0.1:7802", place(&sim.ready, &["gateio", "rest"])),
            ("http://127.0.0.1:7803/sim/v1", place(&control, &["rest"])),
        ];
        for (written, now) in found {
            let now = now.ok_or_else(|| bad(&format!("{written} is nowhere in {} {control}", sim.ready)))?;
            sim.addresses.push((written, now.trim_end_matches("/api/v4").to_owned()));
        }
        Ok(sim)
    }

    /// The line it printed when it was ready: addresses and accounts, as JSON.
    pub(super) fn ready(&self) -> &str {
        &self.ready
    }

    /// `text` with the usual addresses replaced by this simulator's; nothing else of it changes.
    pub(super) fn moved(&self, text: &str) -> String {
        self.addresses.iter().fold(text.to_owned(), |text, (written, now)| text.replace(written, now))
    }
}

/// The text that a raw JSON string holds.
fn serde_text(raw: &str) -> Option<String> {
    sonic_rs::from_str(raw).ok()
}

impl Drop for Sim {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
