//! What is written down, and what keeps the next start back where nothing can be.

use super::*;
use cex_core::{Leg, OrderKind, Price, Qty, Scale, Side, SymbolId, TimeInForce};
use cex_journal::storage::{Access, Directory as Disk, Storage, StorageFile};
use std::any::Any;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A disk that takes nothing any more once it is broken.
struct Failing {
    disk: Disk,
    broken: Arc<AtomicBool>,
}

struct FailingFile {
    file: Arc<dyn StorageFile>,
    broken: Arc<AtomicBool>,
}

impl Failing {
    fn wrap(&self, file: io::Result<Arc<dyn StorageFile>>) -> io::Result<Arc<dyn StorageFile>> {
        Ok(Arc::new(FailingFile { file: file?, broken: Arc::clone(&self.broken) }))
    }
}

impl Storage for Failing {
    fn place(&self) -> String {
        self.disk.place()
    }

    fn lock(&self) -> Result<Box<dyn Any + Send>, JournalError> {
        self.disk.lock()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn StorageFile>> {
        self.wrap(self.disk.create(name, bytes))
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn StorageFile>> {
        self.wrap(self.disk.open(name, access))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn sync_names(&self) -> io::Result<()> {
        self.disk.sync_names()
    }

    fn free_bytes(&self) -> io::Result<u64> {
        self.disk.free_bytes()
    }
}

impl FailingFile {
    fn usable(&self) -> io::Result<()> {
        if self.broken.load(Ordering::Relaxed) { Err(io::Error::other("input/output error")) } else { Ok(()) }
    }
}

impl StorageFile for FailingFile {
    fn bytes(&self) -> io::Result<u64> {
        self.file.bytes()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.usable()?;
        self.file.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.usable()?;
        self.file.sync()
    }
}

#[test]
fn what_a_venue_holds_is_written_down_once_and_then_what_is_taken_for_held_anew() {
    let place = tempfile::tempdir().expect("a directory");
    let now = Timestamp::from_secs(1_700_000_000);
    let opened = cex_journal::open_directory(place.path(), cex_journal::Options::default(), now);
    let tolerance = Tolerance { lag: Duration::MAX, free: 0 };
    let directory = Directory(place.path().to_owned());
    let writer = opened.expect("new").writer;
    let mut recorder = Recorder::new(writer, tolerance, Names::default(), directory);
    let held = |rows: &[(u8, &str, i64)]| {
        let row = |(venue, asset, free): &(u8, &str, i64)| {
            let venue = VenueId::new(*venue, ["a", "b"][usize::from(*venue)]).expect("short");
            (venue, asset.parse::<Asset>().expect("a coin"), Decimal::from(*free))
        };
        rows.iter().map(row).collect::<Vec<Held>>()
    };
    let before = held(&[(0, "BTC", 1), (0, "ETH", 2), (0, "SOL", 3), (1, "BTC", 4), (1, "XRP", 5)]);
    let after = held(&[
        (0, "ADA", 7),
        (0, "BTC", 1),
        (0, "ETH", 0),
        (0, "SOL", 9),
        (1, "ADA", 0),
        (1, "BTC", 4),
        (1, "XRP", 6),
        (1, "ZEC", 8),
    ]);
    recorder.adopted(now, &before, &after);
    recorder.adopted(now, &after, &after);
    recorder.adopted(now, &after, &held(&[(0, "ADA", 7), (0, "BTC", 2), (1, "BTC", 4), (1, "ZEC", 8)]));
    // By the records a fill moved it that the account had shown already.
    recorder.notice(now, &Notice::HeldAlready { venue: after[0].0 });
    recorder.adopted(now, &after, &after);
    recorder.adopted(now, &after, &after);
    recorder.flush();
    drop(recorder);
    let mut reader = cex_journal::Reader::of_directory(place.path(), 0).expect("a journal");
    let mut written = Vec::new();
    while let Some(record) = reader.next_record().expect("whole") {
        if let Ok(Entry::Balance(balance)) = record.entry() {
            written.push(format!("{} {} {}", balance.venue, balance.asset, balance.free));
        }
    }
    let first = ["a ADA 7", "a BTC 1", "a ETH 0", "a SOL 9", "b ADA 0", "b BTC 4", "b XRP 6", "b ZEC 8"];
    let (told_first, later) = written.split_at(first.len());
    assert_eq!(told_first, first);
    assert_eq!(later, ["a BTC 2", "a ADA 7", "a BTC 1", "a ETH 0", "a SOL 9"]);
}

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

/// A recorder of BTC/USDT on a disk that can be broken.
pub(in crate::run) fn on_failing_disk(place: &std::path::Path) -> (Recorder, Directory, Arc<AtomicBool>) {
    let directory = Directory(place.to_owned());
    let broken = Arc::new(AtomicBool::new(false));
    let disk = Disk::create(&place.join("journal")).expect("a directory");
    let storage = Arc::new(Failing { disk, broken: Arc::clone(&broken) });
    let (opened, _syncer) = cex_journal::open(storage, cex_journal::Options::default(), NOW).expect("new");
    let mut writer = opened.writer;
    writer.begin(NOW, messages::SessionStart::default()).expect("a disk that works");
    let tolerance = Tolerance { lag: Duration::MAX, free: 0 };
    let symbol = ("BTC/USDT".parse().expect("a symbol"), Scale::new(2, 3).expect("small"));
    let names = Names { symbols: [(SymbolId(0), symbol)].into(), ..Names::default() };
    (Recorder::new(writer, tolerance, names, directory.clone()), directory, broken)
}

fn order(leg: &Leg, client_id: &str) -> OrderRequest {
    OrderRequest {
        venue: leg.venue,
        symbol: SymbolId(0),
        client_id: ClientOrderId::new(client_id).expect("short"),
        side: leg.side,
        kind: OrderKind::Limit { price: leg.limit, qty: leg.qty, tif: TimeInForce::Ioc },
        expires_in: Duration::from_secs(2),
    }
}

#[test]
fn what_is_closed_unrecorded_is_halted_before_it_leaves_and_so_is_a_session_without_an_end() {
    let leg = |index, name, side| Leg {
        venue: VenueId::new(index, name).expect("short"),
        side,
        limit: Price(10_000),
        qty: Qty(4_000),
        notional: Price(10_000).times(Qty(4_000)),
        fee: Bps::ZERO,
    };
    let (buy, sell) = (leg(0, "mexc", Side::Buy), leg(1, "gateio", Side::Sell));
    let plan = Plan { symbol: SymbolId(0), buy, sell, expected: Decimal::ZERO, net_edge: Bps::from_bps(5) };
    let legs = [order(&buy, "mqhw82kb-1b"), order(&sell, "mqhw82kb-2s")];
    let closing = order(&sell, "mqhw82kb-3c");
    for closes in [true, false] {
        let place = tempfile::tempdir().expect("a directory");
        let (mut recorder, directory, broken) = on_failing_disk(place.path());
        assert!(recorder.opening(NOW, 1, &plan, [&legs[0], &legs[1]]));
        assert!(!recorder.loses_orders() && !directory.halt_file().exists());
        broken.store(true, Ordering::Relaxed);
        if closes {
            let parent = Parent { name: legs[0].client_id, carried: Decimal::ZERO };
            recorder.closing(NOW, parent, &closing);
            assert!(recorder.loses_orders());
        } else {
            let standing = cex_risk::Gate::new(cex_risk::Limits::boundless()).standing(NOW);
            recorder.close(NOW, "stopped", 0, &standing).expect_err("a disk that is broken");
        }
        let text = std::fs::read_to_string(directory.halt_file()).expect("the next start is halted");
        assert!(text.contains("input/output error"), "{text}");
    }
}

#[test]
fn a_journal_that_fails_before_an_order_leaves_holds_no_later_run() {
    let place = tempfile::tempdir().expect("a directory");
    let (mut recorder, directory, broken) = on_failing_disk(place.path());
    broken.store(true, Ordering::Relaxed);
    recorder.learned(NOW, &Entry::PastSought(messages::PastSought {}));
    recorder.flush();
    assert_eq!((recorder.state(), recorder.loses_orders()), (JournalState::Failed, false));
    let standing = cex_risk::Gate::new(cex_risk::Limits::boundless()).standing(NOW);
    recorder.close(NOW, "stopped", 0, &standing).expect_err("a disk that is broken");
    assert!(!directory.halt_file().exists(), "nothing has left that nobody knows of");
}

#[test]
fn a_halt_that_the_journal_cannot_take_is_kept_by_the_file() {
    let place = tempfile::tempdir().expect("a directory");
    let (mut recorder, directory, broken) = on_failing_disk(place.path());
    let now = NOW;
    recorder.halt(now, "engine", "an order is unknown for too long");
    assert!(!directory.halt_file().exists(), "the journal has it");
    broken.store(true, Ordering::Relaxed);
    recorder.halt(now, "engine", "an order is unknown for too long");
    let text = std::fs::read_to_string(directory.halt_file()).expect("it is there");
    assert!(text.contains("engine: an order is unknown for too long"), "{text}");
    assert_eq!(recorder.state(), JournalState::Failed);
}
