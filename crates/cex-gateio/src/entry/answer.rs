//! Answers of the trading interface, read as the answers of REST they mirror (GATEIO-WS-29).

use crate::rest::reply;
use crate::wire::{Scalar, TradingAnswer, text};
use crate::{error, limits};
use cex_core::{Decimal, Markets, Rounding, Timestamp, VenueId};
use cex_errors::{ExchangeError, Op};
use cex_interface::{Feedback, HttpResponse, Reply, Request};

/// Whether it says only that the request was received: not that it was accepted (GATEIO-WS-31).
pub(super) fn is_acknowledgement(answer: &TradingAnswer<'_>) -> bool {
    text(answer.ack.as_ref()) == "true"
}

/// Why a login was refused; `None` when it was not.
pub(super) fn login_refusal(venue: VenueId, answer: &TradingAnswer<'_>) -> Option<ExchangeError> {
    let head = head(answer);
    let response = response(answer, &head);
    let refused = !response.is_success() || is_refusal(answer);
    refused.then(|| error::of_response(venue, Op::Stream, &response))
}

/// The exchange's clock when it answered.
pub(super) fn told_time(answer: &TradingAnswer<'_>) -> Option<Timestamp> {
    let millis = Decimal::parse(answer.header.response_time.as_ref()?.as_str().as_bytes()).ok()?;
    Some(Timestamp::from_nanos(millis.to_scaled(6, Some(Rounding::Floor)).ok()?))
}

/// What results are read with.
pub(super) struct Reading<'a> {
    pub(super) venue: VenueId,
    pub(super) markets: &'a Markets,
    pub(super) now: Timestamp,
}

impl Reading<'_> {
    /// What became of a call, and what the answer says of the budgets.
    pub(super) fn result(
        &self,
        request: &Request,
        answer: &TradingAnswer<'_>,
    ) -> (Result<Reply, ExchangeError>, Vec<Feedback>) {
        let head = head(answer);
        let response = response(answer, &head);
        let result = if is_refusal(answer) {
            Err(error::of_response(self.venue, request.op(), &response))
        } else {
            reply::decode(self.venue, self.markets, request, &response)
        };
        (result, limits::feedback(request, &response, self.now))
    }
}

fn is_refusal(answer: &TradingAnswer<'_>) -> bool {
    answer.data.as_ref().is_some_and(|data| data.errs.is_some())
}

/// The answer as REST would have given it. One without a status succeeded at nothing.
fn response<'a>(answer: &'a TradingAnswer<'_>, head: &'a [(&'a str, &'a [u8])]) -> HttpResponse<'a> {
    let status = answer.header.status.as_ref().and_then(|status| status.as_str().parse().ok()).unwrap_or(0);
    let data = answer.data.as_ref().and_then(|data| data.errs.as_ref().or(data.result.as_ref()));
    HttpResponse { status, headers: head, body: data.map_or(b"", |data| data.as_raw_str().as_bytes()) }
}

/// What stands in REST's head, under the names it has there. A count that is zero is left out (GATEIO-WS-32).
fn head<'a>(answer: &'a TradingAnswer<'_>) -> Vec<(&'a str, &'a [u8])> {
    let header = &answer.header;
    let none_left = header.x_gate_ratelimit_limit.as_ref().map(|_| "0");
    let remain = header.x_gate_ratelimit_requests_remain.as_ref().map(Scalar::as_str).or(none_left);
    let reset = header.x_gate_ratelimit_reset_timestamp.as_ref();
    let reset = reset.or(header.x_gat_ratelimit_reset_timestamp.as_ref()).map(Scalar::as_str);
    let out_time = header.x_out_time.as_ref().map(Scalar::as_str);
    [
        ("x-gate-ratelimit-requests-remain", remain),
        ("x-gate-ratelimit-reset-timestamp", reset),
        ("x-out-time", out_time),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?.as_bytes())))
    .collect()
}
