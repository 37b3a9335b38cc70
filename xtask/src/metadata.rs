//! What `cargo metadata` says about the workspace: the few fields `layers` needs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::TaskError;
use crate::process;

/// The workspace and everything it is built from.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Metadata {
    /// Our packages and those of others.
    pub(crate) packages: Vec<Package>,
    /// Ids of our packages.
    pub(crate) workspace_members: Vec<String>,
    /// The graph as resolved, with every feature of our packages on.
    pub(crate) resolve: Resolve,
}

/// One package as its manifest declares it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Package {
    /// Cargo's id, unique in the graph.
    pub(crate) id: String,
    /// Name of the package.
    pub(crate) name: String,
    /// Path of its Cargo.toml.
    pub(crate) manifest_path: PathBuf,
    /// Dependencies of every kind.
    pub(crate) dependencies: Vec<Dependency>,
    /// Features and what each turns on.
    pub(crate) features: BTreeMap<String, Vec<String>>,
    /// `[package.metadata]`, as far as we use it.
    #[serde(default)]
    pub(crate) metadata: Option<Extra>,
}

/// Our part of `[package.metadata]`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Extra {
    /// What makes a package an adapter.
    #[serde(default)]
    pub(crate) exchange: Option<Exchange>,
}

/// `[package.metadata.exchange]`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Exchange {
    /// The exchange's name: `mexc`.
    pub(crate) name: String,
}

impl Package {
    /// The exchange this package is the adapter of.
    pub(crate) fn exchange(&self) -> Option<&str> {
        Some(self.metadata.as_ref()?.exchange.as_ref()?.name.as_str())
    }
}

/// One line of a dependency table.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Dependency {
    /// Name of the package depended on.
    pub(crate) name: String,
    /// `None` is a normal dependency, else `dev` or `build`.
    pub(crate) kind: Option<String>,
    /// Whether a feature must turn it on.
    pub(crate) optional: bool,
}

/// The resolved graph.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Resolve {
    /// One per package.
    pub(crate) nodes: Vec<Node>,
}

/// One package in the resolved graph.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Node {
    /// The package's id.
    pub(crate) id: String,
    /// Packages it depends on.
    pub(crate) deps: Vec<NodeDep>,
}

/// One resolved edge.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct NodeDep {
    /// Id of the package used.
    pub(crate) pkg: String,
    /// In which ways; the same package may be a normal and a dev-dependency.
    pub(crate) dep_kinds: Vec<DepKind>,
}

/// One way in which an edge exists.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct DepKind {
    /// `None` is a normal dependency, else `dev` or `build`.
    pub(crate) kind: Option<String>,
}

impl Metadata {
    /// Asks cargo, with every feature of our packages turned on, so that nothing hides behind one.
    ///
    /// # Errors
    /// When cargo fails, for example because Cargo.lock is out of date, or prints something else.
    pub(crate) fn load(root: &Path) -> Result<Self, TaskError> {
        let mut command = process::cargo(root);
        command.args(["metadata", "--format-version", "1", "--all-features", "--locked"]);
        let text = process::capture(&mut command)?;
        sonic_rs::from_str(&text).map_err(|error| TaskError::Output {
            command: "cargo metadata --format-version 1".to_owned(),
            reason: error.to_string(),
        })
    }

    /// Our packages.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| self.workspace_members.contains(&package.id))
    }
}
