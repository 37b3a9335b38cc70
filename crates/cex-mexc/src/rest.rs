//! The request interface: typed request to signed HTTP, body to typed reply.

mod decode;
mod encode;
pub(crate) mod orders;

use crate::account::AccountLink;
use crate::{Mexc, error, limits, plan, read_back};
use cex_core::{Markets, Timestamp, VenueId};
use cex_errors::ExchangeError;
use cex_interface::{
    BucketRule, Capabilities, Cost, Feedback, HttpRequest, HttpResponse, Link, Protocol, Reply, Request,
    Subscription, WrittenOrder,
};
use std::sync::Arc;

impl Protocol for Mexc {
    fn venue(&self) -> VenueId {
        self.settings.venue
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn rest_base(&self) -> &str {
        &self.settings.rest_url
    }

    fn limits(&self) -> &[BucketRule] {
        &self.limits
    }

    fn cost(&self, request: &Request) -> Cost {
        limits::cost(request, self.settings.rate_limits)
    }

    fn encode(
        &self,
        venue_now: Timestamp,
        markets: &Markets,
        request: &Request,
        out: &mut HttpRequest,
    ) -> Result<(), ExchangeError> {
        let credentials = self.settings.credentials.as_ref();
        encode::encode(credentials, venue_now, markets, request, out)
            .map_err(|kind| ExchangeError::new(self.settings.venue, request.op(), kind))
    }

    fn read_back<'a>(&self, bytes: &'a [u8]) -> Option<Result<WrittenOrder<'a>, &'static str>> {
        Some(read_back::read_back(bytes))
    }

    fn decode(
        &self,
        markets: &Markets,
        request: &Request,
        response: &HttpResponse<'_>,
    ) -> Result<Reply, ExchangeError> {
        if let Some(error) = error::refusal(self.settings.venue, request, response) {
            return Err(error);
        }
        decode::decode(self.settings.venue, markets, request, response.body)
            .map_err(|kind| ExchangeError::new(self.settings.venue, request.op(), kind))
    }

    fn feedback(&self, _: &Request, response: &HttpResponse<'_>, _: Timestamp) -> Vec<Feedback> {
        error::feedback(response).into_iter().collect()
    }

    fn market_links(
        &self,
        markets: &Arc<Markets>,
        wanted: &[Subscription],
    ) -> Result<Vec<Box<dyn Link>>, ExchangeError> {
        plan::links(&self.settings, markets, wanted)
    }

    fn account_link(&self, markets: &Arc<Markets>) -> Result<Box<dyn Link>, ExchangeError> {
        Ok(Box::new(AccountLink::new(&self.settings, markets)?))
    }
}
