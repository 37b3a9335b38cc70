use super::*;
use proptest::prelude::*;

const ORDERS: Bucket = Bucket("orders");
const ALL: Bucket = Bucket("all");

fn rule(bucket: Bucket, capacity: u32, window_ms: u64, reserve_pct: u8) -> BucketRule {
    BucketRule { bucket, capacity, window: Duration::from_millis(window_ms), per_symbol: false, reserve_pct }
}

fn cost(class: CallClass, charges: &[(Bucket, Option<u32>, u32)]) -> Cost {
    let mut cost = Cost { class, charges: [None; 3] };
    for (slot, (bucket, symbol, weight)) in cost.charges.iter_mut().zip(charges) {
        *slot = Some(Charge { bucket: *bucket, symbol: symbol.map(SymbolId), weight: *weight });
    }
    cost
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(1_000_000 + ms)
}

fn budget(rules: &[BucketRule]) -> Budget {
    Budget::new(rules, Duration::ZERO)
}

#[test]
fn the_reserve_is_for_calls_that_must_go_through() {
    let mut budget = budget(&[rule(ALL, 10, 1_000, 30)]);
    let place = cost(CallClass::Placement, &[(ALL, None, 1)]);
    let cancel = cost(CallClass::Cancel, &[(ALL, None, 1)]);
    for _ in 0..7 {
        assert_eq!(budget.acquire(&place, Urgency::Normal, at(0)), Ok(()));
    }
    let wait = Err(Refusal::Wait(Duration::from_millis(900)));
    assert_eq!(budget.acquire(&place, Urgency::Normal, at(100)), wait);
    assert_eq!(budget.acquire(&place, Urgency::MustGo, at(100)), Ok(()), "a hedge");
    assert_eq!(budget.acquire(&cancel, Urgency::Normal, at(100)), Ok(()));
    assert_eq!(budget.acquire(&cancel, Urgency::Normal, at(100)), Ok(()));
    assert_eq!(budget.acquire(&cancel, Urgency::Normal, at(100)), wait);
}

#[test]
fn a_question_that_can_wait_leaves_the_reserve_alone() {
    let mut budget = budget(&[rule(ALL, 10, 1_000, 30)]);
    let query = cost(CallClass::Query, &[(ALL, None, 1)]);
    let left = (0..20).filter(|_| budget.acquire(&query, Urgency::CanWait, at(0)).is_ok()).count();
    assert_eq!(left, 7);
    let wait = Err(Refusal::Wait(Duration::from_secs(1)));
    assert_eq!(budget.acquire(&query, Urgency::CanWait, at(0)), wait);
    let [place, cancel] =
        [CallClass::Placement, CallClass::Cancel].map(|class| cost(class, &[(ALL, None, 1)]));
    assert_eq!(budget.acquire(&place, Urgency::MustGo, at(0)), Ok(()), "a hedge");
    assert_eq!(budget.acquire(&cancel, Urgency::CanWait, at(0)), Ok(()));
    assert_eq!(budget.acquire(&query, Urgency::Normal, at(0)), Ok(()), "about a lost order");
}

#[test]
fn the_reserve_rounds_up_but_leaves_one_call() {
    for (capacity, pct, usable) in
        [(12, 30, 8), (10, 30, 7), (1, 30, 1), (2, 99, 1), (5, 0, 5), (4, 100, 1), (0, 30, 0)]
    {
        let mut budget = budget(&[rule(ALL, capacity, 1_000, pct)]);
        let place = cost(CallClass::Placement, &[(ALL, None, 1)]);
        let taken = (0..20).filter(|_| budget.acquire(&place, Urgency::Normal, at(0)).is_ok()).count();
        assert_eq!(taken, usable, "{pct} percent of {capacity}");
    }
}

#[test]
fn a_budget_that_was_narrowed_counts_all_symbols_together_until_that_is_over() {
    let by_symbol = BucketRule { per_symbol: true, ..rule(ORDERS, 10, 1_000, 30) };
    let mut budget = budget(&[by_symbol, rule(ALL, 10, 1_000, 30)]);
    let place = |symbol| cost(CallClass::Placement, &[(ORDERS, Some(symbol), 1)]);
    let (window, lasts) = (Duration::from_secs(10), Duration::from_secs(3_600));
    budget.learn(&Feedback::Narrowed { bucket: ORDERS, capacity: 10, window, lasts }, at(0));
    let cancel = cost(CallClass::Cancel, &[(ALL, None, 1)]);
    assert_eq!(budget.acquire(&cancel, Urgency::Normal, at(0)), Ok(()), "another budget");
    for urgency in [Urgency::Normal, Urgency::MustGo] {
        assert_eq!(budget.next_allowed(&place(1), urgency, at(0)), Some(window), "nothing is left now");
    }
    for symbol in 0..7 {
        assert_eq!(budget.acquire(&place(symbol), Urgency::Normal, at(10_000)), Ok(()));
    }
    let wait = Err(Refusal::Wait(Duration::from_secs(9)));
    assert_eq!(budget.acquire(&place(8), Urgency::Normal, at(11_000)), wait, "of another symbol too");
    for symbol in 0..3 {
        assert_eq!(budget.acquire(&place(symbol), Urgency::MustGo, at(11_000)), Ok(()), "a hedge");
    }
    assert_eq!(budget.acquire(&place(9), Urgency::MustGo, at(11_000)), wait);
    budget.give_back(&place(0), at(11_000));
    assert_eq!(budget.acquire(&place(9), Urgency::MustGo, at(11_000)), Ok(()), "one did not leave");
    let batch = cost(CallClass::Placement, &[(ORDERS, Some(1), 4), (ORDERS, Some(2), 4)]);
    let over = Duration::from_secs(3_600 - 30);
    assert_eq!(budget.next_allowed(&batch, Urgency::Normal, at(30_000)), Some(over), "it is too heavy");
    let narrow = cost(CallClass::Placement, &[(ORDERS, Some(1), 4), (ORDERS, Some(2), 3)]);
    assert_eq!(budget.acquire(&narrow, Urgency::Normal, at(30_000)), Ok(()));
    for symbol in 0..50 {
        assert_eq!(budget.acquire(&place(symbol), Urgency::Normal, at(3_600_000)), Ok(()), "it is over");
    }
}

#[test]
fn what_did_not_leave_is_given_back() {
    let mut budget = budget(&[rule(ALL, 3, 1_000, 0), rule(ORDERS, 2, 1_000, 0)]);
    let place = cost(CallClass::Placement, &[(ALL, None, 1), (ORDERS, None, 1)]);
    for _ in 0..5 {
        assert_eq!(budget.acquire(&place, Urgency::Normal, at(0)), Ok(()));
        assert_eq!(budget.acquire(&place, Urgency::Normal, at(10)), Ok(()));
        assert!(budget.acquire(&place, Urgency::Normal, at(10)).is_err());
        budget.give_back(&place, at(0));
        budget.give_back(&place, at(10));
    }
    assert_eq!(budget.usage(ALL, None, at(10)), Some((0, 3)));
    assert_eq!(budget.acquire(&place, Urgency::Normal, at(20)), Ok(()));
    assert_eq!(budget.acquire(&place, Urgency::Normal, at(1_500)), Ok(()));
    // Given back after its window has passed: there is nothing left to give back, and what left later stays.
    budget.give_back(&place, at(20));
    assert_eq!(budget.usage(ORDERS, None, at(1_500)), Some((1, 2)));
    // Booked under a later time: it is not known which.
    assert_eq!(budget.acquire(&place, Urgency::Normal, at(1_400)), Ok(()));
    budget.give_back(&place, at(1_400));
    assert_eq!(budget.usage(ORDERS, None, at(1_500)), Some((2, 2)));
}

#[test]
fn all_budgets_of_a_call_or_none() {
    let mut budget = budget(&[rule(ALL, 10, 1_000, 0), rule(ORDERS, 1, 500, 0)]);
    let both = cost(CallClass::Placement, &[(ALL, None, 4), (ORDERS, None, 1)]);
    assert_eq!(budget.acquire(&both, Urgency::Normal, at(0)), Ok(()));
    assert_eq!(budget.acquire(&both, Urgency::Normal, at(0)), Err(Refusal::Wait(Duration::from_millis(500))));
    assert_eq!(budget.usage(ALL, None, at(0)), Some((4, 10)), "the refused call took nothing");
    assert_eq!(budget.acquire(&both, Urgency::Normal, at(500)), Ok(()));
    assert_eq!(budget.next_allowed(&both, Urgency::Normal, at(500)), Some(Duration::from_millis(500)));
    let twice = cost(CallClass::Placement, &[(ORDERS, None, 1), (ORDERS, None, 1)]);
    assert_eq!(
        budget.acquire(&twice, Urgency::Normal, at(5_000)),
        Err(Refusal::Never),
        "charged twice, weighs two"
    );
}

#[test]
fn what_can_never_go_says_so() {
    let mut budget = budget(&[rule(ALL, 10, 1_000, 50)]);
    for never in
        [cost(CallClass::MarketData, &[(ALL, None, 6)]), cost(CallClass::Query, &[(ORDERS, None, 1)])]
    {
        assert_eq!(budget.next_allowed(&never, Urgency::Normal, at(0)), None);
        assert_eq!(budget.acquire(&never, Urgency::Normal, at(0)), Err(Refusal::Never));
    }
    assert_eq!(budget.acquire(&cost(CallClass::Query, &[]), Urgency::Normal, at(0)), Ok(()), "a free call");
}

#[test]
fn each_symbol_has_its_own_where_the_rule_says_so() {
    let own = BucketRule { per_symbol: true, ..rule(ORDERS, 1, 1_000, 0) };
    let mut budget = budget(&[own]);
    let place = |symbol| cost(CallClass::Placement, &[(ORDERS, Some(symbol), 1)]);
    assert_eq!(budget.acquire(&place(1), Urgency::Normal, at(0)), Ok(()));
    assert_eq!(budget.acquire(&place(2), Urgency::Normal, at(0)), Ok(()));
    assert!(budget.acquire(&place(1), Urgency::Normal, at(0)).is_err());
    budget.learn(&Feedback::Blocked { bucket: Some(ORDERS), wait: Duration::from_secs(9) }, at(0));
    assert_eq!(budget.next_allowed(&place(3), Urgency::Normal, at(0)), Some(Duration::from_secs(9)));
}

#[test]
fn remaining_lowers_and_never_raises() {
    let mut budget = budget(&[rule(ALL, 10, 1_000, 0)]);
    let one = cost(CallClass::Query, &[(ALL, None, 1)]);
    budget.acquire(&one, Urgency::Normal, at(0)).expect("full");
    let says = |weight| Feedback::Remaining { bucket: ALL, symbol: None, weight };
    budget.learn(&says(9), at(10));
    assert_eq!(budget.usage(ALL, None, at(10)), Some((1, 10)));
    budget.learn(&says(2), at(10));
    assert_eq!(budget.usage(ALL, None, at(10)), Some((8, 10)), "somebody else spends it too");
    budget.learn(&says(10), at(10));
    assert_eq!(budget.usage(ALL, None, at(10)), Some((8, 10)));
    assert_eq!(budget.usage(ALL, None, at(1_010)), Some((0, 10)));
    budget.learn(&Feedback::Remaining { bucket: Bucket("other"), symbol: None, weight: 0 }, at(10));
}

#[test]
fn a_blocked_venue_lets_nothing_out() {
    let mut budget = budget(&[rule(ALL, 10, 1_000, 0), rule(ORDERS, 10, 1_000, 0)]);
    budget.learn(&Feedback::Blocked { bucket: None, wait: Duration::from_secs(90) }, at(0));
    budget.learn(&Feedback::Blocked { bucket: None, wait: Duration::from_secs(1) }, at(0));
    for bucket in [ALL, ORDERS] {
        let cancel = cost(CallClass::Cancel, &[(bucket, None, 1)]);
        assert_eq!(budget.next_allowed(&cancel, Urgency::MustGo, at(0)), Some(Duration::from_secs(90)));
    }
}

#[test]
fn a_venue_that_refuses_again_and_again_is_asked_less_and_less() {
    let mut budget = budget(&[rule(ALL, 10, 1_000, 0)]);
    let call = cost(CallClass::Query, &[(ALL, None, 1)]);
    let mut now = 0;
    let mut refused = |now: i64, seconds| {
        budget.learn(&Feedback::Blocked { bucket: None, wait: Duration::from_secs(seconds) }, at(now));
        // Answers to calls that were on their way tell nothing new.
        budget.learn(&Feedback::Blocked { bucket: None, wait: Duration::from_secs(1) }, at(now + 500));
        let wait = budget.next_allowed(&call, Urgency::Normal, at(now)).expect("in time");
        i64::try_from(wait.as_secs()).expect("short")
    };
    for expected in [1, 2, 4, 8, 16, 32, 60, 60] {
        let wait = refused(now, 1);
        // The second answer of the first pair came within it, and said one second from then.
        assert_eq!(wait, expected, "at {now}");
        now += wait * 1_000 + 600;
    }
    assert_eq!(refused(now, 120), 120, "what it asks for is waited");
    assert_eq!(refused(now + 120_000 + 10_500, 1), 1, "after a time in which it let calls through");
}

#[test]
fn the_spread_lengthens_every_window() {
    let mut budget = Budget::new(&[rule(ALL, 1, 1_000, 0)], Duration::from_millis(50));
    let one = cost(CallClass::Query, &[(ALL, None, 1)]);
    budget.acquire(&one, Urgency::Normal, at(0)).expect("full");
    assert_eq!(budget.next_allowed(&one, Urgency::Normal, at(0)), Some(Duration::from_millis(1_050)));
}

#[derive(Debug, Clone)]
enum Step {
    Pass(u64),
    Call { class: CallClass, weight: u32 },
    Remaining(u32),
    Block(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let class = prop_oneof![
        Just(CallClass::MarketData),
        Just(CallClass::Query),
        Just(CallClass::Cancel),
        Just(CallClass::Placement)
    ];
    prop_oneof![
        4 => (0_u64..400_000_000).prop_map(Step::Pass),
        8 => (class, 1_u32..5).prop_map(|(class, weight)| Step::Call { class, weight }),
        1 => (0_u32..20).prop_map(Step::Remaining),
        1 => (0_u64..2_000).prop_map(Step::Block),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_window_ever_holds_more_than_its_capacity(
        capacity in 1_u32..20,
        reserve_pct in 0_u8..=100,
        steps in proptest::collection::vec(step(), 1..150),
    ) {
        let window = Duration::from_secs(1);
        let mut budget = budget(&[rule(ALL, capacity, 1_000, reserve_pct)]);
        let (mut now, mut blocked_until) = (at(0), at(0));
        let mut left: Vec<(Timestamp, u32, CallClass)> = Vec::new();
        for step in steps {
            match step {
                Step::Pass(nanos) => now += Duration::from_nanos(nanos),
                Step::Remaining(weight) => {
                    budget.learn(&Feedback::Remaining { bucket: ALL, symbol: None, weight }, now);
                    let (taken, _) = budget.usage(ALL, None, now).expect("a rule");
                    prop_assert!(u64::from(capacity).saturating_sub(taken) <= u64::from(weight));
                }
                Step::Block(ms) => {
                    let wait = Duration::from_millis(ms);
                    blocked_until = blocked_until.max(now + wait);
                    budget.learn(&Feedback::Blocked { bucket: Some(ALL), wait }, now);
                }
                Step::Call { class, weight } => {
                    let cost = cost(class, &[(ALL, None, weight)]);
                    let wait = budget.next_allowed(&cost, Urgency::Normal, now);
                    if let Some(wait) = wait.filter(|wait| !wait.is_zero()) {
                        let early = now + wait - Duration::from_nanos(1);
                        prop_assert_ne!(budget.next_allowed(&cost, Urgency::Normal, early), Some(Duration::ZERO));
                        now += wait;
                    }
                    let went = budget.acquire(&cost, Urgency::Normal, now);
                    prop_assert_eq!(went.is_ok(), wait.is_some(), "the wait is long enough");
                    if went.is_ok() {
                        prop_assert!(now >= blocked_until, "a blocked budget lets nothing out");
                        left.push((now, weight, class));
                    }
                }
            }
        }
        for (begin, ..) in &left {
            let within = |(at, ..): &&(Timestamp, u32, CallClass)| at >= begin && *at < *begin + window;
            let sum: u32 = left.iter().filter(within).map(|(_, weight, _)| weight).sum();
            prop_assert!(sum <= capacity, "{sum} in one window of {capacity}");
        }
    }
}
