//! An exchange that misbehaves: orders that fill late, are forgotten or ended; rules, clocks and keys that change.

use crate::behaviour::{Behaviour, Failure, Verdict, behaviour, ensure, error_of, outcome, refused, same};
use crate::follow::Follow;
use crate::stage::{PATIENCE, Stage, sum, until};
use cex_core::{AccountEvent, Bps, Decimal, LinkEvent, OrderRequest, OrderStatus, Side};
use cex_errors::{ErrorKind, Outcome};
use cex_interface::{EventSource, OrderRef, PrivateExchange, PublicExchange, TimeRange};
use cex_sim::dialect::DuplicateClientIds;
use cex_sim::fault::{Fault, ForcedEnd, OrderEffect, Refused, VenueFault};
use cex_transport::client::Stream;
use std::time::Duration;

const HALF: Bps = Bps::from_bps(5_000);
const SOON: Duration = Duration::from_millis(250);

pub(super) static ALL: &[Behaviour] = &[
    behaviour!(Failures, RestPrivate, late_fill_after_cancel_counts, "What fills after a confirmed cancel is found by asking, and streamed.").rows("O8"),
    behaviour!(Failures, RestPrivate, partial_fill_is_told_exactly, "An order of which a part filled tells exactly that part.").rows("O6"),
    behaviour!(Failures, RestPrivate, late_fill_is_told_when_it_happens, "An order that meets the book late is open first, and filled later.").rows("W10"),
    behaviour!(Failures, RestPrivate, order_accepted_after_an_error_is_unknown_and_found, "An order that was answered with an error and placed all the same is unknown at first, and found.").rows("O5 H3"),
    behaviour!(Failures, RestPrivate, forgotten_orders_fills_remain, "An order the exchange forgot is not found, which proves nothing: its fills are.").rows("H8"),
    behaviour!(Failures, RestPrivate, order_hidden_at_first_is_found_later, "A query right after placing may find nothing, and finds the order later.").rows("H8 W10"),
    behaviour!(Failures, RestPrivate, order_that_rests_against_its_word_is_told_as_open, "An immediate order that rests all the same shows as open.").rows("O10"),
    behaviour!(Failures, RestPrivate, every_end_by_the_exchange_is_an_end, "Self-trade, depth, price and all other reasons to end an order are ends, with what was filled.").rows("O18"),
    behaviour!(Failures, RestPrivate, halted_symbol_is_told_as_halted, "An order in a suspended symbol is refused as such.").rows("B8 M15 O7"),
    behaviour!(Failures, RestPrivate, halted_symbol_leaves_others_trading, "While one symbol is suspended another trades.").rows("B8"),
    behaviour!(Failures, RestPrivate, frozen_account_is_refused, "A frozen account's orders are refused, definitely.").rows("H12"),
    behaviour!(Failures, RestPrivate, missing_funds_are_told_as_such, "The exchange's refusal for want of funds is told as that.").rows("O7"),
    behaviour!(Failures, RestPrivate, overload_at_placement_is_unknown, "An overloaded exchange's error leaves a placement unknown.").rows("H3 H9"),
    behaviour!(Failures, RestPrivate, client_id_used_twice_is_never_taken_for_a_refusal, "A second order under a used client id is refused as a duplicate, which may be our own first one: unknown.").rows("O4"),
    behaviour!(Failures, RestPrivate, changed_fees_are_charged_and_told, "After a change of fees fills tell what was charged.").rows("M6"),
    behaviour!(Failures, RestPrivate, clock_of_the_exchange_is_followed, "Where the exchange's clock is far from ours, signed calls are accepted all the same.").rows("H4"),
    behaviour!(Failures, WebsocketPrivate, account_stream_follows_the_exchanges_clock, "Where the exchange's clock is far from ours, the private stream gets ready all the same.").rows("H4"),
    behaviour!(Failures, RestPrivate, clock_that_jumps_is_measured_again, "After the exchange's clock jumped, signed calls soon work again.").rows("H4"),
    behaviour!(Failures, WebsocketPrivate, account_stream_survives_expired_keys, "When the stream's keys expire the stream comes back complete.").rows("W6"),
    behaviour!(Failures, WebsocketPublic, versions_that_begin_anew_make_a_new_book, "After the exchange's versions went back the book comes back, equal to the exchange's.").rows("B6"),
    behaviour!(Failures, WebsocketPublic, lagging_snapshots_never_make_a_wrong_book, "While snapshots lag behind the stream no wrong book is live.").rows("H6 B3"),
];

async fn quiet_stream(stage: &Stage) -> Result<Stream, Failure> {
    let mut stream = stage.exchange.account_stream().await?;
    heard(&mut stream, LinkEvent::AccountReady).await?;
    Ok(stream)
}

async fn heard(stream: &mut Stream, wanted: LinkEvent) -> Verdict {
    let search = async {
        while let Some(event) = stream.next_link().await {
            if event == wanted {
                return true;
            }
        }
        false
    };
    let found = tokio::time::timeout(PATIENCE, search).await;
    ensure!(found == Ok(true), format_args!("{wanted:?}"), "nothing of the kind");
    Ok(())
}

async fn late_fill_after_cancel_counts(stage: &mut Stage) -> Verdict {
    let mut stream = quiet_stream(stage).await?;
    let market = stage.market(0)?;
    stage.inject(
        Fault::order(OrderEffect::FillAfterCancel { part: HALF, after: SOON }).of_account("subject"),
    )?;
    let (order, placed) = stage.rest(&market, Side::Sell).await?;
    stage.exchange.cancel(market.id, OrderRef::Id(placed.order_id)).await?;
    until("the late fill on record", || async {
        Ok((!stage.fills_on_record(order.client_id)?.is_empty()).then_some(()))
    })
    .await?;
    let expected = sum(stage.fills_on_record(order.client_id)?.iter().map(|fill| fill.qty))?;
    until("the late fill by asking for fills", || async {
        let range = TimeRange::default();
        let told = stage.exchange.my_trades(market.id, Some(placed.order_id), range, 50).await?;
        Ok((sum(told.iter().map(|fill| fill.qty))? == expected).then_some(()))
    })
    .await?;
    let mut told = Decimal::ZERO;
    let search = async {
        while let Some(event) = stream.next_account().await {
            if let AccountEvent::Fill(fill) = event
                && fill.order_id == placed.order_id
            {
                told = told.checked_add(fill.qty)?;
                if told == expected {
                    return Ok(());
                }
            }
        }
        Err(Failure::new("a stream that goes on", "its end"))
    };
    let found = tokio::time::timeout(PATIENCE, search).await;
    found.unwrap_or_else(|_| Err(Failure::new("the late fill over the stream", "nothing")))
}

async fn partial_fill_is_told_exactly(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    for side in [Side::Buy, Side::Sell] {
        stage.inject(Fault::order(OrderEffect::Partial(HALF)).of_account("subject"))?;
        let (order, told) = stage.take(&market, side).await?;
        let record = stage.record(order.client_id)?;
        same(
            "state and fills",
            &(record.status, record.filled_qty, record.filled_notional),
            &(told.status, told.filled_qty, told.filled_notional),
        )?;
        let part = told.filled_qty.is_positive() && Some(told.filled_qty) < told.qty;
        ensure!(
            part && told.status == OrderStatus::Canceled,
            "a part filled and the rest ended",
            format_args!("{told:?}")
        );
    }
    Ok(())
}

async fn late_fill_is_told_when_it_happens(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    stage.inject(Fault::order(OrderEffect::LateFill(Duration::from_millis(500))).of_account("subject"))?;
    let order = stage.taking(&market, Side::Buy).await?;
    stage.exchange.place(order).await?;
    let first = stage.found(&order).await?;
    same("filled at first", &Decimal::ZERO, &first.filled_qty)?;
    ensure!(!first.status.is_terminal(), "an open order", first.status);
    let told = stage.ended(&order).await?;
    same("filled at last", &stage.record(order.client_id)?.filled_qty, &told.filled_qty)?;
    ensure!(told.filled_qty.is_positive(), "a fill", "none");
    Ok(())
}

async fn order_accepted_after_an_error_is_unknown_and_found(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    stage.inject(Fault::order(OrderEffect::LateAccept(SOON)).of_account("subject"))?;
    let order = stage.resting(&market, Side::Buy).await?;
    outcome(stage.exchange.place(order).await, Outcome::Unknown)?;
    let told = stage.found(&order).await?;
    same("client id", &Some(order.client_id), &told.client_id)?;
    stage.record(order.client_id).map(|_| ())
}

async fn forgotten_orders_fills_remain(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    stage.inject(Fault::order(OrderEffect::Forget(Duration::ZERO)).of_account("subject"))?;
    let order = stage.taking(&market, Side::Buy).await?;
    let placed = stage.exchange.place(order).await?;
    let expected = sum(stage.fills_on_record(order.client_id)?.iter().map(|fill| fill.qty))?;
    ensure!(expected.is_positive(), "a fill on record", "none");
    until("the order to be forgotten", || async {
        match stage.exchange.order(market.id, OrderRef::Client(order.client_id)).await {
            Ok(_) => Ok(None),
            Err(error) => {
                same("kind of refusal", &ErrorKind::OrderNotFound, &error.kind)?;
                Ok(Some(()))
            }
        }
    })
    .await?;
    until("its fills", || async {
        let told = stage.exchange.my_trades(market.id, None, TimeRange::default(), 50).await?;
        let ours = told.iter().filter(|fill| fill.order_id == placed.order_id).map(|fill| fill.qty);
        Ok((sum(ours)? == expected).then_some(()))
    })
    .await?;
    let (from, to) = (stage.now() - Duration::from_secs(60), stage.now() + Duration::from_secs(2));
    let told = stage.exchange.order_trades_all(market.id, placed.order_id, from, to).await?;
    same("quantity of its fills, asked for by its number", &expected, &sum(told.iter().map(|fill| fill.qty))?)
}

async fn order_hidden_at_first_is_found_later(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    stage.inject(Fault::order(OrderEffect::Hide(Duration::from_millis(400))).of_account("subject"))?;
    let (order, _) = stage.rest(&market, Side::Buy).await?;
    let name = OrderRef::Client(order.client_id);
    refused(stage.exchange.order(market.id, name).await, &[ErrorKind::OrderNotFound])?;
    let told = stage.found(&order).await?;
    same("state", &OrderStatus::New, &told.status)
}

async fn order_that_rests_against_its_word_is_told_as_open(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    stage.inject(Fault::order(OrderEffect::IgnoreTif).of_account("subject"))?;
    let mut order = stage.resting(&market, Side::Buy).await?;
    let (Some(price), Some(qty)) = (order.kind.price(), order.kind.qty()) else {
        return Err(Failure::new("a limit order", "another"));
    };
    order.kind = cex_core::OrderKind::Limit { price, qty, tif: cex_core::TimeInForce::Ioc };
    stage.exchange.place(order).await?;
    let told = stage.found(&order).await?;
    same("state", &OrderStatus::New, &told.status)?;
    let open = stage.exchange.open_orders(Some(market.id)).await?;
    ensure!(
        open.iter().any(|open| open.client_id == Some(order.client_id)),
        "it among the open orders",
        "nothing"
    );
    Ok(())
}

async fn every_end_by_the_exchange_is_an_end(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    for end in [
        ForcedEnd::SelfTrade,
        ForcedEnd::Depth,
        ForcedEnd::Trader,
        ForcedEnd::Small,
        ForcedEnd::Liquidation,
        ForcedEnd::PriceProtection,
    ] {
        stage.inject(Fault::order(OrderEffect::EndAs(end)).of_account("subject"))?;
        let (order, _) = stage.rest(&market, Side::Buy).await?;
        let told = stage.ended(&order).await.map_err(|failure| {
            Failure::new(format_args!("{} by {end:?}", failure.expected), failure.found)
        })?;
        ensure!(
            told.status != OrderStatus::Filled,
            format_args!("an end without a fill by {end:?}"),
            told.status
        );
        same("filled", &stage.record(order.client_id)?.filled_qty, &told.filled_qty)?;
    }
    Ok(())
}

async fn turned_down(stage: &Stage, fault: Fault, kinds: &[ErrorKind]) -> Result<OrderRequest, Failure> {
    let market = stage.market(0)?;
    let order = stage.resting(&market, Side::Buy).await?;
    stage.inject(fault)?;
    let error = outcome(stage.exchange.place(order).await, Outcome::Refused)?;
    let fits = |kind: &ErrorKind| std::mem::discriminant(kind) == std::mem::discriminant(&error.kind);
    ensure!(kinds.iter().any(fits), format_args!("one of {kinds:?}"), error);
    same("orders on record", &0, &stage.on_record(order.client_id)?.len())?;
    Ok(order)
}

async fn halted_symbol_is_told_as_halted(stage: &mut Stage) -> Verdict {
    let symbol = stage.market(0)?.symbol();
    let kinds = [ErrorKind::TradingHalted, ErrorKind::InvalidSymbol];
    turned_down(stage, Fault::venue(VenueFault::Halt(symbol)), &kinds).await?;
    let told = stage.exchange.symbols().await?;
    let info = told.iter().find(|info| info.symbol == symbol);
    ensure!(info.is_none_or(|info| !info.is_tradable()), "rules that say so", format_args!("{info:?}"));
    Ok(())
}

async fn halted_symbol_leaves_others_trading(stage: &mut Stage) -> Verdict {
    let (halted, other) = (stage.market(0)?, stage.market(1)?);
    stage.inject(Fault::venue(VenueFault::Halt(halted.symbol())))?;
    let (order, told) = stage.take(&other, Side::Buy).await?;
    same("state", &OrderStatus::Filled, &told.status)?;
    stage.record(order.client_id).map(|_| ())
}

async fn frozen_account_is_refused(stage: &mut Stage) -> Verdict {
    let kinds = [ErrorKind::AccountRestricted, ErrorKind::PermissionDenied, ErrorKind::TradingHalted];
    turned_down(stage, Fault::venue(VenueFault::Freeze("subject".to_owned())), &kinds).await.map(|_| ())
}

async fn missing_funds_are_told_as_such(stage: &mut Stage) -> Verdict {
    let fault = Fault::order(OrderEffect::Reject(Refused::Funds)).of_account("subject");
    turned_down(stage, fault, &[ErrorKind::InsufficientBalance]).await.map(|_| ())
}

async fn overload_at_placement_is_unknown(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let order = stage.resting(&market, Side::Buy).await?;
    stage.inject(Fault::order(OrderEffect::Reject(Refused::Overloaded)).of_account("subject"))?;
    outcome(stage.exchange.place(order).await, Outcome::Unknown)?;
    let sent = stage.wire()?.asked(&crate::wire::Match::method("POST").and(order.client_id.as_str())).len();
    same("placements sent", &1, &sent)
}

async fn client_id_used_twice_is_never_taken_for_a_refusal(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    stage.inject(Fault::venue(VenueFault::DuplicateClientIds(DuplicateClientIds::Reject)))?;
    let (order, _) = stage.rest(&market, Side::Buy).await?;
    let error = error_of("a refusal of the second order", stage.exchange.place(order).await)?;
    // Whatever the exchange's words: taken for a refusal it would make whoever placed the first one forget it.
    same("outcome", &Outcome::Unknown, &error.outcome())?;
    stage.record(order.client_id).map(|_| ())
}

async fn changed_fees_are_charged_and_told(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let (maker, taker) = (Bps::from_bps(11), Bps::from_bps(23));
    stage.inject(Fault::venue(VenueFault::Fees { symbol: market.symbol(), maker, taker }))?;
    let (order, told) = stage.take(&market, Side::Sell).await?;
    let id = told.order_id.ok_or_else(|| Failure::new("an order id", "none"))?;
    let expected = sum(stage.fills_on_record(order.client_id)?.iter().map(|fill| fill.fee))?;
    ensure!(expected.is_positive(), "a fee on record", expected);
    until("the fee that was charged", || async {
        let told = stage.exchange.my_trades(market.id, Some(id), TimeRange::default(), 50).await?;
        Ok((sum(told.iter().map(|fill| fill.fee))? == expected).then_some(()))
    })
    .await?;
    let fees = stage.exchange.trading_fees(Some(market.id)).await?;
    let fee = fees.iter().find(|fee| fee.symbol.is_none_or(|symbol| symbol == market.id));
    same("fees told", &Some((maker, taker)), &fee.map(|fee| (fee.maker, fee.taker)))
}

async fn clock_of_the_exchange_is_followed(stage: &mut Stage) -> Verdict {
    for skew in [-90_000, 90_000] {
        let id = stage.inject(Fault::venue(VenueFault::ClockSkew(skew)))?;
        let exchange = stage.another(|_, _| {}).await?;
        exchange.account().await?;
        let market = stage.market(0)?;
        exchange.place(stage.resting(&market, Side::Buy).await?).await?;
        stage.sim()?.clear(id)?;
    }
    Ok(())
}

async fn account_stream_follows_the_exchanges_clock(stage: &mut Stage) -> Verdict {
    for skew in [-90_000, 90_000] {
        let id = stage.inject(Fault::venue(VenueFault::ClockSkew(skew)))?;
        let exchange = stage.another(|_, _| {}).await?;
        let mut stream = exchange.account_stream().await?;
        heard(&mut stream, LinkEvent::AccountReady).await?;
        stage.sim()?.clear(id)?;
    }
    Ok(())
}

async fn clock_that_jumps_is_measured_again(stage: &mut Stage) -> Verdict {
    stage.exchange.account().await?;
    stage.inject(Fault::venue(VenueFault::ClockSkew(-90_000)))?;
    until("signed calls accepted again", || async {
        match stage.exchange.account().await {
            Ok(_) => Ok(Some(())),
            Err(error) if matches!(error.kind, ErrorKind::ClockSkew | ErrorKind::ClockUnknown) => Ok(None),
            Err(error) => Err(error.into()),
        }
    })
    .await
}

async fn account_stream_survives_expired_keys(stage: &mut Stage) -> Verdict {
    let mut stream = quiet_stream(stage).await?;
    stage.inject(Fault::venue(VenueFault::ExpireListenKeys))?;
    // Where there are no such keys nothing happens; where there are, the connection they opened is cut as well, so that
    // coming back needs a new one.
    stage.cut()?;
    heard(&mut stream, LinkEvent::Down).await?;
    heard(&mut stream, LinkEvent::AccountReady).await?;
    let market = stage.market(0)?;
    let (order, _) = stage.rest(&market, Side::Buy).await?;
    let search = async {
        while let Some(event) = stream.next_account().await {
            if matches!(event, AccountEvent::Order(told) if told.client_id == Some(order.client_id)) {
                return true;
            }
        }
        false
    };
    let found = tokio::time::timeout(PATIENCE, search).await;
    ensure!(found == Ok(true), "news of a new order", "nothing");
    Ok(())
}

async fn versions_that_begin_anew_make_a_new_book(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let mut follow = Follow::open(stage, 0).await?;
    follow.until_live(stage).await?;
    follow.updates(stage, 3).await?;
    let before = follow.sync.live().map_or(0, |live| live.last_seq);
    stage.inject(Fault::venue(VenueFault::VersionReset(market.symbol())))?;
    follow
        .until(stage, "a live book at the new versions", |follow| {
            follow.sync.usable().is_some() && follow.sync.live().is_some_and(|live| live.last_seq < before)
        })
        .await?;
    follow.equals_snapshot(stage).await
}

async fn lagging_snapshots_never_make_a_wrong_book(stage: &mut Stage) -> Verdict {
    let lag = Duration::from_millis(1_500);
    let id = stage.inject(Fault::venue(VenueFault::ReadLag { path: String::new(), lag }))?;
    let mut follow = Follow::open(stage, 0).await?;
    for _ in 0..40 {
        follow.step(stage).await?;
    }
    stage.sim()?.clear(id)?;
    follow.until_live(stage).await?;
    follow.equals_snapshot(stage).await
}
