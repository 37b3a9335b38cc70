//! The exchanges this program knows: one line each. Nothing else here names one.

use cex_interface::Registration;

/// All registered exchanges, in the order their venues are numbered.
pub const EXCHANGES: [Registration; 2] = [cex_mexc::REGISTRATION, cex_gateio::REGISTRATION];

/// The exchange registered under this name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Registration> {
    EXCHANGES.iter().find(|exchange| exchange.name == name)
}
