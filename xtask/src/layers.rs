//! `layers`: who may use whom. The table below is the only copy; `cargo metadata` is what it is compared with.

mod purity;

use std::path::Path;

use crate::error::TaskError;
use crate::metadata::{Dependency, Metadata, Package};
use Role::{Adapter, Driver, Joint, Pure, Simulator, Suite, Tool};

/// What a crate is allowed to touch besides its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Time, randomness and IO are arguments; does not reach a runtime or a socket.
    Pure,
    /// Pure as long as feature `client` is off.
    Adapter,
    /// May do IO.
    Driver,
    /// May do IO, and speaks the exchanges' side of the wire.
    Simulator,
    /// May do IO, and may see an adapter together with its dialect in the simulator.
    Joint,
    /// May do IO; carries the simulator to an adapter's own tests, and knows no adapter itself.
    Suite,
    /// Stands beside the house: uses no crate of ours.
    Tool,
}

/// One crate: its name, its role, and the crates of ours it may use.
struct Row {
    name: &'static str,
    role: Role,
    uses: &'static [&'static str],
}

const fn row(name: &'static str, role: Role, uses: &'static [&'static str]) -> Row {
    Row { name, role, uses }
}

/// Stands for every row above.
const EVERYTHING: &[&str] = &["*"];

/// The one crate an adapter may use besides its own list, as an optional dependency of the feature [`CLIENT`].
const TRANSPORT: &str = "cex-transport";
/// The feature that makes an adapter a runnable client.
const CLIENT: &str = "client";

/// The house from the ground up: a crate uses only rows above its own, and of those only the ones it names.
///
/// A row may be here before its crate is; a crate without a row is an error.
const TABLE: &[Row] = &[
    row("cex-wide", Pure, &[]),
    row("cex-proto", Pure, &[]),
    row("cex-core", Pure, &["cex-wide"]),
    row("cex-errors", Pure, &["cex-core"]),
    row("cex-interface", Pure, &["cex-core", "cex-errors"]),
    row("cex-orderbook", Pure, &["cex-core"]),
    row(TRANSPORT, Driver, &["cex-core", "cex-errors", "cex-interface"]),
    row("cex-sim", Simulator, &["cex-core", "cex-errors", "cex-interface", "cex-orderbook", "cex-proto"]),
    row(
        "cex-compliance",
        Suite,
        &["cex-core", "cex-errors", "cex-interface", "cex-orderbook", TRANSPORT, "cex-sim"],
    ),
    row("cex-mexc", Adapter, &["cex-core", "cex-errors", "cex-interface", "cex-proto", "cex-wide"]),
    row("cex-gateio", Adapter, &["cex-core", "cex-errors", "cex-interface", "cex-wide"]),
    row("cex-risk", Pure, &["cex-core"]),
    row("cex-engine", Pure, &["cex-core", "cex-errors", "cex-orderbook", "cex-risk"]),
    row("cex-journal", Driver, &["cex-core", "cex-proto"]),
    row("cex-observe", Driver, &["cex-core", "cex-engine"]),
    row("cex-arb", Joint, EVERYTHING),
    row("cex-world", Joint, EVERYTHING),
    row("cex-benches", Joint, EVERYTHING),
    row("xtask", Tool, &[]),
];

/// Compares the workspace at `root` with the table.
///
/// # Errors
/// Every forbidden edge, every crate without a row, every pure crate that reaches a runtime or lacks its bans.
pub(crate) fn run(root: &Path) -> Result<(), TaskError> {
    let metadata = Metadata::load(root)?;
    let clippy_toml =
        |package: &Package| std::fs::read_to_string(package.manifest_path.with_file_name("clippy.toml")).ok();
    TaskError::unless_empty("layers", check(&metadata, &clippy_toml))?;
    println!("layers: {} crates, every edge allowed", metadata.members().count());
    Ok(())
}

/// Every problem of the workspace; `clippy_toml` gives the text of a package's own clippy.toml, if it has one.
fn check(metadata: &Metadata, clippy_toml: &dyn Fn(&Package) -> Option<String>) -> Vec<String> {
    let ours: Vec<&str> = metadata.members().map(|package| package.name.as_str()).collect();
    let mut problems = Vec::new();
    for package in metadata.members() {
        let Some(index) = position(&package.name) else {
            problems.push(format!("{} has no row in the table of xtask/src/layers.rs", package.name));
            continue;
        };
        for dependency in package.dependencies.iter().filter(|d| ours.contains(&d.name.as_str())) {
            problems.extend(edge_problem(index, dependency).map(|why| {
                let kind = dependency.kind.as_deref().map_or(String::new(), |kind| format!("{kind}-"));
                format!("{} has a {kind}dependency on {}: {why}", package.name, dependency.name)
            }));
        }
        match TABLE[index].role {
            Adapter => {
                problems.extend(client_feature_problems(package));
                problems.extend(purity::problems(metadata, package, clippy_toml(package).as_deref()));
            }
            Pure => problems.extend(purity::problems(metadata, package, clippy_toml(package).as_deref())),
            Driver | Simulator | Joint | Suite | Tool => {}
        }
    }
    problems
}

fn position(name: &str) -> Option<usize> {
    TABLE.iter().position(|row| row.name == name)
}

/// Why the crate of row `index` may not have `dependency`, or `None` when it may.
fn edge_problem(index: usize, dependency: &Dependency) -> Option<String> {
    let row = &TABLE[index];
    let Some(target) = position(&dependency.name) else {
        return Some("that crate has no row in the table of xtask/src/layers.rs".to_owned());
    };
    if dependency.kind.as_deref() == Some("dev") {
        return dev_edge_problem(index, target);
    }
    if row.role == Adapter && dependency.name == TRANSPORT {
        let reason = format!("allowed only as an optional dependency of feature `{CLIENT}`");
        return (!dependency.optional).then_some(reason);
    }
    let everything = row.uses == EVERYTHING;
    if row.uses.contains(&dependency.name.as_str()) || (everything && target < index && row.role != Tool) {
        return None;
    }
    let allowed = match row.uses {
        [] => "nothing of ours".to_owned(),
        _ if everything => "every crate above it".to_owned(),
        uses => uses.join(", "),
    };
    Some(format!("it may use {allowed}"))
}

/// The rules for dev-dependencies, which are looser. Tests may use any crate above their own, which cannot close a
/// cycle, except:
/// - `xtask` uses no crate of ours even in tests;
/// - adapters and the simulator's dialects stay apart: a codec tested against itself agrees with its own mistakes.
///   Only the joint crates bring them together;
/// - an adapter's tests do not use another adapter; the compliance suite, which brings the simulator with it, is for them.
fn dev_edge_problem(index: usize, target: usize) -> Option<String> {
    let (from, to) = (TABLE[index].role, TABLE[target].role);
    let reason = match (from, to) {
        (Tool, _) => "tests of xtask use no crate of ours either",
        (Adapter, Simulator | Joint) | (Simulator, Adapter) => {
            "adapters and the simulator stay apart; only cex-compliance, cex-arb and cex-benches join them"
        }
        (Adapter, Adapter) => "adapters do not know one another",
        _ if target >= index => "tests may only use crates above their own in the table",
        _ => return None,
    };
    Some(reason.to_owned())
}

/// Checks that nothing but feature `client` turns the transport on.
fn client_feature_problems(package: &Package) -> Vec<String> {
    let turns_on = |item: &String| {
        let item = item.strip_prefix("dep:").unwrap_or(item);
        item == TRANSPORT || item.strip_prefix(TRANSPORT).is_some_and(|rest| rest.starts_with('/'))
    };
    // Cargo makes a feature of the dependency's own name when no feature says `dep:`.
    let offenders =
        package.features.iter().filter(|(name, items)| *name != CLIENT && items.iter().any(turns_on));
    offenders
        .map(|(name, _)| {
            format!("{}: feature `{name}` turns on {TRANSPORT}; only `{CLIENT}` may", package.name)
        })
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::purity::REQUIRED_BANS;
    use super::*;
    use crate::metadata::{DepKind, Node, NodeDep, Resolve};
    use std::collections::BTreeMap;

    /// One edge of a synthetic workspace; the name of a crate of ours or of someone else's.
    #[derive(Clone, Copy)]
    pub(crate) struct Edge(pub(crate) &'static str, pub(crate) Option<&'static str>, pub(crate) bool);

    /// A normal dependency.
    pub(crate) fn on(name: &'static str) -> Edge {
        Edge(name, None, false)
    }

    /// A workspace of the given packages; those not named `cex-*` or `xtask` are other people's.
    pub(crate) fn workspace(packages: &[(&str, &[Edge])]) -> Metadata {
        let package = |name: &str, edges: &[Edge]| Package {
            id: format!("id:{name}"),
            name: name.to_owned(),
            manifest_path: format!("/checkout/crates/{name}/Cargo.toml").into(),
            dependencies: edges
                .iter()
                .map(|Edge(name, kind, optional)| Dependency {
                    name: (*name).to_owned(),
                    kind: kind.map(str::to_owned),
                    optional: *optional,
                })
                .collect(),
            features: BTreeMap::new(),
            metadata: None,
        };
        let node = |name: &str, edges: &[Edge]| Node {
            id: format!("id:{name}"),
            deps: edges
                .iter()
                .map(|Edge(name, kind, _)| NodeDep {
                    pkg: format!("id:{name}"),
                    dep_kinds: vec![DepKind { kind: kind.map(str::to_owned) }],
                })
                .collect(),
        };
        let ours = |name: &str| name.starts_with("cex-") || name == "xtask";
        Metadata {
            packages: packages.iter().map(|(name, edges)| package(name, edges)).collect(),
            workspace_members: packages
                .iter()
                .filter(|(name, _)| ours(name))
                .map(|(name, _)| format!("id:{name}"))
                .collect(),
            resolve: Resolve { nodes: packages.iter().map(|(name, edges)| node(name, edges)).collect() },
        }
    }

    /// The problems of a workspace whose crates all have a proper clippy.toml.
    pub(crate) fn problems_of(metadata: &Metadata) -> Vec<String> {
        check(metadata, &|_| Some(REQUIRED_BANS.join("\n")))
    }

    /// The problems must be exactly one, and say `expected`.
    fn check_one(packages: &[(&str, &[Edge])], expected: &str) {
        let problems = problems_of(&workspace(packages));
        assert_eq!(problems.len(), 1, "{problems:#?}");
        assert!(problems[0].contains(expected), "{problems:#?}");
    }

    const ROOTS: [(&str, &[Edge]); 2] = [("cex-wide", &[]), ("cex-proto", &[])];

    #[test]
    fn the_table_names_only_rows_above() {
        for (index, row) in TABLE.iter().enumerate() {
            assert_eq!(position(row.name), Some(index), "{} has two rows", row.name);
            for used in row.uses.iter().filter(|used| **used != "*") {
                let above = position(used).is_some_and(|target| target < index);
                assert!(above, "{} uses {used}, which is not above it", row.name);
            }
        }
    }

    #[test]
    fn the_intended_workspace_passes() {
        let optional_transport = Edge(TRANSPORT, None, true);
        let metadata = workspace(&[
            ROOTS[0],
            ROOTS[1],
            ("cex-core", &[on("cex-wide")]),
            ("cex-errors", &[on("cex-core")]),
            ("cex-interface", &[on("cex-core"), on("cex-errors")]),
            ("tokio", &[]),
            (TRANSPORT, &[on("cex-interface"), on("tokio")]),
            ("cex-mexc", &[on("cex-interface"), on("cex-proto"), optional_transport]),
            ("cex-sim", &[on("cex-proto"), on("tokio")]),
            ("cex-arb", &[on("cex-mexc"), on("cex-sim")]),
            ("cex-benches", &[on("cex-arb"), on("cex-mexc")]),
            ("xtask", &[]),
        ]);
        assert_eq!(problems_of(&metadata), Vec::<String>::new());
    }

    #[test]
    fn a_forbidden_edge_is_named() {
        check_one(
            &[("cex-core", &[]), ("cex-orderbook", &[on("cex-core")]), ("cex-risk", &[on("cex-orderbook")])],
            "cex-risk has a dependency on cex-orderbook: it may use cex-core",
        );
        check_one(&[("cex-core", &[]), ("xtask", &[on("cex-core")])], "it may use nothing of ours");
        check_one(&[("cex-arb", &[on("cex-benches")]), ("cex-benches", &[])], "every crate above it");
        check_one(
            &[ROOTS[1], ("cex-gateio", &[on("cex-proto")])],
            "cex-gateio has a dependency on cex-proto",
        );
    }

    #[test]
    fn the_compliance_suite_is_for_tests_of_adapters_only() {
        let dev = Edge("cex-compliance", Some("dev"), false);
        let metadata =
            workspace(&[("cex-compliance", &[on("cex-sim")]), ("cex-sim", &[]), ("cex-mexc", &[dev])]);
        assert_eq!(problems_of(&metadata), Vec::<String>::new());
        check_one(
            &[("cex-compliance", &[]), ("cex-mexc", &[on("cex-compliance")])],
            "cex-mexc has a dependency on cex-compliance",
        );
        check_one(&[("cex-compliance", &[on("cex-mexc")]), ("cex-mexc", &[])], "it may use");
    }

    #[test]
    fn a_build_dependency_counts_as_normal() {
        check_one(&[ROOTS[1], ("cex-core", &[Edge("cex-proto", Some("build"), false)])], "build-dependency");
    }

    #[test]
    fn a_crate_without_a_row_is_an_error() {
        check_one(&[("cex-novel", &[])], "cex-novel has no row");
        let problems = problems_of(&workspace(&[("cex-novel", &[]), ("cex-arb", &[on("cex-novel")])]));
        assert_eq!(problems.len(), 2, "{problems:#?}");
    }

    #[test]
    fn dev_dependencies_go_up_only() {
        let dev = |name| [Edge(name, Some("dev"), false)];
        let up = workspace(&[ROOTS[1], ("cex-risk", &dev("cex-proto"))]);
        assert_eq!(problems_of(&up), Vec::<String>::new());
        check_one(&[("cex-core", &dev("cex-risk")), ("cex-risk", &[])], "above their own");
        check_one(&[("xtask", &dev("cex-core")), ("cex-core", &[])], "no crate of ours either");
    }

    #[test]
    fn adapters_and_dialects_stay_apart_even_in_tests() {
        let dev = |name| [Edge(name, Some("dev"), false)];
        check_one(&[("cex-mexc", &dev("cex-sim")), ("cex-sim", &[])], "stay apart");
        check_one(&[("cex-mexc", &[]), ("cex-sim", &dev("cex-mexc"))], "stay apart");
        check_one(&[("cex-mexc", &dev("cex-arb")), ("cex-arb", &[])], "stay apart");
        check_one(&[("cex-mexc", &[]), ("cex-gateio", &dev("cex-mexc"))], "do not know one another");
    }

    #[test]
    fn transport_in_an_adapter_is_optional_and_under_client() {
        let mut metadata = workspace(&[(TRANSPORT, &[]), ("cex-mexc", &[on(TRANSPORT)])]);
        assert!(problems_of(&metadata)[0].contains("optional dependency of feature `client`"));

        metadata = workspace(&[(TRANSPORT, &[]), ("cex-mexc", &[Edge(TRANSPORT, None, true)])]);
        let features = |name: &str, item: &str| [(name.to_owned(), vec![item.to_owned()])].into();
        metadata.packages[1].features = features(CLIENT, "dep:cex-transport");
        assert_eq!(problems_of(&metadata), Vec::<String>::new());
        for item in ["dep:cex-transport", "cex-transport", "cex-transport/tls"] {
            metadata.packages[1].features = features("live", item);
            assert!(problems_of(&metadata)[0].contains("feature `live` turns on cex-transport"), "{item}");
        }
        metadata.packages[1].features = features("live", "cex-transport?/tls");
        assert_eq!(problems_of(&metadata), Vec::<String>::new(), "a weak feature turns nothing on");
    }
}
