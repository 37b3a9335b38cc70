//! What is traded: well-known coins with the decimals their markets have, then made-up ones.
//!
//! Prices are starting points, in USDT; none of them is meant to be right.

use super::config::{Grid, VenueConfig};
use crate::matching::MarketRules;
use cex_core::{Decimal, Qty, Scale, Symbol};

/// What pays for everything.
pub(super) const QUOTE: &str = "USDT";

/// How a coin trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Tight, deep, fast.
    Major,
    /// In between.
    Mid,
    /// Wide, thin, slow.
    Small,
}

/// Decimals of price and quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Decimals {
    price: u8,
    qty: u8,
}

/// A coin of the catalogue.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Coin {
    name: String,
    pub(super) price: f64,
    pub(super) class: Class,
    mexc: Decimals,
    gateio: Decimals,
}

/// Name, price, class, then price and quantity decimals at MEXC and at Gate.io.
///
/// `PEPE` has a tick of 1e-9. `BABYDOGE` is worth about 1e-9 altogether, so that its orders count in 1e12 and more.
const COINS: [(&str, f64, Class, [u8; 4]); 24] = [
    ("BTC", 64_210.0, Class::Major, [2, 6, 1, 5]),
    ("ETH", 3_150.0, Class::Major, [2, 5, 2, 4]),
    ("SOL", 152.4, Class::Major, [2, 4, 2, 3]),
    ("BNB", 588.0, Class::Major, [2, 4, 1, 3]),
    ("XRP", 0.5213, Class::Major, [5, 2, 4, 1]),
    ("DOGE", 0.12345, Class::Mid, [5, 2, 5, 0]),
    ("ADA", 0.3842, Class::Mid, [4, 2, 4, 1]),
    ("AVAX", 27.41, Class::Mid, [3, 2, 2, 2]),
    ("LINK", 13.24, Class::Mid, [3, 2, 3, 1]),
    ("DOT", 5.618, Class::Mid, [4, 2, 3, 2]),
    ("LTC", 71.52, Class::Mid, [2, 4, 2, 3]),
    ("PEPE", 0.000_009_123, Class::Mid, [9, 2, 9, 0]),
    ("BABYDOGE", 0.000_000_001_052_3, Class::Small, [13, 0, 12, 0]),
    ("TRX", 0.1362, Class::Mid, [5, 2, 4, 1]),
    ("TON", 5.431, Class::Mid, [4, 2, 3, 2]),
    ("NEAR", 4.627, Class::Small, [4, 2, 3, 1]),
    ("UNI", 7.914, Class::Small, [3, 3, 3, 2]),
    ("APT", 8.136, Class::Small, [3, 2, 3, 2]),
    ("ARB", 0.7123, Class::Small, [4, 2, 4, 1]),
    ("SUI", 1.834, Class::Small, [4, 2, 4, 1]),
    ("OP", 1.623, Class::Small, [4, 2, 3, 1]),
    ("FIL", 3.812, Class::Small, [3, 2, 3, 2]),
    ("ATOM", 4.705, Class::Small, [3, 2, 3, 2]),
    ("BCH", 352.3, Class::Small, [2, 4, 1, 3]),
];

/// Coins whose names or states clients stumble over: not of ASCII letters alone, not for the API, paused, to be sold only,
/// without a least size. Name and price.
const ODD: [(&str, f64); 6] = [
    ("龙虾", 0.0123),
    ("GOLD(PAXG)", 2_640.0),
    (NOT_FOR_API, 1.21),
    (PAUSED, 0.987),
    (SELL_ONLY, 3.45),
    (ANY_SIZE, 0.456),
];
/// A coin that is listed and may not be traded over the API.
pub(crate) const NOT_FOR_API: &str = "NOAPI";
/// A coin that does not trade now.
pub(crate) const PAUSED: &str = "PAUSED";
/// A coin that may only be sold.
pub(crate) const SELL_ONLY: &str = "SELLONLY";
/// A coin without a least size of an order.
const ANY_SIZE: &str = "ANYSIZE";

/// The first `count` coins, and odd ones behind them if they are wanted.
pub(super) fn coins(count: usize, has_odd: bool) -> Vec<Coin> {
    let odd = ODD.iter().filter(|_| has_odd).map(|(name, price)| {
        let decimals = Decimals { price: 4, qty: 2 };
        Coin {
            name: (*name).to_owned(),
            price: *price,
            class: Class::Small,
            mexc: decimals,
            gateio: decimals,
        }
    });
    usual(count).into_iter().chain(odd).collect()
}

fn usual(count: usize) -> Vec<Coin> {
    let known = COINS.iter().map(|(name, price, class, decimals)| {
        let [mexc_price, mexc_qty, gateio_price, gateio_qty] = *decimals;
        Coin {
            name: (*name).to_owned(),
            price: *price,
            class: *class,
            mexc: Decimals { price: mexc_price, qty: mexc_qty },
            gateio: Decimals { price: gateio_price, qty: gateio_qty },
        }
    });
    known.chain((COINS.len()..).map(made_up)).take(count).collect()
}

/// A coin that does not exist: `SIM0042`. Its price is of one of six magnitudes, with four to five digits at MEXC and
/// sometimes one less at Gate.io; a lot is worth some cents.
fn made_up(number: usize) -> Coin {
    let magnitude = number % 6;
    let whole = 1_000 + number * 7_919 % 9_000;
    // 0.001 to 100 and up: `whole` has four digits, and `magnitude` puts the point.
    let price_dp = 7 - magnitude as u8;
    let price = whole as f64 / pow10(price_dp - 1);
    let qty_dp = magnitude.saturating_sub(1) as u8;
    let coarser = u8::from(number.is_multiple_of(3));
    Coin {
        name: format!("SIM{number:04}"),
        price,
        class: Class::Small,
        mexc: Decimals { price: price_dp, qty: qty_dp + 1 },
        gateio: Decimals { price: price_dp - coarser, qty: qty_dp },
    }
}

impl Coin {
    /// The coin's symbol.
    pub(super) fn symbol(&self) -> Symbol {
        Symbol::new(&self.name, QUOTE).expect("names of the catalogue are short")
    }

    const fn decimals(&self, grid: Grid) -> Decimals {
        match grid {
            Grid::Mexc => self.mexc,
            Grid::Gateio => self.gateio,
        }
    }

    /// The rules of the coin's market at a venue.
    pub(super) fn rules(&self, venue: &VenueConfig) -> MarketRules {
        let decimals = self.decimals(venue.grid);
        MarketRules {
            symbol: self.symbol(),
            scale: Scale::new(decimals.price, decimals.qty).expect("decimals of the catalogue are few"),
            min_qty: self.min_qty(decimals),
            min_notional: Decimal::from(i64::from(venue.min_notional)),
            maker_fee: venue.maker_fee,
            taker_fee: venue.taker_fee,
            buy_fee: venue.buy_fee,
        }
    }

    /// The least power of ten of lots that is worth ten cents.
    fn min_qty(&self, decimals: Decimals) -> Qty {
        if self.name == ANY_SIZE {
            return Qty::ZERO;
        }
        let mut lots = 1;
        while lots as f64 * self.price / pow10(decimals.qty) < 0.1 {
            lots *= 10;
        }
        Qty(lots)
    }

    /// As much of the coin as is worth `value`, in whole lots of the venue.
    pub(super) fn worth(&self, value: f64, venue: &VenueConfig) -> Decimal {
        let qty_dp = self.decimals(venue.grid).qty;
        Decimal::new((value / self.price * pow10(qty_dp)) as i128, qty_dp)
    }

    /// The coin's price in ticks of the venue.
    pub(super) fn price_in_ticks(&self, venue: &VenueConfig) -> f64 {
        self.price * pow10(self.decimals(venue.grid).price)
    }

    /// How many lots of the venue are worth one unit of quote.
    pub(super) fn lots_per_quote(&self, venue: &VenueConfig) -> f64 {
        pow10(self.decimals(venue.grid).qty) / self.price
    }
}

fn pow10(dp: u8) -> f64 {
    10f64.powi(i32::from(dp))
}
