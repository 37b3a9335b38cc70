//! Every outcome of the one leg with every outcome of the other, in every order of news and every way to charge fees: money
//! is exact in each (G7). And every order in which the news of an order can come: the end is the same (G8).
//!
//! | module | what |
//! |---|---|
//! | `case` | a case in words |
//! | `market` | the exchanges that bring it about, and their own ledger |
//! | `course` | a case from the crossing to its end |
//! | `orders_of_news` | permutations, duplicates and losses |

mod case;
mod course;
mod market;
mod orders_of_news;

use case::{Case, Closings, Fees, News, Outcome};
use course::Course;

#[test]
fn every_pair_of_leg_outcomes_leaves_the_ledgers_exact() {
    let mut cases = 0;
    let mut wrong = Vec::new();
    for buy in Outcome::ALL {
        for sell in Outcome::ALL {
            for news in News::ALL {
                for fees in Fees::ALL {
                    cases += 1;
                    // Each with a market that takes closing orders whole, in part, and not at all.
                    for closings in Closings::ALL {
                        let case = Case { legs: [buy, sell], news, fees, closings };
                        wrong.extend(Course::run(case).map(|what| format!("{case}: {what}")));
                    }
                }
            }
        }
    }
    assert_eq!(cases, 972);
    let shown: Vec<_> = wrong.iter().take(10).map(String::as_str).collect();
    assert!(wrong.is_empty(), "{} things are wrong, the first of them:\n{}", wrong.len(), shown.join("\n"));
}

/// The oracle is no echo of the engine: what it reckons for cases worked out by hand.
#[test]
fn the_ledger_of_the_exchanges_is_right() {
    let of = |legs, fees, closings| {
        let course = Course::to_the_end(Case { legs, news: News::BuyFirst, fees, closings });
        (course.ending(), course.market.ledger.profit().to_string())
    };
    let both = [Outcome::Full, Outcome::Full];
    // Bought 3 at 100.10 and 2 at 100.05, sold 3 at 101.00 and 2 at 101.10: 4.80, less 0.2502 and 0.5052.
    assert_eq!(of(both, Fees::Quote, Closings::Taken), ("both_filled", "4.0446".to_owned()));
    // The fee of the buy is 0.0025 of the coin, which is worth 0.25025.
    assert_eq!(of(both, Fees::Received, Closings::Taken), ("both_filled", "4.04455".to_owned()));
    // In a coin without a book it counts as if it had been taken in quote.
    assert_eq!(of(both, Fees::Third, Closings::Taken), ("both_filled", "4.0446".to_owned()));
    let one = [Outcome::Full, Outcome::Nothing];
    // 5 bought for 500.4 stay; they are worth 100.10 each, less a fee of 0.2502.
    assert_eq!(of(one, Fees::Third, Closings::Refused), ("parked", "-0.1502".to_owned()));
    // ... and are sold at 100.90 for a fee of 0.5045.
    assert_eq!(of(one, Fees::Third, Closings::Taken), ("unwound", "3.3453".to_owned()));
}
