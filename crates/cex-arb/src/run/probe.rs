//! What a key may do, found out before a run begins: one that reaches withdrawals is refused, and one that cannot trade is
//! no good for real orders.

use super::venue::Venue;
use crate::config::{Config, Mode};
use crate::exit::{Exit, Failure};
use cex_core::{Account, Decimal};
use cex_engine::IdSource;
use cex_errors::{ErrorKind, ExchangeError, Outcome};
use cex_interface::{OrderRef, Reply, Request};

/// Looks at the key of every exchange that has one; `epoch` is this run's.
///
/// # Errors
/// Exit code 4 when a key is not known, may do too little, or too much; 5 when the exchange cannot be asked.
pub async fn keys(config: &Config, venues: &[Venue], epoch: u64) -> Result<(), Failure> {
    for (configured, venue) in config.venues.iter().zip(venues) {
        if configured.config.key.is_empty() {
            continue;
        }
        let account = account(venue).await?;
        refuse_withdrawals(venue, configured.withdrawals_readable).await?;
        if config.mode == Mode::Live {
            if account.balances.iter().all(|balance| balance.total().is_ok_and(Decimal::is_zero)) {
                tracing::warn!(venue = %venue.id, "the spot account holds nothing, so nothing can be opened there: are its coins in another, or a unified one?");
            }
            if account.can_trade == Some(false) {
                return Err(cannot_trade(venue, "the exchange says so of the account"));
            }
            must_trade(venue, epoch).await?;
        }
    }
    Ok(())
}

async fn account(venue: &Venue) -> Result<Account, Failure> {
    match venue.rest.call(&Request::Account).await {
        Ok(Reply::Account(account)) => Ok(account),
        Ok(other) => Err(answered_as(venue, "the account", &other)),
        Err(error) => Err(denied(&error)),
    }
}

/// A key that can read withdrawals can, as far as anybody can find out, make them; unless the operator knows better.
async fn refuse_withdrawals(venue: &Venue, readable: bool) -> Result<(), Failure> {
    match venue.rest.call(&Request::Withdrawals).await {
        Err(ExchangeError { kind: ErrorKind::PermissionDenied, .. }) => Ok(()),
        Ok(_) if readable => {
            tracing::warn!(venue = %venue.id, "the key reads withdrawals; the configuration says that it makes none");
            Ok(())
        }
        Ok(_) => Err(Failure::new(
            Exit::Credentials,
            format!("{}: the key reaches withdrawals: whoever steals it takes the coins", venue.id),
            "make a key that may read and trade and nothing else, bound to this machine's address; if it only reads them, \
             set withdrawals_readable = true in the exchange's section",
        )),
        Err(error) if error.kind == ErrorKind::Unsupported => {
            tracing::warn!(venue = %venue.id, "whether the key reaches withdrawals cannot be found out there");
            Ok(())
        }
        Err(error) => Err(denied(&error)),
    }
}

/// Cancels an order that never was: an exchange looks at what the key may do before it looks for the order.
async fn must_trade(venue: &Venue, epoch: u64) -> Result<(), Failure> {
    let markets = venue.rest.markets();
    let Some(market) = markets.iter().next() else { return Ok(()) };
    let order = OrderRef::Client(IdSource::new(epoch).next('p'));
    match venue.rest.call(&Request::Cancel { symbol: market.id, order }).await {
        Ok(_) => Ok(()),
        Err(error) => match error.kind {
            ErrorKind::OrderNotFound => Ok(()),
            ErrorKind::PermissionDenied | ErrorKind::AccountRestricted => {
                Err(cannot_trade(venue, &error.to_string()))
            }
            _ => Err(denied(&error)),
        },
    }
}

fn cannot_trade(venue: &Venue, why: &str) -> Failure {
    let what = format!("{}: the key cannot trade: {why}", venue.id);
    Failure::new(Exit::Credentials, what, "give it the permission for spot trading")
}

fn answered_as(venue: &Venue, what: &str, reply: &Reply) -> Failure {
    Failure::new(Exit::Internal, format!("{}: {what} was answered as {reply:?}", venue.id), "")
}

/// A refused call, in words that say what is wrong with the key.
fn denied(error: &ExchangeError) -> Failure {
    let fix = match error.kind {
        ErrorKind::InvalidKey => "the key is not known there or has expired: make a new one",
        ErrorKind::InvalidSignature => "the secret does not belong to the key, or the key has expired",
        ErrorKind::PermissionDenied => {
            "the key may not read the account, or not from this machine's address: look at its permissions and addresses"
        }
        _ if error.outcome() == Outcome::Refused && !error.kind.passes() => {
            "look at the key and at the state of the account"
        }
        ErrorKind::Connection(_) | ErrorKind::Timeout(_) => {
            return Failure::new(Exit::Unreachable, error.to_string(), "check the network");
        }
        _ => {
            return Failure::new(
                Exit::Unreachable,
                error.to_string(),
                "start again when the exchange serves it",
            );
        }
    };
    Failure::new(Exit::Credentials, error.to_string(), fix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cex_core::VenueId;
    use cex_errors::Op;

    #[test]
    fn what_passes_says_nothing_against_a_key() {
        let venue = VenueId::new(0, "a").expect("short");
        for (kind, exit) in [
            (ErrorKind::Maintenance, Exit::Unreachable),
            (ErrorKind::RateLimited { retry_after: None }, Exit::Unreachable),
            (ErrorKind::ServerBusy, Exit::Unreachable),
            (ErrorKind::InvalidKey, Exit::Credentials),
            (ErrorKind::Banned { retry_after: None }, Exit::Credentials),
        ] {
            let denied = denied(&ExchangeError::new(venue, Op::Account, kind.clone()));
            assert_eq!(denied.exit, exit, "{kind:?}");
        }
    }
}
