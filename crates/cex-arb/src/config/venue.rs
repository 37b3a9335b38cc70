//! The accounts: one section per registered exchange.

use super::keys::VENUE_KEYS;
use super::layers::{Given, Origin, Raw, Surroundings};
use super::problem::Problems;
use super::secret;
use super::unit::{self, Unit, Words};
use crate::venues;
use cex_core::{Bps, VenueId};
use cex_errors::ExchangeError;
use cex_interface::{Registration, Secret, VenueConfig};
use std::collections::BTreeMap;

/// Least and most taker fee in basis points: beyond, per cent were meant.
const FEE_RANGE: (&str, &str) = ("-10", "100");
/// No exchange takes so little, whoever trades there, unless it takes nothing.
const LEAST_FEE: &str = "1";

/// One account.
#[derive(Debug, Clone)]
pub struct Venue {
    /// The exchange.
    pub exchange: &'static Registration,
    /// What its adapter is opened with: index, addresses, secrets, options. The adapter has accepted it.
    pub config: VenueConfig,
    /// The taker fee to reckon with; `None` for what the account says.
    pub taker_fee: Option<Bps>,
    /// The operator says that the key reads the withdrawal area and cannot withdraw: one permission may open both lists that
    /// tell of coins and lists that tell of withdrawals.
    pub withdrawals_readable: bool,
    /// Why its key cannot be had, where that refuses nothing: for whoever halts or asks, and has no part in what a run is given.
    pub key_unread: Option<String>,
}

/// Reads the venues; wrong ones are left out, and told.
pub(super) fn read(
    given: &BTreeMap<String, Given>,
    around: &Surroundings,
    problems: &mut Problems,
) -> Vec<Venue> {
    let mut all = Vec::new();
    for exchange in &venues::EXCHANGES {
        let section = format!("venues.{}", exchange.name);
        let inside = |key: &&String| **key == section || key.starts_with(&format!("{section}."));
        if given.keys().any(|key| inside(&key)) {
            let reading = Reading { section, given, around };
            all.extend(reading.venue(exchange, all.len(), problems));
        }
    }
    all
}

struct Reading<'a> {
    section: String,
    given: &'a BTreeMap<String, Given>,
    around: &'a Surroundings,
}

impl Reading<'_> {
    fn venue(&self, exchange: &'static Registration, index: usize, problems: &mut Problems) -> Option<Venue> {
        let id = VenueId::new(u8::try_from(index).ok()?, exchange.name).ok()?;
        let before = problems.all().len();
        let mut config = VenueConfig::public(id);
        let mut key_unread = None;
        config.key = self.secret("key", &mut key_unread, problems);
        config.secret = self.secret("secret", &mut key_unread, problems);
        if key_unread.is_some() {
            (config.key, config.secret) = (Secret::default(), Secret::default());
        }
        config.rest_url = self.address("rest", problems);
        config.ws_url = self.address("ws", problems);
        config.options = self.options(problems);
        let taker_fee = self.fee(problems);
        let withdrawals_readable = self.flag("withdrawals_readable", problems);
        self.both_or_none(problems);
        if problems.all().len() > before {
            return None;
        }
        // The adapter knows its options; it is asked now and not when it is too late.
        if let Err(error) = (exchange.open)(config.clone()) {
            if self.address_refused(&error, problems) {
                return None;
            }
            let detail = error.message.as_deref().map_or_else(String::new, |message| format!(": {message}"));
            let fix = format!("docs/exchanges/{}.md lists its options", exchange.name);
            let what = format!("{}: {}{detail}", self.section, error.kind);
            problems.add(&self.section, &self.culprit(&detail), what, fix);
            return None;
        }
        Some(Venue { exchange, config, taker_fee, withdrawals_readable, key_unread })
    }

    fn find(&self, name: &str) -> Option<&Given> {
        self.given.get(&format!("{}.{name}", self.section))
    }

    /// Whether what an adapter complains of is an address, which it names by its own word; then that is told by the file's.
    fn address_refused(&self, error: &ExchangeError, problems: &mut Problems) -> bool {
        let said = format!("{} {}", error.kind, error.message.as_deref().unwrap_or_default());
        for (field, name, form) in
            [("rest_url", "rest", "https://host[:port]"), ("ws_url", "ws", "wss://host[:port]/path")]
        {
            if let Some(given) = self.find(name).filter(|_| said.contains(field)) {
                let plain = form.replacen("s://", "://", 1);
                let what = format!("{}: must be of the form {form}", given.key);
                let fix = format!("{name} = \"{form}\", or {plain} for this machine, as `arb sim` prints it");
                problems.add(&given.key, &given.origin, what, fix);
                return true;
            }
        }
        false
    }

    /// Where what an adapter complains of was given: the option it names, else the section.
    fn culprit(&self, detail: &str) -> Origin {
        let options = format!("{}.options.", self.section);
        let inside = self.given.iter().filter(|(key, _)| key.starts_with(&self.section));
        let named = |key: &str| key.strip_prefix(&options).is_some_and(|name| detail.contains(name));
        let found = inside.max_by_key(|(key, _)| named(key));
        found.map_or(Origin::Default, |(_, given)| given.origin.clone())
    }

    /// A value's problem, with what the key is for.
    fn tell(&self, name: &str, given: &Given, what: &str, problems: &mut Problems) {
        let about = VENUE_KEYS.iter().find(|(key, _)| *key == name).map_or("", |(_, about)| *about);
        problems.add(&given.key, &given.origin, format!("{}: {what}", given.key), about);
    }

    fn secret(&self, name: &str, unread: &mut Option<String>, problems: &mut Problems) -> Secret {
        let Some(given) = self.find(name) else { return Secret::default() };
        let Ok(reference) = Words::read(&unit::Given(&given.raw), None) else {
            self.tell(name, given, "must be a reference in quotes", problems);
            return Secret::default();
        };
        secret::fetch(&reference, self.around).unwrap_or_else(|refused| {
            let what = format!("{}: {}", given.key, refused.what);
            let excused = problems.unread(&given.key, &given.origin, what, refused.fix);
            *unread = unread.take().or(excused);
            Secret::default()
        })
    }

    /// An address; the transport's own rule says what may be connected to.
    fn address(&self, name: &str, problems: &mut Problems) -> Option<String> {
        let given = self.find(name)?;
        let read = Words::read(&unit::Given(&given.raw), None);
        let checked = read.and_then(|url| match cex_transport::endpoint::Endpoint::parse(&url) {
            Ok(_) => Ok(url),
            Err(error) => Err(error.to_string()),
        });
        checked.map_err(|what| self.tell(name, given, &what, problems)).ok()
    }

    fn options(&self, problems: &mut Problems) -> BTreeMap<String, String> {
        let prefix = format!("{}.options.", self.section);
        let mut options = BTreeMap::new();
        for (key, given) in self.given.range(prefix.clone()..) {
            let Some(name) = key.strip_prefix(&prefix) else { break };
            match &given.raw {
                Raw::Text(text) | Raw::Plain(text) | Raw::Number(text) => {
                    options.insert(name.to_owned(), text.clone());
                }
                Raw::Flag(_) | Raw::List(_) | Raw::Table | Raw::Other(_) => {
                    self.tell(name, given, "must be text in quotes", problems);
                }
            }
        }
        options
    }

    fn fee(&self, problems: &mut Problems) -> Option<Bps> {
        let name = "fee_taker_bps";
        let given = self.find(name)?;
        if let Raw::Text(text) | Raw::Plain(text) = &given.raw
            && text == "auto"
        {
            return None;
        }
        let raw = unit::Given(&given.raw);
        let read = unit::Signed::read(&raw, Some(FEE_RANGE));
        let (least, most) = FEE_RANGE;
        let fix =
            format!("\"auto\" for what the account says, or a number from {least} to {most}: 5 is 0.05 %");
        let (key, origin) = (&given.key, &given.origin);
        if read.is_ok()
            && let Some(what) = unit::slip(&raw, name, Some(LEAST_FEE))
        {
            problems.doubt(key, origin, format!("{key}: {what}"), fix.clone());
        }
        read.map_err(|what| problems.add(key, origin, format!("{key}: {what}"), fix)).ok()
    }

    fn flag(&self, name: &str, problems: &mut Problems) -> bool {
        let Some(given) = self.find(name) else { return false };
        match &given.raw {
            Raw::Flag(flag) => return *flag,
            // From the environment and the command line everything comes as text.
            Raw::Text(text) | Raw::Plain(text) => {
                if let Ok(flag) = text.parse() {
                    return flag;
                }
            }
            Raw::Number(_) | Raw::List(_) | Raw::Table | Raw::Other(_) => {}
        }
        self.tell(name, given, "must be true or false", problems);
        false
    }

    fn both_or_none(&self, problems: &mut Problems) {
        let (there, missing) = match (self.find("key"), self.find("secret")) {
            (Some(key), None) => (key, "secret"),
            (None, Some(secret)) => (secret, "key"),
            (Some(_), Some(_)) | (None, None) => return,
        };
        let what = format!("{} stands without `{missing}`", there.key);
        problems.add(
            &there.key,
            &there.origin,
            what,
            format!("give {}.{missing} too, or neither", self.section),
        );
    }
}
