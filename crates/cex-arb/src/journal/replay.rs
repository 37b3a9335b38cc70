//! `arb journal replay`: what a journal says must follow from itself. Every record is made anew from what it says and must
//! be the same bytes; every arbitrage's end is worked out again from its fills; every session's end must state what the
//! records before it come to.

use super::{failure, json_line, open, whole};
use crate::cli::JournalArgs;
use crate::exit::{Exit, Failure, written};
use crate::run::past::{Cycle, LEFT_TO_OPERATOR, Past, state_hash};
use cex_core::{Decimal, NumError, Timestamp};
use cex_journal::{Entry, Record, messages};
use serde::Serialize;
use std::io::Write;
use std::path::Path;

/// What a replay came to; the names are a promise to scripts.
#[derive(Debug, Default, Serialize)]
struct Replayed {
    event: &'static str,
    dir: String,
    /// Whether all of it could be read and nothing differs.
    same: bool,
    /// Whether the journal itself is whole.
    sound: bool,
    records: u64,
    /// Arbitrages whose end was worked out again from their fills.
    arbitrages: u64,
    /// Sessions whose end states what the records before it come to.
    sessions: u64,
    /// Arbitrages that were not seen to their end.
    unfinished: usize,
    /// Orders of which not everything is known.
    undecided: u32,
    /// The state, as the next session would end with if nothing happened in it.
    state: String,
    state_hash: String,
    /// What does not agree, one sentence each.
    differences: Vec<String>,
    /// Why it is not sound or not the same.
    error: Option<String>,
    /// When the last record was written.
    #[serde(skip)]
    last: Timestamp,
}

/// Runs the command.
///
/// # Errors
/// Exit code 10 when the journal is not whole, or something differs.
pub(super) fn run(args: &JournalArgs, out: &mut impl Write) -> Result<(), Failure> {
    let mut replayed =
        Replayed { event: "replayed", dir: args.dir.display().to_string(), ..Replayed::default() };
    let mut past = Past::default();
    let whole = replayed.read(&args.dir, &mut past);
    if let Some(contradiction) = past.contradiction() {
        replayed.differences.push(format!(
            "record {}: the session ends with another state than {}",
            contradiction.seq, contradiction.state
        ));
    }
    let verdict = whole.and_then(|()| replayed.verdict());
    replayed.conclude(&past, &verdict);
    written(match (args.json, replayed.records) {
        (true, _) => json_line(out, &replayed),
        // The failure says it all.
        (false, 0) if verdict.is_err() => Ok(()),
        (false, _) => replayed.print(out),
    })?;
    verdict
}

impl Replayed {
    /// Reads everything there is; whether it is whole. What stands before a fault is worked out again all the same.
    fn read(&mut self, dir: &Path, past: &mut Past) -> Result<(), Failure> {
        let mut reader = open(dir, 0)?;
        while let Some(record) = reader.next_record().map_err(|error| failure(&error))? {
            self.last = record.at;
            self.take_in(&record, past);
        }
        whole(dir, &mut reader)?;
        self.sound = true;
        Ok(())
    }

    fn verdict(&self) -> Result<(), Failure> {
        if self.differences.is_empty() {
            return Ok(());
        }
        let what = format!("{}: {} differences", self.dir, self.differences.len());
        let fix = "it was not written by this program, or the program has a fault";
        Err(Failure::new(Exit::CheckFailed, what, fix))
    }

    fn conclude(&mut self, past: &Past, verdict: &Result<(), Failure>) {
        self.unfinished = past.cycles().len();
        self.undecided = past.undecided();
        self.state = past.state(self.last).unwrap_or_else(|error| error.to_string());
        self.state_hash = state_hash(&self.state).iter().map(|byte| format!("{byte:02x}")).collect();
        self.same = verdict.is_ok();
        self.error = verdict.as_ref().err().map(|failure| failure.what.clone());
    }

    fn take_in(&mut self, record: &Record, past: &mut Past) {
        self.records += 1;
        let Ok(entry) = record.entry() else {
            self.differences.push(format!("record {} cannot be read", record.seq));
            return;
        };
        if entry.encode() != record.payload {
            self.differences.push(format!("record {} is written otherwise than it reads", record.seq));
        }
        if let Entry::ArbitrageEnd(end) = &entry
            && let Some(cycle) = past.cycles().get(&end.name)
            && end.ending != LEFT_TO_OPERATOR
        {
            self.arbitrages += 1;
            let again = again(end, cycle);
            if again.as_ref() != Ok(end) {
                let what = again.map_or_else(|error| error.to_string(), |again| again.realised);
                self.differences
                    .push(format!("record {}: from its fills {} earned {what}", record.seq, end.name));
            }
        }
        if let Entry::SessionEnd(end) = &entry {
            self.sessions += u64::from(!end.state_hash.is_empty());
        }
        past.take_in(record.seq, record.at, &entry);
    }

    fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        let verdict = match (self.sound, self.differences.is_empty()) {
            (true, true) => "the same",
            (false, true) => "NOT SOUND; what could be read is the same",
            (_, false) => "NOT THE SAME",
        };
        writeln!(
            out,
            "{}: {verdict}: {} records, {} arbitrages worked out again, {} sessions end as stated",
            self.dir, self.records, self.arbitrages, self.sessions
        )?;
        writeln!(out, "  {} ({} orders undecided)", self.state, self.undecided)?;
        self.differences.iter().try_for_each(|difference| writeln!(out, "  ! {difference}"))
    }
}

/// The same end with the money that its fills give. What fees in other coins counted as is believed where there are some:
/// it was the price of a moment. Versions that did not count them wrote nothing of them.
fn again(end: &messages::ArbitrageEnd, cycle: &Cycle) -> Result<messages::ArbitrageEnd, NumError> {
    let (quote, base) = cycle.changes()?;
    let mark: Decimal = end.mark.parse()?;
    let before = quote.checked_add(base.checked_mul(mark)?)?;
    let money = messages::ArbitrageEnd {
        realised: before.to_string(),
        quote_change: quote.to_string(),
        base_change: base.to_string(),
        ..end.clone()
    };
    if end.other_fee.is_empty() {
        return Ok(messages::ArbitrageEnd { other_fees: Vec::new(), ..money });
    }
    let other_fees = cycle.other_fees()?;
    let stated: Decimal = end.other_fee.parse()?;
    // A cost below nothing is none.
    let other_fee = if other_fees.is_empty() { Decimal::ZERO } else { stated.max(Decimal::ZERO) };
    let realised = before.checked_sub(other_fee)?.to_string();
    Ok(messages::ArbitrageEnd { realised, other_fees, other_fee: other_fee.to_string(), ..money })
}

#[cfg(test)]
mod tests {
    use super::*;
    use cex_journal::messages::{ArbitrageEnd, Fee, Fill, Intent, Leg, SessionEnd, SessionStart, Side};
    use cex_journal::{Options, open_directory};

    /// A journal with one arbitrage that bought 2 at 100 and sold them at 101, and ended with this profit.
    fn journal(realised: &str) -> tempfile::TempDir {
        written_down(&[], ArbitrageEnd { realised: realised.to_owned(), ..ArbitrageEnd::default() })
    }

    /// The same, the purchase charged these fees, and the end saying this of money and fees.
    fn written_down(fees: &[Fee], end: ArbitrageEnd) -> tempfile::TempDir {
        let directory = tempfile::tempdir().expect("a directory");
        let now = Timestamp::from_secs(1_000);
        let options = Options { segment_bytes: 1 << 20, ..Options::default() };
        let mut writer = open_directory(directory.path(), options, now).expect("a journal").writer;
        writer
            .begin(now, SessionStart { mode: messages::Mode::Live.into(), ..Default::default() })
            .expect("written");
        let leg = |venue: &str, id: &str, side: Side| Leg {
            venue: venue.to_owned(),
            client_id: id.to_owned(),
            side: side.into(),
            price: 100,
            qty: 2,
            ..Leg::default()
        };
        let legs = vec![leg("mexc", "b", Side::Buy), leg("gateio", "s", Side::Sell)];
        let symbol = "BTC/USDT".to_owned();
        writer.append(now, &Intent { symbol: symbol.clone(), legs, ..Intent::default() }).expect("written");
        for (venue, id, side, price) in [("mexc", "b", Side::Buy, "100"), ("gateio", "s", Side::Sell, "101")]
        {
            let fill = Fill {
                venue: venue.to_owned(),
                symbol: symbol.clone(),
                trade_id: "1".to_owned(),
                order_id: format!("o-{id}"),
                client_id: id.to_owned(),
                side: side.into(),
                price: price.to_owned(),
                qty: "2".to_owned(),
                fees: if id == "b" { fees.to_vec() } else { Vec::new() },
                ..Fill::default()
            };
            writer.append(now, &fill).expect("written");
        }
        let end = ArbitrageEnd {
            name: "b".to_owned(),
            symbol,
            ending: "both_filled".to_owned(),
            quote_change: "2".to_owned(),
            base_change: "0".to_owned(),
            mark: "100".to_owned(),
            left_over: "0".to_owned(),
            ..end
        };
        writer.append(now, &end).expect("written");
        writer.close(now, &SessionEnd::default()).expect("written");
        directory
    }

    fn replayed(directory: &tempfile::TempDir) -> (Result<(), Failure>, String) {
        let mut out = Vec::new();
        let args = JournalArgs { dir: directory.path().to_owned(), json: true };
        let result = run(&args, &mut out);
        (result, String::from_utf8(out).expect("text"))
    }

    #[test]
    fn an_end_that_does_not_follow_from_its_fills_is_a_difference() {
        let (result, said) = replayed(&journal("2"));
        assert_eq!(result, Ok(()), "{said}");
        assert!(said.contains("\"same\":true") && said.contains("\"arbitrages\":1"), "{said}");
        let (result, said) = replayed(&journal("3"));
        assert_eq!(result.map_err(|failure| failure.exit), Err(Exit::CheckFailed), "{said}");
        assert!(said.contains("from its fills b earned 2"), "{said}");
    }

    /// The end of an arbitrage as versions wrote it that did not count fees in other coins (P14): made by hand, field by field.
    #[test]
    fn an_end_of_an_earlier_version_is_read_and_written_as_it_was() {
        const OLD: &str =
            "0a016212084254432f555344541a0b626f74685f66696c6c65642201322a01323201303a033130304201304864";
        let bytes: Vec<u8> = (0..OLD.len() / 2)
            .map(|at| u8::from_str_radix(&OLD[2 * at..2 * at + 2], 16).expect("hexadecimal"))
            .collect();
        let entry = Entry::decode(cex_journal::Kind::ArbitrageEnd, &bytes).expect("a message");
        let Entry::ArbitrageEnd(end) = &entry else { panic!("an end, not {entry:?}") };
        assert_eq!((end.realised.as_str(), end.mark.as_str(), end.edge_e8), ("2", "100", 50));
        assert_eq!((end.other_fee.as_str(), end.other_fees.len()), ("", 0), "of those it says nothing");
        assert_eq!(entry.encode(), bytes);
        let (result, said) = replayed(&written_down(&[], end.clone()));
        assert_eq!(result, Ok(()), "{said}");
        let mut gate = cex_risk::Gate::new(cex_risk::Limits::boundless());
        let mut past = Past::default();
        past.take_in(1, Timestamp::from_secs(1_000), &entry);
        past.history().tell(&mut gate.recall(), &mut crate::run::past::Traded::new([], [])).expect("fits");
        assert_eq!(
            gate.standing(Timestamp::from_secs(1_000)).total,
            Decimal::from(2),
            "and counts as it did"
        );
    }

    #[test]
    fn fees_in_a_third_coin_are_believed_as_to_their_worth_and_worked_out_as_to_their_amount() {
        let fee = |amount: &str| Fee { amount: amount.to_owned(), asset: "MX".to_owned() };
        let end = |realised: &str, other_fee: &str, rows: &[Fee]| ArbitrageEnd {
            realised: realised.to_owned(),
            other_fee: other_fee.to_owned(),
            other_fees: rows.to_vec(),
            ..ArbitrageEnd::default()
        };
        let same = |fees: &[Fee], end| replayed(&written_down(fees, end)).0.is_ok();
        let charged = [fee("0.05")];
        assert!(same(&charged, end("1.8", "0.2", &charged)));
        assert!(same(&charged, end("2", "", &[])), "of a version that did not count them");
        assert!(!same(&charged, end("2", "0.2", &charged)), "stated and not taken off");
        assert!(!same(&charged, end("1.8", "0.2", &[fee("0.04")])), "another amount");
        assert!(!same(&charged, end("1.8", "0.2", &[])), "an amount is missing");
        assert!(!same(&charged, end("2.2", "-0.2", &charged)), "no fee is a gain");
        assert!(!same(&[], end("1.8", "0.2", &[])), "there was none");
        assert!(same(&[], end("2", "0", &[])));
        assert!(!same(&charged, end("1.8", "", &charged)), "rows without their worth");
    }
}
