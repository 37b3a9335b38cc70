//! What tells one run of a machine from another.

use cex_core::Timestamp;
use std::time::Duration;

/// Where Linux says it: a number drawn when the system starts, the same for every process until it ends.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// What stands for a run of the machine where the system does not tell one from another: not nothing, which earlier versions wrote.
pub const UNKNOWN: &str = "unknown";

/// A name of this run of the machine, which no other has, or [`UNKNOWN`]. What a process wrote survives its own end, but not this
/// one's.
#[must_use]
pub fn boot() -> String {
    let told = std::fs::read_to_string(BOOT_ID).map(|text| text.trim().to_owned());
    told.ok().filter(|text| !text.is_empty()).unwrap_or_else(|| UNKNOWN.to_owned())
}

/// Where Linux says what the machine is called.
const HOST: &str = "/proc/sys/kernel/hostname";

/// What the machine is called; nothing where the system does not tell.
#[must_use]
pub fn host() -> String {
    std::fs::read_to_string(HOST).map(|text| text.trim().to_owned()).unwrap_or_default()
}

/// How long the system has been running, in seconds and parts of one.
const UPTIME: &str = "/proc/uptime";

/// When this run of the machine began; `None` where the system does not tell.
#[must_use]
pub fn started(now: Timestamp) -> Option<Timestamp> {
    let text = std::fs::read_to_string(UPTIME).ok()?;
    let seconds = text.split_whitespace().next()?.parse().ok()?;
    Some(now - Duration::try_from_secs_f64(seconds).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_tells_the_same_run_twice() {
        assert_eq!(boot(), boot());
        let is_linux = cfg!(target_os = "linux");
        assert_eq!(boot() != UNKNOWN, is_linux, "{}", boot());
        assert!(!is_linux || (!host().is_empty() && host() == host().trim()), "{:?}", host());
        let now = Timestamp::from_secs(1_781_690_000);
        let began = started(now);
        assert_eq!(began.is_some(), is_linux);
        assert!(began.is_none_or(|began| began < now));
    }
}
