//! Plain lines, for pipes and logs: what was traded, what was lost, and the summary.

use super::summary::Summary;
use super::{Names, Show, Told};
use cex_engine::Notice;
use std::io::Write;

/// Writes plain lines.
pub struct Lines<W> {
    names: Names,
    out: W,
    quiet: bool,
    /// Opportunities are shown one by one: nothing else happens in a run that only looks.
    opportunities: bool,
}

impl<W: Write> Lines<W> {
    /// Writes to `out`; with `quiet` the summary only.
    pub const fn new(names: Names, out: W, quiet: bool) -> Self {
        Self { names, out, quiet, opportunities: false }
    }

    /// Shows opportunities too, each with what became of it.
    #[must_use]
    pub fn with_opportunities(self) -> Self {
        Self { opportunities: true, ..self }
    }

    fn notice(&mut self, ts: &str, notice: &Notice) -> std::io::Result<()> {
        let names = &self.names;
        match notice {
            Notice::BookLost { venue, symbol } => {
                writeln!(
                    self.out,
                    "{ts}  {:<8} {:<12} book lost",
                    names.venue(venue.index()),
                    names.symbol(*symbol)
                )
            }
            Notice::Finished(outcome) => writeln!(
                self.out,
                "{ts}  #{:<5} {:<12} {} -> {}  net {:>7.2} bps  {:<11}  expected {:.6}  realised {:.6}  in {:.1} ms",
                outcome.id.0,
                names.symbol(outcome.symbol),
                names.venue(outcome.plan.buy.venue.index()),
                names.venue(outcome.plan.sell.venue.index()),
                outcome.plan.net_edge,
                outcome.ending.name(),
                outcome.plan.expected,
                outcome.realised,
                outcome.times.1.since(outcome.times.0).as_secs_f64() * 1e3,
            ),
            Notice::Alarm(what) => writeln!(self.out, "{ts}  ALARM {what}: nothing new is opened"),
            Notice::Tripped(trip) => writeln!(self.out, "{ts}  {}", names.trip(trip)),
            Notice::Opportunity { symbol, opportunity, ended_at } if self.opportunities => writeln!(
                self.out,
                "{ts}  {:<12} {} -> {}  net {:>7.2} bps  profit {:.6}  seen {:.1} ms  {}",
                names.symbol(*symbol),
                names.venue(opportunity.best.buy),
                names.venue(opportunity.best.sell),
                opportunity.net(),
                opportunity.profit,
                opportunity.lifetime(*ended_at).as_secs_f64() * 1e3,
                opportunity.verdict.name(),
            ),
            // Too many for people; `--json` has them all.
            Notice::BookLive { .. }
            | Notice::Opportunity { .. }
            | Notice::Started { .. }
            | Notice::OrderEnded { .. }
            | Notice::HeldAlready { .. }
            | Notice::Noted(_) => Ok(()),
        }
    }
}

impl<W: Write + Send> Show for Lines<W> {
    fn tell(&mut self, told: &Told) -> std::io::Result<()> {
        match told {
            Told::Summary(summary) => {
                write_summary(&mut self.out, summary)?;
                self.out.flush()
            }
            Told::Notice(..) | Told::Link(..) | Told::Status(_) if self.quiet => Ok(()),
            Told::Notice(at, notice) => self.notice(&at.to_string(), notice),
            Told::Link(at, venue, state) => writeln!(self.out, "{at}  {venue:<8} {state}"),
            Told::Status(_) => Ok(()),
        }
    }
}

/// The summary for people.
pub fn write_summary(out: &mut impl Write, summary: &Summary) -> std::io::Result<()> {
    writeln!(
        out,
        "\n{}: ran {:.1} s with seed {}",
        summary.run,
        summary.elapsed_ms as f64 / 1e3,
        summary.seed
    )?;
    writeln!(out, "\n  exchange      frames  book updates   gaps  resyncs  reconnects  books live")?;
    for (name, row) in &summary.exchanges {
        writeln!(
            out,
            "  {name:<10} {:>9} {:>13} {:>6} {:>8} {:>11} {:>11}",
            row.frames, row.book_updates, row.gaps, row.resyncs, row.reconnects, row.books_live
        )?;
    }
    writeln!(out, "\n  opportunities")?;
    for (verdict, count) in &summary.opportunities {
        writeln!(out, "    {verdict:<24} {count:>8}")?;
    }
    let arbitrages = &summary.arbitrages;
    writeln!(
        out,
        "\n  arbitrages     {} started, {} both filled, {} unwound, {} none filled, {} withheld, {} dust, {} parked, \
         {} unknown, {} leftovers swept",
        arbitrages.started,
        arbitrages.both_filled,
        arbitrages.unwound,
        arbitrages.none_filled,
        arbitrages.withheld,
        arbitrages.dust,
        arbitrages.parked,
        arbitrages.unknown,
        arbitrages.swept
    )?;
    writeln!(out, "  profit, expected   {}", summary.pnl_expected)?;
    writeln!(out, "  profit, realised   {}", summary.pnl_realised)?;
    if summary.pnl_other_fees != "0" {
        writeln!(out, "  fees, other coins  {}", summary.pnl_other_fees)?;
    }
    if let (Some(ledger), Some(difference)) = (&summary.pnl_ledger, &summary.pnl_difference) {
        writeln!(out, "  profit, by ledger  {ledger}")?;
        writeln!(out, "  difference         {difference}")?;
    }
    for mismatch in &summary.ledger_mismatches {
        writeln!(
            out,
            "  DIFFERS  {} {}: we hold {}, the exchange says {}",
            mismatch.venue, mismatch.asset, mismatch.ours, mismatch.theirs
        )?;
    }
    for venue in &summary.ledgers_unread {
        writeln!(out, "  not compared       {venue}: its account could not be read")?;
    }
    if summary.alarms > 0 {
        writeln!(out, "  ALARMS             {}", summary.alarms)?;
    }
    writeln!(out, "\n  latency, µs              count      p50      p90      p99    p99.9      max")?;
    for (name, row) in &summary.latency_ns {
        let micros = |nanos: u64| nanos as f64 / 1e3;
        writeln!(
            out,
            "    {name:<22} {:>6} {:>8.1} {:>8.1} {:>8.1} {:>8.1} {:>8.1}",
            row.count,
            micros(row.p50),
            micros(row.p90),
            micros(row.p99),
            micros(row.p99_9),
            micros(row.max)
        )?;
    }
    if summary.lines_dropped > 0 {
        writeln!(out, "\n  {} lines were dropped because the terminal was slow", summary.lines_dropped)?;
    }
    Ok(())
}
