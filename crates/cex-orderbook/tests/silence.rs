//! W1 and B10: a live book whose stream says nothing, or which was long not compared with the exchange's.

mod support;

use cex_core::SyncRule;
use cex_orderbook::{Applied, StaleReason, SyncOutcome};
use std::time::Duration;
use support::{Feed, GATE_OBU, GATE_OBU_DEEP, GATE_UPDATE, MEXC, Pair, ms};

const BIDS: [Pair; 2] = [(1_000, 5), (999, 5)];
const ASKS: [Pair; 2] = [(1_001, 5), (1_002, 5)];
const MOVED: [Pair; 2] = [(1_000, 4), (999, 5)];
const RULES: [SyncRule; 3] = [MEXC, GATE_UPDATE, GATE_OBU];
const BOTH: SyncOutcome = SyncOutcome::Applied(Applied { bid_changed: true, ask_changed: true });

/// A live book whose stream speaks every `pause`; the version it has come to.
fn lively(rule: SyncRule, pause: Duration, frames: u64) -> (Feed, u64) {
    let mut feed = Feed::live(rule, 100, &BIDS, &ASKS);
    for seq in 101..=100 + frames {
        feed.pass(pause - ms(10));
        feed.delta(seq, seq, &[], &[]);
        assert_eq!(feed.wake(), SyncOutcome::Ignored, "frame {seq}");
    }
    (feed, 100 + frames)
}

/// Lets time pass, waking as asked, until something else than nothing comes of it; how long that took.
fn silence(feed: &mut Feed, at_most: Duration) -> Option<(Duration, SyncOutcome)> {
    let began = feed.now;
    while let Some(at) = feed.sync.wakeup_at().filter(|at| at.since(began) <= at_most) {
        feed.now = feed.now.max(at);
        match feed.wake() {
            SyncOutcome::Ignored => {
                assert!(feed.sync.wakeup_at() > Some(feed.now), "a wake that repeats itself");
            }
            outcome => return Some((feed.now.since(began), outcome)),
        }
    }
    None
}

fn checked(rule: SyncRule) -> (Feed, u64) {
    let (mut feed, seq) = lively(rule, ms(100), 100);
    let (took, outcome) = silence(&mut feed, Duration::from_secs(10)).expect("silence is noticed");
    assert_eq!(outcome, SyncOutcome::NeedSnapshot, "{rule:?}");
    assert!((ms(1_900)..ms(4_100)).contains(&took), "{rule:?}: after {took:?}");
    assert!(feed.is_usable(), "{rule:?}: silence alone is no fault");
    (feed, seq)
}

#[test]
fn w1_a_stream_overtaken_by_its_exchange_is_unusable_at_once_and_begun_anew() {
    for rule in RULES {
        let (mut feed, seq) = checked(rule);
        assert_eq!(feed.snapshot(seq + 3, &MOVED, &ASKS), SyncOutcome::Unusable, "{rule:?}");
        assert!(!feed.is_usable() && feed.sync.live().is_some(), "{rule:?}");
        let (took, outcome) = silence(&mut feed, Duration::from_secs(5)).expect("the grace ends");
        assert_eq!((took, outcome), (ms(1_000), SyncOutcome::NeedResubscribe), "{rule:?}");
        assert_eq!(feed.sync.outage().map(|outage| outage.why), Some(StaleReason::Silent));
        let counters = feed.sync.counters();
        assert_eq!((counters.overtaken, counters.mutes, counters.resyncs), (1, 1, 1));
    }
}

#[test]
fn w1_a_stream_that_catches_up_within_the_grace_loses_nothing() {
    for rule in RULES {
        let (mut feed, seq) = checked(rule);
        assert_eq!(feed.snapshot(seq + 2, &MOVED, &ASKS), SyncOutcome::Unusable);
        // Half of the way is not enough.
        assert_eq!(feed.delta(seq + 1, seq + 1, &[], &[]), SyncOutcome::Unusable, "{rule:?}");
        assert!(!feed.is_usable());
        assert_eq!(feed.delta(seq + 2, seq + 2, &[(1_000, 4)], &[]), BOTH, "{rule:?}");
        assert_eq!((feed.book().0[0], feed.sync.counters().resyncs), ((1_000, 4), 0));
    }
}

#[test]
fn w1_a_quiet_symbol_is_vouched_for_ever_more_seldom() {
    for rule in RULES {
        let (mut feed, seq) = checked(rule);
        let mut between = Vec::new();
        for check in 0..8 {
            // Its version may pass without a change of what the stream reports.
            assert_eq!(feed.snapshot(seq + check, &BIDS, &ASKS), SyncOutcome::Ignored, "{rule:?}");
            assert_eq!((feed.sync.as_of(), feed.seq()), (Some(feed.now), Some(seq)), "{rule:?}");
            assert!(feed.is_usable());
            let (took, outcome) = silence(&mut feed, Duration::from_secs(130)).expect("another look");
            assert_eq!(outcome, SyncOutcome::NeedSnapshot);
            between.push(took.as_secs());
        }
        assert!(between.is_sorted() && between[7] == 120, "{rule:?}: {between:?}");
        let counters = feed.sync.counters();
        assert_eq!((counters.vouched, counters.resyncs, counters.drifts, counters.overtaken), (8, 0, 0, 0));
        // It goes on where it was.
        assert!(matches!(feed.delta(seq + 1, seq + 9, &[(1_000, 7)], &[]), SyncOutcome::Applied(_)));
    }
}

#[test]
fn w1_what_says_nothing_of_now_changes_nothing() {
    for rule in RULES {
        let (mut feed, seq) = checked(rule);
        // REST may lag behind the stream, and may be out of order.
        assert_eq!(feed.snapshot(seq - 1, &MOVED, &ASKS), SyncOutcome::Ignored);
        assert!(feed.is_usable());
        let (took, outcome) = silence(&mut feed, Duration::from_secs(10)).expect("asked again");
        assert_eq!(outcome, SyncOutcome::NeedSnapshot);
        assert!(took >= ms(1_900), "not in a hurry: {took:?}");
        assert_eq!(feed.sync.on_snapshot_failed(feed.now), SyncOutcome::Ignored);
        assert!(feed.is_usable() && feed.sync.counters().resyncs == 0);
        assert!(silence(&mut feed, Duration::from_secs(10)).is_some());
    }
}

#[test]
fn w1_a_stream_found_mute_is_believed_again_only_when_it_speaks() {
    let (mut feed, seq) = checked(MEXC);
    feed.snapshot(seq + 3, &MOVED, &ASKS);
    let mut anew = 0;
    for _ in 0..4 {
        let (_, outcome) = silence(&mut feed, Duration::from_secs(20)).expect("it goes on");
        assert_eq!(outcome, SyncOutcome::NeedResubscribe, "no snapshot is joined with a mute stream");
        anew += 1;
        feed.sync.on_subscribed(feed.now);
        assert!(!feed.is_usable());
    }
    assert_eq!((anew, feed.sync.counters().mutes), (4, 1));
    assert_eq!(feed.delta(seq + 8, seq + 9, &[(1_000, 3)], &[]), SyncOutcome::NeedSnapshot);
    assert_eq!(feed.snapshot(seq + 9, &[(1_000, 3)], &ASKS), BOTH);
}

#[test]
fn w1_cadence_is_learned_between_floor_and_ceiling() {
    for (pause, frames, noticed) in [(10, 1_000, 2), (1_000, 30, 20), (60_000, 2, 120)] {
        let (mut feed, _) = lively(GATE_UPDATE, ms(pause), frames);
        let (took, _) = silence(&mut feed, Duration::from_secs(300)).expect("noticed");
        let bounds = ms(noticed * 850)..=ms(noticed * 2_100);
        assert!(bounds.contains(&took), "frames every {pause} ms: after {took:?}");
    }
    // A burst does not make the calm after it suspicious at once.
    let (mut feed, seq) = lively(GATE_UPDATE, ms(5_000), 30);
    for burst in 1..=200 {
        feed.delta(seq + burst, seq + burst, &[], &[]);
        feed.wake();
    }
    let (took, _) = silence(&mut feed, Duration::from_secs(300)).expect("noticed");
    assert!(took >= Duration::from_secs(30), "after {took:?}");
}

#[test]
fn b10_a_lively_book_is_compared_every_five_minutes() {
    for rule in [MEXC, GATE_UPDATE] {
        let mut feed = Feed::live(rule, 100, &BIDS, &ASKS);
        let began = feed.now;
        let (mut seq, mut asked) = (100, Vec::new());
        while feed.now.since(began) < Duration::from_secs(1_300) {
            feed.pass(ms(490));
            seq += 1;
            feed.delta(seq, seq, &[], &[]);
            if feed.wake() == SyncOutcome::NeedSnapshot {
                asked.push(feed.now.since(began).as_secs());
                // One level is not what we have: found, and mended.
                feed.delta(seq + 1, seq + 1, &[], &[]);
                seq += 1;
                assert_eq!(feed.snapshot(seq, &[(1_000, 5), (998, asked.len() as i64)], &ASKS), BOTH);
                assert!(feed.is_usable());
            }
        }
        assert_eq!(feed.sync.counters().drifts, asked.len() as u64, "{rule:?}");
        assert!(asked.len() == 4 && asked[0] < 310, "{rule:?}: {asked:?}");
    }
}

/// REST lags the stream by up to a second: an answer that is older than the book is joined with what came since it was asked for.
#[test]
fn b10_a_lively_book_is_compared_by_answers_that_lag_behind_it() {
    for rule in [MEXC, GATE_UPDATE] {
        for lag in [0, 1, 10, 50] {
            let mut feed = Feed::live(rule, 1_000, &BIDS, &ASKS);
            let (began, mut seq) = (feed.now, 1_000);
            let (mut asked, mut questions, mut synced) = (None, 0, Vec::new());
            while feed.now.since(began) < Duration::from_secs(1_000) {
                feed.pass(ms(10));
                seq += 1;
                feed.delta(seq, seq, &[], &[]);
                if asked.is_none() && feed.wake() == SyncOutcome::NeedSnapshot {
                    (asked, questions) = (Some(feed.now), questions + 1);
                }
                if asked.is_some_and(|at| feed.now.since(at) >= ms(60)) {
                    asked = None;
                    feed.snapshot(seq - lag, &BIDS, &ASKS);
                }
                let at = feed.sync.live().expect("it lives").synced_at;
                if synced.last() != Some(&at) {
                    synced.push(at);
                }
            }
            let ages: Vec<_> = synced.windows(2).map(|pair| pair[1].since(pair[0]).as_secs()).collect();
            assert!(ages.len() == 3 && ages.iter().all(|age| *age < 310), "{rule:?} lag {lag}: {ages:?}");
            assert!(questions <= 3 * 6, "{rule:?} lag {lag}: {questions} questions");
            assert_eq!((feed.sync.counters().drifts, feed.seq()), (0, Some(seq)), "{rule:?} lag {lag}");
        }
    }
}

/// A stream of whole books has nothing to compare an answer with while it speaks: it is not asked for one over and over.
#[test]
fn b10_a_book_of_whole_streams_that_speaks_is_not_asked_for() {
    let mut feed = Feed::live(GATE_OBU, 1_000, &BIDS, &ASKS);
    for seq in 1_001..60_000 {
        feed.pass(ms(10));
        feed.delta(seq, seq, &[], &[]);
        assert_eq!(feed.wake(), SyncOutcome::Ignored, "frame {seq}");
    }
    assert_eq!(feed.sync.counters().checks, 0);
    let (_, outcome) = silence(&mut feed, Duration::from_secs(10)).expect("silence is noticed");
    assert_eq!(outcome, SyncOutcome::NeedSnapshot);
}

#[test]
fn b10_a_book_of_whole_streams_that_drifted_is_subscribed_anew() {
    let (mut feed, seq) = checked(GATE_OBU);
    assert_eq!(feed.snapshot(seq, &MOVED, &ASKS), SyncOutcome::NeedResubscribe);
    assert_eq!((feed.sync.counters().drifts, feed.is_usable()), (1, false));
}

/// REST shows a hundred levels at most (GATEIO-REST-12), the stream reports four hundred.
#[test]
fn b10_an_answer_cut_short_is_compared_as_far_as_it_goes_and_a_short_one_to_its_end() {
    let bids: Vec<Pair> = (0..400).map(|step| (10_000 - step, 5)).collect();
    let asks: Vec<Pair> = (1..=400).map(|step| (10_000 + step, 5)).collect();
    let calm = SyncOutcome::Ignored;
    let another = |at: usize| {
        let mut bids = bids[..100].to_vec();
        bids[at].1 = 4;
        bids
    };
    for (newer, answer, expected, what) in [
        (0, bids[..100].to_vec(), calm, "the same as far as it goes"),
        (3, bids[..100].to_vec(), calm, "and at a later version"),
        (0, another(99), SyncOutcome::NeedResubscribe, "the last level is another"),
        (3, another(0), SyncOutcome::Unusable, "the first is, at a later version"),
        (0, bids[..99].to_vec(), SyncOutcome::NeedResubscribe, "a side that ends before the cut is whole"),
    ] {
        let mut feed = Feed::live(GATE_OBU_DEEP, 100, &bids, &asks);
        let (_, outcome) = silence(&mut feed, Duration::from_secs(60)).expect("silence is noticed");
        assert_eq!(outcome, SyncOutcome::NeedSnapshot);
        assert_eq!(feed.snapshot(100 + newer, &answer, &asks[..100]), expected, "{what}");
        let is_calm = expected == calm;
        let counters = feed.sync.counters();
        assert_eq!((counters.vouched, feed.is_usable()), (u64::from(is_calm), is_calm), "{what}");
        if is_calm {
            assert_eq!(feed.book(), (bids.clone(), asks.clone()), "the comparison cuts nothing off");
        }
    }
}
