//! What an account pays for taking, as its exchange says: for the account as a whole, or market by market.

use cex_core::{Bps, Market};
use cex_engine::VenueSetup;
use cex_errors::{ErrorKind, ExchangeError, Op};
use cex_interface::{Reply, Request};
use cex_transport::Rest;
use std::time::Duration;

/// A budget that is spent for longer than this is not waited for: it is a ban, or a mistake.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// How an exchange tells what an account pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Not at all, or there is no key to ask with: the fees of its list stand.
    Listed,
    /// As one fee for all markets.
    AsOne,
    /// That of one market in each call. There are many, so a start does not wait for them, and a market is traded once its fee is
    /// known.
    ByMarket,
}

/// What plans and rules reckon with as long as nobody knows a fee. Nothing is opened by it; what earlier runs left is closed by it,
/// and a fee below it is no surprise (R30).
const AS_LONG_AS_UNKNOWN: Bps = Bps::from_bps(20);

/// A venue as it is traded at as long as its fees are not known.
pub(super) fn reckoned_at_first(setup: &VenueSetup, told: Told) -> VenueSetup {
    let mut reckoned = setup.clone();
    if told == Told::ByMarket {
        for market in setup.markets.iter() {
            let known = setup.taker_fees.get(&market.id).copied().unwrap_or(market.info.taker_fee);
            reckoned.taker_fees.insert(market.id, known.max(AS_LONG_AS_UNKNOWN));
        }
    }
    reckoned
}

/// A configured fee below what the exchange takes is no fee to reckon with (M6): a plan must not earn on paper what it pays.
pub(super) fn tell_if_dearer(market: &Market, stated: Bps, configured: Bps) {
    if stated > configured {
        tracing::warn!(
            venue = %market.venue, symbol = %market.symbol(), %stated, %configured,
            "the exchange takes more than is configured: its fee is reckoned with"
        );
    }
}

/// The fee of the account as a whole. Nothing where the exchange has no such call, or the key may not make it: single markets may
/// tell all the same.
///
/// # Errors
/// What else the call fails with; a budget that is spent is no reason to believe that there is no fee.
pub(super) async fn of_account(rest: &Rest) -> Result<Option<Bps>, ExchangeError> {
    match rest.call(&Request::Fees { symbol: None }).await {
        Ok(Reply::Fees(fees)) => Ok(fees.iter().find(|fee| fee.symbol.is_none()).map(|fee| fee.taker)),
        Ok(_another) => Err(of_another(rest)),
        Err(error) if matches!(error.kind, ErrorKind::Unsupported | ErrorKind::PermissionDenied) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What is reckoned with in one market: its account's fee, or the list's where that is more, since what is promised to an account
/// ends sooner than a list changes. Nothing where the exchange has no such call. Waits for the request budget.
///
/// # Errors
/// What the call fails with.
pub(super) async fn of_market(rest: &Rest, market: &Market) -> Result<Option<Bps>, ExchangeError> {
    loop {
        match rest.call(&Request::Fees { symbol: Some(market.id) }).await {
            Ok(Reply::Fees(fees)) => {
                let its = fees.iter().find(|fee| fee.symbol == Some(market.id));
                let its = its.ok_or_else(|| of_another(rest))?;
                return Ok(Some(its.taker.max(market.info.taker_fee)));
            }
            Ok(_another) => return Err(of_another(rest)),
            Err(error) => match error.kind {
                ErrorKind::Unsupported => return Ok(None),
                ErrorKind::Throttled { retry_after } if retry_after <= LONGEST_PAUSE => {
                    tokio::time::sleep(retry_after).await;
                }
                _ => return Err(error),
            },
        }
    }
}

fn of_another(rest: &Rest) -> ExchangeError {
    ExchangeError::new(rest.venue(), Op::Fees, ErrorKind::Undecodable("the answer to another call"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;
    use crate::run::desk::tests::quiet_desk;
    use crate::run::pace::Pace;
    use crate::run::reasons::Reasons;
    use crate::run::reconcile::Reconciler;
    use crate::run::venue::{Venue, shared_markets};
    use crate::venues::EXCHANGES;
    use cex_core::Markets;
    use cex_interface::{Secret, VenueConfig};
    use cex_sim::fault::{Canned, Fault, Moment, RestEffect, VenueFault};
    use cex_sim::server::{Rights, SimAccount, SimConfig, SimExchange, SimHandle, SimServer};
    use cex_transport::{Clock, TransportConfig};
    use std::sync::Arc;

    const MEXC: usize = 0;
    const GATEIO: usize = 1;
    /// Where each tells the fee of a market.
    const FEE_PATHS: [&str; 2] = ["/api/v3/tradeFee", "/api/v4/spot/batch_fee"];

    fn simulated(rights: Rights) -> SimHandle {
        let accounts = vec![SimAccount { rights, ..SimAccount::new("one") }];
        SimServer::start(SimConfig { seed: 7, symbols: 3, accounts, ..SimConfig::default() })
            .expect("loopback")
    }

    /// An exchange whose rules have been read.
    async fn opened(sim: &SimHandle, index: usize) -> (Venue, Arc<Markets>) {
        let registration = EXCHANGES[index];
        let endpoint = sim.endpoint(SimExchange::ALL[index]);
        let account = sim.accounts().first().expect("an account");
        let config = VenueConfig {
            rest_url: Some(endpoint.rest.clone()),
            ws_url: Some(endpoint.ws.clone()),
            key: Secret::new(account.key.clone()),
            secret: Secret::new(account.secret.clone()),
            ..VenueConfig::public(cex_core::VenueId::new(0, registration.name).expect("short"))
        };
        let opened = Venue::open(&registration, config, TransportConfig::default(), Clock::new());
        let (venue, rules) = opened.await.unwrap_or_else(|failure| panic!("{failure}"));
        let markets = shared_markets(&[venue.id], vec![rules]).unwrap_or_else(|failure| panic!("{failure}"));
        (venue, markets[0].clone())
    }

    fn refusing(sim: &SimHandle, index: usize, path: &str, answer: Canned) {
        let fault = Fault::rest("GET", path, Moment::Before, RestEffect::Answer(answer)).always();
        sim.inject(SimExchange::ALL[index], fault).expect("a fault it knows");
    }

    fn run(program: impl Future<Output = ()>) {
        Pace::Sleep.block_on(program).expect("a runtime");
    }

    /// A fee that was listed lower than the account is charged, and one that was listed higher.
    #[test]
    fn each_market_is_reckoned_with_by_the_larger_of_list_and_account_and_not_traded_before() {
        for index in [MEXC, GATEIO] {
            let sim = simulated(Rights::Trade);
            run(async {
                let (venue, markets) = opened(&sim, index).await;
                let all: Vec<&Market> = markets.iter().collect();
                for (market, taker) in all.iter().zip([30, 0]) {
                    let (symbol, taker) = (market.symbol(), Bps::from_bps(taker));
                    let fees = VenueFault::Fees { symbol, maker: Bps::ZERO, taker };
                    sim.inject(SimExchange::ALL[index], Fault::venue(fees)).expect("a fault it knows");
                }
                let setup = venue.setup(Arc::clone(&markets)).await;
                let (setup, told) = setup.unwrap_or_else(|failure| panic!("{failure}"));
                assert_eq!((told, setup.taker_fees.len()), (Told::ByMarket, 0));
                let listed = |market: &Market| market.info.taker_fee;
                assert!(listed(all[1]) > Bps::ZERO);
                let expected = [Bps::from_bps(30), listed(all[1]), listed(all[2])];

                let desk = quiet_desk(std::slice::from_ref(&setup));
                let rests = [(venue.id, Arc::clone(&venue.rest))];
                let (compared, reasons) = ((&[setup][..], &[told][..]), Reasons::default());
                let reconciler =
                    Reconciler::new(desk.clone(), &rests, compared, reasons.clone(), Duration::ZERO);
                let alone = || all.iter().filter(|market| reasons.why(market.id).is_some()).count();
                assert_eq!(alone(), all.len(), "no fee is known yet");
                // The second answer is a refusal of one call: it is asked again, after the others.
                let refused = Fault::rest(
                    "GET",
                    FEE_PATHS[index],
                    Moment::Before,
                    RestEffect::Answer(Canned::json(500, "")),
                );
                sim.inject(SimExchange::ALL[index], refused.skip(1)).expect("a fault it knows");
                let asking = tokio::task::spawn_local(reconciler.rules());
                let waited = tokio::time::Instant::now();
                while alone() > 0 {
                    assert!(waited.elapsed() < Duration::from_secs(30), "{} are left alone yet", alone());
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                asking.abort();
                let reckoned: Vec<_> = all
                    .iter()
                    .map(|market| desk.inspect(|_, engine| engine.reckons_with(market)).unwrap_or_default())
                    .collect();
                assert_eq!(reckoned, expected, "{}", venue.id);
            });
            sim.stop().expect("it stops");
        }
    }

    #[test]
    fn a_key_that_reaches_wallets_is_told_one_fee_for_all() {
        let sim = simulated(Rights::Withdraw);
        run(async {
            let (venue, _) = opened(&sim, GATEIO).await;
            assert!(matches!(of_account(&venue.rest).await, Ok(Some(fee)) if fee > Bps::ZERO));
        });
        sim.stop().expect("it stops");
    }

    #[test]
    fn a_start_that_may_not_read_fees_says_what_the_key_lacks() {
        let sim = simulated(Rights::Trade);
        run(async {
            for (index, body) in [
                (MEXC, r#"{"code":700007,"msg":"No permission to access the endpoint."}"#),
                (GATEIO, r#"{"label":"FORBIDDEN","message":"no permission"}"#),
            ] {
                let (venue, markets) = opened(&sim, index).await;
                refusing(&sim, index, FEE_PATHS[index], Canned::json(403, body));
                let failure = venue.setup(markets).await.map(|_| ()).expect_err("it cannot be known");
                assert_eq!(failure.exit, Exit::Credentials, "{failure}");
                assert!(failure.fix.contains(venue.id.name()), "{failure}");
            }
        });
        sim.stop().expect("it stops");
    }

    /// What an earlier run left open is closed whatever that costs; that a fee was not told is no reason to believe that there is none.
    #[test]
    fn a_fee_that_cannot_be_read_now_is_waited_for_by_openings_alone() {
        let sim = simulated(Rights::Withdraw);
        run(async {
            for (index, path, body) in [
                (GATEIO, "/api/v4/wallet/fee", r#"{"label":"TOO_MANY_REQUESTS","message":"x"}"#),
                (MEXC, FEE_PATHS[MEXC], r#"{"code":429,"msg":"Too Many Requests"}"#),
            ] {
                let (venue, markets) = opened(&sim, index).await;
                refusing(&sim, index, path, Canned { retry_after: Some(60), ..Canned::json(429, body) });
                // The second time our own budget does not let it leave.
                for _ in 0..2 {
                    let setup = venue.setup(Arc::clone(&markets)).await;
                    let (setup, told) = setup.unwrap_or_else(|failure| panic!("{failure}"));
                    assert_eq!((told, setup.taker_fees.len()), (Told::ByMarket, 0));
                    let at_first = reckoned_at_first(&setup, told).taker_fees;
                    assert!(at_first.len() == 3 && at_first.values().all(|fee| *fee >= Bps::from_bps(20)));
                }
            }
        });
        sim.stop().expect("it stops");
    }
}
