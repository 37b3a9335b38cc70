//! Pure crates: no runtime, no sockets, not even transitively, and a clippy.toml that bans clock and dice.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::metadata::{Metadata, NodeDep, Package};

/// Crates that bring a runtime or a socket with them.
const IO_CRATES: [&str; 6] = ["tokio", "hyper", "mio", "socket2", "rustls", "fastwebsockets"];

/// What the clippy.toml of a pure crate must ban, at the least.
pub(super) const REQUIRED_BANS: [&str; 5] = [
    "\"std::time::Instant::now\"",
    "\"std::time::SystemTime::now\"",
    "\"std::hash::RandomState::new\"",
    "\"rand::rng\"",
    "\"rand::random\"",
];

/// Why `package` is not pure; `clippy_toml` is the text of the file beside its manifest.
///
/// Optional dependencies of the package itself are left out: an adapter is pure with feature `client` off.
pub(super) fn problems(metadata: &Metadata, package: &Package, clippy_toml: Option<&str>) -> Vec<String> {
    let mut problems: Vec<String> = paths_to_io(metadata, package)
        .into_iter()
        .map(|path| {
            format!("{} is pure but reaches {}: {}", package.name, path[path.len() - 1], path.join(" -> "))
        })
        .collect();
    match clippy_toml {
        None => {
            problems.push(format!("{} is pure but has no clippy.toml beside its Cargo.toml", package.name));
        }
        Some(text) => problems.extend(missing_bans(text).map(|ban| {
            format!(
                "{} is pure but its clippy.toml has no line for {ban} in `disallowed-methods`",
                package.name
            )
        })),
    }
    problems
}

fn missing_bans(clippy_toml: &str) -> impl Iterator<Item = &'static str> {
    let banned = |ban: &str| {
        let lines = clippy_toml.lines().map(str::trim_start);
        lines.filter(|line| !line.starts_with('#')).any(|line| line.contains(ban))
    };
    REQUIRED_BANS.into_iter().filter(move |ban| !banned(ban))
}

/// The shortest path of normal dependencies from `package` to each crate of [`IO_CRATES`] it reaches.
fn paths_to_io<'a>(metadata: &'a Metadata, package: &'a Package) -> Vec<Vec<&'a str>> {
    let names: HashMap<&str, &str> =
        metadata.packages.iter().map(|p| (p.id.as_str(), p.name.as_str())).collect();
    let edges: HashMap<&str, &[NodeDep]> =
        metadata.resolve.nodes.iter().map(|node| (node.id.as_str(), node.deps.as_slice())).collect();
    let optional: HashSet<&str> = optional_only(package);
    let mut seen: HashSet<&str> = HashSet::from([package.id.as_str()]);
    let mut queue: VecDeque<(&str, Vec<&str>)> =
        VecDeque::from([(package.id.as_str(), vec![package.name.as_str()])]);
    let mut found = Vec::new();
    while let Some((id, path)) = queue.pop_front() {
        let normal = |dep: &&NodeDep| dep.dep_kinds.iter().any(|kind| kind.kind.is_none());
        for dep in edges.get(id).copied().unwrap_or_default().iter().filter(normal) {
            let Some(name) = names.get(dep.pkg.as_str()).copied() else { continue };
            let left_out = id == package.id && optional.contains(name);
            if left_out || !seen.insert(&dep.pkg) {
                continue;
            }
            let path: Vec<&str> = path.iter().copied().chain([name]).collect();
            if IO_CRATES.contains(&name) {
                // What lies behind it is its own business, and would only repeat the finding.
                found.push(path);
            } else {
                queue.push_back((&dep.pkg, path));
            }
        }
    }
    found
}

/// Names of the normal dependencies that only a feature turns on.
fn optional_only(package: &Package) -> HashSet<&str> {
    let normal = || package.dependencies.iter().filter(|dependency| dependency.kind.is_none());
    let always: HashSet<&str> = normal().filter(|d| !d.optional).map(|d| d.name.as_str()).collect();
    normal().map(|d| d.name.as_str()).filter(|name| !always.contains(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::super::tests::{Edge, on, problems_of, workspace};
    use super::*;

    #[test]
    fn a_runtime_is_found_behind_other_crates_with_the_way_to_it() {
        let metadata = workspace(&[
            ("cex-core", &[on("tower")]),
            ("tower", &[on("tokio-util")]),
            ("tokio-util", &[on("tokio")]),
            ("tokio", &[on("mio")]),
            ("mio", &[]),
        ]);
        let way = "cex-core is pure but reaches tokio: cex-core -> tower -> tokio-util -> tokio";
        assert_eq!(problems_of(&metadata), [way]);
    }

    #[test]
    fn tests_of_a_pure_crate_may_use_a_runtime() {
        let metadata = workspace(&[("cex-core", &[Edge("tokio", Some("dev"), false)]), ("tokio", &[])]);
        assert_eq!(problems_of(&metadata), Vec::<String>::new());
    }

    #[test]
    fn an_adapter_is_judged_without_its_optional_dependencies() {
        let optional = Edge("cex-transport", None, true);
        let rest: [(&str, &[Edge]); 2] = [("cex-transport", &[on("tokio")]), ("tokio", &[])];
        let pure = workspace(&[("cex-mexc", &[optional]), rest[0], rest[1]]);
        assert_eq!(problems_of(&pure), Vec::<String>::new());

        let tainted = workspace(&[
            ("cex-mexc", &[optional, on("http-client")]),
            ("http-client", &[on("hyper")]),
            ("hyper", &[]),
        ]);
        assert_eq!(
            problems_of(&tainted),
            ["cex-mexc is pure but reaches hyper: cex-mexc -> http-client -> hyper"]
        );
    }

    #[test]
    fn drivers_may_reach_a_runtime() {
        let metadata =
            workspace(&[("cex-transport", &[on("tokio"), on("hyper")]), ("tokio", &[]), ("hyper", &[])]);
        assert_eq!(problems_of(&metadata), Vec::<String>::new());
    }

    #[test]
    fn a_pure_crate_without_its_bans_is_an_error() {
        let metadata = workspace(&[("cex-core", &[])]);
        assert_eq!(
            check(&metadata, &|_| None),
            ["cex-core is pure but has no clippy.toml beside its Cargo.toml"]
        );

        let commented = REQUIRED_BANS.map(|ban| format!("# {ban}")).join("\n");
        assert_eq!(check(&metadata, &|_| Some(commented.clone())).len(), REQUIRED_BANS.len());
        let all_but_one = REQUIRED_BANS[1..].join("\n");
        let problems = check(&metadata, &|_| Some(all_but_one.clone()));
        assert_eq!(problems.len(), 1);
        assert!(problems[0].contains("std::time::Instant::now"), "{problems:?}");
    }
}
