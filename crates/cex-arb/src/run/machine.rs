//! What tells one run of a machine from another.

/// Where Linux says it: a number drawn when the system starts, the same for every process until it ends.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// A name of this run of the machine, which no other has; empty where the system does not tell one. What a process wrote survives
/// its own end, but not this one's.
#[must_use]
pub fn boot() -> String {
    std::fs::read_to_string(BOOT_ID).map(|text| text.trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_tells_the_same_run_twice() {
        assert_eq!(boot(), boot());
        let is_linux = cfg!(target_os = "linux");
        assert_eq!(boot().len(), if is_linux { 36 } else { 0 }, "{}", boot());
    }
}
