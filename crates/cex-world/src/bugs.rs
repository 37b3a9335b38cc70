//! Bugs on purpose.
