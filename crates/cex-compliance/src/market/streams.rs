//! What public streams other than books bring.

use super::subscriptions::confirmed;
use crate::behaviour::{Behaviour, Failure, Verdict, behaviour, ensure, same};
use crate::stage::{PATIENCE, Stage, now_or_never};
use cex_core::{KlineInterval, Market, MarketEvent, Side, StreamKind};
use cex_interface::{Capabilities, EventSource, PublicExchange, Subscription};
use cex_transport::client::Stream;
use std::collections::BTreeSet;
use std::time::Duration;

pub(super) static ALL: &[Behaviour] = &[
    behaviour!(
        Market,
        WebsocketPublic,
        best_price_stream_is_sane,
        "Best prices come, bid below ask, of the symbol asked for."
    )
    .needs(|all| claims(all, StreamKind::BookTicker))
    .public(),
    behaviour!(
        Market,
        WebsocketPublic,
        best_price_stream_meets_the_book,
        "Streamed best prices are those of the snapshot."
    )
    .needs(|all| claims(all, StreamKind::BookTicker)),
    behaviour!(
        Market,
        WebsocketPublic,
        trade_stream_brings_our_own_trade,
        "A trade of ours comes over the stream with side, price and quantity."
    )
    .needs(|all| claims(all, StreamKind::Trades)),
    behaviour!(
        Market,
        WebsocketPublic,
        trade_stream_never_repeats_a_trade,
        "A trade's identifier comes once."
    )
    .needs(|all| claims(all, StreamKind::Trades))
    .rows("W9"),
    behaviour!(Market, WebsocketPublic, ticker_stream_is_sane, "Day statistics come over the stream.")
        .needs(|all| claims(all, StreamKind::Ticker)),
    behaviour!(Market, WebsocketPublic, candle_stream_is_sane, "Candles come over the stream.")
        .needs(|all| claims(all, CANDLES)),
    behaviour!(
        Market,
        WebsocketPublic,
        every_claimed_candle_stream_brings_its_length,
        "Candles of every claimed length come, each told as what it is."
    )
    .needs(|all| claims(all, CANDLES)),
    behaviour!(
        Market,
        WebsocketPublic,
        top_levels_stream_is_sane,
        "The best levels of a book come whole: bids falling, asks rising, no more than asked for."
    )
    .needs(|all| claims(all, TOP_LEVELS)),
    behaviour!(
        Market,
        WebsocketPublic,
        several_streams_share_a_connection,
        "Several subscriptions of one connection all bring data."
    ),
    behaviour!(
        Market,
        WebsocketPublic,
        frames_and_silence_are_counted,
        "Health tells frames, and how long ago the last one came."
    ),
];

const fn claims(claims: &Capabilities, stream: StreamKind) -> bool {
    let mut at = 0;
    while at < claims.public_streams.len() {
        if is_same_kind(claims.public_streams[at], stream) {
            return true;
        }
        at += 1;
    }
    false
}

/// Whether both are of one kind, whatever the length of the candle or the depth of the levels.
const fn is_same_kind(one: StreamKind, other: StreamKind) -> bool {
    matches!(
        (one, other),
        (StreamKind::Book, StreamKind::Book)
            | (StreamKind::TopLevels(_), StreamKind::TopLevels(_))
            | (StreamKind::BookTicker, StreamKind::BookTicker)
            | (StreamKind::Trades, StreamKind::Trades)
            | (StreamKind::Ticker, StreamKind::Ticker)
            | (StreamKind::Klines(_), StreamKind::Klines(_))
            | (StreamKind::Account, StreamKind::Account)
    )
}

/// Any candle and any depth: which ones are claimed does not matter.
const CANDLES: StreamKind = StreamKind::Klines(KlineInterval::Min1);

const TOP_LEVELS: StreamKind = StreamKind::TopLevels(5);

/// The first stream of this kind that is claimed.
fn first_claimed(stage: &Stage, kind: StreamKind) -> Result<StreamKind, Failure> {
    let claimed = stage.claims().public_streams.iter().find(|stream| is_same_kind(**stream, kind));
    claimed.copied().ok_or_else(|| Failure::new("a claimed stream", format_args!("no {kind:?}")))
}

pub(super) async fn subscribe(
    stage: &Stage,
    index: usize,
    stream: StreamKind,
) -> Result<(Market, Stream), Failure> {
    let market = stage.market(index)?;
    let wanted = [Subscription { symbol: market.id, stream }];
    Ok((market, stage.exchange.subscribe(&wanted).await?))
}

/// The next event this takes something from.
pub(super) async fn next<T>(
    what: &str,
    stream: &mut Stream,
    mut take: impl FnMut(MarketEvent) -> Result<Option<T>, Failure>,
) -> Result<T, Failure> {
    let search = async {
        while let Some((event, _)) = stream.next_market().await {
            if let Some(found) = take(event)? {
                return Ok(found);
            }
        }
        Err(Failure::new(what, "the end of the stream"))
    };
    let found = tokio::time::timeout(PATIENCE, search).await;
    found.unwrap_or_else(|_| Err(Failure::new(what, format_args!("nothing within {PATIENCE:?}"))))
}

async fn best_price_stream_is_sane(stage: &mut Stage) -> Verdict {
    let (market, mut stream) = subscribe(stage, 0, StreamKind::BookTicker).await?;
    for _ in 0..5 {
        next("best prices", &mut stream, |event| {
            let MarketEvent::BookTicker(ticker) = event else { return Ok(None) };
            let crossed = ticker.bid.zip(ticker.ask).is_some_and(|(bid, ask)| bid.price >= ask.price);
            ensure!(!crossed && ticker.symbol == market.id, "sane best prices", format_args!("{ticker:?}"));
            Ok(Some(()))
        })
        .await?;
    }
    Ok(())
}

async fn best_price_stream_meets_the_book(stage: &mut Stage) -> Verdict {
    let (market, mut stream) = subscribe(stage, 2, StreamKind::BookTicker).await?;
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let told = next("best prices", &mut stream, |event| {
            let MarketEvent::BookTicker(ticker) = event else { return Ok(None) };
            Ok(Some((ticker.bid, ticker.ask)))
        })
        .await?;
        let book = stage.book(&market).await?;
        if told == (book.bids.first().copied(), book.asks.first().copied()) {
            return Ok(());
        }
        ensure!(
            std::time::Instant::now() < deadline,
            "best prices equal to a snapshot's top",
            format_args!("{told:?}")
        );
    }
}

async fn trade_stream_brings_our_own_trade(stage: &mut Stage) -> Verdict {
    let (market, mut stream) = subscribe(stage, 2, StreamKind::Trades).await?;
    confirmed(&mut stream, 1).await?;
    for side in [Side::Sell, Side::Buy] {
        let (order, _) = stage.take(&market, side).await?;
        let fills = stage.fills_on_record(order.client_id)?;
        let fill = fills.first().ok_or_else(|| Failure::new("a fill on record", "none"))?;
        let (price, qty) = (market.scale.price(fill.price)?, market.scale.qty(fill.qty)?);
        next("our trade", &mut stream, |event| {
            let MarketEvent::Trade(trade) = event else { return Ok(None) };
            if (trade.price, trade.qty) != (price, qty) {
                return Ok(None);
            }
            same("taker's side", &side, &trade.taker_side)?;
            same("symbol", &market.id, &trade.symbol)?;
            Ok(Some(()))
        })
        .await?;
    }
    Ok(())
}

async fn trade_stream_never_repeats_a_trade(stage: &mut Stage) -> Verdict {
    let (_, mut stream) = subscribe(stage, 0, StreamKind::Trades).await?;
    let mut seen = BTreeSet::new();
    for _ in 0..12 {
        next("trades", &mut stream, |event| {
            let MarketEvent::Trade(trade) = event else { return Ok(None) };
            if let Some(id) = trade.trade_id {
                ensure!(seen.insert(id.as_str().to_owned()), "a new trade", format_args!("{id} again"));
            }
            Ok(Some(()))
        })
        .await?;
    }
    Ok(())
}

async fn ticker_stream_is_sane(stage: &mut Stage) -> Verdict {
    let (market, mut stream) = subscribe(stage, 0, StreamKind::Ticker).await?;
    next("a ticker", &mut stream, |event| {
        let MarketEvent::Ticker(ticker) = event else { return Ok(None) };
        ensure!(
            ticker.symbol == market.id && ticker.last.is_positive(),
            "a sane ticker",
            format_args!("{ticker:?}")
        );
        Ok(Some(()))
    })
    .await
}

async fn candle_stream_is_sane(stage: &mut Stage) -> Verdict {
    let kind = first_claimed(stage, CANDLES)?;
    let (market, mut stream) = subscribe(stage, 0, kind).await?;
    next("a candle", &mut stream, |event| {
        let MarketEvent::Kline(candle) = event else { return Ok(None) };
        let holds = candle.symbol == market.id && candle.low <= candle.high && candle.low.is_positive();
        ensure!(holds, "a sane candle", format_args!("{candle:?}"));
        Ok(Some(()))
    })
    .await
}

async fn every_claimed_candle_stream_brings_its_length(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let claimed = stage.claims().public_streams.iter().copied();
    let wanted: Vec<_> = claimed
        .filter(|stream| is_same_kind(*stream, CANDLES))
        .map(|stream| Subscription { symbol: market.id, stream })
        .collect();
    let mut missing: BTreeSet<_> = wanted.iter().map(|wish| wish.stream).collect();
    let mut stream = stage.exchange.subscribe(&wanted).await?;
    next("candles of every length", &mut stream, |event| {
        let MarketEvent::Kline(candle) = event else { return Ok(None) };
        missing.remove(&StreamKind::Klines(candle.interval));
        Ok(missing.is_empty().then_some(()))
    })
    .await
    .map_err(|failure| Failure::new(failure.expected, format_args!("{}; none of {missing:?}", failure.found)))
}

async fn top_levels_stream_is_sane(stage: &mut Stage) -> Verdict {
    let kind = first_claimed(stage, TOP_LEVELS)?;
    let StreamKind::TopLevels(depth) = kind else {
        return Err(Failure::new("best levels", format_args!("{kind:?}")));
    };
    let market = stage.market(0)?;
    let mut stream = stage.exchange.subscribe(&[Subscription { symbol: market.id, stream: kind }]).await?;
    for _ in 0..5 {
        let told = tokio::time::timeout(PATIENCE, stream.next_market()).await;
        let Ok(Some((event, levels))) = told else { return Err(Failure::new("best levels", "nothing")) };
        let MarketEvent::TopLevels(update) = event else {
            return Err(Failure::new("best levels only", format_args!("{event:?}")));
        };
        let (bids, asks) = (update.bids.of(&levels), update.asks.of(&levels));
        let falls = bids.windows(2).all(|pair| pair[0].price > pair[1].price);
        let rises = asks.windows(2).all(|pair| pair[0].price < pair[1].price);
        let apart = bids.first().zip(asks.first()).is_none_or(|(bid, ask)| bid.price < ask.price);
        let most = usize::from(depth);
        let holds = falls && rises && apart && bids.len() <= most && asks.len() <= most && !levels.is_empty();
        ensure!(
            holds && update.symbol == market.id,
            "sane best levels",
            format_args!("{update:?} {levels:?}")
        );
    }
    Ok(())
}

async fn several_streams_share_a_connection(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let kinds: Vec<_> = [StreamKind::Book, StreamKind::BookTicker, StreamKind::Trades]
        .into_iter()
        .filter(|kind| claims(stage.claims(), *kind))
        .collect();
    let wanted: Vec<_> =
        kinds.iter().map(|stream| Subscription { symbol: market.id, stream: *stream }).collect();
    let mut stream = stage.exchange.subscribe(&wanted).await?;
    let mut missing: BTreeSet<StreamKind> = kinds.into_iter().collect();
    next("data of every stream", &mut stream, |event| {
        missing.remove(&match event {
            MarketEvent::Book(_) => StreamKind::Book,
            MarketEvent::TopLevels(_) => TOP_LEVELS,
            MarketEvent::BookTicker(_) => StreamKind::BookTicker,
            MarketEvent::Trade(_) => StreamKind::Trades,
            MarketEvent::Ticker(_) => StreamKind::Ticker,
            MarketEvent::Kline(_) => CANDLES,
        });
        Ok(missing.is_empty().then_some(()))
    })
    .await
}

async fn frames_and_silence_are_counted(stage: &mut Stage) -> Verdict {
    let (_, mut stream) = subscribe(stage, 0, StreamKind::Book).await?;
    next("an update", &mut stream, |event| Ok(matches!(event, MarketEvent::Book(_)).then_some(()))).await?;
    let health = stage.exchange.health();
    ensure!(health.frames > 0, "frames counted", health.frames);
    let silent = health.silent_for.ok_or_else(|| Failure::new("the time since the last frame", "none"))?;
    ensure!(silent < Duration::from_secs(2), "a short silence", format_args!("{silent:?}"));
    ensure!(
        health.calls.0 > 0 && health.clock_error.is_some(),
        "calls and a known clock",
        format_args!("{health:?}")
    );
    // The queue of news is not blocked by events nobody took.
    ensure!(now_or_never(stream.next_link()).is_some(), "news of the connection", "none");
    Ok(())
}
