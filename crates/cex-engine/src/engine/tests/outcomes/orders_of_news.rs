//! News of an order in every order, one of them twice, one of them lost: the end is the same, and it is the exchange's (G8).

use super::case::{Case, Closings, Fees, News, Outcome};
use super::course::{Course, Piece};

/// Five pieces of news of an order with two fills.
const FIVE: [Piece; 5] = [Piece::Answer, Piece::OnTheWay, Piece::Fill(0), Piece::Fill(1), Piece::End];
/// As the exchange made them, without the report on the way.
const FOUR: [Piece; 4] = [Piece::Answer, Piece::Fill(0), Piece::Fill(1), Piece::End];

fn case(legs: [Outcome; 2], news: News) -> Case {
    Case { legs, news, fees: Fees::Received, closings: Closings::TakenInTwo }
}

/// The next of a row's orders, each once also when it has equal members; whether there is one.
fn next_order(row: &mut [usize]) -> bool {
    let Some(at) = row.windows(2).rposition(|pair| pair[0] < pair[1]) else { return false };
    let larger = row.iter().rposition(|member| *member > row[at]).unwrap_or(at + 1);
    row.swap(at, larger);
    row[at + 1..].reverse();
    true
}

/// The rows to put in order: all five, one twice, one lost, one lost and another twice.
fn rows() -> Vec<Vec<usize>> {
    let twice_or_not = |row: Vec<usize>| {
        let twice = row.clone().into_iter().map(move |again| [row.clone(), vec![again]].concat());
        twice.collect::<Vec<_>>()
    };
    let all: Vec<usize> = (0..FIVE.len()).collect();
    let lost = all.iter().map(|lost| all.iter().copied().filter(|one| one != lost).collect::<Vec<_>>());
    let mut rows = vec![all.clone()];
    rows.extend(twice_or_not(all.clone()));
    for row in lost {
        rows.push(row.clone());
        rows.extend(twice_or_not(row));
    }
    rows.iter_mut().for_each(|row| row.sort_unstable());
    rows
}

fn every_order_of_news(outcome: Outcome, other_first: bool, nameless: bool) {
    let news = if nameless { News::NamelessInTurns } else { News::BuyFirst };
    let case = case([outcome, Outcome::Full], news);
    let mut orders = 0;
    for mut row in rows() {
        loop {
            orders += 1;
            let pieces: Vec<_> = row.iter().map(|at| FIVE[*at]).collect();
            let mut course = Course::begin(case);
            if other_first {
                course.tell_all(1, &FOUR);
            }
            course.tell_all(0, &pieces);
            if !other_first {
                course.tell_all(1, &FOUR);
            }
            course.finish();
            let wrong = course.wrong();
            assert!(wrong.is_none(), "{case}; of the buy come {pieces:?}: {}", wrong.unwrap_or_default());
            if !next_order(&mut row) {
                break;
            }
        }
    }
    // 5!, five times 6!/2, five times 4!, twenty times 5!/2.
    assert_eq!(orders, 120 + 5 * 360 + 5 * 24 + 20 * 60);
}

#[test]
fn news_of_an_order_that_fills_come_in_any_order() {
    every_order_of_news(Outcome::Full, true, false);
}

#[test]
fn news_of_an_order_that_fills_in_part_come_in_any_order() {
    every_order_of_news(Outcome::Part, false, false);
}

#[test]
fn news_of_an_order_without_our_name_come_in_any_order() {
    every_order_of_news(Outcome::Part, true, true);
}

#[test]
fn news_of_an_order_that_was_lost_sight_of_come_in_any_order() {
    every_order_of_news(Outcome::LostAndFilled, false, false);
}

#[test]
fn news_of_both_legs_come_in_any_order() {
    let case = case([Outcome::Part, Outcome::Full], News::BuyFirst);
    // Three of the four pieces of each leg, whichever is lost, mixed in all orders.
    for lost in FOUR {
        let pieces: Vec<_> = FOUR.into_iter().filter(|piece| *piece != lost).collect();
        let mut row: Vec<usize> = (0..6).collect();
        let mut orders = 0;
        loop {
            orders += 1;
            let mut course = Course::begin(case);
            row.iter().for_each(|at| course.tell_all(at / 3, &[pieces[at % 3]]));
            course.finish();
            let wrong = course.wrong();
            let come = || row.iter().map(|at| (["buy", "sale"][at / 3], pieces[at % 3])).collect::<Vec<_>>();
            assert!(wrong.is_none(), "{case}; come {:?}: {}", come(), wrong.unwrap_or_default());
            if !next_order(&mut row) {
                break;
            }
        }
        assert_eq!(orders, 720);
    }
}
