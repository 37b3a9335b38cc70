//! A named promise of an adapter, and how it was broken.

use crate::stage::{Setting, Stage};
use cex_core::NumError;
use cex_errors::{ErrorKind, ExchangeError, Outcome};
use cex_interface::Capabilities;
use cex_sim::server::SimError;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// Which part of an adapter a behaviour is about; each has a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Theme {
    /// Public data: calls, books, streams.
    Market,
    /// Balances, fees, fills, the account stream.
    Account,
    /// Orders of every kind.
    Orders,
    /// What breaks on the way.
    Failures,
    /// Budgets and clocks.
    Limits,
    /// Keys, addresses, configuration.
    Security,
}

impl Theme {
    /// As it stands in names: `market::ping_is_answered`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Market => "market",
            Self::Account => "account",
            Self::Orders => "orders",
            Self::Failures => "failures",
            Self::Limits => "limits",
            Self::Security => "security",
        }
    }
}

/// What kind of test a behaviour is, in the words of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    /// Public calls.
    RestPublic,
    /// Signed calls.
    RestPrivate,
    /// Public streams.
    WebsocketPublic,
    /// The account's stream.
    WebsocketPrivate,
    /// Times, against thresholds.
    Performance,
    /// How an adapter reads its settings.
    Configuration,
    /// Several parts together.
    Integration,
    /// What the contracts promise whatever the exchange does.
    Compliance,
}

impl Category {
    /// As the report spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RestPublic => "REST_PUBLIC",
            Self::RestPrivate => "REST_PRIVATE",
            Self::WebsocketPublic => "WEBSOCKET_PUBLIC",
            Self::WebsocketPrivate => "WEBSOCKET_PRIVATE",
            Self::Performance => "PERFORMANCE",
            Self::Configuration => "CONFIGURATION",
            Self::Integration => "INTEGRATION",
            Self::Compliance => "COMPLIANCE",
        }
    }
}

/// How a behaviour was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What was expected, in words.
    pub expected: String,
    /// What was found instead, in words.
    pub found: String,
}

impl Failure {
    /// A failure in these words.
    #[must_use]
    pub fn new(expected: impl fmt::Display, found: impl fmt::Display) -> Self {
        Self { expected: expected.to_string(), found: found.to_string() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}; found {}", self.expected, self.found)
    }
}

impl From<ExchangeError> for Failure {
    fn from(error: ExchangeError) -> Self {
        Self::new("the call to succeed", error)
    }
}

impl From<NumError> for Failure {
    fn from(error: NumError) -> Self {
        Self::new("numbers that can be reckoned with", error)
    }
}

impl From<SimError> for Failure {
    fn from(error: SimError) -> Self {
        Self::new("a running simulator", error)
    }
}

/// What comes of a behaviour.
pub type Verdict = Result<(), Failure>;

/// A behaviour on its way.
pub type Course<'a> = Pin<Box<dyn Future<Output = Verdict> + 'a>>;

/// A named promise, and how it is tried.
pub struct Behaviour {
    /// A sentence: `book_resyncs_after_gap`.
    pub name: &'static str,
    /// The part of an adapter it is about.
    pub theme: Theme,
    /// The kind of test it is in the report.
    pub category: Category,
    /// What is expected, in words.
    pub says: &'static str,
    /// Rows of the fault catalogue it covers: `W3 H1`.
    pub rows: &'static str,
    /// Whether an adapter with these capabilities must show it.
    pub needs: fn(&Capabilities) -> bool,
    /// What the stage must be like.
    pub set: fn(&mut Setting),
    /// Whether it only reads public data, so that it may run against the real exchange.
    pub is_public: bool,
    /// Tries it.
    pub run: for<'a> fn(&'a mut Stage) -> Course<'a>,
}

impl Behaviour {
    /// A behaviour of every adapter on an ordinary stage.
    #[must_use]
    pub const fn new(
        name: &'static str,
        theme: Theme,
        category: Category,
        says: &'static str,
        run: for<'a> fn(&'a mut Stage) -> Course<'a>,
    ) -> Self {
        Self { name, theme, category, says, rows: "", needs: |_| true, set: |_| {}, is_public: false, run }
    }

    /// Only of adapters for which this holds.
    #[must_use]
    pub const fn needs(mut self, needs: fn(&Capabilities) -> bool) -> Self {
        self.needs = needs;
        self
    }

    /// On a stage that is changed like this.
    #[must_use]
    pub const fn set(mut self, set: fn(&mut Setting)) -> Self {
        self.set = set;
        self
    }

    /// Covers these rows of the fault catalogue.
    #[must_use]
    pub const fn rows(mut self, rows: &'static str) -> Self {
        self.rows = rows;
        self
    }

    /// Only reads public data.
    #[must_use]
    pub const fn public(mut self) -> Self {
        self.is_public = true;
        self
    }

    /// The name under which a test runner knows it.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}::{}", self.theme.as_str(), self.name)
    }
}

impl fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full_name())
    }
}

/// A behaviour named as its function.
macro_rules! behaviour {
    ($theme:ident, $category:ident, $run:ident, $says:expr) => {
        $crate::behaviour::Behaviour::new(
            stringify!($run),
            $crate::behaviour::Theme::$theme,
            $crate::behaviour::Category::$category,
            $says,
            |stage| Box::pin($run(stage)),
        )
    };
}
pub(crate) use behaviour;

/// Fails with these words unless a condition holds.
macro_rules! ensure {
    ($holds:expr, $expected:expr, $found:expr $(,)?) => {
        if !$holds {
            return Err($crate::behaviour::Failure::new($expected, $found));
        }
    };
}
pub(crate) use ensure;

/// Two values that must be the same.
pub(crate) fn same<T: PartialEq + fmt::Debug>(what: &str, expected: &T, found: &T) -> Verdict {
    ensure!(expected == found, format_args!("{what} {expected:?}"), format_args!("{found:?}"));
    Ok(())
}

/// A call that must fail, and its error.
pub(crate) fn error_of<T: fmt::Debug>(
    expected: &str,
    result: Result<T, ExchangeError>,
) -> Result<ExchangeError, Failure> {
    match result {
        Ok(answer) => Err(Failure::new(expected, format_args!("success: {answer:?}"))),
        Err(error) => Ok(error),
    }
}

/// A call that must fail with one of these kinds; the contents of a kind do not matter.
pub(crate) fn refused<T: fmt::Debug>(result: Result<T, ExchangeError>, kinds: &[ErrorKind]) -> Verdict {
    let wanted = kinds.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
    let error = error_of(&wanted, result)?;
    let matches = |kind: &ErrorKind| std::mem::discriminant(kind) == std::mem::discriminant(&error.kind);
    ensure!(kinds.iter().any(matches), wanted, error);
    Ok(())
}

/// A call the adapter does not claim: it must say so, and must not have sent anything.
pub(crate) fn unsupported<T: fmt::Debug>(result: Result<T, ExchangeError>) -> Verdict {
    refused(result, &[ErrorKind::Unsupported])
}

/// A call that must have failed with this outcome.
pub(crate) fn outcome<T: fmt::Debug>(
    result: Result<T, ExchangeError>,
    expected: Outcome,
) -> Result<ExchangeError, Failure> {
    let error = error_of(&format!("an error whose outcome is {expected:?}"), result)?;
    ensure!(
        error.outcome() == expected,
        format_args!("outcome {expected:?}"),
        format_args!("{:?}: {error}", error.outcome())
    );
    Ok(error)
}
