//! Listening to an account's stream.

use crate::behaviour::{Failure, ensure};
use crate::stage::{PATIENCE, Stage};
use cex_core::{AccountEvent, LinkEvent, Order};
use cex_interface::{EventSource, PrivateExchange};
use cex_transport::client::Stream;

/// A stream from which nothing is missed.
pub(super) async fn ready(stage: &Stage) -> Result<Stream, Failure> {
    let mut stream = stage.exchange.account_stream().await?;
    news(&mut stream, "a complete account stream", |event| event == LinkEvent::AccountReady).await?;
    Ok(stream)
}

/// News of the connection up to what is wanted.
pub(super) async fn news(
    stream: &mut Stream,
    what: &str,
    wanted: impl Fn(LinkEvent) -> bool,
) -> Result<Vec<LinkEvent>, Failure> {
    let mut heard = Vec::new();
    let search = async {
        while let Some(event) = stream.next_link().await {
            heard.push(event);
            if wanted(event) {
                return true;
            }
        }
        false
    };
    let found = tokio::time::timeout(PATIENCE, search).await;
    ensure!(found == Ok(true), what, format_args!("{heard:?}"));
    Ok(heard)
}

/// The next event this takes something from.
pub(super) async fn next<T>(
    what: &str,
    stream: &mut Stream,
    mut take: impl FnMut(AccountEvent) -> Result<Option<T>, Failure>,
) -> Result<T, Failure> {
    let search = async {
        while let Some(event) = stream.next_account().await {
            if let Some(found) = take(event)? {
                return Ok(found);
            }
        }
        Err(Failure::new(what, "the end of the stream"))
    };
    let found = tokio::time::timeout(PATIENCE, search).await;
    found.unwrap_or_else(|_| Err(Failure::new(what, format_args!("nothing within {PATIENCE:?}"))))
}

/// The order of an event about one.
pub(super) const fn order(event: AccountEvent) -> Option<Order> {
    match event {
        AccountEvent::Order(order) => Some(order),
        AccountEvent::Fill(_) | AccountEvent::Balance(_) => None,
    }
}
