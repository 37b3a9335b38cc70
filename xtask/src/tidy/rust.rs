//! Rules for Rust files: no unsafe code, no unfinished marks, no `unwrap()` in libraries, generated files marked.

use std::collections::BTreeSet;

use super::source::{Class, only, test_parts};
use super::{Report, TextFile};
use crate::codegen::MARKER;

/// The one crate that may hold unsafe code: small, audited, with a portable twin.
const UNSAFE_CRATE: &str = "crates/cex-wide/";

const FORBID_UNSAFE: &str = "#![forbid(unsafe_code)]";

/// Longer files are named in a warning: there may be a second idea in them.
const LONG_FILE_LINES: usize = 900;

/// Marks of unfinished work, in code. Split, so that a plain text search for them does not end here.
const UNFINISHED_CODE: [&str; 4] =
    [concat!("to", "do!"), concat!("unimple", "mented!"), concat!("db", "g!"), "#[ignore"];
/// Marks of unfinished work, in comments too.
const UNFINISHED_ANYWHERE: &str = concat!("FIX", "ME");

/// Checks every Rust file.
pub(super) fn check(files: &[TextFile], report: &mut Report) {
    let rust: Vec<&TextFile> = files.iter().filter(|file| file.has_extension("rs")).collect();
    let tests = test_files(&rust);
    for file in rust {
        let code = only(&file.text, &[Class::Code]);
        check_root(file, &code, report);
        check_marker(file, report);
        check_unfinished(file, &code, report);
        if is_library(&file.name) && !tests.contains(&file.name) {
            check_unwrap(file, &code, report);
        }
        let lines = file.text.lines().count();
        if lines > LONG_FILE_LINES && !is_generated(&file.name) {
            report.warnings.push(format!("{}: {lines} lines: is there a second idea in it?", file.name));
        }
    }
}

fn is_library(name: &str) -> bool {
    name.starts_with("crates/") && name.contains("/src/")
}

fn is_generated(name: &str) -> bool {
    name.contains("/src/gen/")
}

/// Crate roots: libraries, programs, and the further programs of a package.
fn is_root(name: &str) -> bool {
    name.ends_with("src/lib.rs") || name.ends_with("src/main.rs") || name.contains("/src/bin/")
}

fn check_root(file: &TextFile, code: &str, report: &mut Report) {
    if is_root(&file.name) && !file.name.starts_with(UNSAFE_CRATE) && !code.contains(FORBID_UNSAFE) {
        report.errors.push(format!("{} has no `{FORBID_UNSAFE}`", file.name));
    }
}

fn check_marker(file: &TextFile, report: &mut Report) {
    let marked = file.text.starts_with(MARKER);
    if is_generated(&file.name) && !marked {
        report.errors.push(format!("{} does not begin with the marker of `cargo xtask codegen`", file.name));
    }
    if marked && !is_generated(&file.name) {
        report.errors.push(format!("{} claims to be generated but is not under src/gen/", file.name));
    }
}

fn check_unfinished(file: &TextFile, code: &str, report: &mut Report) {
    for mark in UNFINISHED_CODE {
        let found = whole_words(code, mark).map(|at| file.at(at, &format!("`{mark}` is unfinished work")));
        report.errors.extend(found);
    }
    let words = only(&file.text, &[Class::Code, Class::Comment]);
    let found = whole_words(&words, UNFINISHED_ANYWHERE);
    report.errors.extend(found.map(|at| file.at(at, &format!("`{UNFINISHED_ANYWHERE}` is unfinished work"))));
}

/// Clippy warns of `unwrap()` as well, but an attribute silences clippy.
fn check_unwrap(file: &TextFile, code: &str, report: &mut Report) {
    let tests = test_parts(code).ranges;
    let found = code.match_indices(".unwrap()").map(|(at, _)| at);
    let outside = found.filter(|at| !tests.iter().any(|range| range.contains(at)));
    let what = "`unwrap()` in a library: return the error, or `expect` with the invariant behind it";
    report.errors.extend(outside.map(|at| file.at(at, what)));
}

/// Offsets of `word` where it does not continue a longer one.
fn whole_words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let continues = |at: usize| text[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    text.match_indices(word).map(|(at, _)| at).filter(move |at| !continues(*at))
}

/// Files that are compiled for tests only, because the module they are was declared so.
fn test_files(rust: &[&TextFile]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in rust {
        let Some(directory) = module_directory(&file.name) else { continue };
        for (module, declaration) in test_parts(&only(&file.text, &[Class::Code])).modules {
            if let Some(path) = path_attribute(&file.text[declaration]) {
                let beside = file.name.rsplit_once('/').map_or("", |(beside, _)| beside);
                found.insert(format!("{beside}/{path}"));
            }
            found.insert(format!("{directory}/{module}.rs"));
            found.insert(format!("{directory}/{module}/mod.rs"));
            let below = format!("{directory}/{module}/");
            found.extend(rust.iter().filter(|f| f.name.starts_with(&below)).map(|f| f.name.clone()));
        }
    }
    found
}

/// The file a module declaration names with `#[path = ".."]`.
fn path_attribute(declaration: &str) -> Option<&str> {
    let (_, rest) = declaration.split_once("#[path = \"")?;
    rest.split('"').next()
}

/// Where the modules declared in the file `name` live.
fn module_directory(name: &str) -> Option<String> {
    let (directory, file) = name.rsplit_once('/')?;
    let stem = file.strip_suffix(".rs")?;
    let own = matches!(stem, "lib" | "main" | "mod");
    Some(if own { directory.to_owned() } else { format!("{directory}/{stem}") })
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    fn errors(files: &[TextFile]) -> Vec<String> {
        let mut report = Report::default();
        check(files, &mut report);
        report.errors
    }

    fn check_one(name: &str, text: &str, expected: &str) {
        let found = errors(&[file(name, text)]);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0].contains(expected), "{found:#?}");
    }

    #[test]
    fn crate_roots_forbid_unsafe_code() {
        for name in ["crates/cex-core/src/lib.rs", "xtask/src/main.rs", "benches/src/bin/fixtures.rs"] {
            check_one(name, "// #![forbid(unsafe_code)]\n", "has no `#![forbid(unsafe_code)]`");
            assert_eq!(errors(&[file(name, "#![forbid(unsafe_code)]\n")]), Vec::<String>::new());
        }
        assert_eq!(errors(&[file("crates/cex-wide/src/lib.rs", "")]), Vec::<String>::new());
        assert_eq!(errors(&[file("crates/cex-core/src/num.rs", "")]), Vec::<String>::new());
    }

    #[test]
    fn unfinished_marks_count_in_code_only() {
        check_one("xtask/src/a.rs", "fn f() {\n    dbg!(1);\n}\n", "a.rs:2: `dbg!`");
        check_one("crates/a/tests/a.rs", "#[ignore = \"slow\"]\nfn f() {}\n", "a.rs:1: `#[ignore`");
        check_one("benches/a.rs", &format!("// {UNFINISHED_ANYWHERE} later\n"), "is unfinished work");
        let innocent = "// Never dbg!(x).\nconst A: &str = \"todo!()\";\nmy_todo!();\n";
        assert_eq!(errors(&[file("xtask/src/a.rs", innocent)]), Vec::<String>::new());
    }

    #[test]
    fn unwrap_is_for_tests() {
        let text = "fn f() { g().unwrap(); }\n#[cfg(test)]\nmod tests { fn f() { g().unwrap(); } }\n";
        check_one("crates/a/src/a.rs", text, "a.rs:1: `unwrap()`");
        assert_eq!(errors(&[file("crates/a/tests/a.rs", text)]), Vec::<String>::new());
        assert_eq!(
            errors(&[file("crates/a/src/a.rs", "/// `x.unwrap()`\nfn f() { g().unwrap_or(1); }\n")]),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_test_module_in_its_own_file_is_a_test() {
        let root = file("crates/a/src/book.rs", "#[cfg(test)]\nmod oracle;\n");
        let oracle = || file("crates/a/src/book/oracle.rs", "fn f() { g().unwrap(); }\n");
        assert_eq!(errors(&[root, oracle()]), Vec::<String>::new());
        assert_eq!(errors(&[file("crates/a/src/book.rs", "mod oracle;\n"), oracle()]).len(), 1);
        let root = file("crates/a/src/book.rs", "#[cfg(test)]\n#[path = \"book_tests.rs\"]\nmod tests;\n");
        let tests = file("crates/a/src/book_tests.rs", "fn f() { g().unwrap(); }\n");
        assert_eq!(errors(&[root, tests]), Vec::<String>::new());
    }

    #[test]
    fn generated_files_are_marked_and_in_their_place() {
        let good = file("crates/cex-proto/src/gen/mexc.rs", &format!("{MARKER}\n"));
        assert_eq!(errors(&[good]), Vec::<String>::new());
        check_one("crates/cex-proto/src/gen/mexc.rs", "pub struct A;\n", "does not begin with the marker");
        check_one("crates/cex-core/src/num.rs", &format!("{MARKER}\n"), "not under src/gen/");
    }

    #[test]
    fn long_files_are_a_warning() {
        let mut report = Report::default();
        check(&[file("crates/a/src/a.rs", &"//\n".repeat(LONG_FILE_LINES + 1))], &mut report);
        assert!(report.errors.is_empty() && report.warnings.len() == 1, "{report:?}");
    }
}
