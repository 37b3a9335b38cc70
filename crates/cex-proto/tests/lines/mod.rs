//! A message, and the JSON it should equal, as sorted `path = value` lines.
//!
//! Field names are written out here, in the exchange's spelling, rather than taken from the schema: a misnamed or
//! misnumbered field in the schema then shows.

use cex_proto::mexc::push_data_v3_api_wrapper::Body;
use cex_proto::mexc::*;
use sonic_rs::{JsonContainerTrait, JsonValueTrait, Value};

/// The lines of a decoded frame.
pub(crate) fn of_wrapper(wrapper: &PushDataV3ApiWrapper) -> Vec<String> {
    let mut out = Vec::new();
    wrapper.push("", &mut out);
    out.sort();
    out
}

/// The lines of a vector's `decoded` object.
pub(crate) fn of_json(value: &Value) -> Vec<String> {
    let mut out = Vec::new();
    push_json(value, "", &mut out);
    out.sort();
    out
}

fn push_json(value: &Value, path: &str, out: &mut Vec<String>) {
    if let Some(object) = value.as_object() {
        object.iter().for_each(|(name, value)| push_json(value, &join(path, name), out));
    } else if let Some(items) = value.as_array() {
        items.iter().enumerate().for_each(|(at, item)| push_json(item, &format!("{path}[{at}]"), out));
    } else if let Some(text) = value.as_str() {
        out.push(format!("{path} = {text:?}"));
    } else if let Some(number) = value.as_i64() {
        out.push(format!("{path} = {number:?}"));
    } else {
        let truth =
            value.as_bool().expect("JSON of the vectors is objects, arrays, text, integers and booleans");
        out.push(format!("{path} = {truth:?}"));
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

trait Lines {
    fn push(&self, path: &str, out: &mut Vec<String>);
}

/// A plain field with the default value is absent on the wire, and in the vectors.
macro_rules! plain {
    ($($type:ty),*) => {$(
        impl Lines for $type {
            fn push(&self, path: &str, out: &mut Vec<String>) {
                if *self != <$type>::default() {
                    out.push(format!("{path} = {self:?}"));
                }
            }
        }

        /// Explicit presence: sent even when zero or empty.
        impl Lines for Option<$type> {
            fn push(&self, path: &str, out: &mut Vec<String>) {
                out.extend(self.iter().map(|value| format!("{path} = {value:?}")));
            }
        }
    )*};
}

plain!(String, i32, i64, bool);

impl<M: Lines> Lines for Vec<M> {
    fn push(&self, path: &str, out: &mut Vec<String>) {
        self.iter().enumerate().for_each(|(at, item)| item.push(&format!("{path}[{at}]"), out));
    }
}

/// Taking each message apart without `..` makes a field that is missing here an error of the compiler.
macro_rules! message {
    ($type:ident { $($field:ident $name:literal),* $(,)? }) => {
        impl Lines for $type {
            fn push(&self, path: &str, out: &mut Vec<String>) {
                let Self { $($field),* } = self;
                $($field.push(&join(path, $name), out);)*
            }
        }
    };
}

impl Lines for PushDataV3ApiWrapper {
    fn push(&self, path: &str, out: &mut Vec<String>) {
        let Self { channel, symbol, symbol_id, create_time, send_time, body } = self;
        channel.push("channel", out);
        symbol.push("symbol", out);
        symbol_id.push("symbolId", out);
        create_time.push("createTime", out);
        send_time.push("sendTime", out);
        if let Some(body) = body {
            body.push(path, out);
        }
    }
}

impl Lines for Body {
    fn push(&self, _path: &str, out: &mut Vec<String>) {
        match self {
            Body::PublicDeals(body) => body.push("publicDeals", out),
            Body::PublicIncreaseDepths(body) => body.push("publicIncreaseDepths", out),
            Body::PublicLimitDepths(body) => body.push("publicLimitDepths", out),
            Body::PrivateOrders(body) => body.push("privateOrders", out),
            Body::PublicBookTicker(body) => body.push("publicBookTicker", out),
            Body::PrivateDeals(body) => body.push("privateDeals", out),
            Body::PrivateAccount(body) => body.push("privateAccount", out),
            Body::PublicSpotKline(body) => body.push("publicSpotKline", out),
            Body::PublicMiniTicker(body) => body.push("publicMiniTicker", out),
            Body::PublicMiniTickers(body) => body.push("publicMiniTickers", out),
            Body::PublicBookTickerBatch(body) => body.push("publicBookTickerBatch", out),
            Body::PublicIncreaseDepthsBatch(body) => body.push("publicIncreaseDepthsBatch", out),
            Body::PublicAggreDepths(body) => body.push("publicAggreDepths", out),
            Body::PublicAggreDeals(body) => body.push("publicAggreDeals", out),
            Body::PublicAggreBookTicker(body) => body.push("publicAggreBookTicker", out),
        }
    }
}

message!(DepthLevel { price "price", quantity "quantity" });
message!(PublicAggreDepths {
    asks "asks",
    bids "bids",
    event_type "eventType",
    from_version "fromVersion",
    to_version "toVersion",
    last_order_create_time "lastOrderCreateTime",
});
message!(PublicLimitDepths {
    asks "asks",
    bids "bids",
    event_type "eventType",
    version "version",
    last_order_create_time "lastOrderCreateTime",
});
message!(PublicAggreDeals { deals "deals", event_type "eventType" });
message!(PublicAggreDeal {
    price "price",
    quantity "quantity",
    trade_type "tradeType",
    time "time",
    trade_id "tradeId",
});
message!(PublicAggreBookTicker {
    bid_price "bidPrice",
    bid_quantity "bidQuantity",
    ask_price "askPrice",
    ask_quantity "askQuantity",
    version "version",
    last_order_create_time "lastOrderCreateTime",
});
message!(PublicBookTickerBatch {
    items "items",
    version "version",
    last_order_create_time "lastOrderCreateTime",
});
message!(PublicBookTickerBatchItem {
    bid_price "bidPrice",
    bid_quantity "bidQuantity",
    ask_price "askPrice",
    ask_quantity "askQuantity",
});
message!(PublicSpotKline {
    interval "interval",
    window_start "windowStart",
    opening_price "openingPrice",
    closing_price "closingPrice",
    highest_price "highestPrice",
    lowest_price "lowestPrice",
    volume "volume",
    amount "amount",
    window_end "windowEnd",
});
message!(PublicMiniTicker {
    symbol "symbol",
    price "price",
    rate "rate",
    zoned_rate "zonedRate",
    high "high",
    low "low",
    volume "volume",
    quantity "quantity",
    last_close_rate "lastCloseRate",
    last_close_zoned_rate "lastCloseZonedRate",
    last_close_high "lastCloseHigh",
    last_close_low "lastCloseLow",
});
message!(PublicMiniTickers { items "items" });
message!(PublicDeals { deals "deals", event_type "eventType" });
message!(PublicDeal { price "price", quantity "quantity", trade_type "tradeType", time "time" });
message!(PublicIncreaseDepths { asks "asks", bids "bids", event_type "eventType", version "version" });
message!(PublicIncreaseDepthsBatch { items "items", event_type "eventType" });
message!(PublicBookTicker {
    bid_price "bidPrice",
    bid_quantity "bidQuantity",
    ask_price "askPrice",
    ask_quantity "askQuantity",
});
message!(PrivateAccount {
    vcoin_name "vcoinName",
    coin_id "coinId",
    balance_amount "balanceAmount",
    balance_amount_change "balanceAmountChange",
    frozen_amount "frozenAmount",
    frozen_amount_change "frozenAmountChange",
    r#type "type",
    time "time",
});
message!(PrivateDeals {
    price "price",
    quantity "quantity",
    amount "amount",
    trade_type "tradeType",
    is_maker "isMaker",
    is_self_trade "isSelfTrade",
    trade_id "tradeId",
    client_order_id "clientOrderId",
    order_id "orderId",
    fee_amount "feeAmount",
    fee_currency "feeCurrency",
    time "time",
});
message!(PrivateOrders {
    id "id",
    client_id "clientId",
    price "price",
    quantity "quantity",
    amount "amount",
    avg_price "avgPrice",
    order_type "orderType",
    trade_type "tradeType",
    is_maker "isMaker",
    remain_amount "remainAmount",
    remain_quantity "remainQuantity",
    last_deal_quantity "lastDealQuantity",
    cumulative_quantity "cumulativeQuantity",
    cumulative_amount "cumulativeAmount",
    status "status",
    create_time "createTime",
    market "market",
    trigger_type "triggerType",
    trigger_price "triggerPrice",
    state "state",
    oco_id "ocoId",
    route_factor "routeFactor",
    symbol_id "symbolId",
    market_id "marketId",
    market_currency_id "marketCurrencyId",
    currency_id "currencyId",
});
