//! `POST /wallet/transfers`: between the spot account and the exchange's others, in which nothing happens here.

use super::Gateio;
use super::account::known_asset;
use super::body::Fields;
use super::json;
use super::refusal::Refusal;
use super::rest::Request;
use crate::matching::{AccountIndex, Exchange};
use cex_core::Decimal;

/// Where money can be besides the spot account, and what must be told of it.
const PLACES: [(&str, Option<&str>); 5] = [
    ("margin", Some("currency_pair")),
    ("futures", Some("settle")),
    ("delivery", Some("settle")),
    ("cross_margin", None),
    ("options", None),
];

/// Moves what is free; answers the number of the transfer.
pub(super) fn transfer(
    gateio: &mut Gateio,
    exchange: &mut Exchange,
    account: AccountIndex,
    request: &Request<'_>,
) -> Result<String, Refusal> {
    let fields = Fields::parse(request.body)
        .ok_or_else(|| Refusal::new(400, "INVALID_REQUEST_BODY", "The body is no JSON object"))?;
    let asset = known_asset(exchange, &fields.required("currency")?)?;
    let (from, to) = (fields.required("from")?, fields.required("to")?);
    let (elsewhere, is_outward) = match (from.as_ref(), to.as_ref()) {
        ("spot", "spot") => return Err(Refusal::bad_param("to", "spot")),
        ("spot", place) => (place, true),
        (place, "spot") => (place, false),
        (_, place) => return Err(Refusal::bad_param("to", place)),
    };
    let place = PLACES.iter().find(|(known, _)| *known == elsewhere);
    let (place, needed) =
        *place.ok_or_else(|| Refusal::bad_param(if is_outward { "to" } else { "from" }, elsewhere))?;
    if let Some(name) = needed {
        fields.required(name)?;
    }
    let text = fields.required("amount")?;
    let amount = text.parse::<Decimal>().ok().filter(|amount| amount.is_positive());
    let amount = amount.ok_or_else(|| Refusal::bad_param("amount", &text))?;
    let moved = exchange.transfer(request.now, account, (asset, amount), place, is_outward);
    moved.map_err(|_| Refusal::new(400, "BALANCE_NOT_ENOUGH", "Not enough balance"))?;
    gateio.transfers += 1;
    let mut body = String::new();
    json::object(&mut body, |row| row.plain("tx_id", gateio.transfers));
    Ok(body)
}
