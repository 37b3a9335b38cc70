//! `tidy`: the house rules that neither rustfmt nor clippy knows. Each module is one family of rules.

mod facts;
mod links;
mod packages;
mod rust;
mod source;
mod text;

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::TaskError;

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Breaches of a rule, which fail the check.
    pub(crate) errors: Vec<String>,
    /// What deserves a look but fails nothing.
    pub(crate) warnings: Vec<String>,
}

/// One text file of the checkout.
#[derive(Debug)]
pub(crate) struct TextFile {
    /// Relative to the root, with `/` between its parts.
    pub(crate) name: String,
    /// All of it.
    pub(crate) text: String,
}

impl TextFile {
    /// Whether its name ends in `.extension`.
    pub(crate) fn has_extension(&self, extension: &str) -> bool {
        Path::new(&self.name).extension().is_some_and(|found| found == extension)
    }

    /// A message about the byte at `offset`, as `name:line: what`.
    pub(crate) fn at(&self, offset: usize, what: &str) -> String {
        let line = self.text.as_bytes()[..offset].iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("{}:{line}: {what}", self.name)
    }
}

/// Checks the checkout at `root`.
///
/// # Errors
/// Every breach of a rule; warnings are only printed.
pub(crate) fn run(root: &Path) -> Result<(), TaskError> {
    let files = read_checkout(root)?;
    let report = check(root, &files);
    for warning in &report.warnings {
        println!("tidy: warning: {warning}");
    }
    TaskError::unless_empty("tidy", report.errors)?;
    println!("tidy: {} files in order", files.len());
    Ok(())
}

fn check(root: &Path, files: &[TextFile]) -> Report {
    let mut report = Report::default();
    packages::check(files, &mut report);
    rust::check(files, &mut report);
    text::check(files, &mut report);
    links::check(root, files, &mut report);
    facts::check(files, &mut report);
    report
}

/// The Rust, Markdown and TOML files of the checkout, in order of their names.
fn read_checkout(root: &Path) -> Result<Vec<TextFile>, TaskError> {
    let mut paths = Vec::new();
    walk(root, &mut paths)?;
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).map_err(|source| TaskError::io(&path, source))?;
        let relative = path.strip_prefix(root).unwrap_or(&path);
        let parts = relative.components().map(|part| part.as_os_str().to_string_lossy());
        Ok(TextFile { name: parts.collect::<Vec<_>>().join("/"), text })
    };
    paths.into_iter().map(read).collect()
}

fn walk(directory: &Path, found: &mut Vec<PathBuf>) -> Result<(), TaskError> {
    let failed = |source| TaskError::io(directory, source);
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_dir() {
            // Build output, also of the fuzz packages, and version control.
            if name != "target" && !name.starts_with('.') {
                walk(&path, found)?;
            }
        } else if [".rs", ".md", ".toml"].iter().any(|end| name.ends_with(end)) {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::testdir::TestDir;

    /// A file that exists only in the test.
    pub(crate) fn file(name: &str, text: &str) -> TextFile {
        TextFile { name: name.to_owned(), text: text.to_owned() }
    }

    /// A small checkout with nothing wrong.
    fn tidy_checkout() -> TestDir {
        let dir = TestDir::new();
        dir.write("README.md", "# It\n\nSee [the facts](docs/exchanges/mexc.md).\n");
        dir.write("CHANGELOG.md", "# Changes\n");
        dir.write(
            "docs/exchanges/mexc.md",
            "| id | fact |\n|---|---|\n| MEXC-WS-04 | one frame, one message |\n",
        );
        dir.write("crates/cex-mexc/Cargo.toml", "[package]\nname = \"cex-mexc\"\n");
        dir.write(
            "crates/cex-mexc/src/lib.rs",
            "//! The adapter.\n#![forbid(unsafe_code)]\n\n/// One frame is one message (MEXC-WS-04).\npub mod market {}\n",
        );
        dir
    }

    #[test]
    fn a_tidy_checkout_passes() {
        run(tidy_checkout().path()).unwrap();
    }

    #[test]
    fn each_breach_is_found_in_a_real_directory() {
        let breaches = [
            ("crates/cex-mexc/src/market.rs", "pub fn top() {\n    todo!()\n}\n", "market.rs:2: `todo!`"),
            (
                "crates/cex-mexc/src/market.rs",
                "pub fn top() { Some(1).unwrap(); }\n",
                "market.rs:1: `unwrap()`",
            ),
            ("crates/cex-mexc/src/market.rs", "pub fn top() {}  \n", "market.rs:1: trailing white space"),
            ("crates/cex-mexc/src/market.rs", "// See MEXC-WS-99.\n", "cites MEXC-WS-99"),
            ("crates/cex-mexc/src/main.rs", "fn main() {}\n", "has no `#![forbid(unsafe_code)]`"),
            ("crates/cex-mexc/src/gen/mexc.rs", "pub struct M;\n", "does not begin with the marker"),
            ("crates/cex-gateio/Cargo.toml", "[package]\nname = \"gateio\"\n", "its package is named gateio"),
            (
                "docs/glossary.md",
                "[the map](ARCHITECTURE.md)\n",
                "docs/glossary.md:1: link to ARCHITECTURE.md",
            ),
            ("docs/exchanges/gateio.md", "### GATEIO-REST-12\n", "GATEIO-REST-12 is cited by no Rust file"),
        ];
        for (name, text, expected) in breaches {
            let dir = tidy_checkout();
            dir.write(name, text);
            let error = run(dir.path()).unwrap_err().to_string();
            assert!(error.starts_with("tidy: 1 problem found"), "{error}");
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn build_output_is_not_looked_at() {
        let dir = tidy_checkout();
        dir.write("target/debug/build/out.rs", "fn f() { todo!() }\n");
        dir.write(".git/notes.md", "[gone](gone.md)\n");
        run(dir.path()).unwrap();
    }
}
