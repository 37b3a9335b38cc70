//! Rules for the checkout as a whole: the files every reader looks for, and packages named as their directories.

use super::{Report, TextFile};

/// What a newcomer opens first.
const REQUIRED: [&str; 2] = ["README.md", "CHANGELOG.md"];

/// Checks names and presence.
pub(super) fn check(files: &[TextFile], report: &mut Report) {
    for required in REQUIRED {
        if !files.iter().any(|file| file.name == required) {
            report.errors.push(format!("{required} is missing"));
        }
    }
    for manifest in files {
        let parts: Vec<&str> = manifest.name.split('/').collect();
        if let ["crates", directory, "Cargo.toml"] = parts[..] {
            check_name(manifest, directory, report);
        }
    }
}

fn check_name(manifest: &TextFile, directory: &str, report: &mut Report) {
    match package_name(&manifest.text) {
        Some(name) if name == directory && name.starts_with("cex-") => {}
        Some(name) if name == directory => {
            report.errors.push(format!("{}: the name of a crate begins with cex-", manifest.name));
        }
        Some(name) => report.errors.push(format!("{}: its package is named {name}", manifest.name)),
        None => report.errors.push(format!("{}: no package name", manifest.name)),
    }
}

/// The value of `name` in the `[package]` table.
fn package_name(manifest: &str) -> Option<&str> {
    let mut lines = manifest.lines().skip_while(|line| line.trim() != "[package]").skip(1);
    lines.by_ref().take_while(|line| !line.starts_with('[')).find_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == "name").then(|| value.trim().trim_matches('"'))
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    fn errors(manifest: &str, text: &str) -> Vec<String> {
        let mut report = Report::default();
        check(&[file("README.md", ""), file("CHANGELOG.md", ""), file(manifest, text)], &mut report);
        report.errors
    }

    #[test]
    fn a_package_is_named_as_its_directory() {
        let named = |name: &str| format!("[package]\nname = \"{name}\"\n\n[[bin]]\nname = \"arb\"\n");
        assert_eq!(errors("crates/cex-arb/Cargo.toml", &named("cex-arb")), Vec::<String>::new());
        assert_eq!(errors("benches/Cargo.toml", &named("cex-benches")), Vec::<String>::new());
        assert_eq!(errors("crates/cex-arb/fuzz/Cargo.toml", &named("fuzz")), Vec::<String>::new());
        assert_eq!(errors("crates/cex-arb/Cargo.toml", &named("arb")).len(), 1);
        assert_eq!(errors("crates/arb/Cargo.toml", &named("arb")).len(), 1);
        assert_eq!(errors("crates/cex-arb/Cargo.toml", "[[bin]]\nname = \"cex-arb\"\n").len(), 1);
    }

    #[test]
    fn the_first_files_to_read_exist() {
        let mut report = Report::default();
        check(&[file("README.md", "")], &mut report);
        assert_eq!(report.errors, ["CHANGELOG.md is missing"]);
    }
}
