//! Candles by asking.

use crate::behaviour::{Behaviour, Failure, Verdict, behaviour, ensure, same};
use crate::stage::{Stage, until};
use cex_core::{Decimal, Kline, KlineInterval};
use cex_errors::ErrorKind;
use cex_interface::{PublicExchange, TimeRange};
use std::time::Duration;

pub(super) static ALL: &[Behaviour] = &[
    behaviour!(Market, RestPublic, candles_are_coherent, "High and low of a candle hold its open and close.")
        .public(),
    behaviour!(
        Market,
        RestPublic,
        candles_come_oldest_first_on_their_grid,
        "Candles begin at multiples of their length, each once."
    )
    .public(),
    behaviour!(Market, RestPublic, candles_honour_their_limit, "No more candles than asked for.").public(),
    behaviour!(Market, RestPublic, candles_stay_within_their_span, "Candles of a span begin in it."),
    behaviour!(
        Market,
        RestPublic,
        long_spans_of_candles_have_no_holes_or_repeats,
        "Several calls make one row of candles."
    )
    .rows("H7"),
    behaviour!(
        Market,
        RestPublic,
        every_candle_length_is_served_or_unsupported,
        "A length the exchange lacks is unsupported, never silently another."
    ),
];

async fn some_candles(stage: &Stage, limit: u32) -> Result<Vec<Kline>, Failure> {
    let market = stage.market(0)?;
    until("candles", || async {
        let range = TimeRange::default();
        let candles = stage.exchange.klines(market.id, KlineInterval::Min1, range, limit).await?;
        Ok((!candles.is_empty()).then_some(candles))
    })
    .await
}

async fn candles_are_coherent(stage: &mut Stage) -> Verdict {
    for candle in some_candles(stage, 50).await? {
        let holds = candle.low <= candle.open
            && candle.low <= candle.close
            && candle.high >= candle.open
            && candle.high >= candle.close
            && candle.low.is_positive()
            && !candle.volume.is_negative()
            && !candle.quote_volume.is_negative();
        ensure!(holds, "a coherent candle", format_args!("{candle:?}"));
        if !candle.volume.is_zero() {
            // What was turned over in quote, over base, is a price of that minute.
            let mean = candle.quote_volume.checked_div(candle.volume, 12, cex_core::Rounding::Down)?;
            let slack = Decimal::new(2, 2);
            let low = candle.low.checked_mul(Decimal::from(1).checked_sub(slack)?)?;
            let high = candle.high.checked_mul(Decimal::from(1).checked_add(slack)?)?;
            ensure!(
                mean >= low && mean <= high,
                "base and quote volume told apart",
                format_args!("{candle:?}")
            );
        }
    }
    Ok(())
}

async fn candles_come_oldest_first_on_their_grid(stage: &mut Stage) -> Verdict {
    let candles = some_candles(stage, 50).await?;
    on_grid(&candles, KlineInterval::Min1)
}

fn on_grid(candles: &[Kline], interval: KlineInterval) -> Verdict {
    let length = interval.length().as_secs() as i64;
    let sorted = candles.windows(2).all(|pair| pair[0].open_time < pair[1].open_time);
    ensure!(sorted, "candles that follow each other", format_args!("{candles:?}"));
    for candle in candles {
        // Weeks and months begin where the exchange lets them.
        let aligned = length >= 7 * 86_400 || candle.open_time.as_secs() % length == 0;
        ensure!(
            aligned && candle.interval == interval,
            format_args!("a candle of {interval}"),
            format_args!("{candle:?}")
        );
    }
    Ok(())
}

async fn candles_honour_their_limit(stage: &mut Stage) -> Verdict {
    let candles = some_candles(stage, 1).await?;
    same("candles", &1, &candles.len())
}

async fn candles_stay_within_their_span(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    some_candles(stage, 1).await?;
    let to = stage.now();
    let from = to - Duration::from_secs(300);
    let range = TimeRange { from: Some(from), to: Some(to) };
    let candles = stage.exchange.klines(market.id, KlineInterval::Min1, range, 100).await?;
    ensure!(!candles.is_empty(), "candles of the last minutes", "none");
    let first = from - Duration::from_secs(60);
    let outside = candles.iter().find(|candle| candle.open_time < first || candle.open_time > to);
    ensure!(outside.is_none(), format_args!("candles from {first} to {to}"), format_args!("{outside:?}"));
    on_grid(&candles, KlineInterval::Min1)
}

async fn long_spans_of_candles_have_no_holes_or_repeats(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let newest = some_candles(stage, 1).await?;
    let to = stage.now();
    let from = to - Duration::from_secs(60 * 1_300);
    let candles = stage.exchange.klines_batch(market.id, KlineInterval::Min1, from, to).await?;
    ensure!(!candles.is_empty(), "candles", "none");
    on_grid(&candles, KlineInterval::Min1)?;
    let last = candles.last().map(|candle| candle.open_time);
    ensure!(
        last >= newest.last().map(|candle| candle.open_time),
        "the newest candle too",
        format_args!("{last:?}")
    );
    Ok(())
}

async fn every_candle_length_is_served_or_unsupported(stage: &mut Stage) -> Verdict {
    use KlineInterval::{Day1, Hour1, Hour4, Hour8, Hour12, Min1, Min5, Min15, Min30, Month1, Sec10, Week1};
    let market = stage.market(0)?;
    some_candles(stage, 1).await?;
    let mut served = 0;
    for interval in [Sec10, Min1, Min5, Min15, Min30, Hour1, Hour4, Hour8, Hour12, Day1, Week1, Month1] {
        match stage.exchange.klines(market.id, interval, TimeRange::default(), 3).await {
            Ok(candles) => {
                on_grid(&candles, interval)?;
                served += 1;
            }
            Err(error) => same("kind of refusal", &ErrorKind::Unsupported, &error.kind)?,
        }
    }
    ensure!(served >= 7, "most lengths of candles", served);
    Ok(())
}
