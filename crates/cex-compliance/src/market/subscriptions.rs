//! How subscriptions are made, spread, refused and ended.

use super::streams::{next, subscribe};
use crate::behaviour::{Behaviour, Failure, Verdict, behaviour, ensure, error_of, same};
use crate::stage::{PATIENCE, Stage, until};
use cex_core::{KlineInterval, LinkEvent, Market, MarketEvent, Markets, StreamKind, Text};
use cex_errors::{ErrorKind, Outcome};
use cex_interface::{EventSource, PublicExchange, Subscription};
use cex_transport::client::Stream;

pub(super) static ALL: &[Behaviour] = &[
    behaviour!(Market, Compliance, unclaimed_streams_are_unsupported, "A stream that is not claimed is refused before anything is sent."),
    behaviour!(Market, Compliance, stream_of_unregistered_symbol_is_refused, "A stream of a symbol nobody registered is refused before anything is sent."),
    behaviour!(Market, WebsocketPublic, subscription_named_twice_is_made_once, "The same wish twice brings each event once."),
    behaviour!(Market, WebsocketPublic, subscriptions_spread_within_the_limit, "More subscriptions than a connection carries make more connections, and all are confirmed.")
        .rows("W4")
        .set(|setting| {
            setting.symbols = 70;
            setting.registered = 70;
        }),
    behaviour!(Market, WebsocketPublic, refused_subscription_is_told, "A subscription the exchange refuses is reported as refused, also when the refusal looks like success.")
        .rows("W3"),
    behaviour!(Market, WebsocketPublic, refused_subscription_leaves_the_others_alive, "Beside a refused subscription the others bring data.")
        .rows("W3"),
    behaviour!(Market, WebsocketPublic, dropped_stream_closes_its_connections, "Nothing stays connected for a stream nobody reads."),
];

pub(super) async fn confirmed(stream: &mut Stream, count: usize) -> Result<Vec<LinkEvent>, Failure> {
    let mut news = Vec::new();
    let search = async {
        let answered =
            |event: &LinkEvent| matches!(event, LinkEvent::Subscribed { .. } | LinkEvent::Refused { .. });
        while news.iter().filter(|event| answered(event)).count() < count {
            match stream.next_link().await {
                Some(event) => news.push(event),
                None => return,
            }
        }
    };
    let waited = tokio::time::timeout(PATIENCE, search).await;
    ensure!(
        waited.is_ok(),
        format_args!("{count} answers to subscriptions"),
        format_args!("{} pieces of news", news.len())
    );
    Ok(news)
}

async fn unclaimed_streams_are_unsupported(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let all = [
        StreamKind::Book,
        StreamKind::BookTicker,
        StreamKind::Trades,
        StreamKind::Ticker,
        StreamKind::TopLevels(5),
        StreamKind::TopLevels(7),
        StreamKind::Klines(KlineInterval::Sec10),
        StreamKind::Klines(KlineInterval::Min1),
        StreamKind::Klines(KlineInterval::Hour12),
        StreamKind::Account,
    ];
    let claimed = stage.claims().public_streams;
    for stream in all.into_iter().filter(|stream| !claimed.contains(stream)) {
        let result = stage.exchange.subscribe(&[Subscription { symbol: market.id, stream }]).await;
        let error = error_of(&format!("no stream of {stream:?}"), result)?;
        same("kind of refusal", &ErrorKind::Unsupported, &error.kind)?;
    }
    Ok(())
}

async fn stream_of_unregistered_symbol_is_refused(stage: &mut Stage) -> Verdict {
    let wanted = [Subscription { symbol: stage.nobodys_symbol(), stream: StreamKind::Book }];
    let error = error_of("no stream of a symbol nobody registered", stage.exchange.subscribe(&wanted).await)?;
    same("outcome", &Outcome::NotSent, &error.outcome())?;
    same("streams opened", &0, &stage.wire()?.sockets())
}

async fn subscription_named_twice_is_made_once(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let wish = Subscription { symbol: market.id, stream: StreamKind::Book };
    let mut stream = stage.exchange.subscribe(&[wish, wish]).await?;
    let mut before = 0;
    for _ in 0..20 {
        next("updates", &mut stream, |event| {
            let MarketEvent::Book(update) = event else { return Ok(None) };
            ensure!(update.last_seq > before, format_args!("a version after {before}"), update.last_seq);
            before = update.last_seq;
            Ok(Some(()))
        })
        .await?;
    }
    Ok(())
}

async fn subscriptions_spread_within_the_limit(stage: &mut Stage) -> Verdict {
    let most = stage.claims().subscriptions_per_connection;
    let markets = stage.markets();
    let count = (most + 1).min(markets.len());
    ensure!(count > most, "fewer subscriptions on a connection than the stage has symbols", most);
    let wish = |market: &Market| Subscription { symbol: market.id, stream: StreamKind::Book };
    let wanted: Vec<_> = markets.iter().take(count).map(wish).collect();
    let mut stream = stage.exchange.subscribe(&wanted).await?;
    let links = stage.exchange.health().links_up.1 as usize;
    same("connections", &count.div_ceil(most), &links)?;
    let news = confirmed(&mut stream, count).await?;
    let refused = news.iter().find(|event| matches!(event, LinkEvent::Refused { .. }));
    ensure!(refused.is_none(), "no refusal", format_args!("{refused:?}"));
    Ok(())
}

/// The registered markets, and one that the exchange does not know.
fn with_a_stranger(stage: &Stage) -> Result<(Market, Markets), Failure> {
    let markets = stage.markets();
    let mut stranger = stage.market(0)?;
    stranger.id = stage.nobodys_symbol();
    let base = stranger.info.symbol.base;
    let native = stranger.native().replace(base.as_str(), "NOSUCH");
    stranger.info.native = Text::new(&native).map_err(|error| Failure::new("a short name", error))?;
    stranger.info.symbol.base =
        cex_core::Asset::new("NOSUCH").map_err(|error| Failure::new("a short name", error))?;
    let all = markets.iter().cloned().chain([stranger.clone()]).collect();
    Ok((stranger, Markets::new(all)))
}

async fn with_one_refused(stage: &Stage) -> Result<(Market, Stream), Failure> {
    let (stranger, markets) = with_a_stranger(stage)?;
    stage.exchange.client().set_markets(std::sync::Arc::new(markets));
    let known = stage.market(0)?;
    let wanted = [known.id, stranger.id].map(|symbol| Subscription { symbol, stream: StreamKind::Book });
    Ok((stranger, stage.exchange.subscribe(&wanted).await?))
}

async fn refused_subscription_is_told(stage: &mut Stage) -> Verdict {
    let (stranger, mut stream) = with_one_refused(stage).await?;
    let search = async {
        while let Some(event) = stream.next_link().await {
            match event {
                LinkEvent::Refused { symbol, stream: StreamKind::Book }
                    if symbol.is_none_or(|symbol| symbol == stranger.id) =>
                {
                    return Ok(());
                }
                LinkEvent::Subscribed { symbol, .. } if symbol == Some(stranger.id) => {
                    return Err(Failure::new("a refusal", "a confirmation of a symbol that does not exist"));
                }
                _ => {}
            }
        }
        Err(Failure::new("a refusal", "the end of the stream"))
    };
    let found = tokio::time::timeout(PATIENCE, search).await;
    found.unwrap_or_else(|_| {
        Err(Failure::new("news of the refusal", format_args!("none within {PATIENCE:?}")))
    })
}

async fn refused_subscription_leaves_the_others_alive(stage: &mut Stage) -> Verdict {
    let (_, mut stream) = with_one_refused(stage).await?;
    let known = stage.market(0)?;
    for _ in 0..10 {
        next("updates of the other symbol", &mut stream, |event| {
            let MarketEvent::Book(update) = event else { return Ok(None) };
            Ok((update.symbol == known.id).then_some(()))
        })
        .await?;
    }
    Ok(())
}

async fn dropped_stream_closes_its_connections(stage: &mut Stage) -> Verdict {
    let (_, mut stream) = subscribe(stage, 0, StreamKind::Book).await?;
    confirmed(&mut stream, 1).await?;
    same("connections", &1, &stage.exchange.health().links_up.1)?;
    drop(stream);
    until("the end of the connection", || async {
        Ok((stage.exchange.health().links_up.1 == 0).then_some(()))
    })
    .await
}
