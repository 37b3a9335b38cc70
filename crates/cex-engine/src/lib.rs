//! The strategy as one deterministic state machine: events in, commands out; time is an argument.
//!
//! | module | what |
//! |---|---|
//! | [`engine`] | [`Engine`]: dispatch, books, trading, orders |
//! | [`message`] | [`Event`] in; [`Command`] and [`Notice`] out |
//! | [`detect`] | [`Tops`], [`Crossing`]: which venues cross, after fees |
//! | [`plan`] | [`best_size`]: how much, exactly |
//! | [`opportunity`] | [`Opportunity`], [`Verdict`]: from crossing to its end, with a reason |
//! | [`execute`] | [`Arbitrage`], [`OrderRun`], [`Outcome`]: orders from sent to settled |
//! | [`ids`] | [`IdSource`]: client order ids |
//! | [`understudy`] | [`Understudy`]: keeps the way to an order warm by playing it on a stage of its own |
//! | [`view`] | [`EngineView`]: plain data, all that is shown outside |
#![forbid(unsafe_code)]

pub mod detect;
pub mod engine;
pub mod execute;
pub mod ids;
pub mod message;
pub mod opportunity;
pub mod plan;
pub mod understudy;
pub mod view;

pub use detect::{Crossing, Rank, Tops};
pub use engine::{CLOCK_OFFSET_MAX, Engine, EngineConfig, PastArbitrage, PastOrder, VenueSetup};
pub use execute::{
    Arbitrage, Booked, Carried, Ending, Leveling, OrderRun, OrderState, OtherFee, OtherFees, Outcome,
    Question,
};
pub use ids::{IdParts, IdSource, is_our_form};
pub use message::{Command, Commands, Event, Notice, Parent, Told, VenueNote};
pub use opportunity::{Opportunity, Verdict};
pub use plan::{Bounds, NoSize, Size, best_size, common_step};
pub use understudy::Understudy;
pub use view::{EngineView, Totals, VenueView};
