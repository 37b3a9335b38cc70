//! The scenarios of the wire references (`mexc_ws_vectors.json` `book_sync`, `gateio_ws_vectors.json` `book_scenarios`) by
//! their numbers: prices in hundredths (MEXC) and tenths (Gate.io), quantities in units of 10^-6 and 10^-4.

mod support;

use cex_orderbook::{Applied, BookConfig, BookSync, StaleReason, SyncOutcome, SyncState};
use support::{Feed, GATE_OBU, GATE_UPDATE, MEXC, Pair, SYMBOL, ms};

const BOTH: SyncOutcome = SyncOutcome::Applied(Applied { bid_changed: true, ask_changed: true });
const NO_TOP: SyncOutcome = SyncOutcome::Applied(Applied { bid_changed: false, ask_changed: false });
const BID: SyncOutcome = SyncOutcome::Applied(Applied { bid_changed: true, ask_changed: false });
const ASK: SyncOutcome = SyncOutcome::Applied(Applied { bid_changed: false, ask_changed: true });

#[test]
fn mexc_joins_follows_and_recovers_from_a_gap() {
    let mut feed = Feed::subscribed(MEXC);
    assert_eq!(feed.delta(990, 1_000, &[(9_950, 5_000_000)], &[]), SyncOutcome::NeedSnapshot);
    let bids = [(10_000, 1_000_000), (9_950, 2_000_000)];
    assert_eq!(feed.snapshot(1_005, &bids, &[(10_050, 1_500_000), (10_100, 3_000_000)]), BOTH);
    assert_eq!(feed.delta(990, 1_000, &[(9_950, 5_000_000)], &[]), SyncOutcome::Ignored);
    // The range 1001 to 1008 contains 1006: it straddles the snapshot.
    assert_eq!(feed.delta(1_001, 1_008, &[], &[(10_050, 0), (10_075, 400_000)]), ASK);
    assert_eq!(feed.delta(1_009, 1_009, &[(10_010, 250_000)], &[]), BID);
    assert_eq!(feed.delta(1_009, 1_009, &[(10_010, 250_000)], &[]), SyncOutcome::Ignored);
    // No level changed, the version still advances.
    assert_eq!(feed.delta(1_010, 1_012, &[], &[]), NO_TOP);
    assert_eq!(feed.seq(), Some(1_012));
    let asks = vec![(10_075, 400_000), (10_100, 3_000_000)];
    assert_eq!(feed.book(), (vec![(10_010, 250_000), (10_000, 1_000_000), (9_950, 2_000_000)], asks.clone()));

    assert_eq!(feed.delta(1_015, 1_016, &[(10_020, 9_000_000)], &[]), SyncOutcome::NeedSnapshot);
    assert!(!feed.is_usable());
    let bids = [(10_020, 9_000_000), (10_010, 250_000), (10_000, 1_000_000), (9_950, 2_000_000)];
    assert_eq!(feed.snapshot(1_016, &bids, &asks), BOTH);
    assert_eq!(feed.delta(1_017, 1_017, &[(10_000, 0)], &[]), NO_TOP);
    assert_eq!(feed.seq(), Some(1_017));
    assert_eq!(feed.book(), (vec![(10_020, 9_000_000), (10_010, 250_000), (9_950, 2_000_000)], asks));
    let counters = feed.sync.counters();
    assert_eq!((counters.gaps, counters.resyncs, counters.snapshots), (1, 1, 2));
    // Of eight frames two waited and were covered by their snapshots, and two repeated what was known.
    assert_eq!((counters.updates, counters.applied, counters.ignored_old), (8, 4, 4));
}

#[test]
fn mexc_takes_a_delta_right_behind_the_snapshot() {
    // The documentation's own rule would call this a gap; measured traffic is contiguous.
    let mut feed = Feed::live(MEXC, 1_005, &[(100, 1)], &[(101, 1)]);
    assert_eq!(feed.delta(1_006, 1_006, &[(100, 2)], &[]), BID);
}

const OBU_FULL: ([Pair; 3], [Pair; 3]) = (
    [(370_012, 5_000), (370_011, 2_500), (370_000, 20_000)],
    [(370_013, 4_000), (370_014, 3_000), (370_050, 10_000)],
);

fn obu_full(feed: &mut Feed) -> SyncOutcome {
    feed.full(1_000, &OBU_FULL.0, &OBU_FULL.1)
}

fn obu_delta(feed: &mut Feed) -> SyncOutcome {
    feed.delta(1_001, 1_004, &[(370_011, 0), (370_005, 7_000)], &[(370_013, 1_500)])
}

#[test]
fn gate_obu_happy() {
    let mut feed = Feed::subscribed(GATE_OBU);
    assert_eq!(obu_full(&mut feed), BOTH);
    assert_eq!(obu_delta(&mut feed), ASK);
    assert_eq!(feed.delta(1_005, 1_005, &[(370_005, 6_000)], &[]), NO_TOP);
    assert_eq!(feed.seq(), Some(1_005));
    let bids = vec![(370_012, 5_000), (370_005, 6_000), (370_000, 20_000)];
    assert_eq!(feed.book(), (bids, vec![(370_013, 1_500), (370_014, 3_000), (370_050, 10_000)]));
}

#[test]
fn gate_obu_gap_asks_for_a_new_subscription() {
    let mut feed = Feed::subscribed(GATE_OBU);
    obu_full(&mut feed);
    assert_eq!(feed.delta(1_003, 1_004, &[], &[(370_013, 1_000)]), SyncOutcome::NeedResubscribe);
    assert!(!feed.is_usable());
    assert_eq!(feed.sync.outage().map(|outage| outage.why), Some(StaleReason::Gap));
    // What the old subscription still sends is not looked at; the new one's first book is.
    assert_eq!(feed.delta(1_005, 1_005, &[], &[]), SyncOutcome::Ignored);
    feed.sync.on_subscribed(feed.now);
    assert_eq!(obu_full(&mut feed), BOTH);
}

#[test]
fn gate_obu_overlap_is_a_gap() {
    let mut feed = Feed::subscribed(GATE_OBU);
    obu_full(&mut feed);
    assert_eq!(feed.delta(1_000, 1_002, &[], &[(370_013, 1_000)]), SyncOutcome::NeedResubscribe);
}

#[test]
fn gate_obu_duplicate_delta_is_dropped() {
    let mut feed = Feed::subscribed(GATE_OBU);
    obu_full(&mut feed);
    obu_delta(&mut feed);
    assert_eq!(obu_delta(&mut feed), SyncOutcome::Ignored);
    assert_eq!(feed.seq(), Some(1_004));
}

#[test]
fn gate_obu_delta_before_the_full_is_dropped() {
    let mut feed = Feed::subscribed(GATE_OBU);
    assert_eq!(obu_delta(&mut feed), SyncOutcome::Ignored);
    assert_eq!(obu_full(&mut feed), BOTH);
    assert_eq!(feed.seq(), Some(1_000));
}

#[test]
fn gate_obu_second_full_replaces_even_with_a_lower_id() {
    let mut feed = Feed::subscribed(GATE_OBU);
    obu_full(&mut feed);
    obu_delta(&mut feed);
    assert_eq!(obu_full(&mut feed), BOTH);
    assert_eq!((feed.seq(), feed.sync.counters().regressions), (Some(1_000), 1));
    assert_eq!(feed.book(), (OBU_FULL.0.to_vec(), OBU_FULL.1.to_vec()));
}

#[test]
fn gate_obu_zero_deletes() {
    let mut feed = Feed::subscribed(GATE_OBU);
    obu_full(&mut feed);
    assert_eq!(feed.delta(1_001, 1_001, &[(370_012, 0)], &[]), BID);
    assert_eq!(feed.book().0, vec![(370_011, 2_500), (370_000, 20_000)]);
}

#[test]
fn gate_obu_full_may_precede_the_confirmation() {
    let mut feed = Feed::new(BookSync::new(SYMBOL, GATE_OBU, BookConfig::default()));
    assert_eq!(obu_full(&mut feed), BOTH);
    feed.sync.on_subscribed(feed.now);
    assert_eq!(obu_delta(&mut feed), ASK);
}

#[test]
fn gate_obu_without_a_full_gives_up_after_five_seconds() {
    let mut feed = Feed::subscribed(GATE_OBU);
    feed.pass(ms(4_999));
    assert_eq!(feed.wake(), SyncOutcome::Ignored);
    feed.pass(ms(1));
    assert_eq!((feed.sync.wakeup_at(), feed.wake()), (Some(feed.now), SyncOutcome::NeedResubscribe));
    // Nobody answered that either.
    feed.pass(ms(10_000));
    assert_eq!(feed.wake(), SyncOutcome::NeedResubscribe);
}

/// Gate.io's `book_update` frame: versions 2001 to 2006.
fn book_update(feed: &mut Feed) -> SyncOutcome {
    feed.delta(2_001, 2_006, &[(370_012, 1), (369_883, 0)], &[(370_013, 6_135)])
}

#[test]
fn gate_rest_sync_straddles_the_snapshot() {
    let mut feed = Feed::subscribed(GATE_UPDATE);
    assert_eq!(book_update(&mut feed), SyncOutcome::NeedSnapshot);
    let snapshot =
        feed.snapshot(2_003, &[(370_012, 5_000), (369_883, 30_000)], &[(370_013, 4_000), (370_020, 10_000)]);
    assert_eq!((snapshot, feed.seq()), (BOTH, Some(2_006)));
    assert_eq!(feed.book(), (vec![(370_012, 1)], vec![(370_013, 6_135), (370_020, 10_000)]));
}

#[test]
fn gate_rest_snapshot_too_old_is_asked_for_again_and_the_buffer_kept() {
    let mut feed = Feed::subscribed(GATE_UPDATE);
    book_update(&mut feed);
    assert_eq!(feed.snapshot(1_990, &[], &[]), SyncOutcome::Buffered);
    assert!(!feed.is_usable());
    assert_eq!(feed.wake(), SyncOutcome::Ignored);
    feed.pass(ms(250));
    assert_eq!(feed.wake(), SyncOutcome::NeedSnapshot);
    assert_eq!(feed.snapshot(2_000, &[(370_012, 9)], &[(370_013, 9)]), BOTH);
    assert_eq!((feed.seq(), feed.sync.counters().too_old), (Some(2_006), 1));
}

#[test]
fn gate_rest_snapshot_newer_than_the_buffer_drops_it() {
    let mut feed = Feed::subscribed(GATE_UPDATE);
    book_update(&mut feed);
    assert_eq!(feed.snapshot(2_006, &[(370_012, 1)], &[(370_013, 6_135)]), BOTH);
    assert_eq!((feed.seq(), feed.book().0), (Some(2_006), vec![(370_012, 1)]));
}

#[test]
fn gate_update_after_the_first_must_be_contiguous() {
    let mut feed = Feed::live(GATE_UPDATE, 2_003, &[(370_012, 5_000)], &[(370_013, 4_000)]);
    assert_eq!(book_update(&mut feed), BOTH);
    assert_eq!(feed.delta(2_006, 2_008, &[], &[]), SyncOutcome::NeedSnapshot);
}

#[test]
fn gate_update_full_replaces_the_book_unless_it_is_old() {
    let full = |feed: &mut Feed, seq| feed.full(seq, &[(370_012, 5_000), (370_010, 1)], &[(370_013, 4_000)]);
    let mut feed = Feed::live(GATE_UPDATE, 2_003, &[(370_012, 5_000)], &[(370_013, 4_000)]);
    book_update(&mut feed);
    assert_eq!(full(&mut feed, 2_006), SyncOutcome::Ignored);
    assert_eq!(full(&mut feed, 2_007), BOTH);
    assert_eq!((feed.seq(), feed.book().1), (Some(2_007), vec![(370_013, 4_000)]));
    // Without a snapshot asked for: the stream's own does, and older frames kept for it are dropped.
    let mut fresh = Feed::subscribed(GATE_UPDATE);
    book_update(&mut fresh);
    assert_eq!((full(&mut fresh, 2_007), fresh.seq()), (BOTH, Some(2_007)));
    assert_eq!(fresh.snapshot(2_007, &[], &[]), SyncOutcome::Ignored, "the answer comes too late to matter");
}

#[test]
fn gate_update_crossed_after_apply_resyncs_at_once() {
    let mut feed = Feed::live(GATE_UPDATE, 2_003, &[(370_012, 5_000)], &[(370_013, 4_000)]);
    assert_eq!(feed.delta(2_004, 2_004, &[(370_013, 1)], &[]), SyncOutcome::NeedSnapshot);
    assert!(matches!(feed.sync.state(), SyncState::Buffering { .. }));
}

/// The exchange begins to count anew while frames of the old count are kept: a snapshot of the new count lies among them.
#[test]
fn a_snapshot_is_not_joined_to_frames_of_a_count_that_was_left() {
    let mut feed = Feed::subscribed(MEXC);
    for seq in 100..=110 {
        feed.delta(seq, seq, &[(99, 5)], &[]);
    }
    feed.pass(ms(2_000));
    feed.wake();
    // The new count: later by time, lower by number.
    feed.delta(103, 103, &[(90, 1)], &[]);
    feed.snapshot(103, &[(90, 1)], &[(120, 1)]);
    assert_eq!(feed.seq(), None, "104 to 110 of the old count would follow it");
    // One that goes on above what was kept was a late repetition after all: the book is made.
    feed.delta(111, 111, &[(99, 6)], &[]);
    feed.pass(ms(1_000));
    feed.wake();
    feed.snapshot(110, &[(99, 5)], &[(120, 1)]);
    assert_eq!(feed.seq(), Some(111));
}
