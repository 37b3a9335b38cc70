//! A bug ends the program at once, with exit code 1: nothing half done is gone on with, and the next start recovers as after any
//! other end. What is known of it is written down for whoever mends it.

use crate::exit::Exit;
use crate::log;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use std::backtrace::Backtrace;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::panic::PanicHookInfo;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::SystemTime;

/// Where it is written down; without one, where the system keeps what is temporary.
static PLACE: OnceLock<PathBuf> = OnceLock::new();

/// From now on a bug is written down in this directory.
pub fn keep_in(directory: &Path) {
    // There is one run in a program.
    let _ = PLACE.set(directory.to_owned());
}

/// From now on the system writes nothing of this process's memory down when it ends, however it ends: the secrets are in it.
pub fn leave_no_core() {
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        log::say(&format!("warning: an abort may leave secrets in a core file: {error}"));
    }
}

/// From now on whatever panics, on any thread, ends the program and says where that is written down.
pub fn tell_of_panics() {
    std::panic::set_hook(Box::new(|info| {
        // A screen gives its terminal back before this is called.
        log::show();
        let text = report(info, &Backtrace::force_capture());
        let place = PLACE.get().cloned().unwrap_or_else(std::env::temp_dir);
        let what = match write_down(&place, &text) {
            Ok(path) => {
                format!("error: {}\n  fix: this is a bug; report it with {}", heading(info), path.display())
            }
            Err(error) => format!("error: this is a bug, and {}: {error}\n{text}", place.display()),
        };
        log::say(&what);
        std::process::exit(Exit::Internal.code().into());
    }));
}

/// What happened and where, in a line.
fn heading(info: &PanicHookInfo<'_>) -> String {
    let place = info.location().map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
    format!("{}{place}", info.payload_as_str().unwrap_or("a panic without words"))
}

/// What is written down. Nothing of the configuration: it may name what nobody else is to know.
fn report(info: &PanicHookInfo<'_>, trace: &Backtrace) -> String {
    let mut text = format!("arb {}\n{}\n", env!("CARGO_PKG_VERSION"), heading(info));
    let thread = std::thread::current();
    // Writing into a string does not fail.
    let _ = writeln!(text, "thread {}\n\n{trace}", thread.name().unwrap_or("without a name"));
    text
}

fn write_down(place: &Path, text: &str) -> std::io::Result<PathBuf> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let path = place.join(format!("crash-{}-{}.txt", now.as_secs(), std::process::id()));
    let mut file = File::options().create_new(true).write(true).mode(0o600).open(&path)?;
    file.write_all(text.as_bytes())?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_abort_leaves_no_core_with_secrets() {
        leave_no_core();
        assert_eq!(rustix::process::dumpable_behavior().expect("Linux tells"), DumpableBehavior::NotDumpable);
    }
}
