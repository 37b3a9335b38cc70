//! Running other programs: always from the workspace root, always saying what is run.

use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::TaskError;

/// The `cargo` this program was started by, so that the pinned toolchain stays the one in use.
pub(crate) fn cargo(root: &Path) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(root);
    command
}

/// Runs `command` with both of its output streams on our standard output, unfiltered.
///
/// Cargo and the test runner write to standard error. One stream keeps a step's heading above its output, and the
/// runner's closing lines where a reader of the log looks for them.
///
/// # Errors
/// When it cannot be started or ends with anything but success.
pub(crate) fn run(command: &mut Command) -> Result<(), TaskError> {
    let line = describe(command);
    println!("$ {line}");
    let status = command
        .stderr(Stdio::from(io::stdout()))
        .status()
        .map_err(|source| TaskError::Spawn { command: line.clone(), source })?;
    if status.success() {
        return Ok(());
    }
    Err(TaskError::Command { command: line, status, details: String::new() })
}

/// Runs `command` and says nothing of it: its standard output is ours, and so is its standard error.
///
/// # Errors
/// When it cannot be started or ends with anything but success.
pub(crate) fn run_unheard(command: &mut Command) -> Result<(), TaskError> {
    let line = describe(command);
    let status = command.status().map_err(|source| TaskError::Spawn { command: line.clone(), source })?;
    if status.success() {
        return Ok(());
    }
    Err(TaskError::Command { command: line, status, details: String::new() })
}

/// Runs `command` and returns what it wrote to standard output.
///
/// # Errors
/// When it cannot be started, fails (with its standard error as the details) or does not print UTF-8.
pub(crate) fn capture(command: &mut Command) -> Result<String, TaskError> {
    let line = describe(command);
    let output = command.output().map_err(|source| TaskError::Spawn { command: line.clone(), source })?;
    if !output.status.success() {
        let details = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(TaskError::Command { command: line, status: output.status, details });
    }
    String::from_utf8(output.stdout)
        .map_err(|error| TaskError::Output { command: line, reason: error.to_string() })
}

/// Runs `command`, described as `line`, and returns the lines it wrote to standard output; its standard error is shown.
///
/// # Errors
/// When it cannot be started, fails, or has not ended within `longest`; then it is killed.
pub(crate) fn lines_within(
    command: &mut Command,
    line: &str,
    longest: Duration,
) -> Result<Vec<String>, TaskError> {
    let spawned = command.stdout(Stdio::piped()).stderr(Stdio::from(io::stdout())).spawn();
    let mut child = spawned.map_err(|source| TaskError::Spawn { command: line.to_owned(), source })?;
    let output = child.stdout.take();
    let reader = std::thread::spawn(move || {
        output
            .map(|output| BufReader::new(output).lines().map_while(Result::ok).collect())
            .unwrap_or_default()
    });
    let failed = |status, details| TaskError::Command { command: line.to_owned(), status, details };
    let wait = |error| TaskError::Spawn { command: line.to_owned(), source: error };
    let deadline = Instant::now() + longest;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(wait)? {
            break status;
        }
        if Instant::now() >= deadline {
            child.kill().map_err(wait)?;
            let status = child.wait().map_err(wait)?;
            return Err(failed(status, format!("it had not ended after {} s", longest.as_secs())));
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    // The reader ends with the process; a panic in it would have been a line that is no text.
    let lines: Vec<String> = reader.join().unwrap_or_default();
    if status.success() { Ok(lines) } else { Err(failed(status, lines.join("\n"))) }
}

/// Whether `cargo <subcommand>` is installed.
pub(crate) fn has_subcommand(root: &Path, subcommand: &str) -> bool {
    cargo(root)
        .args([subcommand, "--version"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The command line as one would type it: variables set for it first, programs by their name alone.
fn describe(command: &Command) -> String {
    let variables = command.get_envs().filter_map(|(name, value)| {
        value.map(|value| format!("{}={:?}", name.to_string_lossy(), value.to_string_lossy()))
    });
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words =
        std::iter::once(program).chain(command.get_args()).map(|word| word.to_string_lossy().into_owned());
    variables.chain(words).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_described_as_typed() {
        let mut command = Command::new("/somewhere/bin/cargo");
        command.args(["doc", "--locked"]).env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(describe(&command), "RUSTDOCFLAGS=\"-D warnings\" cargo doc --locked");
    }

    #[test]
    fn a_failing_command_fails_with_its_own_words() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let error = capture(cargo(root).arg("no-such-subcommand")).unwrap_err().to_string();
        assert!(error.starts_with("`cargo no-such-subcommand` failed"), "{error}");
        assert!(error.contains("no such command"), "{error}");
        assert!(!has_subcommand(root, "no-such-subcommand"));
        assert!(has_subcommand(root, "clippy"));
    }

    #[test]
    fn a_program_that_does_not_end_is_ended() {
        let mut quick = Command::new("sh");
        quick.args(["-c", "echo one; echo two"]);
        assert_eq!(lines_within(&mut quick, "quick", Duration::from_secs(30)).unwrap(), ["one", "two"]);
        let mut slow = Command::new("sleep");
        let error = lines_within(slow.arg("600"), "slow", Duration::from_millis(50)).unwrap_err().to_string();
        assert!(error.contains("`slow` failed") && error.contains("it had not ended after 0 s"), "{error}");
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = run(&mut Command::new("no-such-program")).unwrap_err().to_string();
        assert!(error.starts_with("`no-such-program` could not be started"), "{error}");
    }
}
