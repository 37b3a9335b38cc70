//! Many stages at once: each behaviour has a thread, a runtime and a simulator of its own.

use crate::behaviour::{Behaviour, Failure};
use crate::known;
use crate::program::Cast;
use crate::report::{Status, TestMetrics, TestResult, megabytes_now, stamp};
use crate::stage::{Figures, Setting, Stage};
use cex_core::Symbol;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// How long one behaviour may take.
pub const LONGEST: Duration = Duration::from_secs(40);

/// How a behaviour ended, before anything is said of known gaps.
#[derive(Debug)]
enum End {
    Passed,
    Failed(Failure),
    /// The stage did not open, or the behaviour panicked.
    Broken(String),
    TimedOut,
}

/// What to run behaviours with.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Behaviours that run at once.
    pub threads: usize,
    /// The symbols to use against the real exchange; none for the simulator.
    pub live: Option<Vec<Symbol>>,
}

/// Runs these behaviours, several at once; `done` hears of each as it ends.
pub fn run(
    cast: &Cast,
    behaviours: &[&'static Behaviour],
    plan: &Plan,
    done: &(dyn Fn(&TestResult) + Sync),
) -> Vec<TestResult> {
    each(behaviours.iter().map(|behaviour| (*cast, *behaviour)).collect(), plan, &|result, _| done(result))
}

/// Runs these behaviours of these casts.
pub(crate) fn each(
    jobs: VecDeque<(Cast, &'static Behaviour)>,
    plan: &Plan,
    done: &(dyn Fn(&TestResult, &Cast) + Sync),
) -> Vec<TestResult> {
    let waiting = Mutex::new(jobs.into_iter().enumerate().collect::<VecDeque<_>>());
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..plan.threads.max(1) {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some((index, (cast, behaviour))) = next else { return };
                    let result = one(&cast, behaviour, plan);
                    done(&result, &cast);
                    results.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Runs one behaviour.
#[must_use]
pub fn one(cast: &Cast, behaviour: &'static Behaviour, plan: &Plan) -> TestResult {
    let (started, began) = (stamp(), Instant::now());
    let (cast_here, plan_here) = (*cast, plan.clone());
    let thread = std::thread::Builder::new().name(behaviour.name.to_owned());
    let spawned = thread.spawn(move || alone(&cast_here, behaviour, &plan_here));
    let (end, figures) = match spawned.map(std::thread::JoinHandle::join) {
        Ok(Ok(ended)) => ended,
        Ok(Err(panic)) => (End::Broken(format!("panicked: {}", words(panic.as_ref()))), Figures::default()),
        Err(error) => (End::Broken(error.to_string()), Figures::default()),
    };
    let took = began.elapsed();
    let gap = known::gap(cast.registration.name, behaviour.name).filter(|_| !cast.is_broken());
    let (status, message, found) = match (end, gap) {
        (End::Passed, None) => (Status::Passed, None, behaviour.says.to_owned()),
        (End::Passed, Some(gap)) => {
            let message = format!("passes, but is listed as a known gap: {}", gap.reason);
            (Status::Failed, Some(message), behaviour.says.to_owned())
        }
        (End::Failed(failure), None) => (Status::Failed, Some(failure.to_string()), failure.found),
        (End::Failed(failure), Some(gap)) => {
            (Status::KnownGap, Some(format!("{}; {failure}", gap.reason)), failure.found)
        }
        (End::Broken(why), _) => (Status::Error, Some(why.clone()), why),
        (End::TimedOut, _) => {
            let why = format!("no end within {} s", LONGEST.as_secs());
            (Status::Timeout, Some(why.clone()), why)
        }
    };
    TestResult {
        test_name: behaviour.full_name(),
        test_category: behaviour.category.as_str(),
        theme: behaviour.theme.as_str(),
        catalogue_rows: behaviour.rows,
        status,
        exchange: cast.registration.name,
        start_time: started,
        end_time: stamp(),
        duration_ms: millis(took),
        metrics: TestMetrics::new(took, &figures, megabytes_now()),
        error_code: status.error_code(),
        error_message: message,
        expected_behavior: behaviour.says,
        actual_behavior: found,
    }
}

fn alone(cast: &Cast, behaviour: &'static Behaviour, plan: &Plan) -> (End, Figures) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return (End::Broken(error.to_string()), Figures::default()),
    };
    runtime.block_on(async {
        let opening = async {
            match &plan.live {
                Some(symbols) => Stage::open_live(cast, symbols).await.map_err(Failure::from),
                None => {
                    let mut setting = Setting::default();
                    (behaviour.set)(&mut setting);
                    Stage::open(cast, setting).await
                }
            }
        };
        let mut stage = match tokio::time::timeout(LONGEST, opening).await {
            Ok(Ok(stage)) => stage,
            // A mutant may be caught before the curtain rises.
            Ok(Err(failure)) if cast.is_broken() => return (End::Failed(failure), Figures::default()),
            Ok(Err(failure)) => return (End::Broken(format!("no stage: {failure}")), Figures::default()),
            Err(_) => return (End::TimedOut, Figures::default()),
        };
        let end = match tokio::time::timeout(LONGEST, (behaviour.run)(&mut stage)).await {
            Ok(Ok(())) => End::Passed,
            Ok(Err(failure)) => End::Failed(failure),
            Err(_) => End::TimedOut,
        };
        (end, stage.figures())
    })
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

pub(crate) fn millis(took: Duration) -> f64 {
    took.as_secs_f64() * 1_000.0
}
