//! References to secrets: the file says where a secret is, never what it is.

use super::layers::Surroundings;
use super::problem::shown_name;
use cex_interface::Secret;
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Longest secret: more is not one, and is not read.
const MOST_BYTES: u64 = 16_384;
/// How a reference must look.
const FORMS: &str = "write where it is: \"env:NAME\", \"file:PATH\" or \"credential:NAME\"";

/// Why a secret cannot be had. Never holds what could be one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) what: String,
    pub(super) fix: String,
}

fn refused(what: impl Into<String>, fix: impl Into<String>) -> Refused {
    Refused { what: what.into(), fix: fix.into() }
}

/// Fetches the secret a reference names.
pub(super) fn fetch(reference: &str, around: &Surroundings) -> Result<Secret, Refused> {
    let text = match reference.split_once(':') {
        Some(("env", name)) => from_env(name, around)?,
        Some(("file", path)) => from_file(&expanded(path, around), true)?,
        Some(("credential", name)) => from_file(&credential(name, around)?, false)?,
        // What stands here may be the secret itself.
        Some(_) | None => return Err(refused("is not a reference; a secret must not stand here", FORMS)),
    };
    let trimmed = text.reveal().trim_end_matches(['\n', '\r']);
    if trimmed.is_empty() {
        return Err(refused(format!("{reference} is empty"), "put the secret there"));
    }
    if trimmed.chars().any(|character| character.is_whitespace() || character.is_control()) {
        let fix = "put the secret there and nothing else";
        return Err(refused(format!("{reference} holds more than a secret: there are blanks in it"), fix));
    }
    Ok(Secret::new(trimmed.to_owned()))
}

fn from_env(name: &str, around: &Surroundings) -> Result<Secret, Refused> {
    let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !plain {
        return Err(refused("env: needs the name of a variable", FORMS));
    }
    let value = around.var(name).map(|value| Secret::new(value.to_owned()));
    value.ok_or_else(|| {
        let shown = shown_name(name);
        refused(format!("env:{shown}: the variable is not set"), format!("export {shown}=…"))
    })
}

fn expanded(path: &str, around: &Surroundings) -> PathBuf {
    match (path.strip_prefix("~/"), around.home()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}

/// A secret that systemd hands over, in a directory for this service alone.
fn credential(name: &str, around: &Surroundings) -> Result<PathBuf, Refused> {
    if name.is_empty() || name.contains('/') || name == ".." {
        return Err(refused("credential: needs the name of a credential", FORMS));
    }
    let dir = around.var("CREDENTIALS_DIRECTORY").ok_or_else(|| {
        let fix = format!("run under systemd with LoadCredential={name}:PATH, or use file:PATH");
        refused(format!("credential:{name}: no CREDENTIALS_DIRECTORY is set"), fix)
    })?;
    Ok(Path::new(dir).join(name))
}

/// Reads a file that nobody else can read. Checked on the open file, so that it cannot be exchanged in between; a link is
/// not followed.
fn from_file(path: &Path, private: bool) -> Result<Secret, Refused> {
    let shown = path.display();
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let opened = rustix::fs::open(path, flags, Mode::empty());
    let file = File::from(opened.map_err(|error| match error {
        rustix::io::Errno::LOOP => refused(format!("{shown} is a symbolic link"), "name the file itself"),
        other => refused(format!("{shown}: {}", std::io::Error::from(other)), "put the secret there"),
    })?);
    let meta = file.metadata().map_err(|error| refused(format!("{shown}: {error}"), ""))?;
    if !meta.is_file() {
        return Err(refused(format!("{shown} is not a file"), "put the secret into a file"));
    }
    if private && meta.mode() & 0o077 != 0 {
        let what = format!("{shown} can be read by others (mode {:04o})", meta.mode() & 0o7777);
        return Err(refused(what, format!("chmod 600 {shown}")));
    }
    if private && meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(refused(format!("{shown} belongs to another user"), "chown it to the user who runs arb"));
    }
    let mut text = String::new();
    let read = file.take(MOST_BYTES + 1).read_to_string(&mut text);
    let secret = Secret::new(text);
    match read {
        Ok(bytes) if bytes as u64 <= MOST_BYTES => Ok(secret),
        Ok(_) => {
            Err(refused(format!("{shown} is larger than a secret"), "put the secret there and nothing else"))
        }
        Err(_) => Err(refused(format!("{shown} is not text"), "put the secret there and nothing else")),
    }
}
