//! What each venue holds, less what live orders may still spend.
//!
//! Holdings are our own exact ledger: what the account held at the start, moved by every fill once. The exchange's
//! balance messages come in any order relative to fills, so adding the two would count money twice; they are kept
//! beside, and adopted only while no order of ours is live at the venue.

use cex_core::{Asset, ClientOrderId, Decimal, Fill, NumError, Side, Symbol, VenueId};
use rustc_hash::FxHashMap;

/// Why funds could not be reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FundsError {
    /// Not enough.
    Short {
        /// Free holding, in units of the asset.
        free: Decimal,
    },
    /// A number does not fit.
    Number(NumError),
}

impl From<NumError> for FundsError {
    fn from(error: NumError) -> Self {
        Self::Number(error)
    }
}

/// What an order may still spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reservation {
    order: ClientOrderId,
    venue: VenueId,
    asset: Asset,
    amount: Decimal,
}

/// What a venue holds of an asset, and what of it may not be spent: live orders may, or it is locked for somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Holding {
    held: Decimal,
    reserved: Decimal,
    locked: Decimal,
}

impl Holding {
    fn free(self) -> Result<Decimal, NumError> {
        self.held.checked_sub(self.reserved)?.checked_sub(self.locked)
    }
}

/// Holdings and reservations of all venues. Every reservation belongs to one order and goes with it.
///
/// Small flat tables: a decision reads two holdings and writes two reservations, and does so with cold caches.
#[derive(Debug, Clone, Default)]
pub struct Funds {
    /// Holdings of each venue, by venue index.
    venues: Vec<Option<VenueFunds>>,
    /// Reservations of live orders, which are few.
    reservations: Vec<Reservation>,
}

#[derive(Debug, Clone)]
struct VenueFunds {
    venue: VenueId,
    holdings: FxHashMap<Asset, Holding>,
}

impl Funds {
    /// Sets what is held: at the start, or when the exchange's word is adopted.
    pub fn set_held(&mut self, venue: VenueId, asset: Asset, total: Decimal) {
        self.holding_mut(venue, asset).held = total;
    }

    /// What is held.
    #[must_use]
    pub fn held(&self, venue: VenueId, asset: Asset) -> Decimal {
        self.holding(venue, asset).held
    }

    /// Everything held, by venue and asset.
    #[must_use]
    pub fn all_held(&self) -> Vec<(VenueId, Asset, Decimal)> {
        let venues = self.venues.iter().flatten();
        let rows = venues.flat_map(|funds| {
            funds.holdings.iter().map(|(asset, holding)| (funds.venue, *asset, holding.held))
        });
        let mut rows: Vec<_> = rows.collect();
        rows.sort_unstable_by_key(|(venue, asset, _)| (*venue, *asset));
        rows
    }

    /// What live orders may still spend.
    #[must_use]
    pub fn reserved(&self, venue: VenueId, asset: Asset) -> Decimal {
        self.holding(venue, asset).reserved
    }

    /// Held less reserved and locked; may be negative after a surprise.
    pub fn free(&self, venue: VenueId, asset: Asset) -> Result<Decimal, NumError> {
        self.holding(venue, asset).free()
    }

    /// Sets what orders of others lock of each asset at a venue, as the exchange tells it while none of ours is live there: it is
    /// held, and cannot be spent. What is not named is not locked.
    pub fn set_locked(&mut self, venue: VenueId, locked: impl IntoIterator<Item = (Asset, Decimal)>) {
        if let Some(Some(funds)) = self.venues.get_mut(venue.index()) {
            funds.holdings.values_mut().for_each(|holding| holding.locked = Decimal::ZERO);
        }
        for (asset, locked) in locked.into_iter().filter(|(_, locked)| !locked.is_zero()) {
            self.holding_mut(venue, asset).locked = locked;
        }
    }

    /// As [`Self::set_locked`], from an answer that may show a lock of ours still: less may be locked than was known, never more.
    pub fn unlock(&mut self, venue: VenueId, locked: impl IntoIterator<Item = (Asset, Decimal)>) {
        let known = |funds: &Self, asset| funds.holding(venue, asset).locked;
        let less: Vec<_> =
            locked.into_iter().map(|(asset, told)| (asset, told.min(known(self, asset)))).collect();
        self.set_locked(venue, less);
    }

    /// The orders that hold a reservation.
    pub fn orders(&self) -> impl Iterator<Item = ClientOrderId> {
        self.reservations.iter().map(|reservation| reservation.order)
    }

    /// Whether any order of ours at the venue holds a reservation.
    #[must_use]
    pub fn is_busy(&self, venue: VenueId) -> bool {
        self.reservations.iter().any(|reservation| reservation.venue == venue)
    }

    /// Reserves `amount` for an order; `buffer` more must be free, and stays so.
    pub fn reserve(
        &mut self,
        order: ClientOrderId,
        venue: VenueId,
        asset: Asset,
        amount: Decimal,
        buffer: Decimal,
    ) -> Result<(), FundsError> {
        let holding = self.holding_mut(venue, asset);
        let free = holding.free()?;
        if amount.checked_add(buffer)? > free {
            return Err(FundsError::Short { free });
        }
        holding.reserved = holding.reserved.checked_add(amount)?;
        self.reservations.push(Reservation { order, venue, asset, amount });
        Ok(())
    }

    /// The order is over: what it still held is free again.
    pub fn release(&mut self, order: ClientOrderId) -> Result<(), NumError> {
        let Some(at) = self.position(order) else { return Ok(()) };
        let Reservation { venue, asset, amount, .. } = self.reservations.swap_remove(at);
        self.unreserve(venue, asset, amount)
    }

    /// Books a fill: moves both assets and the fee, and takes what was spent out of the order's reservation. The
    /// caller sees to it that a fill is booked once.
    pub fn book(&mut self, symbol: Symbol, fill: &Fill) -> Result<(), NumError> {
        let notional = fill.notional()?;
        let (received, got, spent, gave) = match fill.side {
            Side::Buy => (symbol.base, fill.qty, symbol.quote, notional),
            Side::Sell => (symbol.quote, notional, symbol.base, fill.qty),
        };
        self.move_held(fill.venue, received, got)?;
        self.move_held(fill.venue, spent, gave.negated()?)?;
        for (fee, asset) in fill.fees() {
            self.move_held(fill.venue, asset, fee.negated()?)?;
        }
        let Some(at) = fill.client_id.and_then(|order| self.position(order)) else { return Ok(()) };
        let reservation = &mut self.reservations[at];
        if reservation.asset != spent {
            return Ok(());
        }
        let used = gave.checked_add(fill.fee_in(spent)?)?.min(reservation.amount);
        reservation.amount = reservation.amount.checked_sub(used)?;
        let (venue, asset) = (reservation.venue, reservation.asset);
        self.unreserve(venue, asset, used)
    }

    fn position(&self, order: ClientOrderId) -> Option<usize> {
        self.reservations.iter().position(|reservation| reservation.order == order)
    }

    fn move_held(&mut self, venue: VenueId, asset: Asset, change: Decimal) -> Result<(), NumError> {
        let holding = self.holding_mut(venue, asset);
        holding.held = holding.held.checked_add(change)?;
        Ok(())
    }

    fn unreserve(&mut self, venue: VenueId, asset: Asset, amount: Decimal) -> Result<(), NumError> {
        let holding = self.holding_mut(venue, asset);
        holding.reserved = holding.reserved.checked_sub(amount)?;
        Ok(())
    }

    fn holding(&self, venue: VenueId, asset: Asset) -> Holding {
        let funds = self.venues.get(venue.index()).and_then(Option::as_ref);
        funds.and_then(|funds| funds.holdings.get(&asset)).copied().unwrap_or_default()
    }

    fn holding_mut(&mut self, venue: VenueId, asset: Asset) -> &mut Holding {
        if self.venues.len() <= venue.index() {
            self.venues.resize_with(venue.index() + 1, || None);
        }
        let funds = self.venues[venue.index()]
            .get_or_insert_with(|| VenueFunds { venue, holdings: FxHashMap::default() });
        funds.holdings.entry(asset).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cex_core::{Liquidity, SymbolId, Text, Timestamp};
    use proptest::prelude::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().expect("decimal")
    }

    fn venue() -> VenueId {
        VenueId::new(0, "a").expect("short")
    }

    fn asset(name: &str) -> Asset {
        name.parse().expect("short")
    }

    fn fill(order: ClientOrderId, side: Side, price: &str, qty: &str, fee: &str, fee_asset: &str) -> Fill {
        Fill {
            venue: venue(),
            symbol: SymbolId(0),
            trade_id: Text::new("1").expect("short"),
            order_id: Text::new("1").expect("short"),
            client_id: Some(order),
            side,
            price: decimal(price),
            qty: decimal(qty),
            fee: decimal(fee),
            fee_asset: asset(fee_asset),
            second_fee: None,
            liquidity: Liquidity::Taker,
            exchange_ts: Timestamp::EPOCH,
        }
    }

    #[test]
    fn a_fee_in_two_coins_moves_both() {
        let (symbol, order) = ("BTC/USDT".parse().expect("symbol"), ClientOrderId::new("o1").expect("plain"));
        let mut funds = Funds::default();
        let both = Fill {
            second_fee: Some((decimal("0.3"), asset("GT"))),
            ..fill(order, Side::Buy, "100", "1", "0.001", "BTC")
        };
        assert_eq!(funds.book(symbol, &both), Ok(()));
        let held = ["BTC", "USDT", "GT"].map(|name| funds.held(venue(), asset(name)).to_string());
        assert_eq!(held, ["0.999", "-100", "-0.3"]);
    }

    #[test]
    fn a_buy_moves_both_assets_and_frees_what_it_did_not_spend() {
        let (symbol, order) = ("BTC/USDT".parse().expect("symbol"), ClientOrderId::new("o1").expect("plain"));
        let (usdt, btc) = (asset("USDT"), asset("BTC"));
        let mut funds = Funds::default();
        funds.set_held(venue(), usdt, decimal("1000"));
        assert_eq!(funds.reserve(order, venue(), usdt, decimal("600"), Decimal::ZERO), Ok(()));
        let other = ClientOrderId::new("o2").expect("plain");
        assert_eq!(
            funds.reserve(other, venue(), usdt, decimal("390"), decimal("11")),
            Err(FundsError::Short { free: decimal("400") })
        );
        funds.book(symbol, &fill(order, Side::Buy, "100", "5", "0.005", "BTC")).expect("fits");
        assert_eq!(funds.held(venue(), btc), decimal("4.995"));
        assert_eq!(funds.held(venue(), usdt), decimal("500"));
        assert_eq!(funds.free(venue(), usdt), Ok(decimal("400")));
        funds.release(order).expect("fits");
        assert_eq!(funds.free(venue(), usdt), Ok(decimal("500")));
        assert!(!funds.is_busy(venue()));
    }

    #[test]
    fn what_others_lock_is_held_and_not_free() {
        let (mut funds, [btc, usdt]) =
            (Funds::default(), ["BTC", "USDT"].map(|name| name.parse::<Asset>().expect("short")));
        funds.set_held(venue(), usdt, decimal("600"));
        funds.set_locked(venue(), [(usdt, decimal("500")), (btc, decimal("1"))]);
        let free = |funds: &Funds, asset| funds.free(venue(), asset).expect("small").to_string();
        assert_eq!(
            (funds.held(venue(), usdt), free(&funds, usdt), free(&funds, btc)),
            (decimal("600"), "100".to_owned(), "-1".to_owned())
        );
        let order = ClientOrderId::new("a").expect("plain");
        let short = funds.reserve(order, venue(), usdt, decimal("101"), Decimal::ZERO);
        assert_eq!(short, Err(FundsError::Short { free: decimal("100") }));
        funds.unlock(venue(), [(usdt, decimal("550"))]);
        assert_eq!((free(&funds, usdt), free(&funds, btc)), ("100".to_owned(), "0".to_owned()), "never more");
        funds.unlock(venue(), [(usdt, decimal("200"))]);
        assert_eq!(free(&funds, usdt), "400");
        funds.set_locked(venue(), []);
        assert_eq!(free(&funds, usdt), "600");
    }

    proptest! {
        /// Reservations always sum up, and nothing is created: what moves out of one asset is what moved in the other.
        #[test]
        fn reservations_sum_up(steps in proptest::collection::vec((0u8..4, 0usize..6, 1i64..500), 1..200)) {
            let symbol: Symbol = "A/B".parse().expect("symbol");
            let orders: Vec<_> =
                (0..6).map(|at| ClientOrderId::new(&format!("o{at}")).expect("plain")).collect();
            let mut funds = Funds::default();
            funds.set_held(venue(), symbol.quote, decimal("1000"));
            for (what, which, size) in steps {
                let order = orders[which];
                match what {
                    0 if funds.position(order).is_none() => {
                        let _ = funds.reserve(order, venue(), symbol.quote, Decimal::from(size), Decimal::ZERO);
                    }
                    1 => {
                        let qty = Decimal::new(i128::from(size), 2).to_string();
                        funds.book(symbol, &fill(order, Side::Buy, "2", &qty, "0", "B")).expect("fits");
                    }
                    _ => funds.release(order).expect("fits"),
                }
                let sum = funds
                    .reservations
                    .iter()
                    .try_fold(Decimal::ZERO, |sum, held| sum.checked_add(held.amount))
                    .expect("fits");
                prop_assert_eq!(funds.reserved(venue(), symbol.quote), sum);
                let value = funds
                    .held(venue(), symbol.base)
                    .checked_mul(decimal("2"))
                    .and_then(|value| value.checked_add(funds.held(venue(), symbol.quote)));
                prop_assert_eq!(value, Ok(decimal("1000")));
            }
        }
    }
}
