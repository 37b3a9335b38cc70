//! What the bytes of an order say, and whether that is what was approved (R36).
//!
//! An adapter writes orders with one piece of code and reads them back, from the bytes as they go to the socket, with
//! another that shares nothing with it. What the two do not agree on never leaves.

use cex_core::{Decimal, Market, OrderKind, OrderRequest, Side, TimeInForce};
use std::borrow::Cow;

/// A placement of one limit order as its bytes say it. Texts are as they stand there, without what the wire wraps them in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenOrder<'a> {
    /// The exchange's spelling of the symbol.
    pub symbol: Cow<'a, [u8]>,
    /// Buy or sell.
    pub side: Side,
    /// Time in force.
    pub tif: TimeInForce,
    /// Limit price, plain decimal digits.
    pub price: &'a [u8],
    /// Base quantity, likewise.
    pub qty: &'a [u8],
    /// Our identifier, without the exchange's prefix.
    pub client_id: &'a [u8],
}

impl WrittenOrder<'_> {
    /// What the bytes say otherwise than was approved; nothing when they agree to the last digit, or when the approved order
    /// is no limit order, of which nothing is compared.
    #[must_use]
    pub fn differs(&self, market: &Market, order: &OrderRequest) -> Option<&'static str> {
        let OrderKind::Limit { price, qty, tif } = order.kind else { return None };
        let same = |written: &[u8], approved: Decimal| Decimal::parse(written) == Ok(approved);
        if *self.symbol != *market.native().as_bytes() {
            Some("the bytes of an order name another symbol than was approved")
        } else if self.side != order.side {
            Some("the bytes of an order are for the other side than was approved")
        } else if !same(self.price, market.scale.price_value(price)) {
            Some("the bytes of an order say another price than was approved")
        } else if !same(self.qty, market.scale.qty_value(qty)) {
            Some("the bytes of an order say another quantity than was approved")
        } else if self.client_id != order.client_id.as_str().as_bytes() {
            Some("the bytes of an order carry another name than was approved")
        } else if self.tif != tif {
            Some("the bytes of an order stay otherwise than was approved")
        } else {
            None
        }
    }
}

/// A field that must be there once: the first time it is taken, the second time refused.
///
/// # Errors
/// When it was there before.
pub fn once<T>(field: &mut Option<T>, value: T) -> Result<(), &'static str> {
    match field.replace(value) {
        None => Ok(()),
        Some(_) => Err("the bytes of an order say something twice"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cex_core::{
        Bps, ClientOrderId, Price, Qty, Scale, SymbolId, SymbolInfo, Text, TradingStatus, VenueId,
    };
    use std::time::Duration;

    fn market() -> Market {
        let decimal = |text: &str| text.parse::<Decimal>().expect("a decimal");
        let info = SymbolInfo {
            symbol: "BTC/USDT".parse().expect("a symbol"),
            native: Text::new("BTCUSDT").expect("short"),
            status: TradingStatus::Trading,
            api_tradable: true,
            risk_flagged: false,
            tick: decimal("0.01"),
            lot: decimal("0.001"),
            price_dp: 2,
            lot_dp: 3,
            min_qty: Decimal::ZERO,
            min_notional: decimal("1"),
            max_qty: None,
            max_notional: None,
            price_band: None,
            maker_fee: Bps::ZERO,
            taker_fee: Bps::ZERO,
            opens_at: None,
            delists_at: None,
        };
        let venue = VenueId::new(0, "x").expect("short");
        Market::new(venue, SymbolId(0), info, Scale::new(2, 5).expect("small")).expect("rules fit")
    }

    #[test]
    fn every_field_is_compared_to_its_last_digit() {
        let market = market();
        let order = OrderRequest {
            venue: market.venue,
            symbol: market.id,
            client_id: ClientOrderId::new("mqhw82kb-1b").expect("plain"),
            side: Side::Buy,
            kind: OrderKind::Limit { price: Price(10_010), qty: Qty(50_000), tif: TimeInForce::Ioc },
            expires_in: Duration::from_secs(1),
        };
        let right = WrittenOrder {
            symbol: Cow::Borrowed(b"BTCUSDT"),
            side: Side::Buy,
            tif: TimeInForce::Ioc,
            price: b"100.1",
            qty: b"0.500",
            client_id: b"mqhw82kb-1b",
        };
        assert_eq!(right.differs(&market, &order), None);
        for (wrong, word) in [
            (WrittenOrder { symbol: Cow::Borrowed(b"BTCUSDC"), ..right.clone() }, "symbol"),
            (WrittenOrder { side: Side::Sell, ..right.clone() }, "side"),
            (WrittenOrder { price: b"100.11", ..right.clone() }, "price"),
            (WrittenOrder { price: b"100.1000001", ..right.clone() }, "price"),
            (WrittenOrder { price: b"1001e-1", ..right.clone() }, "price"),
            (WrittenOrder { qty: b"5", ..right.clone() }, "quantity"),
            (WrittenOrder { qty: b"0.500000001", ..right.clone() }, "quantity"),
            (WrittenOrder { client_id: b"mqhw82kb-1s", ..right.clone() }, "name"),
            (WrittenOrder { tif: TimeInForce::Gtc, ..right.clone() }, "stay"),
        ] {
            let told = wrong.differs(&market, &order);
            assert!(told.is_some_and(|told| told.contains(word)), "{wrong:?}: {told:?}");
        }
        let market_order = OrderRequest { kind: OrderKind::Market { qty: Qty(1) }, ..order };
        assert_eq!(right.differs(&market, &market_order), None, "only limit orders are compared");
    }

    #[test]
    fn what_is_said_twice_is_refused() {
        let mut field = None;
        assert_eq!(once(&mut field, 1), Ok(()));
        assert!(once(&mut field, 1).is_err(), "even the same");
    }
}
