//! The examples of docs/simulator.md, run as written but for the addresses.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::python::Environment;
use super::sim::Sim;
use super::table::{Check, Table};
use crate::error::TaskError;

/// The page.
const PAGE: &str = "docs/simulator.md";

/// One fenced block of the page.
#[derive(Debug, PartialEq, Eq)]
struct Block<'a> {
    language: &'a str,
    /// Of its first line of code.
    line: usize,
    code: &'a str,
}

/// Runs every block of shell that calls `curl`, and every block of Python; what each came to goes into the table.
///
/// # Errors
/// When the page cannot be read, or has lost its examples.
pub(super) fn run(
    root: &Path,
    environment: &Environment,
    sim: &Sim,
    table: &mut Table,
) -> Result<(), TaskError> {
    let page = root.join(PAGE);
    let text = fs::read_to_string(&page).map_err(|source| TaskError::io(&page, source))?;
    let blocks = blocks(&text);
    let shell: Vec<_> = blocks.iter().filter(|it| it.language == "sh" && it.code.contains("curl ")).collect();
    let python: Vec<_> = blocks.iter().filter(|it| it.language == "python").collect();
    if shell.is_empty() || python.is_empty() {
        let problem = format!("{PAGE}: {} examples with curl, {} in Python", shell.len(), python.len());
        return TaskError::unless_empty("clients", vec![problem]);
    }
    for block in shell {
        let mut command = Command::new("sh");
        // Errors of HTTP end the script, without a word more in the example itself.
        let settings = root.join(super::DRIVER).join("curl");
        command.args(["-euc", &sim.moved(block.code)]).env("CURL_HOME", settings);
        table.add(tried(root, "curl", block, &mut command));
    }
    for block in python {
        let mut command = Command::new(&environment.python);
        command.args(["-c", &sim.moved(block.code)]);
        table.add(tried(root, "python", block, &mut command));
    }
    Ok(())
}

fn tried(root: &Path, client: &str, block: &Block<'_>, command: &mut Command) -> Check {
    let output = command.current_dir(root).stdin(Stdio::null()).output();
    let detail = match output {
        Ok(output) if output.status.success() && !output.stdout.is_empty() => None,
        Ok(output) if output.status.success() => Some("it printed nothing".to_owned()),
        Ok(output) => Some(format!(
            "{}: {} {}",
            output.status,
            String::from_utf8_lossy(&output.stdout).trim(),
            String::from_utf8_lossy(&output.stderr).trim()
        )),
        Err(error) => Some(format!("could not be started: {error}")),
    };
    Check {
        client: client.to_owned(),
        exchange: "both".to_owned(),
        check: format!("example at {PAGE}:{}", block.line),
        ok: detail.is_none(),
        detail,
    }
}

/// The fenced blocks of a page.
fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut found = Vec::new();
    let mut open: Option<(&str, usize, usize)> = None;
    let mut offset = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        if let Some(language) = line.trim_end().strip_prefix("```") {
            open = match open {
                Some((language, line, start)) => {
                    found.push(Block { language, line, code: &text[start..offset] });
                    None
                }
                None => Some((language, number + 2, offset + line.len())),
            };
        }
        offset += line.len();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fenced_blocks_are_found_with_their_place() {
        let text = "# A\n\n```sh\nS=1\ncurl $S\n```\nwords\n```python\nprint(1)\n```\n";
        let found = blocks(text);
        assert_eq!(
            found,
            [
                Block { language: "sh", line: 4, code: "S=1\ncurl $S\n" },
                Block { language: "python", line: 9, code: "print(1)\n" }
            ]
        );
    }
}
