//! Snapshots, trades, tickers, coins.

use crate::behaviour::{Behaviour, Failure, Verdict, behaviour, ensure, outcome, refused, same};
use crate::stage::{Stage, until};
use cex_core::{Decimal, Level, Side, Timestamp};
use cex_errors::{ErrorKind, Outcome};
use cex_interface::{PrivateExchange, PublicExchange, TimeRange};
use std::time::Duration;

pub(super) static ALL: &[Behaviour] = &[
    behaviour!(Market, RestPublic, snapshot_is_sorted_best_first, "Bids fall and asks rise.").public(),
    behaviour!(Market, RestPublic, snapshot_is_not_crossed, "The best bid is below the best ask.").public(),
    behaviour!(Market, RestPublic, snapshot_honours_its_depth, "No more levels than asked for.").public(),
    behaviour!(Market, RestPublic, snapshots_never_grow_older, "The version of snapshots does not fall.")
        .rows("H6")
        .public(),
    behaviour!(
        Market,
        RestPublic,
        snapshot_lies_on_the_grid,
        "Prices are multiples of the tick, quantities positive multiples of the lot."
    ),
    behaviour!(Market, RestPublic, recent_trades_come_oldest_first, "Trades are sorted by time.").public(),
    behaviour!(Market, RestPublic, recent_trades_honour_their_limit, "No more trades than asked for.")
        .public(),
    behaviour!(
        Market,
        RestPublic,
        recent_trades_have_sane_figures,
        "Prices, quantities and times of trades are plausible."
    )
    .rows("W14")
    .public(),
    behaviour!(
        Market,
        RestPublic,
        own_trade_is_public_with_the_takers_side,
        "A trade of ours is found among the public ones, on our side."
    ),
    behaviour!(
        Market,
        RestPublic,
        historical_trades_stay_within_their_span,
        "Trades of a span lie in it, or the adapter says that it cannot tell."
    ),
    behaviour!(
        Market,
        RestPublic,
        tickers_cover_all_registered_symbols,
        "Each registered symbol has day statistics."
    )
    .public(),
    behaviour!(
        Market,
        RestPublic,
        ticker_of_one_symbol_is_of_that_symbol,
        "One symbol's statistics are that symbol's."
    )
    .public(),
    behaviour!(Market, RestPublic, tickers_are_coherent, "Last lies between low and high; bid below ask.")
        .public(),
    behaviour!(
        Market,
        RestPublic,
        book_tickers_cover_all_registered_symbols,
        "Each registered symbol has best prices."
    )
    .public(),
    behaviour!(
        Market,
        RestPublic,
        book_ticker_equals_the_top_of_the_book,
        "Best prices are the first levels of the snapshot."
    ),
    behaviour!(
        Market,
        RestPrivate,
        coins_of_all_symbols_are_listed,
        "Coins come with their chains and switches."
    )
    .rows("M12 M14")
    .needs(|claims| claims.assets),
    behaviour!(Market, RestPrivate, coins_are_unsupported_where_not_claimed, "Coins are not made up.")
        .needs(|claims| !claims.assets),
    behaviour!(
        Market,
        Compliance,
        unregistered_symbol_is_never_sent,
        "Calls about a symbol nobody registered do not leave us."
    ),
];

async fn snapshot_is_sorted_best_first(stage: &mut Stage) -> Verdict {
    for market in stage.markets().iter() {
        let book = stage.book(market).await?;
        let falls = book.bids.windows(2).all(|pair| pair[0].price > pair[1].price);
        let rises = book.asks.windows(2).all(|pair| pair[0].price < pair[1].price);
        ensure!(falls && rises, "best levels first", format_args!("{:?} {:?}", book.bids, book.asks));
    }
    Ok(())
}

async fn snapshot_is_not_crossed(stage: &mut Stage) -> Verdict {
    for market in stage.markets().iter() {
        let book = stage.book(market).await?;
        let (bid, ask) = (book.bids[0].price, book.asks[0].price);
        ensure!(bid < ask, format_args!("a bid below {ask:?}"), format_args!("{bid:?}"));
    }
    Ok(())
}

async fn snapshot_honours_its_depth(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    for depth in [5, 20] {
        let book = stage.exchange.book(market.id, depth).await?;
        let most = book.bids.len().max(book.asks.len());
        ensure!(most as u32 <= depth && most > 0, format_args!("1 to {depth} levels"), most);
    }
    Ok(())
}

async fn snapshots_never_grow_older(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let mut before = 0;
    for _ in 0..6 {
        let book = stage.exchange.book(market.id, 5).await?;
        ensure!(book.seq > 0, "a version", "zero");
        ensure!(book.seq >= before, format_args!("a version from {before} on"), book.seq);
        same("symbol", &market.id, &book.symbol)?;
        before = book.seq;
    }
    Ok(())
}

async fn snapshot_lies_on_the_grid(stage: &mut Stage) -> Verdict {
    for market in stage.markets().iter() {
        let book = stage.book(market).await?;
        for Level { price, qty } in book.bids.iter().chain(&book.asks) {
            let holds =
                price.floor_to(market.tick) == *price && qty.floor_to(market.lot) == *qty && qty.0 > 0;
            ensure!(holds, "a level on the grid", format_args!("{price:?} {qty:?}"));
        }
    }
    Ok(())
}

async fn recent_trades_come_oldest_first(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let trades = until("some trades", || async {
        let trades = stage.exchange.recent_trades(market.id, 50).await?;
        Ok((trades.len() >= 3).then_some(trades))
    })
    .await?;
    let sorted = trades.windows(2).all(|pair| pair[0].exchange_ts <= pair[1].exchange_ts);
    ensure!(
        sorted,
        "times that do not fall",
        format_args!("{:?}", trades.iter().map(|trade| trade.exchange_ts).collect::<Vec<_>>())
    );
    let apart = trades.first().map(|trade| trade.exchange_ts) != trades.last().map(|trade| trade.exchange_ts);
    ensure!(apart, "trades of different times", "one time");
    Ok(())
}

async fn recent_trades_honour_their_limit(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    until("more trades than one", || async {
        let trades = stage.exchange.recent_trades(market.id, 50).await?;
        Ok((trades.len() > 2).then_some(()))
    })
    .await?;
    let trades = stage.exchange.recent_trades(market.id, 2).await?;
    same("trades", &2, &trades.len())
}

async fn recent_trades_have_sane_figures(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let trades = until("a trade", || async {
        let trades = stage.exchange.recent_trades(market.id, 20).await?;
        Ok((!trades.is_empty()).then_some(trades))
    })
    .await?;
    let book = stage.book(&market).await?;
    let now = stage.now();
    for trade in trades {
        let near = (trade.price.0 - book.bids[0].price.0).abs() < book.bids[0].price.0 / 5;
        let age = now.since(trade.exchange_ts).max(trade.exchange_ts.since(now));
        let holds = trade.symbol == market.id && trade.qty.0 > 0 && near && age < Duration::from_secs(86_400);
        ensure!(holds, "a plausible trade", format_args!("{trade:?}"));
    }
    Ok(())
}

async fn own_trade_is_public_with_the_takers_side(stage: &mut Stage) -> Verdict {
    let market = stage.market(2)?;
    for side in [Side::Buy, Side::Sell] {
        let (order, _) = stage.take(&market, side).await?;
        let fills = stage.fills_on_record(order.client_id)?;
        let fill = fills.first().ok_or_else(|| Failure::new("a fill on record", "none"))?;
        let (price, qty) = (market.scale.price(fill.price)?, market.scale.qty(fill.qty)?);
        until("our trade among the public ones", || async {
            let trades = stage.exchange.recent_trades(market.id, 100).await?;
            let found = trades.iter().find(|trade| trade.price == price && trade.qty == qty);
            let Some(trade) = found else { return Ok(None) };
            same("taker's side", &side, &trade.taker_side)?;
            Ok(Some(()))
        })
        .await?;
    }
    Ok(())
}

async fn historical_trades_stay_within_their_span(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    stage.take(&market, Side::Buy).await?;
    let to = stage.now();
    let from = to - Duration::from_secs(60);
    let range = TimeRange { from: Some(from), to: Some(to) };
    match stage.exchange.historical_trades(market.id, 100, range).await {
        Ok(trades) => {
            // Some exchanges take whole seconds.
            let slack = Duration::from_secs(1);
            let inside = |at: Timestamp| at + slack >= from && at <= to + slack;
            ensure!(!trades.is_empty(), "trades of the last minute", "none");
            let outside = trades.iter().find(|trade| !inside(trade.exchange_ts));
            ensure!(
                outside.is_none(),
                format_args!("trades from {from} to {to}"),
                format_args!("{outside:?}")
            );
            Ok(())
        }
        Err(error) => same("kind of refusal", &ErrorKind::Unsupported, &error.kind),
    }
}

async fn tickers_cover_all_registered_symbols(stage: &mut Stage) -> Verdict {
    let tickers = stage.exchange.tickers(None).await?;
    for market in stage.markets().iter() {
        let count = tickers.iter().filter(|ticker| ticker.symbol == market.id).count();
        ensure!(count == 1, format_args!("one ticker of {}", market.symbol()), count);
    }
    Ok(())
}

async fn ticker_of_one_symbol_is_of_that_symbol(stage: &mut Stage) -> Verdict {
    for market in stage.markets().iter() {
        let tickers = stage.exchange.tickers(Some(market.id)).await?;
        let symbols: Vec<_> = tickers.iter().map(|ticker| ticker.symbol).collect();
        same("symbols", &vec![market.id], &symbols)?;
    }
    Ok(())
}

async fn tickers_are_coherent(stage: &mut Stage) -> Verdict {
    for ticker in stage.exchange.tickers(None).await? {
        let inside = ticker.low.is_none_or(|low| low <= ticker.last)
            && ticker.high.is_none_or(|high| high >= ticker.last);
        let crossed = ticker.bid.zip(ticker.ask).is_some_and(|(bid, ask)| bid >= ask);
        let change = ticker.change.map(Decimal::abs).transpose()?;
        // A percentage read as a fraction would show as a market that went mad.
        let mad = change.is_some_and(|change| change > Decimal::from(10));
        ensure!(
            inside && !crossed && !mad && !ticker.last.is_negative(),
            "a coherent ticker",
            format_args!("{ticker:?}")
        );
    }
    Ok(())
}

async fn book_tickers_cover_all_registered_symbols(stage: &mut Stage) -> Verdict {
    let tickers = stage.exchange.book_tickers(None).await?;
    for market in stage.markets().iter() {
        let found = tickers.iter().find(|ticker| ticker.symbol == market.id);
        let prices = found.and_then(|ticker| Some((ticker.bid?.price, ticker.ask?.price)));
        ensure!(
            prices.is_some_and(|(bid, ask)| bid < ask),
            format_args!("best prices of {}", market.symbol()),
            format_args!("{found:?}")
        );
    }
    Ok(())
}

async fn book_ticker_equals_the_top_of_the_book(stage: &mut Stage) -> Verdict {
    let market = stage.market(2)?;
    until("best prices equal to the book's", || async {
        let before = stage.book(&market).await?;
        let tickers = stage.exchange.book_tickers(Some(market.id)).await?;
        let after = stage.book(&market).await?;
        if before.seq != after.seq {
            return Ok(None);
        }
        let [ticker] = tickers[..] else { return Err(Failure::new("one ticker", tickers.len())) };
        let top = (Some(before.bids[0]), Some(before.asks[0]));
        same("top", &top, &(ticker.bid, ticker.ask))?;
        Ok(Some(()))
    })
    .await
}

async fn coins_of_all_symbols_are_listed(stage: &mut Stage) -> Verdict {
    let coins = stage.exchange.assets().await?;
    for symbol in stage.symbols() {
        let coin = coins.iter().find(|coin| coin.asset == symbol.base);
        let coin = coin.ok_or_else(|| Failure::new(format_args!("the coin {}", symbol.base), "none"))?;
        let named = coin.networks.iter().all(|network| !network.network.is_empty());
        ensure!(!coin.networks.is_empty() && named, "named chains", format_args!("{coin:?}"));
    }
    Ok(())
}

async fn coins_are_unsupported_where_not_claimed(stage: &mut Stage) -> Verdict {
    crate::behaviour::unsupported(stage.exchange.assets().await)
}

async fn unregistered_symbol_is_never_sent(stage: &mut Stage) -> Verdict {
    let symbol = stage.nobodys_symbol();
    let before = stage.wire()?.asked(&crate::wire::Match::any()).len();
    refused(stage.exchange.book(symbol, 5).await, &[ErrorKind::InvalidInput("")])?;
    outcome(stage.exchange.recent_trades(symbol, 5).await, Outcome::NotSent)?;
    outcome(stage.exchange.tickers(Some(symbol)).await, Outcome::NotSent)?;
    outcome(stage.exchange.open_orders(Some(symbol)).await, Outcome::NotSent)?;
    outcome(stage.exchange.cancel_all(symbol).await, Outcome::NotSent)?;
    same("calls sent", &before, &stage.wire()?.asked(&crate::wire::Match::any()).len())
}
