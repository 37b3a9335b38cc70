//! Asks git which commit is built, so that every session of a journal names it (C8): an old program must be found out by what it
//! wrote.

use std::collections::BTreeSet;
use std::env;
use std::path::Path;
use std::process::Command;

/// Hexadecimal digits of a commit.
const DIGITS: &str = "--short=12";
/// What stands for it where nobody can tell: outside of a checkout, or without git.
const UNKNOWN: &str = "unknown";

fn main() {
    let package = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let package = Path::new(&package);
    let watched = watched(package);
    // Git's own files say when another commit is built, the sources when it is no commit any more. What is not there would be
    // taken for changed at every build.
    let own = ["HEAD", "logs/HEAD"].into_iter().filter_map(|name| {
        let path = git(package, &["rev-parse", "--git-path", name])?;
        Some(package.join(path).display().to_string())
    });
    for path in watched.iter().cloned().chain(own).filter(|path| Path::new(path).exists()) {
        println!("cargo::rerun-if-changed={path}");
    }
    let build = build(package, &watched).unwrap_or_else(|| UNKNOWN.to_owned());
    println!("cargo::rustc-env=ARB_BUILD={build}");
}

/// The commit; `-dirty` behind it where what is built differs from it.
fn build(package: &Path, watched: &[String]) -> Option<String> {
    // A copy that lies in a checkout of something else is none of its commits.
    git(package, &["ls-files", "--error-unmatch", "Cargo.toml"])?;
    let commit = git(package, &["rev-parse", DIGITS, "HEAD"])?;
    let status = ["--no-optional-locks", "status", "--porcelain", "--untracked-files=no", "--"];
    let status: Vec<&str> = status.into_iter().chain(watched.iter().map(String::as_str)).collect();
    let changed = git(package, &status)?;
    Some(if changed.is_empty() { commit } else { format!("{commit}-dirty") })
}

/// All that the program is made of: the sources of its crates, and what says how to build them.
fn watched(package: &Path) -> Vec<String> {
    let Some(crates) = package.parent() else { return Vec::new() };
    let mut names = BTreeSet::new();
    add(crates, "cex-arb", &mut names);
    let of = |name: &String| ["Cargo.toml", "src"].map(|part| crates.join(name).join(part));
    let root = ["../Cargo.toml", "../Cargo.lock"].map(|file| crates.join(file));
    let own = [package.join("build.rs")];
    let all = names.iter().flat_map(of).chain(root).chain(own);
    all.filter(|path| path.exists()).map(|path| path.display().to_string()).collect()
}

/// A crate of ours, and those that it is built from, by their manifests.
fn add(crates: &Path, name: &str, names: &mut BTreeSet<String>) {
    if !names.insert(name.to_owned()) {
        return;
    }
    let manifest = std::fs::read_to_string(crates.join(name).join("Cargo.toml")).unwrap_or_default();
    let built_from = manifest.lines().take_while(|line| *line != "[dev-dependencies]");
    for name in built_from.filter_map(|line| line.split(['.', ' ']).next()) {
        if name.starts_with("cex-") {
            add(crates, name, names);
        }
    }
}

/// What git says, without the line break; `None` where it fails or is not there.
fn git(package: &Path, args: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(package).args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
    Some(text.trim().to_owned())
}
