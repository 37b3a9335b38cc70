//! The journal against a disk that fails in every way a disk fails.

mod crashes;
mod disk;
mod limits;
mod reading;
mod rot;
mod script;
