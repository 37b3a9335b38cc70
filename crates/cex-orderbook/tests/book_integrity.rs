//! Group B of the fault catalogue (and the rows of other groups that end in a book), one test a row. Rows about threads
//! (B12), persistence of a quote (B13) and our own orders (B14) concern whoever reads the book.

mod support;

use cex_core::{BookSide, BookUpdate, LevelRange, Price, Qty, SymbolId, Timestamp, UpdateKind};
use cex_orderbook::{Applied, Book, BookConfig, BookSync, StaleReason, SyncLimits, SyncOutcome};
use support::{Feed, GATE_OBU, GATE_UPDATE, MEXC, SYMBOL, levels, ms};

const BOTH: SyncOutcome = SyncOutcome::Applied(Applied { bid_changed: true, ask_changed: true });

fn live(rule: cex_core::SyncRule) -> Feed {
    Feed::live(rule, 100, &[(1_000, 5), (999, 5)], &[(1_001, 5), (1_002, 5)])
}

#[test]
fn b1_lost_diff_makes_the_book_unusable_in_the_same_call() {
    for (rule, asked) in [
        (MEXC, SyncOutcome::NeedSnapshot),
        (GATE_UPDATE, SyncOutcome::NeedSnapshot),
        (GATE_OBU, SyncOutcome::NeedResubscribe),
    ] {
        // Every position of a run of deltas is lost once.
        for lost in 101..110 {
            let mut feed = live(rule);
            for seq in (101..=110).filter(|seq| *seq != lost) {
                let outcome = feed.delta(seq, seq, &[(1_000, 5)], &[]);
                if seq == lost + 1 {
                    assert_eq!((outcome, feed.is_usable()), (asked, false), "{rule:?}, {lost} lost");
                    assert_eq!(feed.sync.outage().map(|outage| outage.why), Some(StaleReason::Gap));
                } else {
                    assert_eq!(feed.is_usable(), seq < lost, "{rule:?}, {lost} lost, at {seq}");
                }
            }
            assert_eq!((feed.sync.counters().gaps, feed.sync.counters().resyncs), (1, 1));
        }
    }
}

#[test]
fn b1_after_a_gap_the_buffer_joins_the_next_snapshot() {
    let mut feed = live(MEXC);
    assert_eq!(feed.delta(102, 103, &[(1_000, 7)], &[]), SyncOutcome::NeedSnapshot);
    assert_eq!(feed.delta(104, 104, &[(1_000, 8)], &[]), SyncOutcome::Buffered);
    assert_eq!(feed.snapshot(101, &[(1_000, 6)], &[(1_001, 5)]), BOTH);
    assert_eq!((feed.seq(), feed.book().0), (Some(104), vec![(1_000, 8)]));
}

#[test]
fn b1_a_snapshot_never_leads_back_behind_what_was_seen() {
    // The book was given up without a frame at hand, so nothing in the buffer speaks against an older snapshot.
    let mut feed = live(MEXC);
    feed.delta(101, 110, &[(1_000, 6)], &[]);
    assert_eq!(feed.sync.invalidate(feed.now, StaleReason::Mismatch), SyncOutcome::NeedSnapshot);
    assert_eq!(feed.snapshot(109, &[], &[]), SyncOutcome::Buffered);
    assert_eq!(feed.snapshot(110, &[], &[]), BOTH);
    // A frame that could not be decoded brought at least one version more.
    assert_eq!(feed.sync.invalidate(feed.now, StaleReason::Undecodable), SyncOutcome::NeedSnapshot);
    assert_eq!(feed.snapshot(110, &[], &[]), SyncOutcome::Buffered);
    assert_eq!(feed.snapshot(111, &[], &[]), BOTH);
}

#[test]
fn b2_duplicate_overlapping_and_old_diffs() {
    let mut feed = live(MEXC);
    feed.delta(101, 105, &[(1_000, 6)], &[]);
    for (first, last) in [(101, 105), (99, 100), (105, 105), (1, 104)] {
        assert_eq!(
            feed.delta(first, last, &[(1_000, 1)], &[(1_001, 0)]),
            SyncOutcome::Ignored,
            "{first}..={last}"
        );
    }
    assert_eq!((feed.seq(), feed.book().0[0]), (Some(105), (1_000, 6)));
    // An overlap that reaches further is taken whole: quantities are absolute.
    assert!(matches!(feed.delta(103, 107, &[(1_000, 9)], &[]), SyncOutcome::Applied(_)));
    assert_eq!((feed.seq(), feed.book().0[0], feed.sync.counters().ignored_old), (Some(107), (1_000, 9), 4));
}

#[test]
fn b3_every_interleaving_of_a_snapshot_and_six_diffs() {
    // Diff k brings the book from version 100 + k to 101 + k and sets its quantity to that version.
    for rule in [MEXC, GATE_UPDATE] {
        for version in 100..=106 {
            for arrives_after in 1..=6 {
                for begins_at in 0..arrives_after {
                    let mut feed = Feed::subscribed(rule);
                    let what = format!("{rule:?}: {version} after {arrives_after}, first {begins_at}");
                    let send = |feed: &mut Feed, diff: u64| {
                        let seq = 101 + diff;
                        feed.delta(seq, seq, &[(1_000, seq as i64)], &[])
                    };
                    for diff in begins_at..arrives_after {
                        send(&mut feed, diff);
                    }
                    let outcome = feed.snapshot(version, &[(1_000, version as i64)], &[(1_001, 1)]);
                    let joins = version >= 100 + begins_at;
                    assert_eq!(outcome, if joins { BOTH } else { SyncOutcome::Buffered }, "{what}");
                    for diff in arrives_after..6 {
                        send(&mut feed, diff);
                    }
                    if joins {
                        let newest = version.max(106);
                        assert_eq!(
                            (feed.seq(), feed.book().0),
                            (Some(newest), vec![(1_000, newest as i64)]),
                            "{what}"
                        );
                    } else {
                        feed.pass(ms(250));
                        assert_eq!(feed.wake(), SyncOutcome::NeedSnapshot, "{what}");
                        assert_eq!(feed.snapshot(106, &[(1_000, 106)], &[(1_001, 1)]), BOTH, "{what}");
                    }
                }
            }
        }
    }
}

#[test]
fn b4_crossed_or_locked_mexc_is_unusable_and_mends_or_resyncs_after_a_second() {
    for price in [1_001, 1_005] {
        let mut feed = live(MEXC);
        assert_eq!(feed.delta(101, 101, &[(price, 1)], &[]), SyncOutcome::Unusable);
        assert!(!feed.is_usable());
        assert_eq!(feed.delta(102, 102, &[], &[(1_002, 0)]), SyncOutcome::Unusable);
        // Mended: everything is reported as changed, since nothing was while it lasted.
        assert_eq!(feed.delta(103, 103, &[(price, 0)], &[]), BOTH);
        assert!(feed.is_usable());

        assert_eq!(feed.delta(104, 104, &[(price, 1)], &[]), SyncOutcome::Unusable);
        let since = feed.now;
        assert_eq!(feed.sync.wakeup_at(), Some(since + ms(1_000)));
        feed.now = since + ms(999);
        assert_eq!(feed.wake(), SyncOutcome::Ignored);
        feed.now = since + ms(1_000);
        assert_eq!(feed.wake(), SyncOutcome::NeedSnapshot);
        assert_eq!(feed.sync.outage().map(|outage| outage.why), Some(StaleReason::Crossed));
        assert_eq!((feed.sync.counters().crossed, feed.sync.counters().resyncs), (2, 1));
    }
}

#[test]
fn b4_a_cross_kept_up_by_deltas_resyncs_too() {
    let mut feed = live(MEXC);
    feed.delta(101, 101, &[(1_001, 1)], &[]);
    for seq in 102..=200 {
        assert_eq!(feed.delta(seq, seq, &[(1_001, seq as i64)], &[]), SyncOutcome::Unusable, "{seq}");
    }
    assert_eq!(feed.delta(201, 201, &[(1_001, 1)], &[]), SyncOutcome::NeedSnapshot);
}

#[test]
fn b4_crossed_snapshots_are_asked_for_again_with_a_pause_and_not_for_ever() {
    let mut feed = Feed::subscribed(GATE_UPDATE);
    assert_eq!(feed.delta(101, 101, &[], &[]), SyncOutcome::NeedSnapshot);
    for attempt in 1..20 {
        assert_eq!(feed.snapshot(101, &[(1_002, 1)], &[(1_001, 1)]), SyncOutcome::Buffered, "{attempt}");
        assert!(!feed.is_usable());
        feed.pass(ms(250));
        assert_eq!(feed.wake(), SyncOutcome::NeedSnapshot, "{attempt}");
    }
    assert_eq!(feed.snapshot(101, &[(1_002, 1)], &[(1_001, 1)]), SyncOutcome::NeedResubscribe);
    let counters = feed.sync.counters();
    assert_eq!((counters.applied, counters.ignored_old), (0, 0), "a join that fails counts no frame");
    // A stream that keeps sending crossed books does not make us resubscribe without a pause.
    let mut feed = Feed::subscribed(GATE_OBU);
    assert_eq!(feed.full(101, &[(1_002, 1)], &[(1_001, 1)]), SyncOutcome::NeedResubscribe);
    assert_eq!(feed.full(102, &[(1_002, 1)], &[(1_001, 1)]), SyncOutcome::Unusable);
    feed.pass(ms(1_000));
    assert_eq!(feed.wake(), SyncOutcome::NeedResubscribe);
}

#[test]
fn b5_levels_that_fall_out_of_the_streams_depth_are_no_zombies() {
    let mut feed = Feed::live(GATE_UPDATE, 100, &[(1_000, 1)], &[(100_000, 1)]);
    // The price walks up through 300 levels; only the best hundred are ever reported, removals included.
    for step in 1..=300 {
        feed.delta(100 + step, 100 + step, &[(1_000 + step as i64, 1)], &[]);
    }
    let (bids, _) = feed.book();
    assert_eq!((bids.len(), bids[0], bids[99]), (100, (1_300, 1), (1_201, 1)));
    // It falls back, and the exchange reports what comes into its hundred again: some of it has changed since.
    for step in 1..=150_i64 {
        let seq = 400 + step as u64;
        let removed = 1_301 - step;
        let entered = removed - 100;
        feed.delta(seq, seq, &[(removed, 0), (entered, if entered % 2 == 0 { 7 } else { 0 })], &[]);
    }
    let (bids, _) = feed.book();
    assert_eq!((bids[0].0, bids.len()), (1_150, 50), "{bids:?}");
    assert!(bids.iter().all(|(price, qty)| price % 2 == 0 && *qty == 7), "{bids:?}");
}

#[test]
fn b6_sequence_that_goes_back_for_twenty_fresh_frames_resyncs() {
    for (rule, asked) in [(MEXC, SyncOutcome::NeedSnapshot), (GATE_OBU, SyncOutcome::NeedResubscribe)] {
        let mut feed = live(rule);
        feed.delta(101, 101, &[(1_000, 6)], &[]);
        for seq in 1..20 {
            assert_eq!(feed.delta(seq, seq, &[(1_000, 1)], &[]), SyncOutcome::Ignored, "{seq}");
        }
        assert_eq!(feed.delta(20, 20, &[(1_000, 1)], &[]), asked);
        assert_eq!(feed.sync.outage().map(|outage| outage.why), Some(StaleReason::WentBackwards));
    }
    // The frame that decided belongs to the new count and is kept.
    let mut feed = live(MEXC);
    feed.delta(101, 101, &[(1_000, 6)], &[]);
    (1..=20).for_each(|seq| {
        feed.delta(seq, seq, &[(1_000, seq as i64)], &[]);
    });
    assert_eq!(feed.delta(21, 21, &[(1_000, 21)], &[]), SyncOutcome::Buffered);
    assert_eq!(feed.snapshot(19, &[(1_000, 19)], &[(1_001, 1)]), BOTH);
    assert_eq!((feed.seq(), feed.book().0), (Some(21), vec![(1_000, 21)]));
}

/// Microseconds for milliseconds, or a node whose clock runs ahead (W14).
#[test]
fn b6_a_time_to_come_hides_no_sequence_that_goes_back() {
    let far = |now: Timestamp| Timestamp::from_nanos(now.as_nanos().saturating_mul(1_000));
    let near = |now: Timestamp| now + ms(60_000);
    for ahead in [far, near] {
        for rule in [MEXC, GATE_UPDATE, GATE_OBU] {
            let mut feed = live(rule);
            let told = ahead(feed.now);
            feed.update_at(told, UpdateKind::Delta, (101, 101), &[(1_000, 6)], &[]);
            assert_eq!(feed.sync.live().map(|live| live.exchange_ts), Some(told), "R7 must see it");
            (1..=20).for_each(|seq| {
                feed.delta(seq, seq, &[(1_000, 1)], &[]);
            });
            assert_eq!(feed.sync.counters().backwards, 1, "{rule:?}");
        }
        // Of a snapshot likewise, and such times prove nothing by themselves.
        let mut feed = Feed::subscribed(MEXC);
        feed.delta(100, 100, &[], &[]);
        let (bids, asks) = (levels(&[(1_000, 5)]), levels(&[(1_001, 5)]));
        assert_eq!(feed.sync.on_snapshot(feed.now, 100, ahead(feed.now), &bids, &asks), BOTH);
        for again in 0..2 {
            let told = ahead(feed.now);
            feed.update_at(told, UpdateKind::Delta, (100, 100), &[], &[]);
            assert_eq!(feed.sync.counters().backwards, 0, "{again}");
        }
        (1..=2).for_each(|seq| {
            feed.delta(seq, seq, &[(1_000, 1)], &[]);
        });
        assert_eq!(feed.sync.counters().backwards, 1);
    }
}

#[test]
fn b6_repetitions_and_a_stream_behind_the_snapshot_are_not_a_sequence_going_back() {
    // Repeated frames carry the time they had.
    let mut feed = live(MEXC);
    feed.delta(101, 101, &[(1_000, 6)], &[]);
    let then = feed.now;
    for _ in 0..100 {
        feed.pass(ms(10));
        let again = feed.update_at(then, UpdateKind::Delta, (101, 101), &[(1_000, 6)], &[]);
        assert_eq!(again, SyncOutcome::Ignored);
    }
    assert_eq!(feed.seq(), Some(101));
    // The snapshot is a hundred versions ahead of the stream, which catches up.
    let mut feed = Feed::subscribed(MEXC);
    feed.delta(1, 1, &[], &[]);
    feed.snapshot(100, &[(1_000, 5)], &[(1_001, 5)]);
    (2..=100)
        .for_each(|seq| assert_eq!(feed.delta(seq, seq, &[(1_000, 1)], &[]), SyncOutcome::Ignored, "{seq}"));
    assert!(matches!(feed.delta(101, 101, &[(1_000, 9)], &[]), SyncOutcome::Applied(_)));
}

#[test]
fn b6_a_count_that_begins_anew_while_buffering_begins_the_buffer_anew() {
    let mut feed = Feed::subscribed(MEXC);
    feed.delta(5_000, 5_000, &[], &[]);
    (1..=25).for_each(|seq| {
        feed.delta(seq, seq, &[(1_000, seq as i64)], &[]);
    });
    assert_eq!(feed.snapshot(22, &[(1_000, 22)], &[(1_001, 1)]), BOTH);
    assert_eq!((feed.seq(), feed.sync.counters().backwards), (Some(25), 1));
}

#[test]
fn b6_a_snapshot_of_a_new_count_on_frames_of_the_old_one_is_found_out_by_the_second_frame() {
    for rule in [MEXC, GATE_UPDATE] {
        let mut feed = Feed::subscribed(rule);
        for seq in 1_001..=1_050 {
            feed.delta(seq, seq, &[(1_000, seq as i64)], &[]);
        }
        // The exchange began to count anew, somewhere within what is kept. Nothing shows it yet.
        assert_eq!(feed.snapshot(1_030, &[(1_000, 7)], &[(1_001, 7)]), BOTH, "{rule:?}");
        assert_eq!(feed.seq(), Some(1_050));
        assert_eq!(feed.delta(1_031, 1_031, &[(1_000, 8)], &[]), SyncOutcome::Ignored, "{rule:?}");
        assert_eq!(feed.delta(1_032, 1_032, &[(1_000, 9)], &[]), SyncOutcome::NeedSnapshot, "{rule:?}");
        assert!(!feed.is_usable());
        assert_eq!(feed.snapshot(1_031, &[(1_000, 8)], &[(1_001, 7)]), BOTH);
        assert_eq!((feed.seq(), feed.book().0), (Some(1_032), vec![(1_000, 9)]));
        assert_eq!(feed.sync.counters().backwards, 1);
    }
}

#[test]
fn b6_repetitions_right_after_a_join_are_no_new_count() {
    for rule in [MEXC, GATE_UPDATE] {
        let mut feed = Feed::subscribed(rule);
        let mut sent = Vec::new();
        for seq in 1_001..=1_050 {
            feed.delta(seq, seq, &[(1_000, seq as i64)], &[]);
            sent.push(feed.now);
        }
        assert_eq!(feed.snapshot(1_030, &[(1_000, 1_030)], &[(1_001, 7)]), BOTH);
        for (seq, at) in (1_001..=1_050).zip(sent) {
            let outcome = feed.update_at(at, UpdateKind::Delta, (seq, seq), &[(1_000, 1)], &[]);
            assert_eq!(outcome, SyncOutcome::Ignored, "{rule:?}, {seq}");
        }
        assert_eq!((feed.book().0, feed.sync.counters().resyncs), (vec![(1_000, 1_050)], 0));
    }
}

#[test]
fn b7_a_frame_of_another_symbol_does_not_reach_the_book() {
    let mut feed = live(MEXC);
    let none = LevelRange::default();
    let update = BookUpdate {
        symbol: SymbolId(SYMBOL.0 + 1),
        kind: UpdateKind::Delta,
        first_seq: 101,
        last_seq: 101,
        exchange_ts: feed.now,
        bids: none,
        asks: none,
    };
    assert_eq!(feed.sync.on_update(feed.now, &update, &[]), SyncOutcome::Ignored);
    assert_eq!((feed.seq(), feed.sync.counters().misrouted), (Some(100), 1));
}

#[test]
fn b8_an_empty_side_has_no_price() {
    let mut feed = live(MEXC);
    feed.delta(101, 101, &[(1_000, 0), (999, 0)], &[]);
    let book = feed.sync.usable().expect("halted, but known");
    assert_eq!((book.best_bid(), book.best_ask().map(|level| level.price)), (None, Some(Price(1_001))));
    assert_eq!(book.sweep(BookSide::Bid, Qty(1)).worst, None);
}

#[test]
fn b9_each_book_tells_its_ages_by_both_clocks() {
    let mut feed = live(MEXC);
    let sent = Timestamp::from_nanos(feed.now.as_nanos() - 70_000_000);
    feed.update_at(sent, UpdateKind::Delta, (101, 101), &[(1_000, 6)], &[]);
    let received = feed.now;
    feed.pass(ms(400));
    assert_eq!((feed.sync.as_of(), feed.sync.age(feed.now)), (Some(received), Some(ms(400))));
    assert_eq!(feed.sync.live().map(|live| live.exchange_ts), Some(sent));
    // An old frame makes nothing younger.
    feed.delta(101, 101, &[], &[]);
    assert_eq!(feed.sync.as_of(), Some(received));
    feed.sync.on_disconnect(feed.now);
    assert_eq!((feed.sync.as_of(), feed.sync.age(feed.now)), (None, None));
}

#[test]
fn b9_a_joined_book_is_as_old_as_its_newest_frame() {
    let mut feed = Feed::subscribed(MEXC);
    feed.delta(101, 101, &[(1_000, 6)], &[]);
    let received = feed.now;
    feed.pass(ms(800));
    assert_eq!(feed.snapshot(100, &[], &[]), BOTH);
    assert_eq!(feed.sync.as_of(), Some(received));
}

#[test]
fn b10_a_refresh_finds_and_repairs_silent_drift_while_the_book_stays_usable() {
    for (wrong, drifts) in [(false, 0), (true, 1)] {
        let mut feed = live(MEXC);
        // A frame whose content is wrong although its versions are right: no sequence shows that.
        feed.delta(101, 101, &[(999, if wrong { 77 } else { 6 })], &[]);
        assert_eq!(feed.sync.begin_refresh(feed.now), SyncOutcome::NeedSnapshot);
        assert_eq!(feed.sync.begin_refresh(feed.now), SyncOutcome::Ignored, "one at a time");
        feed.delta(102, 102, &[(1_000, 8)], &[]);
        assert!(feed.is_usable());
        // Too old, then in the middle of what was kept, then joined.
        assert_eq!((feed.snapshot(100, &[], &[]), feed.is_usable()), (SyncOutcome::Ignored, true));
        feed.pass(ms(250));
        assert_eq!(feed.wake(), SyncOutcome::NeedSnapshot);
        assert_eq!(feed.snapshot(101, &[(1_000, 5), (999, 6)], &[(1_001, 5), (1_002, 5)]), BOTH);
        assert_eq!((feed.seq(), feed.book().0), (Some(102), vec![(1_000, 8), (999, 6)]));
        assert_eq!(
            (feed.sync.counters().drifts, feed.sync.live().map(|live| live.synced_at)),
            (drifts, Some(feed.now))
        );
    }
}

#[test]
fn b11_ten_million_distinct_prices_do_not_grow_the_book() {
    let mut book = Book::new(BookConfig::new(Price(1), 1_000));
    let mut most = 0;
    for frame in 0..500_000_i64 {
        // Each frame names twenty new prices: half near a walking top, half scattered ever deeper.
        let mut bids = [cex_core::Level::default(); 20];
        for (slot, level) in bids.iter_mut().enumerate() {
            let slot = slot as i64;
            let price = if slot < 10 {
                20_000_000 + frame * 10 + slot
            } else {
                20_000_000 + frame * 10 - slot * 1_000_003
            };
            *level = cex_core::Level { price: Price(price), qty: Qty(1) };
        }
        book.apply(&bids, &[]);
        most = most.max(book.memory_bytes());
    }
    assert_eq!(book.len(BookSide::Bid), 1_000);
    assert!(most <= 128 * 1_024, "{most} bytes");
}

#[test]
fn depth_runs_out_toward_the_unknown_and_is_refreshed_before() {
    let rule = cex_core::SyncRule { snapshot: cex_core::SnapshotSource::Rest { depth: 100 }, ..MEXC };
    let bids: Vec<_> = (0..100).map(|step| (1_000 - step, 1)).collect();
    let mut feed = Feed::live(rule, 100, &bids, &[(1_001, 1)]);
    assert_eq!(feed.sync.usable().and_then(|book| book.exact_to(BookSide::Bid)), Some(Price(901)));
    // A level deeper than the snapshot: true, but among unknown ones.
    feed.delta(101, 101, &[(850, 9)], &[]);
    assert_eq!(feed.book().0.len(), 100);
    let mut seq = 101;
    while feed.sync.wakeup_at() > Some(feed.now) {
        seq += 1;
        feed.delta(seq, seq, &[(1_000 - (seq as i64 - 102), 0)], &[]);
    }
    assert_eq!((feed.book().0.len(), feed.wake()), (24, SyncOutcome::NeedSnapshot));
    assert!(feed.is_usable());
    seq += 1;
    feed.delta(seq, seq, &[(920, 0)], &[]);
    let deeper: Vec<_> = (0..100).map(|step| (924 - step, 1)).collect();
    assert_eq!(feed.snapshot(seq - 1, &deeper, &[(1_001, 1)]), BOTH);
    assert_eq!((feed.seq(), feed.book().0.len(), feed.sync.counters().drifts), (Some(seq), 99, 0));
    assert!(feed.sync.wakeup_at() > Some(feed.now), "nothing is wanted");
}

#[test]
fn h6_a_cached_snapshot_is_retried_a_bounded_number_of_times() {
    let mut feed = Feed::subscribed(MEXC);
    feed.delta(1_000, 1_000, &[], &[]);
    for attempt in 1..20 {
        assert_eq!(feed.snapshot(500, &[], &[]), SyncOutcome::Buffered, "{attempt}");
        let pause = feed.sync.wakeup_at().map(|due| due.since(feed.now)).expect("a pause");
        assert!((ms(100)..=ms(500)).contains(&pause));
        feed.pass(pause);
        assert_eq!(feed.wake(), SyncOutcome::NeedSnapshot);
        feed.delta(1_000 + attempt, 1_000 + attempt, &[], &[]);
    }
    assert_eq!(feed.sync.on_snapshot_failed(feed.now), SyncOutcome::NeedResubscribe);
    assert_eq!(feed.sync.outage().map(|outage| outage.why), Some(StaleReason::NoSnapshot));
    feed.sync.on_subscribed(feed.now);
    assert_eq!(feed.delta(1_020, 1_020, &[], &[]), SyncOutcome::NeedSnapshot);
    assert_eq!(feed.snapshot(1_020, &[], &[]), BOTH);
}

#[test]
fn t1_a_lost_connection_makes_the_book_unusable_at_once_and_nothing_of_it_returns() {
    for rule in [MEXC, GATE_UPDATE, GATE_OBU] {
        let mut feed = live(rule);
        feed.sync.on_disconnect(feed.now);
        assert!(!feed.is_usable());
        assert_eq!(feed.sync.wakeup_at(), None);
        feed.sync.on_subscribed(feed.now);
        // An answer that was on its way for the old book.
        assert_eq!(feed.snapshot(100, &[(1_000, 5)], &[(1_001, 5)]), SyncOutcome::Ignored, "{rule:?}");
        assert!(!feed.is_usable());
        let outage = feed.sync.outage().expect("not live");
        assert_eq!(outage.why, StaleReason::Disconnected);
    }
}

#[test]
fn t7_a_buffer_that_overflows_begins_again_and_still_joins() {
    let limits = SyncLimits { pending_frames: 5, pending_levels: 8, ..SyncLimits::for_rule(&MEXC, 1_000) };
    let start = || {
        let mut feed = Feed::new(BookSync::with_limits(SYMBOL, MEXC, BookConfig::default(), limits));
        feed.sync.on_subscribed(feed.now);
        feed
    };
    let mut feed = start();
    for seq in 1..=7 {
        feed.delta(seq, seq, &[(1_000, seq as i64)], &[]);
    }
    // Frames 1 to 5 are forgotten: a snapshot that needs them is too old.
    assert_eq!((feed.snapshot(4, &[], &[]), feed.sync.counters().overflows), (SyncOutcome::Buffered, 1));
    assert_eq!((feed.snapshot(5, &[], &[]), feed.seq()), (BOTH, Some(7)));
    // One frame that is too large alone: only a snapshot that has it will do.
    let mut feed = start();
    feed.delta(1, 1, &[(1, 1); 9], &[]);
    assert_eq!(feed.snapshot(0, &[], &[]), SyncOutcome::Buffered);
    assert_eq!((feed.snapshot(1, &[], &[]), feed.seq()), (BOTH, Some(1)));
}

#[test]
fn w3_a_quiet_symbol_gets_its_book_without_a_first_frame() {
    let mut feed = Feed::subscribed(MEXC);
    assert_eq!(feed.sync.wakeup_at(), Some(feed.now + ms(2_000)));
    feed.pass(ms(2_000));
    assert_eq!(feed.wake(), SyncOutcome::NeedSnapshot);
    assert_eq!(feed.snapshot(100, &[(1_000, 1)], &[(1_001, 1)]), BOTH);
    // It was older than the subscription after all: the first delta shows it.
    assert_eq!(feed.delta(105, 105, &[], &[]), SyncOutcome::NeedSnapshot);
}

#[test]
fn w13_an_undecodable_frame_makes_its_book_unusable() {
    for (rule, asked) in [(MEXC, SyncOutcome::NeedSnapshot), (GATE_OBU, SyncOutcome::NeedResubscribe)] {
        let mut feed = live(rule);
        assert_eq!(feed.sync.invalidate(feed.now, StaleReason::Undecodable), asked);
        assert!(!feed.is_usable());
    }
    // An update whose levels do not lie in the buffer is as bad, and half of it is never applied.
    let mut feed = live(MEXC);
    let update = BookUpdate {
        symbol: SYMBOL,
        kind: UpdateKind::Delta,
        first_seq: 101,
        last_seq: 101,
        exchange_ts: feed.now,
        bids: LevelRange { start: 0, end: 1 },
        asks: LevelRange { start: 1, end: 3 },
    };
    let outcome = feed.sync.on_update(feed.now, &update, &levels(&[(1_000, 9), (1_001, 9)]));
    assert_eq!((outcome, feed.is_usable()), (SyncOutcome::NeedSnapshot, false));
}
