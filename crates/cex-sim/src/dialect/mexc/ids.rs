//! How orders, trades and coins are numbered: opaque texts that only look like numbers.

use super::sign::hex;
use crate::matching::{OrderNo, TradeNo};
use cex_core::Asset;
use sha2::{Digest as _, Sha256};
use std::fmt;

const ORDER_PREFIX: &str = "C02__";
const ORDER_SUFFIX: &str = "044";
/// What orders and trades are counted from.
const FIRST: u64 = 579_000_000_000_000;

/// An order's id: `C02__579000000000001044`.
#[derive(Debug, Clone, Copy)]
pub(super) struct OrderId(pub(super) OrderNo);

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{ORDER_PREFIX}{}{ORDER_SUFFIX}", FIRST.wrapping_add(self.0.0))
    }
}

impl OrderId {
    /// The order with this id; nothing for a text that is not one of ours.
    pub(super) fn parse(text: &str) -> Option<OrderNo> {
        let number = text.strip_prefix(ORDER_PREFIX)?.strip_suffix(ORDER_SUFFIX)?;
        let number: u64 = number.parse().ok()?;
        number.checked_sub(FIRST).map(OrderNo).filter(|no| Self(*no).to_string() == text)
    }
}

/// A fill's id: `579000000000001024X1`.
#[derive(Debug, Clone, Copy)]
pub(super) struct TradeId {
    /// The trade.
    pub(super) trade: TradeNo,
    /// Whether this is the resting side of a trade of an account with itself, which has two fills.
    pub(super) is_second: bool,
}

impl TradeId {
    /// The id under which the public knows a trade.
    pub(super) const fn public(trade: TradeNo) -> Self {
        Self { trade, is_second: false }
    }
}

impl fmt::Display for TradeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}024X{}", FIRST.wrapping_add(self.trade.0), if self.is_second { 2 } else { 1 })
    }
}

/// A coin's internal id: 32 hexadecimal digits, the same in every run.
pub(super) fn coin_id(asset: Asset) -> String {
    internal_id(&["coin ", asset.as_str()])
}

/// A symbol's internal id: as a coin's.
pub(super) fn symbol_id(name: &str) -> String {
    internal_id(&["symbol ", name])
}

fn internal_id(parts: &[&str]) -> String {
    hex(&Sha256::digest(parts.concat().as_bytes())[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_ids_are_found_again_and_others_are_not() {
        assert_eq!(OrderId(OrderNo(1)).to_string(), "C02__579000000000001044");
        for no in [0, 1, 999, 1_000_000_007] {
            assert_eq!(OrderId::parse(&OrderId(OrderNo(no)).to_string()), Some(OrderNo(no)));
        }
        for other in
            ["", "1", "C02__", "C02__044", "C02__1044", "C02__+579000000000001044", "C01__579000000000001044"]
        {
            assert_eq!(OrderId::parse(other), None, "{other}");
        }
    }

    #[test]
    fn trade_and_coin_ids_look_like_the_exchange_s() {
        assert_eq!(TradeId::public(TradeNo(1)).to_string(), "579000000000001024X1");
        assert_eq!(coin_id(Asset::new("USDT").expect("short")).len(), 32);
    }
}
