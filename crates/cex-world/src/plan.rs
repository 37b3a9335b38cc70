//! What goes wrong in a run, and when: drawn from the seed, from the families of the fault catalogue that are asked for.

use crate::day::Crash;
use crate::fuse::Death;
use cex_core::{Asset, Bps, Decimal, Symbol, Timestamp};
use cex_sim::dialect::DuplicateClientIds;
use cex_sim::fault::{
    Canned, Fault, FaultKind, ForcedEnd, Frames, Moment, OrderEffect, Refused, RestEffect, Stream,
    VenueFault, WsEffect,
};
use cex_sim::server::SimExchange;
use cex_sim::world::{Route, Trouble};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::fmt;
use std::time::Duration;

/// The account that trades.
pub(crate) const ACCOUNT: &str = "rich";

/// The coin of an exchange in which fees can be paid; the account has a little of it.
pub(crate) fn fee_coin() -> Option<Asset> {
    Asset::new("MX").ok()
}

/// A family of faults, as `docs/reliability.md` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Transport.
    T,
    /// WebSocket semantics.
    W,
    /// HTTP and REST semantics.
    H,
    /// Book integrity.
    B,
    /// Order lifecycle.
    O,
    /// Money and markets.
    M,
    /// Clocks.
    K,
    /// The process.
    P,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 8] = [Self::T, Self::W, Self::H, Self::B, Self::O, Self::M, Self::K, Self::P];
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// Something that is to go wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    /// On the way.
    Trouble(Trouble),
    /// At the exchange.
    Fault(Fault),
    /// Our own process dies.
    Crash(Crash),
}

/// Something that is to go wrong, where and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Planned {
    pub(crate) at: Timestamp,
    pub(crate) family: Family,
    pub(crate) exchange: SimExchange,
    pub(crate) act: Act,
}

impl Planned {
    /// Whether it shuts us out until further notice (H2).
    pub(crate) fn is_ban(&self) -> bool {
        match &self.act {
            Act::Fault(Fault { kind: FaultKind::Rest(fault), .. }) => {
                matches!(&fault.effect, RestEffect::Answer(canned) if canned.status == 403)
            }
            Act::Fault(_) | Act::Trouble(_) | Act::Crash(_) => false,
        }
    }
}

/// Chance of one run.
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self(rng)
    }

    /// Even in `0..count`; zero of none.
    pub(crate) fn below(&mut self, count: u64) -> u64 {
        self.0.next_u64() % count.max(1)
    }

    /// Even between the two, both included.
    pub(crate) fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }

    /// A span between so many milliseconds, short ones commoner.
    pub(crate) fn millis(&mut self, least: u64, most: u64) -> Duration {
        let ceiling = self.between(least, most);
        Duration::from_millis(self.between(least, ceiling))
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        let at = self.below(of.len() as u64);
        of[usize::try_from(at).unwrap_or(0)]
    }
}

/// The faults of a run between two moments, in order of time.
pub(crate) fn plan(
    dice: &mut Dice,
    families: &[Family],
    symbols: &[Symbol],
    (from, to): (Timestamp, Timestamp),
) -> Vec<Planned> {
    let mut planned = Vec::new();
    if families.is_empty() {
        return planned;
    }
    // Some runs are a drizzle, some a storm.
    let pause = dice.pick(&[300, 800, 2_000]);
    let mut at = from;
    while at < to {
        let family = dice.pick(families);
        let exchange = dice.pick(&SimExchange::ALL);
        let symbol = dice.pick(symbols);
        let act = draw(dice, family, exchange, symbol);
        planned.push(Planned { at, family, exchange, act });
        at += Duration::from_millis(dice.between(20, 2 * pause));
    }
    planned
}

fn draw(dice: &mut Dice, family: Family, exchange: SimExchange, symbol: Symbol) -> Act {
    match family {
        Family::T => transport(dice, exchange),
        Family::W => Act::Fault(stream(dice, exchange)),
        Family::H => Act::Fault(rest(dice, exchange)),
        Family::B => Act::Fault(book(dice, exchange, symbol)),
        Family::O => Act::Fault(order(dice, exchange)),
        Family::M => Act::Fault(money(dice, exchange, symbol)),
        Family::P => Act::Crash(process(dice)),
        Family::K => {
            let off = i64::try_from(dice.between(300, 5_000)).unwrap_or(0);
            let signed = if dice.below(2) == 0 { off } else { -off };
            Act::Fault(Fault::venue(VenueFault::ClockSkew(signed)).lasting(dice.millis(500, 8_000)))
        }
    }
}

/// T1, T2, T3, T4, T8, T9, T11, T13, T14.
fn transport(dice: &mut Dice, exchange: SimExchange) -> Act {
    let route = dice.pick(&[Route::Out, Route::Back, Route::Both]);
    let resets = dice.below(2) == 0;
    let moment = dice.pick(&[Moment::Before, Moment::After]);
    let (orders, all) = paths(exchange);
    let (method, path) = dice.pick(&[("POST", orders), ("", all), ("GET", all)]);
    let call = |moment, effect| Act::Fault(Fault::rest(method, path, moment, effect).lasting(PATIENCE));
    match dice.below(11) {
        0 => {
            Act::Trouble(Trouble::Slow { route, by: dice.millis(20, 2_000), lasts: dice.millis(200, 5_000) })
        }
        1 | 2 => Act::Trouble(Trouble::Loss { route, lasts: dice.millis(100, 8_000), resets }),
        3 => Act::Trouble(Trouble::ResetOne),
        4 => Act::Trouble(Trouble::CutAll),
        5 => Act::Trouble(Trouble::Refuse { lasts: dice.millis(100, 6_000) }),
        6 => call(moment, RestEffect::Close),
        7 => call(moment, RestEffect::Reset),
        8 => call(moment, RestEffect::Stall),
        9 => call(moment, RestEffect::Late(dice.millis(50, 12_000))),
        _ => call(Moment::After, RestEffect::HangUp),
    }
}

/// A fault that met nobody is gone after this time.
const PATIENCE: Duration = Duration::from_secs(10);

/// W1, W2, W3, W5, W6, W7, W8, W9, W11, W12, W13, W16, T2.
fn stream(dice: &mut Dice, exchange: SimExchange) -> Fault {
    let of = dice.pick(&[Stream::Any, Stream::Public, Stream::Private]);
    let data = |effect| Fault::ws(of, &[], effect).lasting(PATIENCE);
    let channel = match exchange {
        SimExchange::Mexc => dice.pick(&["depth", "deals", "orders", "account"]),
        SimExchange::Gateio => dice.pick(&["order_book", "obu", "usertrades", "orders", "balances"]),
    };
    match dice.below(17) {
        0 => data(WsEffect::Mute).lasting(dice.millis(200, 6_000)),
        1 => Fault::ws(Stream::Private, &[], WsEffect::Mute).lasting(dice.millis(200, 6_000)),
        2 => data(WsEffect::Delay(dice.millis(10, 3_000))).times(dice.between(1, 5)),
        3 => Fault::ws(Stream::Private, &[], WsEffect::Reorder).times(dice.between(1, 3)).lasting(PATIENCE),
        4 => Fault::ws(Stream::Private, &[], WsEffect::Duplicate).times(dice.between(1, 5)).lasting(PATIENCE),
        5 => data(WsEffect::PingFlood(200)),
        6 => data(WsEffect::Close),
        7 => data(WsEffect::Reset),
        8 => data(WsEffect::Blackhole),
        9 => data(WsEffect::UnknownEnum),
        10 => data(WsEffect::SwapKind),
        11 => data(WsEffect::Truncate(usize::try_from(dice.below(60)).unwrap_or(0))),
        12 => data(WsEffect::Insert("{\"hello\":\"there\"}".to_owned())),
        13 => Fault::ws(of, &[channel], WsEffect::RefuseSubscription).lasting(PATIENCE),
        14 => Fault::ws(of, &[], WsEffect::Deafen).lasting(PATIENCE),
        15 => Fault::venue(VenueFault::ExpireListenKeys),
        _ => data(WsEffect::Drop).on(Frames::Answers),
    }
}

/// H1, H2, H3, H6, H9, H11, T15, W10.
fn rest(dice: &mut Dice, exchange: SimExchange) -> Fault {
    let (orders, all) = paths(exchange);
    let (method, path) = dice.pick(&[("POST", orders), ("", all), ("GET", all), ("GET", orders)]);
    let moment = dice.pick(&[Moment::Before, Moment::After]);
    let count = dice.between(1, 4);
    let call = |moment, effect| Fault::rest(method, path, moment, effect).times(count).lasting(PATIENCE);
    match dice.below(33) / 4 {
        // Refused before anything happened, or it would be a lie.
        0 => call(Moment::Before, RestEffect::Answer(too_many(exchange))),
        1 => call(moment, RestEffect::Answer(Canned::html(502))),
        2 => call(moment, RestEffect::Answer(Canned::html(504))),
        3 => call(moment, RestEffect::Answer(Canned::empty(200))),
        4 => call(Moment::After, RestEffect::Truncate(usize::try_from(dice.below(80)).unwrap_or(0))),
        5 => call(Moment::After, RestEffect::Gzip),
        6 => call(Moment::After, RestEffect::CutBody(20)),
        7 => {
            let lag = dice.millis(50, 4_000);
            let fault = VenueFault::ReadLag { path: all.to_owned(), lag };
            Fault::venue(fault).lasting(dice.millis(500, 6_000))
        }
        _ => call(Moment::Before, RestEffect::Answer(Canned::html(403))),
    }
}

/// B1, B2, B6, B8, W13.
fn book(dice: &mut Dice, exchange: SimExchange, symbol: Symbol) -> Fault {
    let native = match exchange {
        SimExchange::Mexc => format!("{}{}", symbol.base, symbol.quote),
        SimExchange::Gateio => format!("{}_{}", symbol.base, symbol.quote),
    };
    let of_symbol = |effect| Fault::ws(Stream::Public, &[&native], effect).lasting(PATIENCE);
    let count = dice.between(1, 6);
    match dice.below(8) {
        0 | 1 => of_symbol(WsEffect::Drop).times(count),
        2 => of_symbol(WsEffect::Duplicate).times(count),
        3 => of_symbol(WsEffect::Reorder).times(count),
        4 => of_symbol(WsEffect::Truncate(usize::try_from(dice.below(120)).unwrap_or(0))),
        5 => of_symbol(WsEffect::Mute).lasting(dice.millis(200, 5_000)),
        6 => Fault::venue(VenueFault::VersionReset(symbol)),
        _ => Fault::venue(VenueFault::Halt(symbol)).lasting(dice.millis(200, 4_000)),
    }
}

/// H8, O1, O2, O5, O6, O7, O8, O18, W10.
fn order(dice: &mut Dice, exchange: SimExchange) -> Fault {
    let (orders, _) = paths(exchange);
    let moment = dice.pick(&[Moment::Before, Moment::After]);
    let ours = |effect| Fault::order(effect).of_account(ACCOUNT).lasting(PATIENCE);
    let refused = dice.pick(&[Refused::Halted, Refused::Frozen, Refused::Funds, Refused::Overloaded]);
    let end =
        dice.pick(&[ForcedEnd::SelfTrade, ForcedEnd::Depth, ForcedEnd::Small, ForcedEnd::PriceProtection]);
    match dice.below(10) {
        // Sooner than any exchange is known to.
        8 => ours(OrderEffect::Forget(dice.millis(200, 30_000))).times(dice.between(1, 3)),
        0 => ours(OrderEffect::Reject(refused)).times(dice.between(1, 3)),
        1 | 2 => ours(OrderEffect::Partial(Bps::from_bps(i32::try_from(dice.below(10_000)).unwrap_or(0)))),
        3 => ours(OrderEffect::LateFill(dice.millis(10, 3_000))),
        4 => ours(OrderEffect::LateAccept(dice.millis(10, 1_500))),
        5 => ours(OrderEffect::Hide(dice.millis(50, 4_000))),
        6 => ours(OrderEffect::EndAs(end)),
        7 => Fault::rest("POST", orders, moment, RestEffect::Stall).lasting(PATIENCE),
        _ => Fault::rest("POST", orders, moment, RestEffect::Answer(Canned::html(500))).lasting(PATIENCE),
    }
}

/// H12, M5, M6, O4.
fn money(dice: &mut Dice, exchange: SimExchange, symbol: Symbol) -> Fault {
    let taker = Bps::from_bps(i32::try_from(dice.below(30)).unwrap_or(0));
    let mode = dice.pick(&[DuplicateClientIds::Reject, DuplicateClientIds::Accept, DuplicateClientIds::Echo]);
    match dice.below(3) {
        0 => {
            // Where an account may pay in the exchange's own coin, some do, until it runs out.
            let may = exchange == SimExchange::Mexc && taker.e8() % Bps::from_bps(2).e8() == 0;
            let fault = match fee_coin().filter(|_| may) {
                Some(asset) => {
                    let (account, price) = (ACCOUNT.to_owned(), Decimal::from(3));
                    VenueFault::FeesIn { account, asset, price }
                }
                None => VenueFault::Fees { symbol, maker: Bps::ZERO, taker },
            };
            Fault::venue(fault).lasting(dice.millis(500, 8_000))
        }
        1 => Fault::venue(VenueFault::Freeze(ACCOUNT.to_owned())).lasting(dice.millis(200, 4_000)),
        _ => Fault::venue(VenueFault::DuplicateClientIds(mode)).lasting(dice.millis(500, 8_000)),
    }
}

/// P1, P2, P3: killed or without power, at any effect, and once more while it recovers.
fn process(dice: &mut Dice) -> Crash {
    Crash {
        after: dice.below(60),
        death: dice.pick(&[Death::Kill, Death::PowerLoss]),
        pause: dice.millis(1, 4_000),
        again: (dice.below(3) == 0).then(|| dice.below(80)),
    }
}

/// Where orders go, and what every path begins with.
const fn paths(exchange: SimExchange) -> (&'static str, &'static str) {
    match exchange {
        SimExchange::Mexc => ("/api/v3/order", "/api/v3"),
        SimExchange::Gateio => ("/api/v4/spot/orders", "/api/v4"),
    }
}

fn too_many(exchange: SimExchange) -> Canned {
    let body = match exchange {
        SimExchange::Mexc => r#"{"code":429,"msg":"Too Many Requests"}"#,
        SimExchange::Gateio => r#"{"label":"TOO_MANY_REQUESTS","message":"Request Rate limit exceeded"}"#,
    };
    Canned::json(429, body).retry_after(1)
}
