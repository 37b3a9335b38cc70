//! Liveness, clock, trading rules.

use crate::behaviour::{Behaviour, Failure, Verdict, behaviour, ensure, error_of, same};
use crate::stage::Stage;
use cex_core::{Bps, Decimal, Symbol, SymbolInfo};
use cex_errors::Outcome;
use cex_interface::PublicExchange;
use cex_sim::matching::MarketRules;
use std::time::Duration;

pub(super) static ALL: &[Behaviour] = &[
    behaviour!(Market, RestPublic, ping_is_answered, "A liveness probe is answered.").public(),
    behaviour!(
        Market,
        RestPublic,
        server_time_is_close_to_ours,
        "The exchange's clock is read in the right unit."
    )
    .rows("W14")
    .public(),
    behaviour!(
        Market,
        RestPublic,
        server_time_never_runs_backwards,
        "Readings of the exchange's clock grow."
    )
    .rows("H4")
    .public(),
    behaviour!(
        Market,
        RestPublic,
        every_listed_symbol_has_rules,
        "Each symbol the exchange lists comes with rules."
    )
    .rows("H10"),
    behaviour!(
        Market,
        RestPublic,
        ticks_and_lots_equal_the_exchanges,
        "Steps of price and quantity are the exchange's own."
    )
    .rows("M3")
    .set(|setting| setting.symbols = 20),
    behaviour!(
        Market,
        RestPublic,
        least_quantities_equal_the_exchanges,
        "The least quantity is the exchange's own and no step."
    )
    .rows("M3")
    .set(|setting| setting.symbols = 20),
    behaviour!(
        Market,
        RestPublic,
        least_notionals_equal_the_exchanges,
        "The least notional is the exchange's own."
    )
    .rows("M3")
    .set(|setting| setting.symbols = 20),
    behaviour!(Market, RestPublic, list_fees_equal_the_exchanges, "List fees are read in the right unit.")
        .rows("C2 M6"),
    behaviour!(
        Market,
        RestPublic,
        rules_are_coherent,
        "Steps are positive, decimals match them, minimums are not negative."
    )
    .public(),
    behaviour!(
        Market,
        RestPublic,
        listed_symbols_are_tradable,
        "A symbol that trades is told to be tradable."
    )
    .rows("H14"),
    behaviour!(
        Market,
        Configuration,
        only_symbols_asked_for_are_registered,
        "Registration takes the symbols named, in their order."
    ),
    behaviour!(
        Market,
        Configuration,
        no_names_register_all_symbols,
        "Without names every listed symbol is registered."
    ),
    behaviour!(
        Market,
        Configuration,
        unknown_symbol_is_refused_at_registration,
        "A symbol the exchange does not list is an error before anything trades."
    ),
    behaviour!(
        Market,
        Configuration,
        markets_are_found_by_every_name,
        "A market is found by id, by symbol and by the exchange's spelling."
    )
    .public(),
    behaviour!(
        Market,
        Compliance,
        capabilities_name_a_book_stream,
        "At least one book stream is claimed, with a name and an interval."
    )
    .public(),
];

async fn ping_is_answered(stage: &mut Stage) -> Verdict {
    Ok(stage.exchange.ping().await?)
}

async fn server_time_is_close_to_ours(stage: &mut Stage) -> Verdict {
    let told = stage.exchange.server_time().await?;
    let now = stage.now();
    let apart = told.since(now).max(now.since(told));
    // A real machine's clock may be off; a wrong unit is off by decades.
    let most = Duration::from_secs(if stage.is_live() { 120 } else { 2 });
    ensure!(
        apart < most,
        format_args!("less than {most:?} between the clocks"),
        format_args!("{told} at {now}")
    );
    Ok(())
}

async fn server_time_never_runs_backwards(stage: &mut Stage) -> Verdict {
    let mut before = stage.exchange.server_time().await?;
    for _ in 0..5 {
        let next = stage.exchange.server_time().await?;
        // Some exchanges tell whole seconds here.
        ensure!(next >= before, format_args!("a time from {before} on"), next);
        before = next;
    }
    Ok(())
}

async fn every_listed_symbol_has_rules(stage: &mut Stage) -> Verdict {
    let told = stage.exchange.symbols().await?;
    same("symbols", &stage.rules().len(), &told.len())?;
    for rules in stage.rules() {
        ensure!(
            told.iter().any(|info| info.symbol == rules.symbol),
            format_args!("rules of {}", rules.symbol),
            "none"
        );
    }
    Ok(())
}

/// Every symbol's rules, as told and as they are.
async fn compare(stage: &Stage, check: fn(&MarketRules, &SymbolInfo) -> Verdict) -> Verdict {
    let told = stage.exchange.symbols().await?;
    for rules in stage.rules() {
        let info = told.iter().find(|info| info.symbol == rules.symbol);
        let info = info.ok_or_else(|| Failure::new(format_args!("rules of {}", rules.symbol), "none"))?;
        check(rules, info).map_err(|failure| {
            Failure::new(format_args!("{}: {}", rules.symbol, failure.expected), failure.found)
        })?;
    }
    Ok(())
}

async fn ticks_and_lots_equal_the_exchanges(stage: &mut Stage) -> Verdict {
    compare(stage, |rules, info| {
        let step = |dp| Decimal::new(1, dp);
        same("tick", &step(rules.scale.price_dp()), &info.tick)?;
        same("lot", &step(rules.scale.qty_dp()), &info.lot)?;
        same("decimals", &(rules.scale.price_dp(), rules.scale.qty_dp()), &(info.price_dp, info.lot_dp))
    })
    .await
}

async fn least_quantities_equal_the_exchanges(stage: &mut Stage) -> Verdict {
    compare(stage, |rules, info| same("least quantity", &rules.scale.qty_value(rules.min_qty), &info.min_qty))
        .await
}

async fn least_notionals_equal_the_exchanges(stage: &mut Stage) -> Verdict {
    compare(stage, |rules, info| same("least notional", &rules.min_notional, &info.min_notional)).await
}

async fn list_fees_equal_the_exchanges(stage: &mut Stage) -> Verdict {
    compare(stage, |rules, info| {
        same("maker fee", &rules.maker_fee, &info.maker_fee)?;
        same("taker fee", &rules.taker_fee, &info.taker_fee)
    })
    .await
}

async fn rules_are_coherent(stage: &mut Stage) -> Verdict {
    for info in stage.exchange.symbols().await? {
        let fee = |fee: Bps| fee.fraction().abs().is_ok_and(|size| size < Decimal::new(5, 2));
        let holds = info.tick.is_positive()
            && info.lot.is_positive()
            && !info.min_qty.is_negative()
            && !info.min_notional.is_negative()
            && info.max_qty.is_none_or(Decimal::is_positive)
            && fee(info.maker_fee)
            && fee(info.taker_fee)
            && !info.native.is_empty();
        ensure!(holds, "coherent rules", format_args!("{info:?}"));
    }
    Ok(())
}

async fn listed_symbols_are_tradable(stage: &mut Stage) -> Verdict {
    compare(stage, |_, info| {
        ensure!(
            info.is_tradable(),
            "tradable",
            format_args!("{:?}, over the API: {}", info.status, info.api_tradable)
        );
        Ok(())
    })
    .await
}

async fn only_symbols_asked_for_are_registered(stage: &mut Stage) -> Verdict {
    let wanted: Vec<Symbol> = stage.symbols().into_iter().rev().take(2).collect();
    let markets = stage.exchange.init(&wanted).await?;
    let found: Vec<Symbol> = markets.iter().map(cex_core::Market::symbol).collect();
    same("markets", &wanted, &found)
}

async fn no_names_register_all_symbols(stage: &mut Stage) -> Verdict {
    let markets = stage.exchange.init(&[]).await?;
    same("markets", &stage.rules().len(), &markets.len())
}

async fn unknown_symbol_is_refused_at_registration(stage: &mut Stage) -> Verdict {
    let symbol: Symbol = "NOSUCHCOIN/USDT".parse().map_err(|error| Failure::new("a symbol", error))?;
    let before = stage.markets().len();
    let error = error_of("a refusal of an unknown symbol", stage.exchange.init(&[symbol]).await)?;
    same("outcome", &Outcome::NotSent, &error.outcome())?;
    same("markets after it", &before, &stage.markets().len())
}

async fn markets_are_found_by_every_name(stage: &mut Stage) -> Verdict {
    let markets = stage.markets();
    ensure!(!markets.is_empty(), "registered markets", "none");
    for market in markets.iter() {
        let by_id = markets.get(market.id).map(|found| found.id);
        let by_symbol = markets.by_symbol(market.symbol()).map(|found| found.id);
        let by_native = markets.by_native(market.native().as_bytes()).map(|found| found.id);
        same("the same market thrice", &[Some(market.id); 3], &[by_id, by_symbol, by_native])?;
    }
    Ok(())
}

async fn capabilities_name_a_book_stream(stage: &mut Stage) -> Verdict {
    let claims = stage.claims();
    ensure!(!claims.books.is_empty(), "a book stream", "none");
    for book in claims.books {
        ensure!(
            !book.name.is_empty() && !book.interval.is_zero(),
            "a name and an interval",
            format_args!("{book:?}")
        );
    }
    ensure!(
        claims.public_streams.contains(&cex_core::StreamKind::Book),
        "books among the public streams",
        format_args!("{:?}", claims.public_streams)
    );
    Ok(())
}
