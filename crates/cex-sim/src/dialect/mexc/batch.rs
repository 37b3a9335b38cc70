//! The list of orders in `batchOrders`: JSON in a parameter.

use super::params::Params;
use super::refusal::Refusal;
use crate::dialect::depth;
use sonic_rs::{JsonType, JsonValueTrait as _, LazyValue};
use std::borrow::Cow;

/// Orders of one batch.
const MOST_ORDERS: usize = 20;

/// Reads a batch: a JSON array of up to 20 objects, all of one symbol.
pub(super) fn parse(json: &str) -> Result<Vec<Params<'static>>, Refusal> {
    let orders = elements(json).filter(|orders| (1..=MOST_ORDERS).contains(&orders.len()));
    let orders = orders.ok_or_else(|| Refusal::mandatory("batchOrders"))?;
    let symbol = orders[0].get("symbol");
    if orders.iter().any(|order| order.get("symbol") != symbol) {
        return Err(Refusal::new(730_002, "Your input param is invalid"));
    }
    Ok(orders)
}

fn elements(json: &str) -> Option<Vec<Params<'static>>> {
    if !depth::is_shallow(json) {
        return None;
    }
    let list: LazyValue<'_> = sonic_rs::from_str(json).ok()?;
    list.into_array_iter()?.map(|order| params(order.ok()?)).collect()
}

/// Texts, and numbers as the digits that were sent; other values make the element unreadable.
fn params(order: LazyValue<'_>) -> Option<Params<'static>> {
    let mut pairs = Vec::new();
    for pair in order.into_object_iter()? {
        let (name, value) = pair.ok()?;
        let value = match value.get_type() {
            JsonType::String => value.as_str()?.to_owned(),
            JsonType::Number => value.as_raw_str().trim().to_owned(),
            JsonType::Null => continue,
            JsonType::Boolean | JsonType::Object | JsonType::Array => return None,
        };
        pairs.push((Cow::Owned(name.into_owned()), Cow::Owned(value)));
    }
    Some(Params::of(pairs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_texts_are_taken_alike() {
        let json =
            r#"[{"symbol":"A","quantity":"1","newClientOrderId":12},{"symbol":"A","price":0.10,"x":null}]"#;
        let batch = parse(json).expect("two orders");
        assert_eq!(batch[0].get("newClientOrderId"), Some("12"));
        assert_eq!((batch[1].get("price"), batch[1].get("x")), (Some("0.10"), None));
    }

    #[test]
    fn what_is_no_batch_is_refused() {
        let deep = "[".repeat(1_000_000);
        let many = format!("[{}]", vec![r#"{"symbol":"A"}"#; 21].join(","));
        for (json, code) in [
            ("", 700_004),
            ("[]", 700_004),
            ("{}", 700_004),
            ("[1]", 700_004),
            (r#"[{"symbol":["A"]}]"#, 700_004),
            (&many, 700_004),
            (&deep, 700_004),
            (r#"[{"symbol":"A"},{"symbol":"B"}]"#, 730_002),
        ] {
            assert_eq!(parse(json).map(|_| ()).map_err(|refusal| refusal.code), Err(code), "{json:.40}");
        }
    }
}
