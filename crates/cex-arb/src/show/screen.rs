//! The live view on a terminal: calm, redrawn a few times a second, nothing by colour alone.

use super::lines::write_summary;
use super::{Names, Show, Status, Told, Wish};
use crate::log;
use cex_core::{Decimal, Timestamp};
use cex_engine::{Notice, Opportunity, Outcome, Verdict};
use crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Cell, Paragraph, Row, Table};
use ratatui::{DefaultTerminal, Frame};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

/// Lines kept of opportunities and arbitrages: more than any terminal shows.
const KEPT: usize = 200;
/// Time between redraws.
const REDRAW: Duration = Duration::from_millis(200);
/// A second press so soon after the first means it.
const MEANT: Duration = Duration::from_secs(3);

/// How long whoever ends the program at once waits for a terminal.
const PATIENCE: Duration = Duration::from_millis(500);

/// Whether a screen has the terminal.
static HELD: AtomicBool = AtomicBool::new(false);

/// Gives the terminal back for whoever ends the program at once, from any thread: otherwise it stays raw, and why it ended stays in the
/// log's file. One that stands still is not waited for: what must end does so.
pub fn give_back() {
    if !HELD.swap(false, Ordering::SeqCst) {
        return;
    }
    let (done, given) = sync_channel(1);
    let gives = std::thread::Builder::new().spawn(move || {
        // There is nobody to tell if that fails; and whoever waited may have gone on.
        let _ = ratatui::try_restore();
        let _ = done.send(());
    });
    if gives.is_ok() {
        let _ = given.recv_timeout(PATIENCE);
    }
    log::show();
}

/// The live view.
pub struct Screen {
    names: Names,
    terminal: Option<DefaultTerminal>,
    drawn_at: Instant,
    status: Option<Box<Status>>,
    opportunities: VecDeque<(Timestamp, String, Opportunity)>,
    arbitrages: VecDeque<Box<Outcome>>,
    news: String,
    keys: Keys,
}

impl Screen {
    /// Takes the terminal over; given back at the summary or when dropped. Logs go into `log_file` meanwhile.
    pub fn new(names: Names, log_file: Option<&Path>) -> std::io::Result<Self> {
        let terminal = ratatui::try_init()?;
        HELD.store(true, Ordering::SeqCst);
        log::hide(log_file);
        Ok(Self {
            names,
            terminal: Some(terminal),
            drawn_at: Instant::now(),
            status: None,
            opportunities: VecDeque::new(),
            arbitrages: VecDeque::new(),
            news: "connecting".to_owned(),
            keys: Keys::default(),
        })
    }

    fn take(&mut self, at: Timestamp, notice: &Notice) {
        match notice {
            Notice::Opportunity { symbol, opportunity, .. } => {
                // Crossings that fees eat come by the hundred; the funnel counts them.
                if opportunity.verdict != Verdict::BelowEdge {
                    self.opportunities.push_front((at, self.names.symbol(*symbol), *opportunity));
                    self.opportunities.truncate(KEPT);
                }
            }
            Notice::Finished(outcome) => {
                self.arbitrages.push_front(outcome.clone());
                self.arbitrages.truncate(KEPT);
            }
            Notice::BookLost { venue, symbol } => {
                self.news =
                    format!("{} {} book lost", self.names.venue(venue.index()), self.names.symbol(*symbol));
            }
            Notice::Tripped(trip) => self.news = self.names.trip(trip),
            Notice::Alarm(what) => self.news = format!("ALARM {what}: nothing new is opened"),
            Notice::BookLive { .. }
            | Notice::Started { .. }
            | Notice::OrderEnded { .. }
            | Notice::HeldAlready { .. }
            | Notice::Noted(_) => {}
        }
    }

    fn draw(&mut self) -> std::io::Result<()> {
        // Nothing is drawn over the reason of an end.
        if !HELD.load(Ordering::SeqCst) {
            return Ok(());
        }
        let Some(mut terminal) = self.terminal.take() else { return Ok(()) };
        let drawn = terminal.draw(|frame| self.render(frame)).map(|_| ());
        self.terminal = Some(terminal);
        self.drawn_at = Instant::now();
        drawn
    }

    fn render(&self, frame: &mut Frame<'_>) {
        let venues = u16::try_from(self.names.venues.len()).unwrap_or(2);
        let logged = log::hidden();
        let [head, exchanges, middle, funnel, last_log, foot] = Layout::vertical([
            Constraint::Length(1),
            Constraint::Length(venues + 3),
            Constraint::Min(6),
            Constraint::Length(4),
            Constraint::Length(u16::from(logged.lines > 0)),
            Constraint::Length(1),
        ])
        .areas(frame.area());
        let [left, right] =
            Layout::horizontal([Constraint::Percentage(50), Constraint::Percentage(50)]).areas(middle);
        frame.render_widget(self.head(), head);
        self.exchanges(frame, exchanges);
        self.opportunity_list(frame, left);
        self.arbitrage_list(frame, right);
        frame.render_widget(self.funnel(), funnel);
        frame.render_widget(Line::from(format!(" log {}: {}", logged.lines, logged.text)), last_log);
        frame.render_widget(Line::from(format!(" {}    {}", self.keys.help(), self.news)), foot);
    }

    fn head(&self) -> Line<'_> {
        let Some(status) = &self.status else { return Line::from(format!(" {}", self.names.title)) };
        let totals = &status.engine.totals;
        let state = match (status.halted, status.engine.killed) {
            (true, _) => "  HALTED: no openings",
            // Whoever drains a run has halted nothing.
            (false, true) => "  draining: no openings",
            (false, false) => "",
        };
        Line::from(format!(
            " {}   {:>4} s   profit {:.4} realised, {:.4} expected   open {}   unknown {}{state}",
            self.names.title,
            status.uptime.as_secs(),
            totals.realised,
            totals.expected,
            status.engine.open,
            status.engine.unknown,
        ))
        .style(Style::default().add_modifier(Modifier::BOLD))
    }

    fn exchanges(&self, frame: &mut Frame<'_>, area: Rect) {
        let head = Row::new(["exchange", "books", "frames", "updates", "gaps", "resyncs", "account"]);
        let rows = self.status.iter().flat_map(|status| {
            status.engine.venues.iter().map(|venue| {
                let frames = status.frames.get(venue.venue.index()).copied().unwrap_or(0);
                Row::new([
                    Cell::from(venue.venue.to_string()),
                    Cell::from(format!("{}/{} live", venue.books_live.0, venue.books_live.1)),
                    Cell::from(frames.to_string()),
                    Cell::from(venue.updates.to_string()),
                    Cell::from(venue.gaps.to_string()),
                    Cell::from(venue.resyncs.to_string()),
                    Cell::from(if venue.account_ready { "ready" } else { "not ready" }),
                ])
            })
        });
        let widths = [10, 12, 10, 10, 6, 8, 10].map(Constraint::Length);
        frame.render_widget(table(rows, head, &widths, " exchanges "), area);
    }

    fn opportunity_list(&self, frame: &mut Frame<'_>, area: Rect) {
        let head = Row::new(["symbol", "buy > sell", "net bps", "life ms", "verdict"]);
        let rows = self.opportunities.iter().map(|(ended_at, symbol, opportunity)| {
            Row::new([
                Cell::from(symbol.clone()),
                Cell::from(self.pair(opportunity.best.buy, opportunity.best.sell)),
                Cell::from(format!("{:.2}", opportunity.net().as_f64())),
                Cell::from(opportunity.lifetime(*ended_at).as_millis().to_string()),
                Cell::from(opportunity.verdict.name()),
            ])
        });
        let widths = [
            Constraint::Length(12),
            Constraint::Length(16),
            Constraint::Length(8),
            Constraint::Length(8),
            Constraint::Min(10),
        ];
        frame.render_widget(table(rows, head, &widths, " opportunities after fees "), area);
    }

    fn arbitrage_list(&self, frame: &mut Frame<'_>, area: Rect) {
        let head = Row::new(["#", "symbol", "ending", "expected", "realised", "ms"]);
        let rows = self.arbitrages.iter().map(|outcome| {
            let took = outcome.times.1.since(outcome.times.0).as_secs_f64() * 1e3;
            Row::new([
                Cell::from(outcome.id.0.to_string()),
                Cell::from(self.names.symbol(outcome.symbol)),
                Cell::from(outcome.ending.name()),
                Cell::from(money(outcome.plan.expected)),
                Cell::from(money(outcome.realised)),
                Cell::from(format!("{took:.1}")),
            ])
        });
        let widths = [
            Constraint::Length(6),
            Constraint::Length(12),
            Constraint::Length(12),
            Constraint::Length(10),
            Constraint::Length(10),
            Constraint::Min(6),
        ];
        frame.render_widget(table(rows, head, &widths, " arbitrages "), area);
    }

    fn funnel(&self) -> Paragraph<'_> {
        let Some(status) = &self.status else { return Paragraph::default() };
        let totals = &status.engine.totals;
        let verdicts: Vec<_> = totals
            .opportunities
            .iter()
            .map(|(verdict, count)| format!("{} {count}", verdict.name()))
            .collect();
        let latency: Vec<_> = status
            .latency
            .iter()
            .map(|(name, row)| format!("{name} {:.1}/{:.1}", row.p50 as f64 / 1e3, row.p99 as f64 / 1e3))
            .collect();
        Paragraph::new(vec![
            Line::from(format!(" {}", verdicts.join("   "))),
            Line::from(format!(" µs p50/p99: {}", latency.join("   "))),
        ])
        .block(Block::bordered().title(" funnel and latency "))
    }

    fn pair(&self, buy: usize, sell: usize) -> String {
        format!("{} > {}", self.names.venue(buy), self.names.venue(sell))
    }

    fn release(&mut self) {
        if self.terminal.take().is_some() && HELD.swap(false, Ordering::SeqCst) {
            ratatui::restore();
            log::show();
        }
    }
}

impl Show for Screen {
    fn tell(&mut self, told: &Told) -> std::io::Result<()> {
        match told {
            Told::Notice(at, notice) => self.take(*at, notice),
            Told::Link(_, venue, state) => self.news = format!("{venue} {state}"),
            Told::Status(status) => self.status = Some(status.clone()),
            Told::Summary(summary) => {
                self.release();
                return write_summary(&mut std::io::stdout().lock(), summary);
            }
        }
        if self.drawn_at.elapsed() >= REDRAW { self.draw() } else { Ok(()) }
    }

    fn idle(&mut self) -> std::io::Result<Option<Wish>> {
        if self.drawn_at.elapsed() >= REDRAW {
            self.draw()?;
        }
        while event::poll(Duration::ZERO)? {
            let Event::Key(key) = event::read()? else { continue };
            if key.kind == KeyEventKind::Press
                && let Some(wish) = self.keys.press(Instant::now(), key.code, key.modifiers)
            {
                self.news = match wish {
                    Wish::Quit => "draining".to_owned(),
                    Wish::Interrupt => "draining; Ctrl-C once more ends at once".to_owned(),
                    Wish::Kill => "KILL SWITCH: nothing new is opened".to_owned(),
                };
                return Ok(Some(wish));
            }
        }
        Ok(None)
    }
}

/// What was pressed so far.
#[derive(Debug, Default)]
struct Keys {
    /// The kill switch was asked for once: a second time means it.
    kill_at: Option<Instant>,
}

impl Keys {
    fn press(&mut self, now: Instant, code: KeyCode, modifiers: KeyModifiers) -> Option<Wish> {
        // The terminal is in raw mode, so Ctrl-C arrives as a key and not as a signal.
        let interrupt = code == KeyCode::Char('c') && modifiers.contains(KeyModifiers::CONTROL);
        let asked = std::mem::take(&mut self.kill_at).is_some_and(|at| now.duration_since(at) <= MEANT);
        match code {
            _ if interrupt => Some(Wish::Interrupt),
            KeyCode::Char('q') | KeyCode::Esc => Some(Wish::Quit),
            KeyCode::Char('k') if asked => Some(Wish::Kill),
            KeyCode::Char('k') => {
                self.kill_at = Some(now);
                None
            }
            _other => None,
        }
    }

    /// What the keys do now.
    fn help(&self) -> &'static str {
        if self.kill_at.is_some_and(|at| at.elapsed() <= MEANT) {
            "k again: KILL SWITCH"
        } else {
            "q quits and drains   k k kill switch"
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.release();
    }
}

fn money(value: Decimal) -> String {
    format!("{value:.5}")
}

fn table<'a>(
    rows: impl Iterator<Item = Row<'a>>,
    head: Row<'a>,
    widths: &[Constraint],
    title: &'static str,
) -> Table<'a> {
    Table::new(rows, widths.to_vec())
        .header(head.style(Style::default().add_modifier(Modifier::DIM)))
        .block(Block::bordered().title(title))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kill_switch_is_two_strokes_and_nothing_else_between_them() {
        let start = Instant::now();
        let mut keys = Keys::default();
        let mut press = |millis, code| {
            keys.press(start + Duration::from_millis(millis), KeyCode::Char(code), KeyModifiers::NONE)
        };
        assert_eq!(press(0, 'k'), None, "one may be a slip");
        assert_eq!(press(900, 'k'), Some(Wish::Kill));
        assert_eq!(press(1_000, 'k'), None, "it takes two again");
        assert_eq!(press(4_001, 'k'), None, "too late");
        assert_eq!((press(4_100, 'x'), press(4_200, 'k')), (None, None), "something else came between");
        assert_eq!(press(4_300, 'q'), Some(Wish::Quit));
        let interrupt = keys.press(start, KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(interrupt, Some(Wish::Interrupt));
    }
}
