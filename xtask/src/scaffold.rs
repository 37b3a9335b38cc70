//! `new-exchange`: the files of an adapter, so that it compiles and its compliance report says what is missing.

use std::fs;
use std::path::Path;

use crate::error::TaskError;

/// Where each file goes, below the crate's directory.
const FILES: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("../templates/adapter/Cargo.toml.in")),
    ("README.md", include_str!("../templates/adapter/README.md.in")),
    ("src/lib.rs", include_str!("../templates/adapter/lib.rs.in")),
    ("src/config.rs", include_str!("../templates/adapter/config.rs.in")),
    ("src/symbol.rs", include_str!("../templates/adapter/symbol.rs.in")),
    ("src/sign.rs", include_str!("../templates/adapter/sign.rs.in")),
    ("src/error.rs", include_str!("../templates/adapter/error.rs.in")),
    ("src/limits.rs", include_str!("../templates/adapter/limits.rs.in")),
    ("src/market.rs", include_str!("../templates/adapter/market.rs.in")),
    ("src/account.rs", include_str!("../templates/adapter/account.rs.in")),
    ("src/wire.rs", include_str!("../templates/adapter/wire.rs.in")),
    ("src/rest.rs", include_str!("../templates/adapter/rest.rs.in")),
    ("tests/compliance.rs", include_str!("../templates/adapter/compliance.rs.in")),
];

/// The facts page.
const PAGE: &str = include_str!("../templates/adapter/page.md.in");

/// Where a new line is put: before this one.
const MANIFEST_MARK: &str = "cex-risk = {";
const LAYERS_MARK: &str = "    row(\"cex-risk\", Pure";

/// Writes the adapter of `name` into the checkout at `root`.
///
/// # Errors
/// A name that is none, or one that is taken.
pub(crate) fn run(root: &Path, name: &str) -> Result<(), TaskError> {
    let problems = problems(root, name);
    TaskError::unless_empty("new-exchange", problems)?;
    let directory = root.join("crates").join(format!("cex-{name}"));
    for (file, template) in FILES {
        write(&directory.join(file), &filled(template, name))?;
    }
    let bans = root.join("crates/cex-interface/clippy.toml");
    let bans = fs::read_to_string(&bans).map_err(|source| TaskError::io(&bans, source))?;
    write(&directory.join("clippy.toml"), &bans)?;
    write(&root.join("docs/exchanges").join(format!("{name}.md")), &filled(PAGE, name))?;
    let line = format!("cex-{name} = {{ path = \"crates/cex-{name}\" }}\n");
    insert(&root.join("Cargo.toml"), MANIFEST_MARK, &line)?;
    let row = format!(
        "    row(\"cex-{name}\", Adapter, &[\"cex-core\", \"cex-errors\", \"cex-interface\", \"cex-wide\"]),\n"
    );
    insert(&root.join("xtask/src/layers.rs"), LAYERS_MARK, &row)?;
    print!("{}", filled(NEXT, name));
    Ok(())
}

const NEXT: &str = "new-exchange: crates/cex-@name@ and docs/exchanges/@name@.md are written; the workspace and the table of layers know them.
What is yours now, in this order (docs/adding-an-exchange.md tells more):
  0. cargo check --package cex-@name@: it compiles, and Cargo.lock learns of it
  1. docs/exchanges/@name@.md: the facts, numbered, each with its source
  2. crates/cex-sim/src/dialect/@name@.rs: the exchange's side of the wire, written from the facts and not from the adapter:
     `pub struct @Title@` and `impl Dialect for @Title@` (http, open, message, message_refused, behave, step_clock, closed,
     events, wake, wakeup_at; see dialect/mod.rs), and dialect/@name@/refusal.rs with every code it refuses with.
     Then `pub mod @name@;` in dialect/mod.rs and a variant of SimExchange in server/config.rs; the compiler names every
     match that is then missing a line: name, announcement, port (server/config.rs), address (server.rs), the dialect and
     its fees (server/host.rs), what counts as data (server/faults.rs), paths of faults (fault/schedule.rs)
  3. crates/cex-@name@/src: rest.rs and symbol.rs first, then market.rs, account.rs, error.rs, limits.rs
  4. crates/cex-arb: cex-@name@.workspace = true in Cargo.toml, cex_@name@::REGISTRATION among the venues
  5. cargo xtask verify-compliance @name@, until it is green
";

fn problems(root: &Path, name: &str) -> Vec<String> {
    let mut found = Vec::new();
    let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if !plain || name.is_empty() || name.len() > 14 || !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        found.push(format!("{name:?} is no name: 1 to 14 of a-z and 0-9, a letter first, such as kraken"));
    }
    for taken in [format!("crates/cex-{name}"), format!("docs/exchanges/{name}.md")] {
        if root.join(&taken).exists() {
            found.push(format!("{taken} is there already"));
        }
    }
    found
}

fn filled(template: &str, name: &str) -> String {
    let mut letters = name.chars();
    let title: String = letters.next().iter().flat_map(|c| c.to_uppercase()).chain(letters).collect();
    template.replace("@name@", name).replace("@Title@", &title).replace("@NAME@", &name.to_uppercase())
}

fn write(path: &Path, text: &str) -> Result<(), TaskError> {
    let failed = |source| TaskError::io(path, source);
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(failed)?;
    }
    fs::write(path, text).map_err(failed)
}

/// Puts a line before the one that begins with `mark`.
fn insert(path: &Path, mark: &str, line: &str) -> Result<(), TaskError> {
    let text = fs::read_to_string(path).map_err(|source| TaskError::io(path, source))?;
    let Some(at) = text.find(mark) else {
        let problem =
            format!("{}: no line begins with {mark:?}; add {:?} by hand", path.display(), line.trim());
        return TaskError::unless_empty("new-exchange", vec![problem]);
    };
    write(path, &format!("{}{line}{}", &text[..at], &text[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testdir::TestDir;

    fn checkout() -> TestDir {
        let dir = TestDir::new();
        dir.write("Cargo.toml", "[workspace.dependencies]\ncex-risk = { path = \"crates/cex-risk\" }\n");
        dir.write("xtask/src/layers.rs", "const TABLE: &[Row] = &[\n    row(\"cex-risk\", Pure, &[]),\n];\n");
        dir.write("crates/cex-interface/clippy.toml", "disallowed-methods = []\n");
        dir
    }

    #[test]
    fn everything_an_adapter_needs_is_written() {
        let dir = checkout();
        run(dir.path(), "kraken").unwrap();
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
        for (file, _) in FILES {
            let text = read(&format!("crates/cex-kraken/{file}"));
            assert!(!text.contains('@'), "{file} has a gap: {text}");
        }
        assert!(read("crates/cex-kraken/src/lib.rs").contains("pub struct Kraken"));
        assert!(read("Cargo.toml").contains("cex-kraken = { path = \"crates/cex-kraken\" }\ncex-risk"));
        assert!(read("xtask/src/layers.rs").contains("row(\"cex-kraken\", Adapter"));
        assert!(read("docs/exchanges/kraken.md").starts_with("# Kraken spot"));
        let again = run(dir.path(), "kraken").unwrap_err().to_string();
        assert!(again.contains("crates/cex-kraken is there already"), "{again}");
    }

    /// Nothing compiles a template, so what the interface wants of every adapter is looked for in it.
    #[test]
    fn the_template_classes_every_request() {
        let interface = interface("request.rs");
        let (_, rest) = interface.split_once("pub enum Request {").expect("requests");
        let (variants, _) = rest.split_once("\n}").expect("an end");
        let template = include_str!("../templates/adapter/limits.rs.in");
        let indented = variants.lines().filter_map(|line| line.strip_prefix("    "));
        for variant in indented.filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase())) {
            let name = variant.split(|c: char| !c.is_ascii_alphanumeric()).next().expect("a name");
            let named = template.split("Request::").any(|rest| {
                rest.strip_prefix(name)
                    .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
            });
            assert!(named, "limits.rs.in says nothing of `{name}`");
        }
    }

    fn interface(file: &str) -> String {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        fs::read_to_string(root.join("crates/cex-interface/src").join(file)).expect("the interface")
    }

    /// Nothing compiles a template, so what the interface wants of every adapter is looked for in it.
    #[test]
    fn the_template_claims_every_capability() {
        let interface = interface("capability.rs");
        let template = include_str!("../templates/adapter/market.rs.in");
        for kind in ["pub struct Capabilities {", "pub struct PageRule {"] {
            let (_, rest) = interface.split_once(kind).expect(kind);
            let (fields, _) = rest.split_once("\n}").expect("an end");
            let names = fields.lines().filter_map(|line| line.trim().strip_prefix("pub ")?.split_once(':'));
            for (name, _) in names {
                assert!(template.contains(&format!("{name}:")), "market.rs.in says nothing of `{name}`");
            }
        }
    }

    #[test]
    fn a_name_that_is_none_is_refused_before_anything_is_written() {
        let dir = checkout();
        for name in ["", "Kraken", "a-b", "1inch", "averyveryverylongname"] {
            assert!(run(dir.path(), name).is_err(), "{name}");
        }
        assert!(!dir.path().join("docs").exists());
    }
}
