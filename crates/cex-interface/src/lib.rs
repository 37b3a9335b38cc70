//! The contracts: what an exchange adapter offers, and what whoever drives it promises. No exchange is named here.
//!
//! | contract | who implements it | who calls it |
//! |---|---|---|
//! | [`Protocol`] | an adapter: typed request to HTTP request, HTTP response to typed reply; opens links | transport |
//! | [`Link`] | an adapter: the state machine of one streaming connection | transport, replay, the simulated world |
//! | [`PublicExchange`], [`PrivateExchange`] | transport's client, once for all adapters | people who use an adapter alone |
//! | [`Registration`] | an adapter: its name, what it can do, how to make its protocol | the program |
//!
//! [`Protocol`] and [`Link`] do no IO and read no clock: bytes, time and randomness are arguments.
#![forbid(unsafe_code)]

pub mod capability;
pub mod config;
pub mod exchange;
pub mod http;
pub mod limit;
pub mod link;
pub mod protocol;
pub mod request;
pub mod written;

pub use capability::{BatchRule, BookStream, Capabilities, PageRule};
pub use config::{Secret, VenueConfig};
pub use exchange::{EventSource, Health, Listing, PrivateExchange, PublicExchange};
pub use http::{HttpRequest, HttpResponse, Method};
pub use limit::{Bucket, BucketRule, CallClass, Charge, Cost, Feedback, Pace, connections_for};
pub use link::{CloseReason, Effect, Input, Link, LinkAnswer, LinkCall, Outbox, Payload};
pub use protocol::{Protocol, Registration, Subscription};
pub use request::{
    BookSnapshot, Incomplete, ListenKeys, OrderRef, Placed, Reply, Request, TimeRange, by_name,
};
pub use written::{WrittenOrder, once};
