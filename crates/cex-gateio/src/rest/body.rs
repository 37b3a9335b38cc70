//! Request bodies, written by hand into the reused buffer: they are on the path of every order.

use crate::order::CLIENT_PREFIX;
use crate::symbol::is_plain;
use cex_core::{ClientOrderId, Market, Notional, OrderKind, OrderRequest, Price, Qty, Side, TimeInForce};
use cex_errors::ErrorKind;

/// A JSON object under construction.
pub(crate) struct Body<'a>(&'a mut Vec<u8>);

impl<'a> Body<'a> {
    pub(crate) fn new(buffer: &'a mut Vec<u8>) -> Self {
        Self(buffer)
    }

    /// A placement. A market order is sized in what it spends (GATEIO-ORD-03): a sale in base, a purchase in
    /// quote; the exchange has no other.
    pub(super) fn order(mut self, market: &Market, order: &OrderRequest) -> Result<(), ErrorKind> {
        match (order.kind, order.side) {
            (OrderKind::Limit { price, qty, tif }, _) => {
                self.limit(market, order, price, qty, limit_end(tif))
            }
            (OrderKind::PostOnly { price, qty }, _) => {
                self.limit(market, order, price, qty, r#"","time_in_force":"poc"}"#)
            }
            (OrderKind::Market { qty }, Side::Sell) => {
                let qty = on_lot(market, qty)?;
                self.head(market, &order.client_id);
                self.push(r#""type":"market","account":"spot","side":"sell","amount":""#);
                self.decimal(qty, market.scale.qty_dp());
                self.push(r#"","time_in_force":"ioc"}"#);
                Ok(())
            }
            (OrderKind::MarketNotional { notional }, Side::Buy) => {
                let amount = quote_amount(market, notional)?;
                self.head(market, &order.client_id);
                self.push(r#""type":"market","account":"spot","side":"buy","amount":""#);
                self.decimal(amount, market.info.tick.dp());
                self.push(r#"","time_in_force":"ioc"}"#);
                Ok(())
            }
            (OrderKind::Market { .. }, Side::Buy) | (OrderKind::MarketNotional { .. }, Side::Sell) => {
                Err(ErrorKind::Unsupported)
            }
        }
    }

    /// A change of price, total quantity or both (GATEIO-REST-21).
    pub(super) fn amendment(
        mut self,
        market: &Market,
        price: Option<Price>,
        qty: Option<Qty>,
    ) -> Result<(), ErrorKind> {
        if price.is_none() && qty.is_none() {
            return Err(ErrorKind::InvalidInput("an amendment of nothing"));
        }
        let price = price.map(|price| on_tick(market, price)).transpose()?;
        let qty = qty.map(|qty| on_lot(market, qty)).transpose()?;
        self.0.push(b'{');
        self.pair(market);
        self.text("account", "spot");
        for (name, value) in [
            (r#""price":""#, price.map(|price| (price, market.scale.price_dp()))),
            (r#""amount":""#, qty.map(|qty| (qty, market.scale.qty_dp()))),
        ] {
            if let Some((count, dp)) = value {
                self.push(name);
                self.decimal(count, dp);
                self.push("\",");
            }
        }
        self.end();
        Ok(())
    }

    /// One cancel of a batch.
    pub(super) fn cancel(mut self, market: &Market, prefix: &str, id: &str) {
        self.0.push(b'{');
        self.pair(market);
        for part in ["\"id\":\"", prefix, id, "\","] {
            self.0.extend_from_slice(part.as_bytes());
        }
        self.end();
    }

    /// Names one order of a pair, for the trading interface of the streams (GATEIO-WS-30).
    pub(crate) fn named(mut self, market: &Market, name: &str) {
        self.0.push(b'{');
        self.text("order_id", name);
        self.pair(market);
        self.end();
    }

    /// Arms or disarms the dead man's switch for all pairs.
    pub(super) fn countdown(self, seconds: u64) {
        self.0.extend_from_slice(b"{\"timeout\":");
        self.0.extend_from_slice(itoa::Buffer::new().format(seconds).as_bytes());
        self.0.push(b'}');
    }

    fn limit(
        &mut self,
        market: &Market,
        order: &OrderRequest,
        price: Price,
        qty: Qty,
        end: &str,
    ) -> Result<(), ErrorKind> {
        let (price, qty) = (on_tick(market, price)?, on_lot(market, qty)?);
        self.head(market, &order.client_id);
        self.push(match order.side {
            Side::Buy => r#""type":"limit","account":"spot","side":"buy","amount":""#,
            Side::Sell => r#""type":"limit","account":"spot","side":"sell","amount":""#,
        });
        self.decimal(qty, market.scale.qty_dp());
        self.push(r#"","price":""#);
        self.decimal(price, market.scale.price_dp());
        self.push(end);
        Ok(())
    }

    /// What every order begins with. Its account is `spot` for unified accounts too: the exchange maps it.
    fn head(&mut self, market: &Market, id: &ClientOrderId) {
        self.push("{\"text\":\"");
        self.push(CLIENT_PREFIX);
        self.push(id.as_str());
        self.push("\",");
        self.pair(market);
    }

    fn pair(&mut self, market: &Market) {
        if is_plain(market.native()) {
            self.text("currency_pair", market.native());
            return;
        }
        // A spelling with anything else may need escapes.
        self.0.extend_from_slice(b"\"currency_pair\":");
        self.0.extend(sonic_rs::to_vec(market.native()).unwrap_or_default());
        self.0.push(b',');
    }

    /// A text that needs no escapes.
    fn text(&mut self, name: &str, value: &str) {
        for part in ["\"", name, "\":\"", value, "\","] {
            self.0.extend_from_slice(part.as_bytes());
        }
    }

    /// A count of 10^-`dp` as a plain decimal in its shortest form: trailing zeros could exceed the decimals the
    /// exchange allows, and exponents it refuses (GATEIO-ORD-08).
    fn decimal(&mut self, mut count: u64, dp: u8) {
        let mut dp = usize::from(dp);
        while dp > 0 && count.is_multiple_of(10) {
            count /= 10;
            dp -= 1;
        }
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(count).as_bytes();
        let whole = digits.len().saturating_sub(dp);
        self.0.extend_from_slice(if whole == 0 { b"0" } else { &digits[..whole] });
        if dp > 0 {
            self.0.push(b'.');
            self.0.extend(std::iter::repeat_n(b'0', dp.saturating_sub(digits.len())));
            self.0.extend_from_slice(&digits[whole..]);
        }
    }

    fn push(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    /// Every member ends with a comma; the last one's becomes the brace.
    fn end(&mut self) {
        self.0.pop();
        self.0.push(b'}');
    }
}

/// How the body of a limit order ends.
const fn limit_end(tif: TimeInForce) -> &'static str {
    match tif {
        TimeInForce::Gtc => r#"","time_in_force":"gtc"}"#,
        TimeInForce::Ioc => r#"","time_in_force":"ioc"}"#,
        TimeInForce::Fok => r#"","time_in_force":"fok"}"#,
    }
}

/// A positive multiple of the step, or nothing is sent: what the exchange does with another is not
/// documented.
fn on_grid(value: i64, step: i64, what: &'static str) -> Result<u64, ErrorKind> {
    let fits = value > 0 && value % step == 0;
    u64::try_from(value).ok().filter(|_| fits).ok_or(ErrorKind::InvalidInput(what))
}

fn on_tick(market: &Market, price: Price) -> Result<u64, ErrorKind> {
    on_grid(price.0, market.tick.0.max(1), "price is not a positive multiple of the tick")
}

fn on_lot(market: &Market, qty: Qty) -> Result<u64, ErrorKind> {
    on_grid(qty.0, market.lot.0.max(1), "quantity is not a positive multiple of the lot")
}

/// Quote to spend, cut to the decimals of a price: the exchange publishes no scale for it (GATEIO-ORD-03).
fn quote_amount(market: &Market, notional: Notional) -> Result<u64, ErrorKind> {
    const BAD: ErrorKind = ErrorKind::InvalidInput("notional is not positive or too large");
    let finer = (market.scale.price_dp() + market.scale.qty_dp()).saturating_sub(market.info.tick.dp());
    let unit = 10i128.checked_pow(u32::from(finer)).ok_or(BAD)?;
    u64::try_from(notional.0 / unit).ok().filter(|amount| *amount > 0).ok_or(BAD)
}
