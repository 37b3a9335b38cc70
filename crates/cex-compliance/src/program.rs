//! The command line of an adapter's `tests/compliance.rs`: speaks enough of the standard test runner's language to be
//! listed and run by any runner, and writes a report on demand.

use crate::behaviour::Behaviour;
use crate::behaviours;
#[cfg(feature = "mutants")]
use crate::mutant::{self, CallFault, Mutant};
use crate::report::{MutantResult, Parts, Report, Status, TestMetrics, TestResult, stamp};
use crate::runner::{Plan, one, run};
use crate::stage::Figures;
use cex_core::{Symbol, VenueId};
use cex_errors::{ErrorKind, ExchangeError};
use cex_interface::{Capabilities, Protocol, Registration, VenueConfig};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many stages run at once when nothing else is said: they mostly wait.
const THREADS: usize = 6;

/// The symbols looked at on the real exchange.
const LIVE_SYMBOLS: [&str; 2] = ["BTC/USDT", "ETH/USDT"];

/// What is tried.
#[derive(Debug, Clone, Copy)]
pub struct Cast {
    /// The adapter.
    pub registration: Registration,
    /// Options that bring each further book stream to the front.
    pub variants: &'static [&'static [(&'static str, &'static str)]],
    #[cfg(feature = "mutants")]
    mutant: Option<&'static Mutant>,
}

impl Cast {
    /// This adapter as it is.
    #[must_use]
    pub const fn new(
        registration: Registration,
        variants: &'static [&'static [(&'static str, &'static str)]],
    ) -> Self {
        Self {
            registration,
            variants,
            #[cfg(feature = "mutants")]
            mutant: None,
        }
    }

    /// This adapter, broken.
    #[cfg(feature = "mutants")]
    #[must_use]
    pub const fn with(mut self, mutant: &'static Mutant) -> Self {
        self.mutant = Some(mutant);
        self
    }

    /// Whether it is broken on purpose.
    #[must_use]
    pub const fn is_broken(&self) -> bool {
        #[cfg(feature = "mutants")]
        return self.mutant.is_some();
        #[cfg(not(feature = "mutants"))]
        false
    }

    /// The codec, broken if it is to be.
    #[must_use]
    pub fn broken(&self, protocol: Arc<dyn Protocol>) -> Arc<dyn Protocol> {
        #[cfg(feature = "mutants")]
        if let Some(mutant) = self.mutant {
            return mutant.wrap(protocol);
        }
        protocol
    }

    #[cfg(feature = "mutants")]
    pub(crate) fn call_fault(&self) -> Option<CallFault> {
        self.mutant.and_then(Mutant::call_fault)
    }

    /// What the adapter claims under its default configuration.
    ///
    /// # Errors
    /// When it does not open.
    pub fn capabilities(&self) -> Result<Capabilities, ExchangeError> {
        let venue =
            VenueId::new(0, self.registration.name).unwrap_or_else(|_| VenueId::new(0, "x").expect("short"));
        Ok((self.registration.open)(VenueConfig::public(venue))?.capabilities().clone())
    }
}

/// What the command line asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wish {
    list: bool,
    ignored: bool,
    exact: bool,
    live: bool,
    without_mutants: bool,
    json: Option<String>,
    threads: Option<usize>,
    names: Vec<String>,
}

impl Wish {
    fn read(args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut wish = Self::default();
        let mut args = args;
        while let Some(arg) = args.next() {
            let mut value = |name: &str| args.next().ok_or_else(|| format!("{name} needs a value"));
            match arg.as_str() {
                "--list" => wish.list = true,
                "--ignored" => wish.ignored = true,
                "--exact" => wish.exact = true,
                "--live" => wish.live = true,
                "--no-mutants" => wish.without_mutants = true,
                "--json" => wish.json = Some(value("--json")?),
                "--threads" | "--test-threads" => {
                    wish.threads = Some(value("--threads")?.parse().map_err(|_| "--threads takes a number")?);
                }
                // What runners say as a matter of course.
                "--format" | "--color" => drop(value(&arg)?),
                "--nocapture" | "--no-capture" | "--quiet" | "-q" | "--include-ignored" => {}
                name if name.starts_with('-') => return Err(format!("unknown option {name}")),
                name => wish.names.push(name.to_owned()),
            }
        }
        Ok(wish)
    }

    fn wants(&self, name: &str) -> bool {
        self.names.is_empty()
            || self
                .names
                .iter()
                .any(|wanted| if self.exact { name == wanted } else { name.contains(wanted.as_str()) })
    }
}

/// Runs the program for this cast.
#[must_use]
pub fn main(cast: &Cast) -> ExitCode {
    match Wish::read(std::env::args().skip(1)).and_then(|wish| obey(cast, &wish)) {
        Ok(code) => ExitCode::from(code),
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::from(4)
        }
    }
}

fn obey(cast: &Cast, wish: &Wish) -> Result<u8, String> {
    let claims = cast.capabilities().map_err(|error| error.to_string())?;
    let wanted: Vec<_> = behaviours()
        .into_iter()
        .filter(|behaviour| wish.wants(&behaviour.full_name()) && (!wish.live || behaviour.is_public))
        .collect();
    let (claimed, unclaimed): (Vec<_>, Vec<_>) =
        wanted.into_iter().partition(|behaviour| (behaviour.needs)(&claims));
    if wish.list {
        // Nothing is ever ignored. Broken adapters are not listed: each mostly waits in vain for what it lacks, which
        // costs a runner that starts a process for each minutes; `cargo xtask verify-compliance` runs them all at once.
        if !wish.ignored {
            claimed.iter().for_each(|behaviour| println!("{}: test", behaviour.full_name()));
        }
        return Ok(0);
    }
    let plan =
        Plan { threads: wish.threads.unwrap_or(THREADS), live: wish.live.then(live_symbols).transpose()? };
    if let Some(code) = unreachable(cast, &plan) {
        return Ok(code);
    }
    let (started, began) = (stamp(), Instant::now());
    let mut results = run(cast, &claimed, &plan, &print);
    let mutants = if wish.live { Vec::new() } else { run_mutants(cast, &claims, wish, &plan, &results) };
    results.extend(unclaimed.iter().map(|behaviour| skipped(cast, behaviour)));
    let report = Report::new(Parts {
        exchange: cast.registration.name,
        test_suite: if wish.live { "public part, real exchange" } else { "simulated exchange" },
        start_time: started,
        took: began.elapsed(),
        claimed: claimed.len(),
        results,
        mutants,
    });
    close(&report, wish)
}

fn close(report: &Report, wish: &Wish) -> Result<u8, String> {
    if let Some(path) = &wish.json {
        std::fs::write(path, report.to_json()?).map_err(|error| format!("{path}: {error}"))?;
    }
    let (caught, tried) = report.summary_metrics.mutants_caught;
    println!(
        "{}: {} passed, {} failed, {} errors, {} timeouts, {} known gaps, {} not claimed, {caught} of {tried} mutants caught in {:.1} s",
        report.exchange,
        report.passed_tests,
        report.failed_tests,
        report.error_tests,
        report.timeout_tests,
        report.known_gaps,
        report.skipped_tests,
        report.duration_ms / 1_000.0,
    );
    // A run of mutants alone has no behaviours of its own.
    if report.total_tests == report.skipped_tests && tried > 0 {
        return Ok(u8::from(caught != tried));
    }
    if report.total_tests == report.skipped_tests {
        println!("{}: nothing ran", report.exchange);
    }
    Ok(report.exit_code)
}

fn print(result: &TestResult) {
    let took = Duration::from_secs_f64(result.duration_ms / 1_000.0);
    match &result.error_message {
        None => println!("{:<9} {:>7.2} s  {}", result.status.word(), took.as_secs_f64(), result.test_name),
        Some(why) => {
            println!(
                "{:<9} {:>7.2} s  {}\n          {why}",
                result.status.word(),
                took.as_secs_f64(),
                result.test_name
            );
        }
    }
}

fn skipped(cast: &Cast, behaviour: &&'static Behaviour) -> TestResult {
    TestResult {
        test_name: behaviour.full_name(),
        test_category: behaviour.category.as_str(),
        theme: behaviour.theme.as_str(),
        catalogue_rows: behaviour.rows,
        status: Status::Skipped,
        exchange: cast.registration.name,
        start_time: stamp(),
        end_time: stamp(),
        duration_ms: 0.0,
        metrics: TestMetrics::new(Duration::ZERO, &Figures::default(), None),
        error_code: None,
        error_message: None,
        expected_behavior: behaviour.says,
        actual_behavior: "not claimed".to_owned(),
    }
}

fn live_symbols() -> Result<Vec<Symbol>, String> {
    LIVE_SYMBOLS.iter().map(|name| name.parse().map_err(|error| format!("{error}"))).collect()
}

/// Whether the real exchange can be reached at all; the exit code when it cannot.
fn unreachable(cast: &Cast, plan: &Plan) -> Option<u8> {
    let symbols = plan.live.clone()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let name = cast.registration.name;
    let opening = async {
        tokio::time::timeout(Duration::from_secs(20), crate::Stage::open_live(cast, &symbols)).await
    };
    match runtime.block_on(opening) {
        Ok(Ok(_)) => None,
        Ok(Err(error)) => {
            println!("{name}: the real exchange cannot be reached, nothing was checked: {error}");
            Some(if matches!(error.kind, ErrorKind::Timeout(_)) { 3 } else { 2 })
        }
        Err(_) => {
            println!("{name}: the real exchange does not answer, nothing was checked");
            Some(3)
        }
    }
}

#[cfg(feature = "mutants")]
fn chosen<'w>(claims: &'w Capabilities, wish: &'w Wish) -> impl Iterator<Item = &'static Mutant> + 'w {
    mutant::ALL.iter().filter(|mutant| {
        !wish.without_mutants
            && !wish.live
            && (mutant.needs)(claims)
            && wish.wants(&format!("mutants::{}", mutant.name))
    })
}

/// Runs each broken adapter through the behaviour that should notice. One that fails on the whole adapter too notices
/// nothing, so it must have passed there.
#[cfg(feature = "mutants")]
fn run_mutants(
    cast: &Cast,
    claims: &Capabilities,
    wish: &Wish,
    plan: &Plan,
    whole: &[TestResult],
) -> Vec<MutantResult> {
    let all = behaviours();
    let jobs: Vec<(&'static Mutant, Option<&'static Behaviour>)> = chosen(claims, wish)
        .map(|mutant| (mutant, all.iter().copied().find(|behaviour| behaviour.name == mutant.caught_by)))
        .collect();
    let known: std::collections::VecDeque<_> =
        jobs.iter().filter_map(|(mutant, behaviour)| behaviour.map(|one| (cast.with(mutant), one))).collect();
    let results = crate::runner::each(known, plan, &|_, _| {});
    let mut results = results.into_iter();
    let mut told = Vec::new();
    for (mutant, behaviour) in jobs {
        let result = behaviour.and_then(|_| results.next());
        // It must be noticed by what the behaviour looks at: one that could not be tried proves nothing.
        let passes = behaviour.is_some_and(|behaviour| passes_whole(cast, behaviour, plan, whole));
        let caught = passes && result.as_ref().is_some_and(|result| result.status == Status::Failed);
        let found = match result {
            Some(_) if !passes => "the adapter fails it whole as well".to_owned(),
            Some(result) => result.error_message.unwrap_or_else(|| "it passed".to_owned()),
            None => "there is no such behaviour".to_owned(),
        };
        let word = if caught { "caught" } else { "MISSED" };
        println!("{word:<9} mutants::{} by {}\n          {found}", mutant.name, mutant.caught_by);
        told.push(MutantResult {
            mutant: mutant.name,
            says: mutant.says,
            caught_by: mutant.caught_by,
            caught,
            found,
        });
    }
    told
}

/// Whether the adapter as it is passes, from this run's results or, where they were not asked for, by trying.
#[cfg(feature = "mutants")]
fn passes_whole(cast: &Cast, behaviour: &'static Behaviour, plan: &Plan, whole: &[TestResult]) -> bool {
    let name = behaviour.full_name();
    match whole.iter().find(|result| result.test_name == name) {
        Some(result) => result.status == Status::Passed,
        None => one(cast, behaviour, plan).status == Status::Passed,
    }
}

#[cfg(not(feature = "mutants"))]
fn run_mutants(
    _cast: &Cast,
    _claims: &Capabilities,
    _wish: &Wish,
    _plan: &Plan,
    _whole: &[TestResult],
) -> Vec<MutantResult> {
    Vec::new()
}

/// Runs one behaviour by name, for whoever has a cast of his own.
#[must_use]
pub fn run_one(cast: &Cast, name: &str) -> Option<TestResult> {
    let behaviour = behaviours().into_iter().find(|behaviour| behaviour.name == name)?;
    Some(one(cast, behaviour, &Plan { threads: 1, live: None }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(args: &[&str]) -> Result<Wish, String> {
        Wish::read(args.iter().map(|arg| (*arg).to_owned()))
    }

    #[test]
    fn runners_are_understood() {
        let list = wish(&["--list", "--format", "terse", "--ignored"]).expect("understood");
        assert!(list.list && list.ignored);
        let one = wish(&["orders::x", "--nocapture", "--exact"]).expect("understood");
        assert!(one.wants("orders::x") && !one.wants("orders::xy"));
        let some = wish(&["orders", "--threads", "3"]).expect("understood");
        assert!(some.wants("orders::x") && !some.wants("market::x") && some.threads == Some(3));
        assert!(wish(&["--jsno", "x"]).is_err() && wish(&["--json"]).is_err());
    }
}
