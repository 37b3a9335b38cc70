//! One JSON object per line, for scripts.

use super::{Names, Show, Told};
use cex_core::Timestamp;
use cex_engine::Notice;
use serde::Serialize;
use std::io::Write;

/// Writes JSON lines.
pub struct Json<W> {
    names: Names,
    out: W,
    quiet: bool,
}

impl<W: Write> Json<W> {
    /// Writes to `out`; with `quiet` the summary only.
    pub const fn new(names: Names, out: W, quiet: bool) -> Self {
        Self { names, out, quiet }
    }
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line<'a> {
    Link {
        ts: String,
        venue: &'a str,
        state: &'a str,
    },
    BookLive {
        ts: String,
        venue: &'a str,
        symbol: String,
    },
    BookLost {
        ts: String,
        venue: &'a str,
        symbol: String,
    },
    Opportunity {
        ts: String,
        symbol: String,
        buy: &'a str,
        sell: &'a str,
        gross_bps: String,
        net_bps: String,
        profit: String,
        life_ms: u64,
        verdict: String,
    },
    Started {
        ts: String,
        id: u64,
        symbol: String,
        buy: &'a str,
        sell: &'a str,
        qty: String,
        buy_limit: String,
        sell_limit: String,
        net_bps: String,
        expected: String,
    },
    OrderEnded {
        ts: String,
        id: u64,
        venue: &'a str,
        status: String,
        filled: String,
    },
    Finished {
        ts: String,
        id: u64,
        symbol: String,
        ending: &'a str,
        expected: String,
        realised: String,
        took_us: u64,
    },
    Tripped {
        ts: String,
        rule: &'static str,
        what: String,
    },
    Alarm {
        ts: String,
        what: &'a str,
    },
}

impl<W: Write + Send> Show for Json<W> {
    fn tell(&mut self, told: &Told) -> std::io::Result<()> {
        let text = match told {
            Told::Notice(..) | Told::Link(..) if self.quiet => return Ok(()),
            Told::Notice(at, notice) => match line(&self.names, *at, notice) {
                Some(line) => sonic_rs::to_string(&line),
                None => return Ok(()),
            },
            Told::Link(at, venue, state) => {
                sonic_rs::to_string(&Line::Link { ts: at.to_string(), venue, state })
            }
            Told::Status(_) => return Ok(()),
            Told::Summary(summary) => sonic_rs::to_string(summary),
        };
        writeln!(self.out, "{}", text.map_err(std::io::Error::other)?)?;
        self.out.flush()
    }
}

/// A notice as a line; none for what is meant for the next run.
fn line<'a>(names: &'a Names, at: Timestamp, notice: &'a Notice) -> Option<Line<'a>> {
    let ts = at.to_string();
    Some(match notice {
        Notice::BookLive { venue, symbol } => {
            Line::BookLive { ts, venue: names.venue(venue.index()), symbol: names.symbol(*symbol) }
        }
        Notice::BookLost { venue, symbol } => {
            Line::BookLost { ts, venue: names.venue(venue.index()), symbol: names.symbol(*symbol) }
        }
        Notice::Opportunity { symbol, opportunity, ended_at } => Line::Opportunity {
            ts,
            symbol: names.symbol(*symbol),
            buy: names.venue(opportunity.best.buy),
            sell: names.venue(opportunity.best.sell),
            gross_bps: opportunity.best.gross.to_string(),
            net_bps: opportunity.net().to_string(),
            profit: opportunity.profit.to_string(),
            life_ms: u64::try_from(opportunity.lifetime(*ended_at).as_millis()).unwrap_or(u64::MAX),
            verdict: opportunity.verdict.name(),
        },
        Notice::Started { id, plan } => {
            let scale = names.symbols.get(&plan.symbol).map(|(_, scale)| *scale);
            let price = |price| scale.map_or_else(String::new, |scale| scale.price_value(price).to_string());
            Line::Started {
                ts,
                id: id.0,
                symbol: names.symbol(plan.symbol),
                buy: names.venue(plan.buy.venue.index()),
                sell: names.venue(plan.sell.venue.index()),
                qty: scale.map_or_else(String::new, |scale| scale.qty_value(plan.buy.qty).to_string()),
                buy_limit: price(plan.buy.limit),
                sell_limit: price(plan.sell.limit),
                net_bps: plan.net_edge.to_string(),
                expected: plan.expected.to_string(),
            }
        }
        Notice::OrderEnded { id, venue, status, filled } => Line::OrderEnded {
            ts,
            id: id.0,
            venue: names.venue(venue.index()),
            status: status.to_string(),
            filled: filled.to_string(),
        },
        Notice::Finished(outcome) => Line::Finished {
            ts,
            id: outcome.id.0,
            symbol: names.symbol(outcome.symbol),
            ending: outcome.ending.name(),
            expected: outcome.plan.expected.to_string(),
            realised: outcome.realised.to_string(),
            took_us: u64::try_from(outcome.times.1.since(outcome.times.0).as_micros()).unwrap_or(u64::MAX),
        },
        Notice::Alarm(what) => Line::Alarm { ts, what },
        Notice::Tripped(trip) => Line::Tripped { ts, rule: trip.rule, what: names.trip(trip) },
        Notice::HeldAlready { .. } | Notice::Noted(_) => return None,
    })
}
