//! An engine under the example's limits, two scripted exchanges, and one scenario.

use crate::scenario::{OtherCoin, Scenario, Suspension, Trap};
use cex_arb::config::{Config, Surroundings, command};
use cex_arb::run::choice;
use cex_arb::run::limits::settings;
use cex_arb::run::venue::shared_markets;
use cex_core::{
    Asset, AssetInfo, Balance, BookUpdate, Bps, Continuity, Decimal, Level, LevelRange, LinkEvent, Market,
    MarketEvent, NetworkInfo, Price, Qty, SnapshotSource, StreamKind, SymbolInfo, SyncRule, Text, Timestamp,
    TradingStatus, UpdateKind, VenueId,
};
use cex_engine::{Command, Commands, Engine, Event, VenueSetup};
use cex_risk::{Chains, Mode, Wallet};
use std::collections::BTreeMap;
use std::time::Duration;

const COIN: &str = "BTC";
const START: Timestamp = Timestamp::from_secs(1_800_000_000);

/// What all scenarios share.
pub(crate) struct Rig {
    config: Config,
    /// With the middles of books farther apart than the example allows: the ceiling of edges alone must hold.
    ceiling: Config,
}

impl Rig {
    /// Under the limits that `arb config example` writes.
    pub(crate) fn of_the_example() -> Self {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), command::example()).expect("our own file");
        let vars = BTreeMap::from([("HOME".to_owned(), "/home/trader".to_owned())]);
        let around = Surroundings { vars, directory: "/nowhere".into() };
        let load = |sets: &[String]| {
            let loaded = Config::load(Some(file.path()), sets, &around);
            loaded.unwrap_or_else(|problems| panic!("the example is good: {problems}"))
        };
        Self { config: load(&[]), ceiling: load(&["risk.collar_cross_bps=2000".to_owned()]) }
    }

    /// How many orders a scenario brings, with its trap or without.
    pub(crate) fn orders(&self, scenario: &Scenario, trapped: bool) -> u64 {
        let config = if scenario.trap == Trap::TooGood { &self.ceiling } else { &self.config };
        let venues = [0, 1]
            .map(|index: u8| VenueId::new(index, ["mexc", "gateio"][usize::from(index)]).expect("short"));
        let listed = [0, 1].map(|index| {
            let rules = vec![info(scenario, index, trapped, COIN), info(scenario, index, false, "ETH")];
            choice::wanted(rules, &config.symbols, START, config.risk.delist_guard_h)
        });
        let markets = shared_markets(&venues, Vec::from(listed)).expect("ETH is always listed");
        let btc = format!("{COIN}/USDT").parse().expect("a symbol");
        // What is not chosen is not subscribed to, so nothing is ever heard of it.
        let Some(market) = markets[0].by_symbol(btc).cloned() else { return 0 };
        let setups = [0, 1].map(|index| VenueSetup {
            venue: venues[index],
            markets: markets[index].clone(),
            sync: SyncRule {
                snapshot: SnapshotSource::Rest { depth: 100 },
                continuity: Continuity::Contiguous,
                depth: None,
            },
            taker_fees: BTreeMap::from([(market.id, Bps::from_e8(scenario.fees_bps[index] * 10_000))]),
            order_windows: Vec::new(),
        });
        let mut settings = settings(config);
        settings.mode = Mode::Active;
        let mut stage = Stage {
            engine: Engine::new(settings, &setups, 1),
            out: Commands::default(),
            now: START,
            seq: [100, 100],
            shown: <[[Vec<Level>; 2]; 2]>::default(),
            market,
            venues,
            orders: 0,
        };
        stage.play(scenario, trapped);
        stage.orders
    }
}

/// What an exchange says of a symbol.
fn info(scenario: &Scenario, venue: usize, trapped: bool, coin: &str) -> SymbolInfo {
    let price_dp = scenario.price_dp;
    // A lot is worth less than half a quote.
    let mid = Decimal::new(scenario.mid_ticks.into(), price_dp);
    let fine = |dp: &u8| mid.checked_mul(Decimal::new(2, *dp)).is_ok_and(|two_lots| two_lots < Decimal::ONE);
    let lot_dp = (0..=8).find(fine).expect("no price is above ten million");
    let symbol = format!("{coin}/USDT");
    let mut info = SymbolInfo {
        symbol: symbol.parse().expect("a symbol"),
        native: Text::new(&symbol.replace('/', "")).expect("short"),
        status: TradingStatus::Trading,
        api_tradable: true,
        risk_flagged: false,
        tick: Decimal::new(1, price_dp),
        lot: Decimal::new(1, lot_dp),
        price_dp,
        lot_dp,
        min_qty: Decimal::ZERO,
        min_notional: Decimal::from(5),
        max_qty: None,
        max_notional: None,
        price_band: None,
        maker_fee: Bps::ZERO,
        taker_fee: Bps::from_bps(20),
        opens_at: None,
        delists_at: None,
    };
    if trapped && venue == scenario.at {
        match (scenario.trap, scenario.suspension) {
            (Trap::Delisting, _) => {
                let hours = Duration::from_secs(3_600 * scenario.delisted_in_h.unsigned_abs());
                let past = scenario.delisted_in_h < 0;
                info.delists_at = Some(if past { START - hours } else { START + hours });
            }
            (Trap::OtherQuote, _) => {
                info.symbol = format!("{coin}/USDC").parse().expect("a symbol");
                info.native = Text::new(&format!("{coin}USDC")).expect("short");
            }
            (Trap::Suspended, Suspension::Halted) => info.status = TradingStatus::Halted,
            (Trap::Suspended, Suspension::BuyOnly) => info.status = TradingStatus::BuyOnly,
            (Trap::Suspended, Suspension::SellOnly) => info.status = TradingStatus::SellOnly,
            (Trap::Suspended, Suspension::NotByPrograms) => info.api_tradable = false,
            (Trap::Suspended, Suspension::Flagged) => info.risk_flagged = true,
            _elsewhere => {}
        }
    }
    info
}

/// One engine and what it was told.
struct Stage {
    engine: Engine,
    out: Commands,
    now: Timestamp,
    seq: [u64; 2],
    /// By venue: the bids and the asks that stand.
    shown: [[Vec<Level>; 2]; 2],
    market: Market,
    venues: [VenueId; 2],
    orders: u64,
}

impl Stage {
    fn play(&mut self, scenario: &Scenario, trapped: bool) {
        let is = |trap: Trap| trapped && scenario.trap == trap;
        let (mover, other) = (scenario.mover, 1 - scenario.mover);
        self.tell_coins(scenario, trapped);
        for venue in 0..2 {
            self.read_account(venue, scenario);
            self.join(venue, scenario);
            self.feed(Event::Clock { venue: self.venues[venue], offset_nanos: Some(0) });
        }
        if scenario.trap == Trap::OldWallet {
            self.pass(u64::try_from(scenario.wallets_s).expect("positive") * 1_000);
            if !trapped {
                self.tell_coins(scenario, trapped);
            }
        }
        // The other book speaks, and some time later the first one jumps.
        self.pass(1_000);
        self.frame(other, scenario, scenario.mid_ticks, Frame::Plain);
        let age = if trapped { scenario.age_ms } else { scenario.age_ms.min(250) };
        self.pass(u64::try_from(age).expect("positive"));
        if is(Trap::Disconnected) {
            self.link(mover, LinkEvent::Down);
            self.link(
                mover,
                LinkEvent::Subscribed { symbol: Some(self.market.id), stream: StreamKind::Book },
            );
        }
        let kind = match scenario.trap {
            Trap::Crossed if trapped => Frame::OwnSideStays,
            Trap::Gapped if trapped => Frame::AfterAGap,
            Trap::Skewed if trapped => Frame::Old(Duration::from_millis(scenario.skew_ms.unsigned_abs())),
            Trap::Ahead if trapped => Frame::Early(Duration::from_millis(scenario.skew_ms.unsigned_abs())),
            _other => Frame::Plain,
        };
        let mid = scenario.jumped_mid(trapped);
        self.frame(mover, scenario, mid, kind);
        // It stays so for a while, and the book that jumped goes on to speak.
        for _ in 0..5 {
            if self.orders > 0 {
                break;
            }
            self.pass(40);
            self.frame(mover, scenario, mid, if kind == Frame::AfterAGap { Frame::Plain } else { kind });
            self.feed(Event::Wake);
        }
    }

    /// What [`cex_arb::run::coins`] tells after asking both exchanges.
    fn tell_coins(&mut self, scenario: &Scenario, trapped: bool) {
        let (coin, quote) = (asset(COIN), asset("USDT"));
        let closed = (trapped && scenario.trap == Trap::ClosedWallet).then_some(scenario.door);
        for venue in 0..2 {
            // What is bought leaves where it was bought and arrives where it is sold; what that yields goes back.
            let bought_here = venue == scenario.buy;
            let ways = |open| if open { Chains::ALL } else { Chains::NONE };
            let base = Wallet {
                withdrawals: ways(!(bought_here && closed == Some(0))),
                deposits: ways(bought_here || closed != Some(1)),
            };
            let paid = Wallet {
                withdrawals: ways(bought_here || closed != Some(2)),
                deposits: ways(!(bought_here && closed == Some(3))),
            };
            let wallets = [(coin, base), (quote, paid)];
            self.feed(Event::Wallets { venue: self.venues[venue], wallets: &wallets });
        }
        let other = (trapped && scenario.trap == Trap::OtherCoin).then_some(scenario.other_coin);
        let ours = network("ERC20", Some("0xAb01"));
        let theirs = match other {
            None => Some(network("ETH", Some("0xab01"))),
            Some(OtherCoin::Contract) => Some(network("ETH", Some("0xab02"))),
            Some(OtherCoin::Chain) => Some(network("KAS", None)),
            Some(OtherCoin::NotTold) => None,
        };
        let why = choice::difference(Some(&ours), theirs.as_ref());
        self.feed(Event::Blocked { symbol: self.market.id, why });
    }

    fn read_account(&mut self, venue: usize, scenario: &Scenario) {
        let venue = self.venues[venue];
        self.feed(Event::Link { venue, event: LinkEvent::AccountReady, symbols: &[] });
        // Coins worth some six hundred.
        let mid = Decimal::new(scenario.mid_ticks.into(), scenario.price_dp);
        let coins = Decimal::from(600).checked_div(mid, 8, cex_core::Rounding::Down).expect("fits");
        let balances = [("USDT", Decimal::from(900)), (COIN, coins)].map(|(name, free)| Balance {
            asset: asset(name),
            free,
            locked: Decimal::ZERO,
            as_of: self.now,
        });
        self.feed(Event::AccountRead { venue, asked_at: self.now, balances: &balances });
    }

    fn join(&mut self, venue: usize, scenario: &Scenario) {
        let symbol = self.market.id;
        self.link(venue, LinkEvent::Subscribed { symbol: Some(symbol), stream: StreamKind::Book });
        let asked_at = self.now;
        self.frame(venue, scenario, scenario.mid_ticks, Frame::Plain);
        let [bids, asks] = self.levels(scenario, venue, scenario.mid_ticks);
        let (id, seq, exchange_ts) = (self.venues[venue], self.seq[venue], self.now);
        self.feed(Event::Book { venue: id, symbol, asked_at, seq, exchange_ts, bids: &bids, asks: &asks });
        assert!(self.engine.book(id, symbol).is_some(), "joined: {scenario:?}");
    }

    fn levels(&self, scenario: &Scenario, venue: usize, mid: i64) -> [Vec<Level>; 2] {
        let [bids, asks] = &scenario.shapes[venue];
        let level = |ticks: i64, worth: i64| {
            let price = Price(ticks.max(1) * self.market.tick.0);
            let worth = self.market.scale.notional(Decimal::from(worth)).expect("fits").0;
            let qty = Qty(i64::try_from(worth / i128::from(price.0)).expect("fits"));
            Level { price, qty: Qty(qty.floor_to(self.market.lot).0.max(self.market.lot.0)) }
        };
        [
            bids.iter().map(|(off, worth)| level(mid - off, *worth)).collect(),
            asks.iter().map(|(off, worth)| level(mid + off, *worth)).collect(),
        ]
    }

    /// A frame that takes away what the book showed and shows it around another middle.
    fn frame(&mut self, venue: usize, scenario: &Scenario, mid: i64, kind: Frame) {
        let [mut bids, mut asks] = self.levels(scenario, venue, mid);
        let [old_bids, old_asks] = std::mem::take(&mut self.shown[venue]);
        // A book that crosses itself: the side that was jumped over stays where it was.
        if kind == Frame::OwnSideStays && venue == scenario.sell() {
            asks.clone_from(&old_asks);
        } else if kind == Frame::OwnSideStays {
            bids.clone_from(&old_bids);
        }
        self.shown[venue] = [bids.clone(), asks.clone()];
        let take_away = |old: Vec<Level>, new: &mut Vec<Level>| {
            for level in old {
                if new.iter().all(|stands| stands.price != level.price) {
                    new.push(Level { qty: Qty::ZERO, ..level });
                }
            }
        };
        take_away(old_bids, &mut bids);
        take_away(old_asks, &mut asks);
        let step = if kind == Frame::AfterAGap { 2 } else { 1 };
        self.seq[venue] += step;
        let seq = self.seq[venue];
        let count = |levels: &[Level]| u32::try_from(levels.len()).expect("few");
        let (middle, end) = (count(&bids), count(&bids) + count(&asks));
        let exchange_ts = match kind {
            Frame::Old(by) => self.now - by,
            Frame::Early(by) => self.now + by,
            Frame::Plain | Frame::OwnSideStays | Frame::AfterAGap => self.now,
        };
        let update = BookUpdate {
            symbol: self.market.id,
            kind: UpdateKind::Delta,
            first_seq: seq,
            last_seq: seq,
            exchange_ts,
            bids: LevelRange { start: 0, end: middle },
            asks: LevelRange { start: middle, end },
        };
        let levels = [bids, asks].concat();
        let event = MarketEvent::Book(update);
        self.feed(Event::Market { venue: self.venues[venue], event: &event, levels: &levels });
    }

    fn link(&mut self, venue: usize, event: LinkEvent) {
        let symbols = [self.market.id];
        self.feed(Event::Link { venue: self.venues[venue], event, symbols: &symbols });
    }

    /// Time passes, and the program goes on as it does: a jump would be a standstill.
    fn pass(&mut self, millis: u64) {
        const STEP: Duration = Duration::from_millis(50);
        let until = self.now + Duration::from_millis(millis);
        while until.since(self.now) > STEP {
            // Long ones in fewer steps, but for their end.
            let is_near = until.since(self.now) <= STEP * 20;
            self.now += if is_near { STEP } else { STEP * 10 };
            self.feed(Event::Wake);
        }
        self.now = until;
    }

    fn feed(&mut self, event: Event<'_>) {
        self.out.clear();
        self.engine.handle(self.now, event, &mut self.out);
        self.engine.handle(self.now, Event::Settled, &mut self.out);
        let orders = self.out.commands.iter().map(|command| match command {
            Command::Open { .. } => 2,
            Command::Close { .. } => 1,
            Command::FetchBook { .. }
            | Command::Resubscribe { .. }
            | Command::QueryOrder { .. }
            | Command::QueryFills { .. }
            | Command::QueryTrades { .. }
            | Command::QueryOpen { .. }
            | Command::Cancel { .. }
            | Command::ReadAccount { .. } => 0,
        });
        self.orders += orders.sum::<u64>();
    }
}

/// What is wrong with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frame {
    Plain,
    /// The side that the jump passes stays where it was.
    OwnSideStays,
    /// The one before it is missing.
    AfterAGap,
    /// It tells of so long ago.
    Old(Duration),
    /// It tells of what is so far ahead.
    Early(Duration),
}

fn asset(name: &str) -> Asset {
    name.parse().expect("short")
}

fn network(name: &str, contract: Option<&str>) -> AssetInfo {
    AssetInfo {
        asset: asset(COIN),
        name: String::new(),
        trade_enabled: true,
        networks: vec![NetworkInfo {
            network: name.to_owned(),
            contract: contract.map(str::to_owned),
            deposit_enabled: true,
            withdraw_enabled: true,
            withdraw_fee: None,
            withdraw_min: None,
            withdraw_max: None,
            min_confirmations: None,
            needs_memo: None,
            deposit_note: None,
            withdraw_note: None,
        }],
    }
}
