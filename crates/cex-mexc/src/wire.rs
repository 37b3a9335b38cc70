//! Messages exactly as they are sent: JSON shapes of the request interface, and the protobuf types of the streams.
//!
//! Fields keep the exchange's names, misspellings included. A field we do not need is not named here.

pub(crate) use cex_proto::mexc::push_data_v3_api_wrapper::Body;
pub(crate) use cex_proto::mexc::{
    DepthLevel, PrivateAccount, PrivateDeals, PrivateOrders, PublicAggreBookTicker, PublicAggreDeal,
    PublicBookTickerBatchItem, PublicLimitDepths, PublicMiniTicker, PublicSpotKline, PushDataV3ApiWrapper,
};

use cex_core::{ClientOrderId, Decimal, NumError, Timestamp};
use serde::Deserialize;
use sonic_rs::{JsonType, JsonValueTrait, LazyValue};

/// Parses JSON that came from outside; `None` when it is not of this shape.
///
/// The only way in: the parser recurses, so what nests deeper than any message of the exchange never reaches it. Nor do
/// bytes that are no UTF-8: it looks at that only after it has lent texts out.
pub(crate) fn parse<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Option<T> {
    if !cex_wide::is_shallow_json(json) {
        return None;
    }
    sonic_rs::from_str(std::str::from_utf8(json).ok()?).ok()
}

/// Parses a part of a message that was kept raw, and whose nesting was bounded with the whole.
pub(crate) fn part<'a, T: Deserialize<'a>>(raw: &'a LazyValue<'_>) -> Option<T> {
    sonic_rs::from_str(raw.as_raw_str()).ok()
}

/// A scalar kept as its own text.
///
/// The exchange sends one field as text here and as a bare number there (MEXC-REST-06), and a number must not pass
/// through a binary float. Absent and null are the same.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Scalar<'a>(#[serde(borrow)] LazyValue<'a>);

impl Scalar<'_> {
    /// The text of a string, number or boolean; `None` when null, empty, or anything else.
    pub(crate) fn text(&self) -> Option<&str> {
        let text = match self.0.get_type() {
            JsonType::String => self.0.as_str()?,
            JsonType::Number | JsonType::Boolean => self.0.as_raw_str(),
            JsonType::Null | JsonType::Array | JsonType::Object => return None,
        };
        (!text.is_empty()).then_some(text)
    }

    /// The number; `None` when null or empty.
    pub(crate) fn decimal(&self) -> Result<Option<Decimal>, NumError> {
        self.text().map(decimal).transpose()
    }

    /// The whole number; `None` when there is none.
    pub(crate) fn integer(&self) -> Option<i64> {
        self.text()?.parse().ok()
    }

    /// Whether it is true.
    pub(crate) fn flag(&self) -> bool {
        self.text() == Some("true")
    }

    /// Milliseconds since the epoch; the epoch when there are none.
    pub(crate) fn millis(&self) -> Timestamp {
        self.integer().map_or(Timestamp::EPOCH, Timestamp::from_millis)
    }
}

/// A JSON number or a text number, exact. JSON numbers may carry an exponent: a zero fee may be written `0E-18`.
fn decimal(text: &str) -> Result<Decimal, NumError> {
    let Some((digits, exponent)) = text.split_once(['e', 'E']) else {
        return Decimal::parse(text.as_bytes());
    };
    let value = Decimal::parse(digits.as_bytes())?;
    let exponent: i32 =
        exponent.strip_prefix('+').unwrap_or(exponent).parse().map_err(|_| NumError::BadByte)?;
    if value.is_zero() {
        return Ok(Decimal::ZERO);
    }
    let power = u8::try_from(exponent.unsigned_abs()).ok().filter(|power| *power <= Decimal::MAX_DP);
    let power = power.ok_or(NumError::Overflow)?;
    let factor = if exponent < 0 {
        Decimal::new(1, power)
    } else {
        Decimal::new(10i128.checked_pow(u32::from(power)).ok_or(NumError::Overflow)?, 0)
    };
    value.checked_mul(factor)
}

/// What may come instead of, or around, any object: a code and words. `message` stands for `msg` under maintenance,
/// and a very old form has its words in `data` (MEXC-ERR-02).
#[derive(Deserialize)]
pub(crate) struct Envelope<'a> {
    #[serde(borrow, default)]
    pub(crate) code: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) msg: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) message: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) data: Scalar<'a>,
}

/// `GET /time`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServerTime<'a> {
    #[serde(borrow)]
    pub(crate) server_time: Scalar<'a>,
}

/// `GET /exchangeInfo`. The symbols stay raw, so that one that cannot be read does not hide the others.
#[derive(Deserialize)]
pub(crate) struct ExchangeInfo<'a> {
    #[serde(borrow)]
    pub(crate) symbols: Vec<LazyValue<'a>>,
}

/// A symbol of `exchangeInfo`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SymbolEntry<'a> {
    #[serde(borrow)]
    pub(crate) symbol: Scalar<'a>,
    #[serde(borrow)]
    pub(crate) status: Scalar<'a>,
    #[serde(borrow)]
    pub(crate) base_asset: Scalar<'a>,
    #[serde(borrow)]
    pub(crate) base_asset_precision: Scalar<'a>,
    #[serde(borrow)]
    pub(crate) quote_asset: Scalar<'a>,
    #[serde(borrow)]
    pub(crate) quote_precision: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) is_spot_trading_allowed: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) quote_amount_precision: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) base_size_precision: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) permissions: Vec<Scalar<'a>>,
    #[serde(borrow, default)]
    pub(crate) filters: Vec<Filter<'a>>,
    #[serde(borrow, default)]
    pub(crate) max_quote_amount: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) maker_commission: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) taker_commission: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) trade_side_type: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) st: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) first_open_time: Scalar<'a>,
}

/// A filter of a symbol: only the price band exists.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Filter<'a> {
    #[serde(borrow)]
    pub(crate) filter_type: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) bid_multiplier_up: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) ask_multiplier_down: Scalar<'a>,
}

/// `GET /depth`: levels as price and quantity, best first.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Depth<'a> {
    #[serde(borrow)]
    pub(crate) last_update_id: Scalar<'a>,
    #[serde(borrow)]
    pub(crate) bids: Vec<(Scalar<'a>, Scalar<'a>)>,
    #[serde(borrow)]
    pub(crate) asks: Vec<(Scalar<'a>, Scalar<'a>)>,
    #[serde(borrow, default)]
    pub(crate) timestamp: Scalar<'a>,
}

/// A row of `GET /trades`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TradeEntry<'a> {
    #[serde(borrow, default)]
    pub(crate) id: Scalar<'a>,
    #[serde(borrow)]
    pub(crate) price: Scalar<'a>,
    #[serde(borrow)]
    pub(crate) qty: Scalar<'a>,
    #[serde(borrow)]
    pub(crate) time: Scalar<'a>,
    #[serde(borrow)]
    pub(crate) is_buyer_maker: Scalar<'a>,
}

/// A row of `GET /aggTrades`.
#[derive(Deserialize)]
pub(crate) struct AggTradeEntry<'a> {
    #[serde(borrow, default)]
    pub(crate) a: Scalar<'a>,
    #[serde(borrow)]
    pub(crate) p: Scalar<'a>,
    #[serde(borrow)]
    pub(crate) q: Scalar<'a>,
    #[serde(borrow, rename = "T")]
    pub(crate) time: Scalar<'a>,
    #[serde(borrow)]
    pub(crate) m: Scalar<'a>,
}

/// An entry of `GET /ticker/24hr`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TickerEntry<'a> {
    #[serde(borrow)]
    pub(crate) symbol: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) last_price: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) last_qty: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) prev_close_price: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) open_price: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) high_price: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) low_price: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) bid_price: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) bid_qty: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) ask_price: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) ask_qty: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) volume: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) quote_volume: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) price_change_percent: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) open_time: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) close_time: Scalar<'a>,
}

/// An entry of `GET /ticker/bookTicker`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BookTickerEntry<'a> {
    #[serde(borrow)]
    pub(crate) symbol: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) bid_price: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) bid_qty: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) ask_price: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) ask_qty: Scalar<'a>,
}

/// `GET /account`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AccountReply<'a> {
    #[serde(borrow, default)]
    pub(crate) can_trade: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) can_withdraw: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) update_time: Scalar<'a>,
    #[serde(borrow)]
    pub(crate) balances: Vec<BalanceEntry<'a>>,
}

/// A coin of an account.
#[derive(Deserialize)]
pub(crate) struct BalanceEntry<'a> {
    #[serde(borrow)]
    pub(crate) asset: Scalar<'a>,
    #[serde(borrow)]
    pub(crate) free: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) locked: Scalar<'a>,
}

/// `GET /tradeFee`: a wrapper around fees that are JSON numbers.
#[derive(Deserialize)]
pub(crate) struct TradeFeeReply<'a> {
    #[serde(borrow)]
    pub(crate) data: TradeFee<'a>,
}

/// The fees of an account as fractions.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TradeFee<'a> {
    #[serde(borrow)]
    pub(crate) maker_commission: Scalar<'a>,
    #[serde(borrow)]
    pub(crate) taker_commission: Scalar<'a>,
}

/// What placing and cancelling answer, as far as it may be relied on.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrderAck<'a> {
    #[serde(borrow)]
    pub(crate) order_id: Scalar<'a>,
}

/// A row of `batchOrders`: an acceptance, or a refusal by code.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BatchRow<'a> {
    #[serde(borrow, default)]
    pub(crate) order_id: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) new_client_order_id: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) client_order_id: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) code: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) msg: Scalar<'a>,
}

impl BatchRow<'_> {
    /// Our identifier of the order it is about.
    pub(crate) fn name(&self) -> Option<ClientOrderId> {
        self.new_client_order_id.text().or_else(|| self.client_order_id.text()).and_then(ClientOrderId::new)
    }
}

/// An order as queries and mass cancels report it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrderEntry<'a> {
    #[serde(borrow)]
    pub(crate) symbol: Scalar<'a>,
    #[serde(borrow)]
    pub(crate) order_id: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) client_order_id: Scalar<'a>,
    /// Mass cancels repeat our identifier here.
    #[serde(borrow, default)]
    pub(crate) orig_client_order_id: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) price: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) orig_qty: Scalar<'a>,
    /// The documentation of 2025-04 prints this name for `origQty` (MEXC-REST-15).
    #[serde(borrow, default, rename = "Qty")]
    pub(crate) qty: Scalar<'a>,
    #[serde(borrow)]
    pub(crate) executed_qty: Scalar<'a>,
    /// The double m is real.
    #[serde(borrow)]
    pub(crate) cummulative_quote_qty: Scalar<'a>,
    #[serde(borrow)]
    pub(crate) status: Scalar<'a>,
    #[serde(borrow, default, rename = "type")]
    pub(crate) kind: Scalar<'a>,
    #[serde(borrow)]
    pub(crate) side: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) time: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) update_time: Scalar<'a>,
}

/// A row of `GET /myTrades`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MyTrade<'a> {
    #[serde(borrow)]
    pub(crate) symbol: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) id: Scalar<'a>,
    #[serde(borrow)]
    pub(crate) order_id: Scalar<'a>,
    #[serde(borrow)]
    pub(crate) price: Scalar<'a>,
    #[serde(borrow)]
    pub(crate) qty: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) commission: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) commission_asset: Scalar<'a>,
    #[serde(borrow)]
    pub(crate) time: Scalar<'a>,
    #[serde(borrow)]
    pub(crate) is_buyer: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) is_maker: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) client_order_id: Scalar<'a>,
}

/// `GET /selfSymbols`, `GET /defaultSymbols`: names of symbols in a wrapper.
#[derive(Deserialize)]
pub(crate) struct TradableSymbols<'a> {
    #[serde(borrow)]
    pub(crate) data: Vec<Scalar<'a>>,
}

/// A coin of `GET /capital/config/getall`. Names are printed with a capital letter in the documentation and without
/// live, and a row may have both.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Coin<'a> {
    #[serde(borrow)]
    pub(crate) coin: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) name: Scalar<'a>,
    #[serde(borrow, default, rename = "Name")]
    pub(crate) capital_name: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) network_list: Option<Vec<Network<'a>>>,
}

/// A chain of a coin.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Network<'a> {
    /// The old display name, announced to go away.
    #[serde(borrow, default)]
    pub(crate) network: Scalar<'a>,
    /// The new short name.
    #[serde(borrow, default, rename = "netWork")]
    pub(crate) net_work: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) deposit_enable: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) withdraw_enable: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) withdraw_fee: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) withdraw_min: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) withdraw_max: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) min_confirm: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) same_address: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) contract: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) deposit_desc: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) deposit_tips: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) withdraw_tips: Scalar<'a>,
}

/// The answer of `POST /userDataStream`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListenKeyReply<'a> {
    #[serde(borrow)]
    pub(crate) listen_key: Scalar<'a>,
}

/// The answer of `GET /userDataStream`; `total` and `available` may stand beside the keys (MEXC-ACCOUNT-09).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListenKeysReply<'a> {
    #[serde(borrow)]
    pub(crate) listen_key: Vec<Scalar<'a>>,
    #[serde(borrow, default)]
    pub(crate) available: Scalar<'a>,
}

/// A control message of a stream: an acknowledgement, a refusal, a pong.
#[derive(Deserialize)]
pub(crate) struct ControlMessage<'a> {
    #[serde(borrow, default)]
    pub(crate) id: Scalar<'a>,
    #[serde(borrow, default)]
    pub(crate) code: Scalar<'a>,
    #[serde(borrow)]
    pub(crate) msg: Scalar<'a>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact_however_they_are_written() {
        for (json, value) in [
            (r#""0.000500000000000000""#, Some("0.0005")),
            ("0.000500000000000000", Some("0.0005")),
            ("0.000399837736969817100001", Some("0.000399837736969817100001")),
            ("0E-18", Some("0")),
            ("5e-4", Some("0.0005")),
            ("1.5E+3", Some("1500")),
            ("-4", Some("-4")),
            ("null", None),
            (r#""""#, None),
        ] {
            let scalar: Scalar<'_> = sonic_rs::from_str(json).expect(json);
            assert_eq!(
                scalar.decimal().map(|found| found.map(|found| found.to_string())),
                Ok(value.map(str::to_owned))
            );
        }
        for bad in [r#""1,5""#, r#""NaN""#, "1e99", "true"] {
            let scalar: Scalar<'_> = sonic_rs::from_str(bad).expect(bad);
            assert!(scalar.decimal().is_err(), "{bad}");
        }
    }

    #[test]
    fn absent_is_null_and_escapes_are_undone() {
        let envelope: Envelope<'_> =
            sonic_rs::from_str(r#"{"code":"30004","msg":"\u8d44\u91d1 \"x\"","extra":[1]}"#)
                .expect("an envelope");
        assert_eq!((envelope.code.integer(), envelope.msg.text()), (Some(30_004), Some("资金 \"x\"")));
        assert_eq!((envelope.message.text(), envelope.data.integer()), (None, None));
    }
}
