//! An order read back from the bytes that go to the socket (R36): by nothing of what wrote them.
//!
//! A placement is a flat JSON object of texts in the body of a request (GATEIO-ORD-01). Frames of the trading stream are not
//! read back: no engine sends its orders that way.

use crate::wire::parse;
use cex_core::{Side, TimeInForce};
use cex_interface::{WrittenOrder, once};
use memchr::{memchr, memmem};
use std::borrow::Cow;

const PLACEMENT: &[u8] = b"POST /api/v4/spot/orders HTTP/1.1\r\n";
/// Without it the exchange takes an order however late it comes (GATEIO-REST-04).
const EXPIRY: &[u8] = b"\r\nx-gate-exptime: ";

/// The placement of one limit order that these bytes of a request are.
///
/// # Errors
/// What makes them no such thing.
pub(crate) fn read_back(bytes: &[u8]) -> Result<WrittenOrder<'_>, &'static str> {
    if !bytes.starts_with(PLACEMENT) {
        return Err("the bytes of an order go elsewhere");
    }
    let end = memmem::find(bytes, b"\r\n\r\n").ok_or("the bytes of an order have no end")?;
    if memmem::find(&bytes[..end], EXPIRY).is_none() {
        return Err("the bytes of an order never expire");
    }
    order(&bytes[end + 4..])
}

/// The limit order that a JSON object is, to be read by the exchange as nothing else.
///
/// # Errors
/// What makes it no such thing.
pub(crate) fn order(object: &[u8]) -> Result<WrittenOrder<'_>, &'static str> {
    let broken = "the bytes of an order are no flat object of texts";
    let mut left = object.strip_prefix(b"{").ok_or(broken)?;
    let [mut name, mut pair, mut kind, mut account, mut side, mut qty, mut price, mut tif] = [None; 8];
    loop {
        let (key, rest) = text(left).ok_or(broken)?;
        let (value, rest) = rest.strip_prefix(b":").and_then(text).ok_or(broken)?;
        let field = match key {
            b"text" => &mut name,
            b"currency_pair" => &mut pair,
            b"type" => &mut kind,
            b"account" => &mut account,
            b"side" => &mut side,
            b"amount" => &mut qty,
            b"price" => &mut price,
            b"time_in_force" => &mut tif,
            _ => return Err("the bytes of an order say more than was approved"),
        };
        once(field, value)?;
        match rest {
            b"}" => break,
            _ => left = rest.strip_prefix(b",").ok_or(broken)?,
        }
    }
    let missing = "the bytes of an order lack a field";
    if (kind, account) != (Some(&b"limit"[..]), Some(&b"spot"[..])) {
        return Err("the bytes of an order are for no limit order of the spot account");
    }
    Ok(WrittenOrder {
        symbol: unescaped(pair.ok_or(missing)?)?,
        side: match side.ok_or(missing)? {
            b"buy" => Side::Buy,
            b"sell" => Side::Sell,
            _ => return Err("the bytes of an order are for no side"),
        },
        tif: match tif.ok_or(missing)? {
            b"gtc" => TimeInForce::Gtc,
            b"ioc" => TimeInForce::Ioc,
            b"fok" => TimeInForce::Fok,
            _ => return Err("the bytes of an order stay in no way that is known"),
        },
        price: price.ok_or(missing)?,
        qty: qty.ok_or(missing)?,
        client_id: name
            .ok_or(missing)?
            .strip_prefix(b"t-")
            .ok_or("the bytes of an order carry no name of ours")?,
    })
}

/// The text that begins here, and what comes after it. One with an escaped quote in it is cut there, and what comes after makes
/// no object.
fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let inside = bytes.strip_prefix(b"\"")?;
    let end = memchr(b'"', inside)?;
    Some((&inside[..end], &inside[end + 1..]))
}

/// A text without its escapes, of which all but a few symbols have none.
fn unescaped(text: &[u8]) -> Result<Cow<'_, [u8]>, &'static str> {
    if memchr(b'\\', text).is_none() {
        return Ok(Cow::Borrowed(text));
    }
    let quoted = [b"\"", text, b"\""].concat();
    let plain: String = parse(&quoted).map_err(|_| "the bytes of an order have half an escape")?;
    Ok(Cow::Owned(plain.into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: &str = "POST /api/v4/spot/orders HTTP/1.1\r\nhost: api.gateio.ws\r\ncontent-length: 150\r\nx-gate-exptime: \
        1781690001623\r\nKEY: k\r\nSIGN: 00ff\r\n\r\n{\"text\":\"t-mqhw82kb-1b\",\"currency_pair\":\"BTC_USDT\",\
        \"type\":\"limit\",\"account\":\"spot\",\"side\":\"buy\",\"amount\":\"0.5\",\"price\":\"100.1\",\"time_in_force\":\"ioc\"}";

    #[test]
    fn an_order_is_read_from_its_bytes() {
        assert_eq!(
            read_back(ORDER.as_bytes()),
            Ok(WrittenOrder {
                symbol: Cow::Borrowed(b"BTC_USDT"),
                side: Side::Buy,
                tif: TimeInForce::Ioc,
                price: b"100.1",
                qty: b"0.5",
                client_id: b"mqhw82kb-1b",
            })
        );
        let unusual = ORDER.replace("BTC_USDT", "\\u6211_USDT");
        assert_eq!(read_back(unusual.as_bytes()).expect("an order").symbol, "我_USDT".as_bytes());
    }

    #[test]
    fn what_an_exchange_could_read_otherwise_is_refused() {
        for (from, to, word) in [
            ("/spot/orders", "/spot/batch_orders", "elsewhere"),
            ("POST", "PUT", "elsewhere"),
            ("x-gate-exptime", "x-gate-exptimo", "never expire"),
            ("\"price\":\"100.1\",", "", "lack"),
            ("\"price\":\"100.1\"", "\"price\":\"100.1\",\"price\":\"100.1\"", "twice"),
            ("\"price\":\"100.1\"", "\"price\":100.1", "no flat object"),
            ("\"buy\"", "\"BUY\"", "no side"),
            ("\"limit\"", "\"market\"", "no limit order"),
            ("\"spot\"", "\"margin\"", "no limit order"),
            ("\"ioc\"", "\"poc\"", "no way that is known"),
            ("\"ioc\"", "\"ioc\",\"iceberg\":\"1\"", "more than"),
            ("t-mqhw", "mqhw", "no name of ours"),
            ("BTC_USDT", "BTC\\u62", "half an escape"),
            ("BTC_USDT", "BTC\\\",\\\"", "no flat object"),
            ("\"ioc\"}", "\"ioc\"", "no flat object"),
            ("\"ioc\"}", "\"ioc\"}{}", "no flat object"),
        ] {
            let changed = ORDER.replacen(from, to, 1);
            assert_ne!(changed, ORDER);
            let told = read_back(changed.as_bytes()).expect_err(to);
            assert!(told.contains(word), "{to:?}: {told}");
        }
    }
}
