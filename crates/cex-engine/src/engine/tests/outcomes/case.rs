//! A case in words.

use std::fmt;

/// What becomes of a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All of it fills, in two parts.
    Full,
    /// Three fifths fill.
    Part,
    /// All but a rest that no venue trades.
    Almost,
    /// It is accepted and finds nothing.
    Nothing,
    /// The exchange refuses it.
    Refused,
    /// It never leaves us.
    NotSent,
    /// Its answer is lost; it filled.
    LostAndFilled,
    /// Its answer is lost; it never arrived.
    LostAndAbsent,
    /// It is told to have ended with nothing; when all is over a fill of all of it comes.
    FilledLate,
}

impl Outcome {
    pub(super) const ALL: [Self; 9] = [
        Self::Full,
        Self::Part,
        Self::Almost,
        Self::Nothing,
        Self::Refused,
        Self::NotSent,
        Self::LostAndFilled,
        Self::LostAndAbsent,
        Self::FilledLate,
    ];

    const fn words(self) -> &'static str {
        match self {
            Self::Full => "fills whole",
            Self::Part => "fills three fifths",
            Self::Almost => "fills all but a sliver",
            Self::Nothing => "fills nothing",
            Self::Refused => "is refused",
            Self::NotSent => "is not sent",
            Self::LostAndFilled => "is lost sight of and has filled",
            Self::LostAndAbsent => "is lost sight of and never arrived",
            Self::FilledLate => "fills after all is over",
        }
    }
}

/// In which order news come, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// All of the buy, then all of the sale: answer, fills, end.
    BuyFirst,
    /// All of the sale, then all of the buy: end, fills backwards, answer.
    SellFirstBackwards,
    /// In turns, each twice, fills before answers and without our name of the order.
    NamelessInTurns,
    /// Nothing by the stream: answers, and what is asked for.
    OnlyAsked,
}

impl News {
    pub(super) const ALL: [Self; 4] =
        [Self::BuyFirst, Self::SellFirstBackwards, Self::NamelessInTurns, Self::OnlyAsked];

    const fn words(self) -> &'static str {
        match self {
            Self::BuyFirst => "news of the buy first",
            Self::SellFirstBackwards => "news of the sale first, backwards",
            Self::NamelessInTurns => "news in turns, twice, fills first and nameless",
            Self::OnlyAsked => "the streams mute",
        }
    }
}

/// What fees are taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fees {
    /// In quote.
    Quote,
    /// In what is received.
    Received,
    /// In the exchange's own coin.
    Third,
}

impl Fees {
    pub(super) const ALL: [Self; 3] = [Self::Quote, Self::Received, Self::Third];

    const fn words(self) -> &'static str {
        match self {
            Self::Quote => "fees in quote",
            Self::Received => "fees in what is received",
            Self::Third => "fees in a third coin",
        }
    }
}

/// What becomes of closing orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closings {
    /// They fill whole.
    Taken,
    /// The first fills two fifths, the others whole.
    TakenInTwo,
    /// They find nothing.
    Refused,
}

impl Closings {
    pub(super) const ALL: [Self; 3] = [Self::Taken, Self::TakenInTwo, Self::Refused];

    const fn words(self) -> &'static str {
        match self {
            Self::Taken => "closing orders fill",
            Self::TakenInTwo => "closing orders fill in two",
            Self::Refused => "closing orders find nothing",
        }
    }
}

/// One case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Case {
    /// Of the buy and of the sale.
    pub(super) legs: [Outcome; 2],
    pub(super) news: News,
    pub(super) fees: Fees,
    pub(super) closings: Closings,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [buy, sell] = self.legs.map(Outcome::words);
        let (news, fees, closings) = (self.news.words(), self.fees.words(), self.closings.words());
        write!(f, "the buy {buy}, the sale {sell}, {news}, {fees}, {closings}")
    }
}
