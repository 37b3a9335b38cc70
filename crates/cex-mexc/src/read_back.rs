//! An order read back from the bytes that go to the socket (R36): by nothing of what wrote them.
//!
//! All parameters of a placement stand in the query (MEXC-REST-03), and the exchange reads a body besides, so there is none.

use cex_core::{Side, TimeInForce};
use cex_interface::{WrittenOrder, once};
use memchr::memchr;
use std::borrow::Cow;

const PLACEMENT: &[u8] = b"POST /api/v3/order?";

/// The placement of one limit order that these bytes are, to be read by the exchange as nothing else.
///
/// # Errors
/// What makes them no such thing.
pub(crate) fn read_back(bytes: &[u8]) -> Result<WrittenOrder<'_>, &'static str> {
    let query = bytes.strip_prefix(PLACEMENT).ok_or("the bytes of an order go elsewhere")?;
    let end = memchr(b' ', query).ok_or("the bytes of an order have no end")?;
    if !bytes.ends_with(b"\r\n\r\n") {
        return Err("the bytes of an order have a body");
    }
    let [mut symbol, mut side, mut kind, mut qty, mut price, mut name, mut window, mut time, mut sign] =
        [None; 9];
    let mut left = &query[..end];
    while !left.is_empty() {
        let (pair, rest) = memchr(b'&', left).map_or((left, &[][..]), |at| (&left[..at], &left[at + 1..]));
        left = rest;
        let at = memchr(b'=', pair).ok_or("the bytes of an order have a field without a value")?;
        let field = match &pair[..at] {
            b"symbol" => &mut symbol,
            b"side" => &mut side,
            b"type" => &mut kind,
            b"quantity" => &mut qty,
            b"price" => &mut price,
            b"newClientOrderId" => &mut name,
            b"recvWindow" => &mut window,
            b"timestamp" => &mut time,
            b"signature" => &mut sign,
            _ => return Err("the bytes of an order say more than was approved"),
        };
        once(field, &pair[at + 1..])?;
    }
    let missing = "the bytes of an order lack a field";
    if window.is_none() || time.is_none() || sign.is_none() {
        return Err(missing);
    }
    Ok(WrittenOrder {
        symbol: unescaped(symbol.ok_or(missing)?)?,
        side: match side.ok_or(missing)? {
            b"BUY" => Side::Buy,
            b"SELL" => Side::Sell,
            _ => return Err("the bytes of an order are for no side"),
        },
        tif: match kind.ok_or(missing)? {
            b"LIMIT" => TimeInForce::Gtc,
            b"IMMEDIATE_OR_CANCEL" => TimeInForce::Ioc,
            b"FILL_OR_KILL" => TimeInForce::Fok,
            _ => return Err("the bytes of an order are for no limit order"),
        },
        price: price.ok_or(missing)?,
        qty: qty.ok_or(missing)?,
        client_id: name.ok_or(missing)?,
    })
}

/// A value without its escapes, of which all but a few symbols have none.
fn unescaped(value: &[u8]) -> Result<Cow<'_, [u8]>, &'static str> {
    if memchr(b'%', value).is_none() {
        return Ok(Cow::Borrowed(value));
    }
    let mut plain = Vec::with_capacity(value.len());
    let mut bytes = value.iter().copied();
    while let Some(byte) = bytes.next() {
        let digit =
            |digit: Option<u8>| char::from(digit?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        plain.push(match byte {
            b'%' => match (digit(bytes.next()), digit(bytes.next())) {
                (Some(high), Some(low)) => high << 4 | low,
                _ => return Err("the bytes of an order have half an escape"),
            },
            other => other,
        });
    }
    Ok(Cow::Owned(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: &str = "POST /api/v3/order?symbol=BTCUSDT&side=BUY&type=IMMEDIATE_OR_CANCEL&quantity=0.5&price=100.1\
        &newClientOrderId=mqhw82kb-1b&recvWindow=1500&timestamp=1781690000123&signature=00ff HTTP/1.1\r\nhost: \
        api.mexc.com\r\ncontent-length: 0\r\nx-mexc-apikey: k\r\n\r\n";

    #[test]
    fn an_order_is_read_from_its_bytes() {
        assert_eq!(
            read_back(ORDER.as_bytes()),
            Ok(WrittenOrder {
                symbol: Cow::Borrowed(b"BTCUSDT"),
                side: Side::Buy,
                tif: TimeInForce::Ioc,
                price: b"100.1",
                qty: b"0.5",
                client_id: b"mqhw82kb-1b",
            })
        );
        let unusual = ORDER.replace("BTCUSDT", "%E6%88%91USDT");
        assert_eq!(read_back(unusual.as_bytes()).expect("an order").symbol, "我USDT".as_bytes());
    }

    #[test]
    fn what_an_exchange_could_read_otherwise_is_refused() {
        for (from, to, word) in [
            ("/order?", "/order/test?", "elsewhere"),
            ("POST", "GET", "elsewhere"),
            ("price=100.1&", "", "lack"),
            ("&signature=00ff", "", "lack"),
            ("recvWindow=1500&", "", "lack"),
            ("price=100.1", "price=100.1&price=100.1", "twice"),
            ("side=BUY", "side=buy", "no side"),
            ("side=BUY", "sideBUY", "without a value"),
            ("IMMEDIATE_OR_CANCEL", "MARKET", "no limit order"),
            ("&recvWindow", "&stpMode=x&recvWindow", "more than"),
            ("\r\n\r\n", "\r\n\r\nprice=1", "body"),
            ("BTCUSDT", "BTC%5", "half an escape"),
            (" HTTP/1.1\r\nhost: api.mexc.com\r\ncontent-length: 0\r\nx-mexc-apikey: k", "", "no end"),
        ] {
            let changed = ORDER.replacen(from, to, 1);
            assert_ne!(changed, ORDER);
            let told = read_back(changed.as_bytes()).expect_err(to);
            assert!(told.contains(word), "{to:?}: {told}");
        }
    }
}
