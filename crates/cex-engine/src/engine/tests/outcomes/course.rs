//! A case from the crossing to its end, and what must hold then.

use super::super::*;
use super::case::{Case, Closings, Fees, News, Outcome};
use super::market::{Made, Market};
use std::collections::BTreeSet;

/// One piece of news of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    /// What comes of placing it.
    Answer,
    /// A report on the way: the first fill, or none if it has none, is counted.
    OnTheWay,
    /// One of its fills.
    Fill(usize),
    /// The report of its end.
    End,
}

/// Everything ends within this: expiry, lag and questions about what was lost, then closing orders.
const OVER_WITHIN: Duration = Duration::from_secs(20);

/// A case on its way.
pub(super) struct Course {
    case: Case,
    stage: Stage,
    pub(super) market: Market,
    pub(super) legs: [Made; 2],
    commands: VecDeque<Command>,
    notices: Vec<Notice>,
    /// Everything that was sent.
    sent: Vec<ClientOrderId>,
    /// Fills told so far, and how often one was told again.
    told: BTreeSet<(usize, String)>,
    told_again: u64,
    /// What the ledger came to when the arbitrage was over, and what was not level by it then.
    profit_at_end: Option<Decimal>,
    left_at_end: Decimal,
    late: u64,
    nameless: bool,
}

impl Course {
    /// The whole case; what is wrong at its end.
    pub(super) fn run(case: Case) -> Option<String> {
        Self::to_the_end(case).wrong()
    }

    /// The whole case.
    pub(super) fn to_the_end(case: Case) -> Self {
        let mut course = Self::begin(case);
        let [buy, sell] = [0, 1].map(|leg| course.pieces(&course.legs[leg].clone()));
        match case.news {
            News::BuyFirst | News::OnlyAsked => {
                course.tell_all(0, &buy);
                course.tell_all(1, &sell);
            }
            News::SellFirstBackwards => {
                course.tell_all(1, &sell);
                course.tell_all(0, &buy);
            }
            News::NamelessInTurns => {
                for at in 0..buy.len().max(sell.len()) {
                    for (leg, pieces) in [(0, &buy), (1, &sell)] {
                        let piece = pieces.get(at).copied();
                        course.tell_all(leg, &[piece, piece].into_iter().flatten().collect::<Vec<_>>());
                    }
                }
            }
        }
        course.finish();
        course
    }

    /// Both legs are sent, nothing is told yet.
    pub(super) fn begin(case: Case) -> Self {
        let mut stage = Stage::ready();
        let [buy, sell] = stage.cross();
        let mut market = Market::new(case.fees);
        let legs = [market.leg(buy, case.legs[0]), market.leg(sell, case.legs[1])];
        Self {
            case,
            market,
            legs,
            commands: VecDeque::new(),
            notices: std::mem::take(&mut stage.out.notices),
            sent: vec![buy.client_id, sell.client_id],
            stage,
            told: BTreeSet::new(),
            told_again: 0,
            profit_at_end: None,
            left_at_end: Decimal::ZERO,
            late: 0,
            nameless: case.news == News::NamelessInTurns,
        }
    }

    /// The news of an order in the order of the case.
    fn pieces(&self, made: &Made) -> Vec<Piece> {
        let fills = (0..made.fills.len()).map(Piece::Fill);
        match self.case.news {
            News::OnlyAsked => vec![Piece::Answer],
            _any if !made.arrived => vec![Piece::Answer],
            News::BuyFirst => [Piece::Answer].into_iter().chain(fills).chain([Piece::End]).collect(),
            News::SellFirstBackwards => {
                [Piece::End].into_iter().chain(fills.rev()).chain([Piece::Answer]).collect()
            }
            News::NamelessInTurns => fills.chain([Piece::Answer, Piece::End]).collect(),
        }
    }

    /// Tells pieces of news of a leg.
    pub(super) fn tell_all(&mut self, leg: usize, pieces: &[Piece]) {
        let (made, outcome) = (self.legs[leg].clone(), self.case.legs[leg]);
        pieces.iter().for_each(|piece| self.tell(&made, outcome, *piece));
    }

    fn tell(&mut self, made: &Made, outcome: Outcome, piece: Piece) {
        let (client_id, order_id) = (made.request.client_id, order_id(&made.request));
        let venue = made.request.venue;
        match piece {
            Piece::Answer => match outcome {
                Outcome::Refused => {
                    self.feed(Event::PlaceFailed { client_id, outcome: CallOutcome::Refused });
                }
                Outcome::NotSent => {
                    self.feed(Event::PlaceFailed { client_id, outcome: CallOutcome::NotSent });
                }
                Outcome::LostAndFilled | Outcome::LostAndAbsent => {
                    self.feed(Event::PlaceFailed { client_id, outcome: CallOutcome::Unknown });
                }
                Outcome::Full | Outcome::Part | Outcome::Almost | Outcome::Nothing | Outcome::FilledLate => {
                    self.feed(Event::Placed { client_id, order_id, order: None });
                }
            },
            Piece::OnTheWay => {
                let filled = made.fills.first().map_or(Decimal::ZERO, |fill| fill.qty);
                let order = made.told_as(self.stage.now, OrderStatus::PartiallyFilled, filled);
                self.feed(Event::Account { venue, event: &AccountEvent::Order(order) });
            }
            Piece::Fill(at) => {
                let client_id = made.fills[at].client_id.filter(|_| !self.nameless);
                let fill = Fill { client_id, ..made.fills[at] };
                self.count(&fill);
                self.feed(Event::Account { venue, event: &AccountEvent::Fill(fill) });
            }
            Piece::End => {
                let order = made.told(self.stage.now);
                self.feed(Event::Account { venue, event: &AccountEvent::Order(order) });
            }
        }
    }

    fn count(&mut self, fill: &Fill) {
        let new = self.told.insert((fill.venue.index(), fill.trade_id.to_string()));
        self.told_again += u64::from(!new);
    }

    fn feed(&mut self, event: Event<'_>) {
        let commands = self.stage.feed(event);
        self.take(commands);
    }

    fn take(&mut self, commands: Vec<Command>) {
        self.commands.extend(commands);
        self.notices.append(&mut self.stage.out.notices);
    }

    /// Does what is wanted, answers what is asked, and lets time pass until all is over; then late fills come.
    pub(super) fn finish(&mut self) {
        let until = self.stage.now + OVER_WITHIN;
        self.act();
        while !self.stage.engine.is_idle() && self.stage.now < until {
            self.pass();
        }
        self.profit_at_end = Some(self.market.ledger.profit());
        self.left_at_end = self.market.ledger.left_over();
        let late = self.market.fill_late();
        for fill in late {
            self.late += 1;
            self.count(&fill);
            self.feed(Event::Account { venue: fill.venue, event: &AccountEvent::Fill(fill) });
        }
        // Nothing may come after the end.
        let until = self.stage.now + Duration::from_secs(2);
        while self.stage.now < until {
            self.pass();
        }
    }

    fn pass(&mut self) {
        let commands = self.stage.pass(50);
        self.take(commands);
        self.act();
    }

    fn act(&mut self) {
        while let Some(command) = self.commands.pop_front() {
            match command {
                Command::Open { legs } => self.sent.extend(legs.map(|leg| leg.get().client_id)),
                Command::Close { order, .. } => {
                    let order = order.into_inner();
                    self.sent.push(order.client_id);
                    let made = self.market.closing(order, self.case.closings);
                    let pieces = self.pieces(&made);
                    pieces.iter().for_each(|piece| self.tell(&made, Outcome::Full, *piece));
                }
                Command::QueryOrder { client_id, asked_at, .. } => {
                    let order = self.market.order(client_id).filter(|made| made.arrived);
                    let order = order.map(|made| made.told(self.stage.now));
                    self.feed(Event::OrderRead { client_id, asked_at, order: order.as_ref() });
                }
                Command::QueryFills { client_id, .. } => {
                    let fills = self.market.order(client_id).map_or(vec![], |made| made.fills.clone());
                    fills.iter().for_each(|fill| self.count(fill));
                    self.feed(Event::FillsRead { client_id, fills: &fills });
                }
                Command::QueryTrades { venue, client_id, asked_at, .. } => {
                    let at_venue = self.market.made.iter().filter(|made| made.request.venue == venue);
                    let fills: Vec<_> = at_venue.flat_map(|made| made.fills.clone()).collect();
                    let asked_of = fills.iter().filter(|fill| fill.client_id == Some(client_id));
                    asked_of.for_each(|fill| self.count(fill));
                    self.feed(Event::TradesRead { client_id, asked_at, fills: &fills, whole: true });
                }
                // Neither books nor accounts change but by what is told here.
                Command::FetchBook { .. } | Command::Resubscribe { .. } | Command::ReadAccount { .. } => {}
            }
        }
    }

    /// How the arbitrage must end, and with how many closing orders, by what the exchanges made of its legs.
    fn expected(&self) -> (Ending, usize) {
        let [bought, sold] = [0, 1].map(|leg| self.legs[leg].told);
        let charged = match self.case.fees {
            // 5 bps of what was bought at a.
            Fees::Received => bought.checked_mul(decimal("0.0005")).expect("fits"),
            Fees::Quote | Fees::Third => Decimal::ZERO,
        };
        let received = bought.checked_sub(charged).expect("fits");
        let left = received.checked_sub(sold).and_then(Decimal::abs).expect("fits");
        let left = left.checked_mul(decimal("100.10")).expect("fits");
        if bought == sold {
            let ending = if !bought.is_zero() {
                Ending::BothFilled
            } else if self.case.legs == [Outcome::NotSent; 2] {
                Ending::Withheld
            } else {
                Ending::NoneFilled
            };
            return (ending, 0);
        }
        // One quote is the least that is traded.
        if left < Decimal::ONE {
            return (Ending::Dust, 0);
        }
        match self.case.closings {
            Closings::Taken => (Ending::Unwound, 1),
            Closings::TakenInTwo => (Ending::Unwound, 2),
            Closings::Refused => (Ending::Parked, 3),
        }
    }

    /// How it ended.
    pub(super) fn ending(&self) -> &'static str {
        self.finished().map_or("not at all", |outcome| outcome.ending.name())
    }

    fn finished(&self) -> Option<&crate::execute::Outcome> {
        self.notices.iter().find_map(|notice| match notice {
            Notice::Finished(outcome) => Some(&**outcome),
            _other => None,
        })
    }

    /// What does not hold at the end, in words.
    pub(super) fn wrong(&self) -> Option<String> {
        let (ending, closings) = self.expected();
        let Some(finished) = self.finished() else { return Some("it never ended".to_owned()) };
        let view = self.stage.view();
        let totals = &view.totals;
        let count = |wanted: fn(&Notice) -> bool| self.notices.iter().filter(|notice| wanted(notice)).count();
        let ended = BTreeMap::from([(ending, 1)]);
        let started = u64::from(ending != Ending::Withheld);
        let sent: BTreeSet<_> = self.sent.iter().collect();
        let none: Vec<String> = vec![];
        differs("ending", &ended, &totals.ended)
            .or_else(|| differs("times its end was told", &1, &count(|n| matches!(n, Notice::Finished(_)))))
            .or_else(|| differs("ending told", &ending, &finished.ending))
            .or_else(|| differs("left over", &self.left_at_end, &finished.left_over))
            .or_else(|| differs("too much is left over", &false, &self.left_too_much(ending)))
            .or_else(|| differs("dust", &self.left_at_end, &self.stage.engine.standing(self.stage.now).dust))
            .or_else(|| differs("profit at the end", &self.profit_at_end, &Some(finished.realised)))
            .or_else(|| differs("profit in all", &self.market.ledger.profit(), &totals.realised))
            .or_else(|| differs("holdings", &self.market.ledger.held(), &self.holdings()))
            .or_else(|| differs("reservations", &none, &self.reserved()))
            .or_else(|| differs("closing orders", &closings, &(self.sent.len() - 2)))
            .or_else(|| differs("orders, none sent twice", &sent.len(), &self.sent.len()))
            .or_else(|| differs("ends of orders", &none, &self.wrong_ends()))
            .or_else(|| differs("arbitrages started", &started, &totals.started))
            .or_else(|| differs("late fills", &self.late, &totals.late_fills))
            .or_else(|| differs("alarms", &self.late, &totals.alarms))
            .or_else(|| differs("openings stopped", &(self.late > 0), &view.killed))
            .or_else(|| differs("fills told again", &self.told_again, &totals.duplicate_fills))
            .or_else(|| differs("fills of nobody", &0, &totals.foreign_fills))
            .or_else(|| differs("on the way", &(0, 0), &(view.open, view.unknown)))
    }

    /// Whether more stays than what no venue trades, though it could have been traded away.
    fn left_too_much(&self, ending: Ending) -> bool {
        ending != Ending::Parked && self.left_at_end >= Decimal::ONE
    }

    fn holdings(&self) -> BTreeMap<(usize, String), Decimal> {
        let held = self.stage.engine.holdings().into_iter();
        held.map(|(venue, asset, held)| ((venue.index(), asset.to_string()), held)).collect()
    }

    /// What is still kept for orders.
    fn reserved(&self) -> Vec<String> {
        let funds = self.stage.engine.gate.funds();
        let venues = [0, 1].map(|index| self.stage.venue(index)).into_iter();
        venues
            .flat_map(|venue| {
                let busy = funds.is_busy(venue).then(|| format!("an order of {venue}"));
                let coins = ["USDT", "BTC", "MX"].into_iter().filter_map(move |coin| {
                    let reserved = funds.reserved(venue, asset(coin));
                    (!reserved.is_zero()).then(|| format!("{reserved} {coin} at {venue}"))
                });
                busy.into_iter().chain(coins)
            })
            .collect()
    }

    /// Orders whose end was not told once, or with another quantity than the exchange told.
    fn wrong_ends(&self) -> Vec<String> {
        let mut told: Vec<_> = self
            .notices
            .iter()
            .filter_map(|notice| match notice {
                Notice::OrderEnded { venue, filled, .. } => Some((*venue, *filled)),
                _other => None,
            })
            .collect();
        let mut made: Vec<_> = self.market.made.iter().map(|made| (made.request.venue, made.told)).collect();
        told.sort_unstable();
        made.sort_unstable();
        if told == made { vec![] } else { vec![format!("{told:?} told of {made:?}")] }
    }
}

/// What differs, in words.
fn differs<T: PartialEq + std::fmt::Debug>(what: &str, expected: &T, found: &T) -> Option<String> {
    (expected != found).then(|| format!("{what}: {expected:?} expected, {found:?} found"))
}
