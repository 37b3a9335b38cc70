//! The behaviours every adapter must show: written once against the traits of `cex-interface`, chosen by what an
//! adapter claims in its [`Capabilities`](cex_interface::Capabilities), run against that exchange's dialect in the
//! simulator, over real sockets on loopback.
//!
//! An adapter has one line in `tests/compliance.rs` (a test target with `harness = false`):
//!
//! ```text
//! cex_compliance::suite!(cex_mexc::REGISTRATION, [("depth_interval", "100ms")]);
//! ```
//!
//! which makes a program that any test runner can list and run, and that `cargo xtask verify-compliance` asks for a
//! report. Behaviours know no exchange by name; what an adapter does not claim must answer `Unsupported`.
//!
//! | module | what |
//! |---|---|
//! | [`behaviour`] | [`Behaviour`], [`Failure`]: a named promise, and how it was broken |
//! | [`stage`] | [`Stage`]: a simulator, the adapter opened against it, the truth beside it |
//! | [`wire`] | [`Wire`](wire::Wire): a relay between the two, which loses, cuts, holds or replaces what passes |
//! | [`follow`] | [`Follow`]: a book kept from a stream, as whoever trades keeps it |
//! | [`market`], [`account`], [`orders`], [`failures`], [`limits`], [`security`] | the behaviours |
//! | [`known`] | gaps that are known, each with its reason |
//! | `mutant` (feature `mutants`) | adapters broken on purpose, each with the behaviour that must notice |
//! | [`runner`], [`report`], [`program`] | many stages at once; what came of it, as data; the command line |
#![forbid(unsafe_code)]

pub mod account;
pub mod behaviour;
pub mod failures;
pub mod follow;
pub mod known;
pub mod limits;
pub mod market;
#[cfg(feature = "mutants")]
pub mod mutant;
pub mod orders;
pub mod program;
pub mod report;
pub mod runner;
pub mod security;
pub mod stage;
pub mod subject;
pub mod wire;

pub use behaviour::{Behaviour, Category, Failure, Theme, Verdict};
pub use follow::Follow;
pub use program::{Cast, main};
pub use stage::{Setting, Stage};
pub use subject::Subject;

/// Every behaviour there is, by theme.
#[must_use]
pub fn behaviours() -> Vec<&'static Behaviour> {
    [market::all(), account::all(), orders::all(), failures::all(), limits::all(), security::all()].concat()
}

/// The program of an adapter's `tests/compliance.rs`: its registration, then one list of options for each further book
/// stream it claims.
#[macro_export]
macro_rules! suite {
    ($registration:expr $(, [$($option:expr),+ $(,)?])* $(,)?) => {
        fn main() -> ::std::process::ExitCode {
            $crate::main(&$crate::Cast::new($registration, &[$(&[$($option),+]),*]))
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_sentences_and_told_apart() {
        let all = behaviours();
        let names: BTreeSet<&str> = all.iter().map(|behaviour| behaviour.name).collect();
        assert_eq!(names.len(), all.len(), "a name is used twice");
        for behaviour in &all {
            assert!(behaviour.name.matches('_').count() >= 2, "{} is no sentence", behaviour.name);
            assert!(behaviour.says.ends_with('.'), "{}: {}", behaviour.name, behaviour.says);
        }
    }

    #[test]
    fn known_gaps_name_behaviours_and_reasons() {
        let all = behaviours();
        for gap in known::GAPS {
            assert!(all.iter().any(|behaviour| behaviour.name == gap.behaviour), "{}", gap.behaviour);
            assert!(gap.reason.len() > 20, "{} needs a reason", gap.behaviour);
        }
    }

    #[cfg(feature = "mutants")]
    #[test]
    fn every_mutant_names_the_behaviour_that_catches_it() {
        let all = behaviours();
        let names: BTreeSet<&str> = mutant::ALL.iter().map(|mutant| mutant.name).collect();
        assert_eq!(names.len(), mutant::ALL.len(), "a mutant's name is used twice");
        for mutant in mutant::ALL {
            let known = all.iter().any(|behaviour| behaviour.name == mutant.caught_by);
            assert!(known, "{} is to be caught by {}, which does not exist", mutant.name, mutant.caught_by);
        }
    }
}
