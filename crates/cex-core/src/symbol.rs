//! What is traded and where: assets, symbols, venues, and the rules of each market.

use crate::decimal::Decimal;
use crate::num::{Bps, Notional, NumError, Price, Qty, Scale};
use crate::text::{Text, TextError};
use crate::time::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::str::FromStr;

/// A coin by its ticker, upper case: `BTC`. The same ticker on two exchanges need not be the same coin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Asset(Text<23>);

impl Asset {
    /// An asset of this name, upper-cased where ASCII.
    pub fn new(name: &str) -> Result<Self, TextError> {
        if name.bytes().any(|byte| byte.is_ascii_lowercase()) {
            return Text::new(&name.to_ascii_uppercase()).map(Self);
        }
        Text::new(name).map(Self)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for Asset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Asset {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        Self::new(text)
    }
}

/// A base asset priced in a quote asset, spelt `BTC/USDT` everywhere outside adapters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol {
    /// Asset that is bought and sold.
    pub base: Asset,
    /// Asset that prices are given and paid in.
    pub quote: Asset,
}

/// Why a text is not a symbol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SymbolError {
    /// No slash, or nothing on one side of it.
    #[error("symbol {0:?} is not of the form BASE/QUOTE, e.g. BTC/USDT")]
    NotAPair(String),
    /// An asset's name does not fit.
    #[error("symbol {0:?}: {1}")]
    Asset(String, TextError),
}

impl Symbol {
    /// The symbol of these two asset names.
    pub fn new(base: &str, quote: &str) -> Result<Self, SymbolError> {
        let asset = |name: &str| Asset::new(name).map_err(|error| SymbolError::Asset(name.to_owned(), error));
        if base.is_empty() || quote.is_empty() {
            return Err(SymbolError::NotAPair(format!("{base}/{quote}")));
        }
        Ok(Self { base: asset(base)?, quote: asset(quote)? })
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.width().is_some() {
            return f.pad(&format!("{}/{}", self.base, self.quote));
        }
        write!(f, "{}/{}", self.base, self.quote)
    }
}

impl FromStr for Symbol {
    type Err = SymbolError;

    fn from_str(text: &str) -> Result<Self, SymbolError> {
        match text.split_once('/') {
            Some((base, quote)) if !quote.contains('/') => Self::new(base, quote),
            _ => Err(SymbolError::NotAPair(text.to_owned())),
        }
    }
}

/// One configured account on an exchange: a small index for tables and a name for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VenueId {
    index: u8,
    name: Text<14>,
}

impl VenueId {
    /// The venue with this position in every table of venues, called `name`.
    pub fn new(index: u8, name: &str) -> Result<Self, TextError> {
        Ok(Self { index, name: Text::new(name)? })
    }

    /// The position in tables of venues.
    #[must_use]
    pub const fn index(self) -> usize {
        self.index as usize
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_str()
    }
}

impl fmt::Display for VenueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

/// A symbol's position in every table of symbols, the same on all venues of one program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SymbolId(pub u32);

impl SymbolId {
    /// As an index.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Which orders a market takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TradingStatus {
    /// Both sides.
    Trading,
    /// Only buying (a listing window).
    BuyOnly,
    /// Only selling (a delisting window).
    SellOnly,
    /// Nothing: suspended, not yet open, or offline.
    Halted,
}

/// An exchange's trading rules for one symbol, in exact decimals, as the exchange states them.
///
/// Units: prices and notionals in quote, quantities in base, fees as rates. Source: the adapter's symbols endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SymbolInfo {
    /// The symbol.
    pub symbol: Symbol,
    /// The exchange's own spelling: `BTCUSDT`, `BTC_USDT`.
    pub native: Text<31>,
    /// Which sides may be traded now.
    pub status: TradingStatus,
    /// Whether orders may be placed over the API at all; books may stream even when not.
    pub api_tradable: bool,
    /// A warning flag of the exchange (special treatment, likely delisting): do not open positions.
    pub risk_flagged: bool,
    /// Smallest price step.
    pub tick: Decimal,
    /// Smallest quantity step.
    pub lot: Decimal,
    /// Decimals of a price.
    pub price_dp: u8,
    /// Decimals of an order's quantity.
    pub lot_dp: u8,
    /// Least quantity of an order; zero when the exchange names none.
    pub min_qty: Decimal,
    /// Least notional of an order; zero when the exchange names none.
    pub min_notional: Decimal,
    /// Largest quantity of an order.
    pub max_qty: Option<Decimal>,
    /// Largest notional of an order.
    pub max_notional: Option<Decimal>,
    /// How far above the last price a buy may be, and below it a sell, as fractions.
    pub price_band: Option<(Decimal, Decimal)>,
    /// List fee of resting orders; the account's own fee may differ.
    pub maker_fee: Bps,
    /// List fee of taking orders; the account's own fee may differ.
    pub taker_fee: Bps,
    /// When trading begins, if that is still to come or known.
    pub opens_at: Option<Timestamp>,
    /// When the symbol will be delisted, if announced.
    pub delists_at: Option<Timestamp>,
}

impl SymbolInfo {
    /// The scale these rules alone would choose.
    pub fn scale(&self) -> Result<Scale, NumError> {
        Scale::for_market(self.price_dp, self.lot_dp).ok_or(NumError::TooFine)
    }

    /// Whether both sides may be traded over the API now.
    #[must_use]
    pub fn is_tradable(&self) -> bool {
        self.api_tradable && self.status == TradingStatus::Trading
    }
}

/// A symbol at a venue with its rules as integers of the symbol's [`Scale`]: what the hot path works with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Market {
    /// Venue the symbol is traded at.
    pub venue: VenueId,
    /// Number of the symbol, the same at all venues.
    pub id: SymbolId,
    /// The scale shared by all venues of the symbol.
    pub scale: Scale,
    /// Price step, at least one unit.
    pub tick: Price,
    /// Quantity step, at least one unit.
    pub lot: Qty,
    /// Least quantity of an order, rounded up to a lot.
    pub min_qty: Qty,
    /// Least notional of an order.
    pub min_notional: Notional,
    /// Largest quantity of an order; the largest integer when the exchange names none.
    pub max_qty: Qty,
    /// Largest notional of an order; the largest integer when the exchange names none.
    pub max_notional: Notional,
    /// The rules these were made from.
    pub info: SymbolInfo,
}

impl Market {
    /// Expresses `info` in `scale`; an error when a step is finer than the scale or a limit does not fit.
    pub fn new(venue: VenueId, id: SymbolId, info: SymbolInfo, scale: Scale) -> Result<Self, NumError> {
        let tick = scale.price(info.tick)?;
        let lot = Qty(info.lot.to_scaled(scale.qty_dp(), None)?);
        if tick.0 <= 0 || lot.0 <= 0 {
            return Err(NumError::TooFine);
        }
        let min_qty =
            Qty(info.min_qty.to_scaled(scale.qty_dp(), Some(crate::decimal::Rounding::Ceil))?.max(lot.0))
                .ceil_to(lot)
                .ok_or(NumError::Overflow)?;
        let notional_dp = scale.price_dp() + scale.qty_dp();
        let min_notional =
            Notional(info.min_notional.to_scaled_wide(notional_dp, Some(crate::decimal::Rounding::Ceil))?);
        // A limit beyond our range binds nothing, so it saturates instead of failing.
        let max_qty =
            info.max_qty.map_or(Qty(i64::MAX), |max| scale.qty(max).unwrap_or(Qty(i64::MAX))).floor_to(lot);
        let max_notional = info
            .max_notional
            .map_or(Notional(i128::MAX), |max| scale.notional(max).unwrap_or(Notional(i128::MAX)));
        Ok(Self { venue, id, scale, tick, lot, min_qty, min_notional, max_qty, max_notional, info })
    }

    /// The symbol.
    #[must_use]
    pub fn symbol(&self) -> Symbol {
        self.info.symbol
    }

    /// The exchange's spelling of the symbol.
    #[must_use]
    pub fn native(&self) -> &str {
        self.info.native.as_str()
    }
}

/// All markets of one venue: by [`SymbolId`], by symbol, and by the exchange's spelling.
#[derive(Debug, Clone, Default)]
pub struct Markets {
    markets: Vec<Market>,
    by_id: Vec<Option<u32>>,
    by_symbol: BTreeMap<Symbol, u32>,
    by_native: HashMap<Box<[u8]>, u32, BuildHasherDefault<NameHasher>>,
}

impl Markets {
    /// A table of these markets. A later market with the same id, symbol or spelling replaces the earlier one.
    #[must_use]
    pub fn new(markets: Vec<Market>) -> Self {
        let mut table = Self::default();
        for market in markets {
            let index = u32::try_from(table.markets.len()).unwrap_or(u32::MAX);
            if table.by_id.len() <= market.id.index() {
                table.by_id.resize(market.id.index() + 1, None);
            }
            table.by_id[market.id.index()] = Some(index);
            table.by_symbol.insert(market.symbol(), index);
            table.by_native.insert(market.native().as_bytes().into(), index);
            table.markets.push(market);
        }
        table
    }

    /// The market with this id.
    #[must_use]
    pub fn get(&self, id: SymbolId) -> Option<&Market> {
        let index = (*self.by_id.get(id.index())?)?;
        self.markets.get(index as usize)
    }

    /// The market of this symbol.
    #[must_use]
    pub fn by_symbol(&self, symbol: Symbol) -> Option<&Market> {
        self.markets.get(*self.by_symbol.get(&symbol)? as usize)
    }

    /// The market the exchange spells like this. No allocation; a few nanoseconds.
    #[must_use]
    pub fn by_native(&self, native: &[u8]) -> Option<&Market> {
        self.markets.get(*self.by_native.get(native)? as usize)
    }

    /// All markets, in the order given.
    pub fn iter(&self) -> impl Iterator<Item = &Market> {
        self.markets.iter()
    }

    /// How many markets there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.markets.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.markets.is_empty()
    }
}

/// Hash of short names. The keys come from the exchange's own symbol list and the table never grows from the wire,
/// so resistance against chosen keys is not needed, and looking a symbol up is on the path of every frame.
#[derive(Debug, Clone, Copy, Default)]
struct NameHasher(u64);

impl NameHasher {
    const fn mix(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.mix(u64::from_le_bytes(last));
    }

    fn write_usize(&mut self, len: usize) {
        self.mix(len as u64);
    }

    fn finish(&self) -> u64 {
        // The table takes its control bits from the top, where a multiplication leaves the best-mixed ones.
        self.0 ^ (self.0 >> 32)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn info(symbol: &str, native: &str, price_dp: u8, lot_dp: u8) -> SymbolInfo {
        SymbolInfo {
            symbol: symbol.parse().expect("symbol"),
            native: Text::new(native).expect("short"),
            status: TradingStatus::Trading,
            api_tradable: true,
            risk_flagged: false,
            tick: Decimal::new(1, price_dp),
            lot: Decimal::new(1, lot_dp),
            price_dp,
            lot_dp,
            min_qty: Decimal::ZERO,
            min_notional: Decimal::from(1),
            max_qty: None,
            max_notional: None,
            price_band: None,
            maker_fee: Bps::ZERO,
            taker_fee: Bps::from_bps(5),
            opens_at: None,
            delists_at: None,
        }
    }

    #[test]
    fn symbols_parse_and_refuse() {
        let symbol: Symbol = "btc/USDT".parse().expect("a symbol");
        assert_eq!(symbol.to_string(), "BTC/USDT");
        assert_eq!("龙虾/USDT".parse::<Symbol>().expect("CJK").to_string(), "龙虾/USDT");
        for bad in ["BTCUSDT", "/USDT", "BTC/", "", "A/B/C"] {
            assert!(bad.parse::<Symbol>().is_err(), "{bad}");
        }
    }

    #[test]
    fn markets_are_found_by_every_name() {
        let venue = VenueId::new(0, "gateio").expect("short");
        let markets: Vec<_> = [("BTC/USDT", "BTC_USDT", 1, 6), ("ETH/USDT", "ETH_USDT", 2, 4)]
            .iter()
            .zip([7, 2])
            .map(|((symbol, native, price_dp, lot_dp), id)| {
                let info = info(symbol, native, *price_dp, *lot_dp);
                let scale = info.scale().expect("fits");
                Market::new(venue, SymbolId(id), info, scale).expect("rules fit")
            })
            .collect();
        let table = Markets::new(markets);
        let btc = table.get(SymbolId(7)).expect("by id");
        assert_eq!(btc.native(), "BTC_USDT");
        assert_eq!(btc.lot, Qty(100));
        assert_eq!(table.by_native(b"ETH_USDT").map(|market| market.id), Some(SymbolId(2)));
        assert_eq!(table.by_symbol(btc.symbol()).map(|market| market.id), Some(SymbolId(7)));
        assert!(table.by_native(b"ETH_USDTX").is_none() && table.get(SymbolId(3)).is_none());
        assert_eq!(table.len(), 2);
    }

    #[test]
    fn a_step_finer_than_the_scale_is_refused() {
        let venue = VenueId::new(0, "x").expect("short");
        let info = info("BTC/USDT", "BTCUSDT", 4, 4);
        let coarse = Scale::new(2, 8).expect("fits");
        assert_eq!(Market::new(venue, SymbolId(0), info, coarse), Err(NumError::TooFine));
    }
}
