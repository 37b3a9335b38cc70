//! Budget: every rule, both reservations, and the intent in the journal, before the first byte of an order leaves.

use cex_arb::show::summary::Latency;
use cex_benches::measure::{finish, percentiles};
use cex_core::{
    Bps, ClientOrderId, Decimal, Leg, Plan, Price, Qty, Scale, Side, Symbol, SymbolId, Timestamp, VenueId,
};
use cex_journal::{Options, Writer, messages, open_directory, record};
use cex_risk::{BookFacts, Conditions, CycleEnd, CycleSums, Gate, Limits, OrderResult, Wallet};
use hdrhistogram::Histogram;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

const START: Timestamp = Timestamp::from_secs(1_800_000_000);
/// Openings that are timed, after half as many that are not.
const TIMED: u64 = 200_000;

fn main() -> ExitCode {
    let program = std::env::current_exe().expect("this program");
    let dir = program.with_file_name(format!("gate-bench-{}", std::process::id()));
    let kept = openings(&dir);
    std::fs::remove_dir_all(&dir).expect("our own directory");
    finish(&[kept])
}

fn openings(dir: &Path) -> bool {
    let mut stage = Stage::new(dir);
    let mut times = Histogram::<u64>::new(3).expect("three digits");
    for count in 0..TIMED + TIMED / 2 {
        let took = stage.open();
        if count >= TIMED / 2 {
            times.record(u64::try_from(took.as_nanos()).expect("short")).expect("in range");
        }
    }
    percentiles(
        "gate with every rule, both reservations, and the intent in the page cache",
        &Latency::from(&times),
        Some((3_000, 30_000)),
    )
}

struct Stage {
    gate: Gate,
    writer: Writer,
    intent: messages::Intent,
    plan: Plan,
    symbol: Symbol,
    scale: Scale,
    now: Timestamp,
    count: u64,
}

impl Stage {
    /// Limits that look at everything and refuse nothing; funds and wallets of both legs known.
    fn new(dir: &Path) -> Self {
        let venues = [0, 1]
            .map(|index: u8| VenueId::new(index, ["mexc", "gateio"][usize::from(index)]).expect("short"));
        let symbol: Symbol = "BTC/USDT".parse().expect("a symbol");
        let limits = Limits {
            fee_buffer: Bps::from_bps(100),
            min_inventory_share: Bps::from_bps(1),
            ..Limits::boundless()
        };
        let mut gate = Gate::new(limits);
        let open = Wallet::OPEN;
        for venue in venues {
            for asset in [symbol.base, symbol.quote] {
                gate.funds_mut().set_held(venue, asset, Decimal::from(1_000_000_000));
            }
            gate.set_wallets(START, venue, Duration::MAX, [(symbol.base, open), (symbol.quote, open)]);
        }
        let leg = |venue, side, price: i64| Leg {
            venue,
            side,
            limit: Price(price),
            qty: Qty(300_000),
            notional: Price(price).times(Qty(300_000)),
            fee: Bps::from_bps(5),
        };
        let plan = Plan {
            symbol: SymbolId(0),
            buy: leg(venues[0], Side::Buy, 642_101_000),
            sell: leg(venues[1], Side::Sell, 642_689_000),
            expected: Decimal::ONE,
            net_edge: Bps::from_bps(3),
        };
        let mut writer = open_directory(dir, Options::default(), START).expect("a disk with room").writer;
        writer.begin(START, messages::SessionStart::default()).expect("a disk with room");
        let scale = Scale::new(4, 8).expect("fits");
        Self { gate, writer, intent: messages::Intent::default(), plan, symbol, scale, now: START, count: 0 }
    }

    /// One opening, timed until its orders could leave; then it ends well, and half a minute passes.
    fn open(&mut self) -> Duration {
        self.now += Duration::from_secs(30);
        self.count += 1;
        let ids =
            ["b", "s"].map(|leg| ClientOrderId::new(&format!("bench-{}{leg}", self.count)).expect("a name"));
        let book = BookFacts {
            as_of: self.now,
            audit_age: None,
            venue_age: Some(Duration::from_millis(3)),
            venue_lead: Duration::ZERO,
            mid: self.plan.buy.limit,
        };
        let conditions = Conditions {
            symbol: self.symbol,
            scale: self.scale,
            buy_book: book,
            sell_book: book,
            expires_in: Duration::from_millis(1_500),
        };
        let started = Instant::now();
        let approved = self.gate.approve(self.now, &self.plan, &conditions, || ids);
        let (id, orders) = approved.expect("nothing is refused");
        let legs = [orders[0].get(), orders[1].get()];
        record::intent(&mut self.intent, id.0, &self.symbol, self.scale, &self.plan, legs);
        self.writer.append(self.now, &self.intent).expect("a disk with room");
        let took = started.elapsed();
        let qty = self.scale.qty_value(self.plan.buy.qty);
        for order in orders {
            let ended = self.gate.order_ended(self.now, &order.into_inner(), qty, OrderResult::Worked);
            ended.expect("fits");
        }
        let outcome = CycleSums {
            symbol: self.symbol,
            profit: Decimal::ONE,
            edge: Bps::from_bps(3),
            base: Decimal::ZERO,
            mark: Decimal::ONE,
        };
        self.gate.finished(self.now, id, CycleEnd::Filled, outcome).expect("fits");
        took
    }
}
