//! Where the configuration is: `--config`, then `ARB_CONFIG`, then `./arb.toml`, then the user's own directory.

use super::layers::Surroundings;
use std::path::{Path, PathBuf};

/// The name of the file.
const NAME: &str = "arb.toml";

/// The file to read: one that was named, which must exist, or the first that does.
pub(super) fn find(named: Option<&Path>, around: &Surroundings) -> Option<PathBuf> {
    if let Some(path) = named {
        return Some(path.to_owned());
    }
    if let Some(path) = around.var("ARB_CONFIG").filter(|path| !path.is_empty()) {
        return Some(PathBuf::from(path));
    }
    candidates(around).into_iter().find(|path| path.is_file())
}

/// Where a file is looked for when none is named.
pub(super) fn candidates(around: &Surroundings) -> Vec<PathBuf> {
    let own = match around.var("XDG_CONFIG_HOME").filter(|dir| dir.starts_with('/')) {
        Some(dir) => Some(PathBuf::from(dir)),
        None => around.home().map(|home| home.join(".config")),
    };
    [Some(around.directory.join(NAME)), own.map(|dir| dir.join("arb").join(NAME))]
        .into_iter()
        .flatten()
        .collect()
}

/// Where records go when nothing is said: the user's own directory of state.
pub(super) fn state(around: &Surroundings) -> Option<PathBuf> {
    let own = match around.var("XDG_STATE_HOME").filter(|dir| dir.starts_with('/')) {
        Some(dir) => Some(PathBuf::from(dir)),
        None => around.home().map(|home| home.join(".local/state")),
    };
    own.map(|dir| dir.join("arb"))
}
