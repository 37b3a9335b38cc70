//! How an adapter is opened against a simulated exchange.

use super::Setting;
use crate::behaviour::Failure;
use crate::program::Cast;
use crate::subject::Subject;
use crate::wire::Wire;
use cex_core::VenueId;
use cex_interface::{Protocol, Secret, VenueConfig};
use cex_sim::server::{SimAccount, SimExchange};
use cex_transport::{Client, TransportConfig};
use std::sync::Arc;

pub(super) fn unnamed() -> VenueId {
    VenueId::new(0, "venue").expect("a short name")
}

pub(super) fn dialect(cast: &Cast) -> Result<SimExchange, Failure> {
    let name = cast.registration.name;
    let known = SimExchange::ALL.into_iter().find(|exchange| exchange.name() == name);
    known.ok_or_else(|| Failure::new(format_args!("a dialect for {name} in cex-sim"), "none"))
}

pub(super) fn venue_config(
    cast: &Cast,
    setting: &Setting,
    wire: &Wire,
    account: &SimAccount,
) -> Result<VenueConfig, Failure> {
    let venue = VenueId::new(0, cast.registration.name)
        .map_err(|error| Failure::new("a short name of the exchange", error))?;
    let mut config = VenueConfig::public(venue);
    config.rest_url = Some(wire.rest.clone());
    config.ws_url = Some(wire.ws.clone());
    config.key = Secret::new(account.key.clone());
    config.secret = Secret::new(account.secret.clone());
    let limits = if setting.own_limits { "on" } else { "off" };
    config.options.insert("rate_limits".to_owned(), limits.to_owned());
    config.options.extend(setting.options.iter().cloned());
    Ok(config)
}

pub(super) async fn connect(
    cast: &Cast,
    config: VenueConfig,
    transport: TransportConfig,
) -> Result<(Subject, Arc<dyn Protocol>), Failure> {
    let protocol = cast.broken((cast.registration.open)(config)?);
    let client = Client::connect(Arc::clone(&protocol), transport).await?;
    let subject = Subject::new(client);
    #[cfg(feature = "mutants")]
    let subject = subject.broken(cast.call_fault());
    Ok((subject, protocol))
}
