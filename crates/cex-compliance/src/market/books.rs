//! Books kept from streams.

use crate::behaviour::{Behaviour, Failure, Verdict, behaviour, ensure, same};
use crate::follow::Follow;
use crate::stage::Stage;
use cex_core::{BookSide, Level, LinkEvent, Side, StreamKind, UpdateKind};
use cex_interface::{PrivateExchange, PublicExchange};
use std::time::Duration;

pub(super) static ALL: &[Behaviour] = &[
    behaviour!(
        Market,
        WebsocketPublic,
        book_joins_and_becomes_live,
        "Snapshot and stream join into a live book."
    )
    .rows("B3")
    .public(),
    behaviour!(
        Market,
        WebsocketPublic,
        live_book_equals_the_snapshot_of_its_version,
        "At the version of a snapshot the followed book equals it."
    )
    .rows("B3 B10 H6"),
    behaviour!(
        Market,
        WebsocketPublic,
        live_book_equals_the_snapshot_after_many_updates,
        "After hundreds of updates the book still equals the exchange's."
    )
    .rows("B10"),
    behaviour!(
        Market,
        WebsocketPublic,
        book_stream_has_no_gaps_of_its_own,
        "Nothing is lost between socket and book."
    )
    .rows("B1 T7")
    .public(),
    behaviour!(Market, WebsocketPublic, live_book_is_never_crossed, "The best bid stays below the best ask.")
        .rows("B4")
        .public(),
    behaviour!(Market, WebsocketPublic, book_versions_grow, "Versions of updates never fall.").public(),
    behaviour!(
        Market,
        WebsocketPublic,
        every_claimed_book_stream_joins,
        "Each book stream that is claimed becomes a live book equal to the exchange's."
    ),
    behaviour!(
        Market,
        WebsocketPublic,
        books_of_two_symbols_do_not_mix,
        "Each book holds its own symbol's prices."
    )
    .rows("B7"),
    behaviour!(
        Market,
        WebsocketPublic,
        own_resting_order_shows_in_the_book,
        "An order of ours appears in the followed book at its price and quantity, and goes away."
    ),
    behaviour!(
        Market,
        WebsocketPublic,
        book_updates_carry_plausible_times,
        "Times of updates are in the right unit."
    )
    .rows("W14")
    .public(),
    behaviour!(
        Market,
        WebsocketPublic,
        book_subscription_is_confirmed,
        "A confirmation of the exchange is passed on."
    )
    .rows("W3")
    .public(),
    behaviour!(
        Market,
        WebsocketPublic,
        book_equals_the_truth_level_by_level,
        "New, changed and deleted levels at every depth all show, and the book equals what the exchange has."
    )
    .rows("B1 B5 B10")
    .set(|setting| setting.is_quiet = true),
    behaviour!(
        Market,
        WebsocketPublic,
        book_of_a_quiet_symbol_becomes_live,
        "A symbol in which nothing happens has a live book all the same, from its snapshot."
    )
    .rows("B3")
    .set(|setting| setting.is_quiet = true),
    behaviour!(
        Market,
        WebsocketPublic,
        empty_side_is_empty_and_not_stale,
        "A side that was eaten up is empty, as on the exchange."
    )
    .rows("B8")
    .set(|setting| setting.is_quiet = true),
];

async fn book_joins_and_becomes_live(stage: &mut Stage) -> Verdict {
    let mut follow = Follow::open(stage, 0).await?;
    ensure!(follow.sync.usable().is_none(), "no book before the first data", "a usable one");
    follow.until_live(stage).await
}

async fn live_book_equals_the_snapshot_of_its_version(stage: &mut Stage) -> Verdict {
    for index in 0..2 {
        let mut follow = Follow::open(stage, index).await?;
        follow.until_live(stage).await?;
        follow.equals_snapshot(stage).await?;
    }
    Ok(())
}

async fn live_book_equals_the_snapshot_after_many_updates(stage: &mut Stage) -> Verdict {
    let mut follow = Follow::open(stage, 0).await?;
    follow.until_live(stage).await?;
    for _ in 0..6 {
        follow.updates(stage, 20).await?;
        follow.equals_snapshot(stage).await?;
    }
    Ok(())
}

async fn book_stream_has_no_gaps_of_its_own(stage: &mut Stage) -> Verdict {
    let mut follow = Follow::open(stage, 0).await?;
    follow.until_live(stage).await?;
    let before = *follow.sync.counters();
    follow.updates(stage, if stage.is_live() { 20 } else { 120 }).await?;
    let after = follow.sync.counters();
    same(
        "gaps, resyncs and misrouted frames",
        &(before.gaps, before.resyncs, 0),
        &(after.gaps, after.resyncs, after.misrouted),
    )
}

async fn live_book_is_never_crossed(stage: &mut Stage) -> Verdict {
    let mut follow = Follow::open(stage, 0).await?;
    follow.until_live(stage).await?;
    let target = follow.sync.counters().updates + if stage.is_live() { 20 } else { 100 };
    follow.until(stage, "updates of the book", |follow| follow.sync.counters().updates >= target).await?;
    same("times the book was crossed", &0, &follow.sync.counters().crossed)
}

async fn book_versions_grow(stage: &mut Stage) -> Verdict {
    let mut follow = Follow::open(stage, 0).await?;
    follow.until_live(stage).await?;
    let mut before = 0;
    for _ in 0..40 {
        follow.updates(stage, 1).await?;
        let Some(update) = follow.last else { return Err(Failure::new("an update", "none")) };
        ensure!(update.last_seq >= before, format_args!("a version from {before} on"), update.last_seq);
        ensure!(update.first_seq <= update.last_seq, "a range of versions", format_args!("{update:?}"));
        before = update.last_seq;
    }
    Ok(())
}

async fn every_claimed_book_stream_joins(stage: &mut Stage) -> Verdict {
    let mut seen = Vec::new();
    let ordinary: &[(&str, &str)] = &[];
    for options in std::iter::once(&ordinary).chain(stage.cast().variants) {
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let options: Vec<_> = options.collect();
        let usual = stage.exchange.clone();
        stage.exchange = stage.another(move |config, _| config.options.extend(options)).await?;
        let book = stage.claims().books.first().ok_or_else(|| Failure::new("a book stream", "none"))?;
        seen.push(book.name);
        let mut follow = Follow::open(stage, 0).await?;
        follow.until_live(stage).await?;
        follow.updates(stage, 10).await?;
        follow.equals_snapshot(stage).await?;
        stage.exchange = usual;
    }
    let claimed = stage.claims().books.iter().map(|book| book.name);
    let missing: Vec<_> = claimed.filter(|name| !seen.contains(name)).collect();
    ensure!(
        missing.is_empty(),
        "options for every claimed book stream in the suite's line",
        format_args!("none for {missing:?}")
    );
    Ok(())
}

async fn books_of_two_symbols_do_not_mix(stage: &mut Stage) -> Verdict {
    let mut follows = [Follow::open(stage, 0).await?, Follow::open(stage, 1).await?];
    for (index, follow) in follows.iter_mut().enumerate() {
        follow.until_live(stage).await?;
        let top = stage.book(&stage.market(index)?).await?.bids[0].price.0;
        let own = follow.sync.usable().and_then(|book| book.bids().next()).map_or(0, |level| level.price.0);
        ensure!((own - top).abs() < top / 10, format_args!("a bid near {top}"), own);
    }
    Ok(())
}

/// An order near enough to the top to be within every stream's depth, and far enough not to trade.
async fn own_resting_order_shows_in_the_book(stage: &mut Stage) -> Verdict {
    let market = stage.market(2)?;
    let mut follow = Follow::open(stage, 2).await?;
    follow.until_live(stage).await?;
    let book = stage.book(&market).await?;
    let price =
        book.bids.get(3).map(|level| level.price).ok_or_else(|| Failure::new("four bids", "fewer"))?;
    // An odd quantity tells our level from the makers'.
    let qty = cex_core::Qty(stage.qty(&market, price)?.0 + 7 * market.lot.0);
    let kind = cex_core::OrderKind::PostOnly { price, qty };
    let order = stage.request(&market, Side::Buy, kind)?;
    let at = |follow: &Follow| {
        let book = follow.sync.usable()?;
        book.levels(BookSide::Bid).find(|level| level.price == price)
    };
    stage.exchange.place(order).await?;
    let shows = |level: Option<Level>| {
        level.is_some_and(|level| level.qty.0 >= qty.0 && (level.qty.0 / market.lot.0) > 0)
    };
    follow.until(stage, "our order in the book", |follow| shows(at(follow))).await?;
    stage.exchange.cancel(market.id, cex_interface::OrderRef::Client(order.client_id)).await?;
    follow.until_live(stage).await?;
    follow.equals_snapshot(stage).await
}

async fn book_updates_carry_plausible_times(stage: &mut Stage) -> Verdict {
    let mut follow = Follow::open(stage, 0).await?;
    follow.until_live(stage).await?;
    follow.updates(stage, 3).await?;
    let Some(update) = follow.last else { return Err(Failure::new("an update", "none")) };
    let (now, told) = (stage.now(), update.exchange_ts);
    let apart = now.since(told).max(told.since(now));
    ensure!(apart < Duration::from_secs(120), format_args!("a time near {now}"), told);
    ensure!(
        update.kind == UpdateKind::Delta || update.first_seq == update.last_seq,
        "a version",
        format_args!("{update:?}")
    );
    Ok(())
}

async fn book_subscription_is_confirmed(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let mut follow = Follow::open(stage, 0).await?;
    let wanted = LinkEvent::Subscribed { symbol: Some(market.id), stream: StreamKind::Book };
    follow.until(stage, "a confirmation", |follow| follow.news.contains(&wanted)).await?;
    let up = follow.news.iter().position(|event| *event == LinkEvent::Up);
    let confirmed = follow.news.iter().position(|event| *event == wanted);
    ensure!(up.is_some() && up < confirmed, "Up before the confirmation", format_args!("{:?}", follow.news));
    same("health of the links", &(1, 1), &stage.exchange.health().links_up)
}

/// Goes on until the followed book equals the exchange's.
async fn until_true(stage: &Stage, follow: &mut Follow, market: &cex_core::Market) -> Verdict {
    let deadline = std::time::Instant::now() + crate::stage::PATIENCE;
    loop {
        let found = match follow.sync.usable() {
            Some(book) => stage.differs(market, book)?,
            None => Some(follow.state()),
        };
        let Some(found) = found else { return Ok(()) };
        ensure!(std::time::Instant::now() < deadline, "the exchange's own book", found);
        follow.step(stage).await?;
    }
}

async fn book_equals_the_truth_level_by_level(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let mut follow = Follow::open(stage, 0).await?;
    follow.until_live(stage).await?;
    until_true(stage, &mut follow, &market).await?;
    let much = stage.worth(&market, 500)?;
    for round in 0..12 {
        // New levels between the old ones, more at old ones, and purchases and sales that eat levels up.
        stage.quote(&market, Side::Buy, -2 * round - 3, much)?;
        stage.quote(&market, Side::Sell, 2 * round + 3, much)?;
        stage.quote(&market, Side::Buy, -2 * (round % 5) - 2, stage.worth(&market, 300)?)?;
        if round % 3 == 2 {
            let book = stage.book(&market).await?;
            let best = market.scale.qty_value(book.asks[0].qty);
            stage.quote(&market, Side::Buy, 400, best)?;
            let best = market.scale.qty_value(book.bids[0].qty);
            stage.quote(&market, Side::Sell, -400, best)?;
        }
        until_true(stage, &mut follow, &market).await?;
    }
    ensure!(follow.sync.counters().gaps == 0, "no gaps", follow.state());
    Ok(())
}

async fn book_of_a_quiet_symbol_becomes_live(stage: &mut Stage) -> Verdict {
    let market = stage.market(1)?;
    let mut follow = Follow::open(stage, 1).await?;
    follow.until_live(stage).await?;
    until_true(stage, &mut follow, &market).await
}

async fn empty_side_is_empty_and_not_stale(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let mut follow = Follow::open(stage, 0).await?;
    follow.until_live(stage).await?;
    let book = stage.book(&market).await?;
    let all = crate::stage::sum(book.asks.iter().map(|level| market.scale.qty_value(level.qty)))?;
    stage.quote(&market, Side::Buy, 400, all)?;
    until_true(stage, &mut follow, &market).await?;
    let left = follow.sync.usable().map(|book| book.len(BookSide::Ask));
    same("asks left", &Some(0), &left)
}
