//! Adapters broken on purpose: each must be noticed by the behaviour it names, or the behaviours prove nothing.
//!
//! A mutant wraps any adapter from outside: its calls, its codec or its links. Only for tests (feature `mutants`).

mod calls;
mod codec;
mod links;

pub use calls::CallFault;

use cex_interface::{Capabilities, Protocol};
use codec::{Broken, CodecFault};
use links::LinkFault;
use std::sync::Arc;

/// Where a mutant is broken.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Call(CallFault),
    Codec(CodecFault),
    Link(LinkFault),
}

/// A broken adapter.
pub struct Mutant {
    /// What the mutant does wrong, as an identifier: `swaps_the_side`.
    pub name: &'static str,
    /// What it does wrong, in words.
    pub says: &'static str,
    /// The behaviour that must notice.
    pub caught_by: &'static str,
    /// Which adapters can be broken like this.
    pub needs: fn(&Capabilities) -> bool,
    fault: Fault,
}

impl Mutant {
    const fn new(name: &'static str, says: &'static str, caught_by: &'static str, fault: Fault) -> Self {
        Self { name, says, caught_by, needs: |_| true, fault }
    }

    const fn needs(mut self, needs: fn(&Capabilities) -> bool) -> Self {
        self.needs = needs;
        self
    }

    /// The codec, broken if that is where the fault lies.
    pub(crate) fn wrap(&self, protocol: Arc<dyn Protocol>) -> Arc<dyn Protocol> {
        match self.fault {
            Fault::Call(_) => protocol,
            Fault::Codec(fault) => Arc::new(Broken::codec(protocol, fault)),
            Fault::Link(fault) => Arc::new(Broken::links(protocol, fault)),
        }
    }

    pub(crate) const fn call_fault(&self) -> Option<CallFault> {
        match self.fault {
            Fault::Call(fault) => Some(fault),
            Fault::Codec(_) | Fault::Link(_) => None,
        }
    }
}

impl std::fmt::Debug for Mutant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

const fn call(name: &'static str, caught_by: &'static str, fault: CallFault, says: &'static str) -> Mutant {
    Mutant::new(name, says, caught_by, Fault::Call(fault))
}

const fn codec(name: &'static str, caught_by: &'static str, fault: CodecFault, says: &'static str) -> Mutant {
    Mutant::new(name, says, caught_by, Fault::Codec(fault))
}

const fn link(name: &'static str, caught_by: &'static str, fault: LinkFault, says: &'static str) -> Mutant {
    Mutant::new(name, says, caught_by, Fault::Link(fault))
}

/// All of them.
#[rustfmt::skip]
pub static ALL: &[Mutant] = &[
    // Calls.
    call("repeats_a_placement_of_unknown_outcome", "lost_answer_of_placement_is_unknown_and_never_resent", CallFault::RepeatUnknown, "A placement whose answer was lost is sent again."),
    call("tries_again_under_maintenance", "order_under_maintenance_is_sent_once_and_no_guess", CallFault::RepeatBusy, "A placement refused for maintenance or overload is sent again."),
    call("places_every_order_twice", "one_intent_is_one_order", CallFault::Twice, "Each placement is made twice."),
    call("takes_unknown_for_refused", "timeout_of_placement_is_unknown_and_never_resent", CallFault::UnknownIsRefused, "A timeout of a placement is told as a refusal."),
    call("takes_unknown_for_accepted", "lost_placement_is_unknown_and_never_resent", CallFault::UnknownIsAccepted, "A lost placement is told as accepted."),
    call("takes_an_acknowledgement_for_a_fill", "placement_tells_no_more_than_claimed", CallFault::AckIsFill, "An accepted placement is told as filled."),
    call("places_test_orders", "test_order_is_checked_and_not_placed", CallFault::TestIsOrder, "A test order becomes an order.").needs(|claims| claims.test_order),
    call("imitates_test_orders_by_orders", "test_order_is_unsupported_where_not_claimed", CallFault::TestIsOrder, "A test order where there is none becomes an order.").needs(|claims| !claims.test_order),
    call("forgets_cancels", "cancel_ends_the_order", CallFault::NoCancel, "A cancel is told as accepted and never sent."),
    call("cancels_everything", "cancel_touches_one_order_only", CallFault::CancelAll, "A cancel of one order cancels all."),
    // Requests.
    codec("swaps_the_side", "side_is_never_swapped", CodecFault::SwapSide, "Purchases are sent as sales."),
    codec("scales_the_quantity_by_ten", "quantity_is_never_scaled", CodecFault::ScaleQty, "Quantities are sent ten times too large."),
    codec("shifts_the_price_by_a_tick", "order_reports_what_was_asked_for", CodecFault::ShiftPrice, "Prices are sent a tick too high."),
    codec("lets_immediate_orders_rest", "immediate_order_out_of_reach_ends_unfilled", CodecFault::IocIsGtc, "Immediate-or-cancel is sent as good-till-cancelled."),
    codec("lets_fill_or_kill_fill_in_part", "fill_or_kill_too_large_fills_nothing", CodecFault::FokIsIoc, "Fill-or-kill is sent as immediate-or-cancel."),
    codec("forgets_post_only", "post_only_order_never_takes", CodecFault::PostOnlyIsLimit, "Post-only is sent as an ordinary limit."),
    codec("cuts_the_client_id", "longest_client_id_is_kept_whole", CodecFault::CutClientId, "Long client ids are sent cut off."),
    codec("rounds_prices_silently", "price_off_the_tick_is_refused", CodecFault::RoundPrice, "A price between ticks is sent rounded."),
    codec("signs_with_a_stale_clock", "clock_is_measured_before_anything_is_signed", CodecFault::StaleClock, "Signed calls carry a time of minutes ago."),
    codec("caches_its_signature", "every_signature_has_its_own_time", CodecFault::CachedClock, "The time of signing is remembered and used again."),
    codec("forgets_the_expiry", "late_placement_is_fenced_by_its_expiry", CodecFault::NoExpiry, "Placements are sent with an expiry of a minute, whatever was asked for."),
    codec("sends_the_secret", "secret_never_leaves_us", CodecFault::LeakSecret, "The secret is sent in a header."),
    codec("asks_for_all_fills", "fills_of_one_order_exclude_the_others", CodecFault::AllFills, "One order's fills are asked for without the order."),
    // Answers.
    codec("takes_server_errors_for_refusals", "server_error_after_placement_is_unknown", CodecFault::BusyIsRefused, "A 5xx is told as a refusal."),
    codec("takes_garbage_for_acceptance", "html_answer_to_placement_is_unknown", CodecFault::GarbageIsPlaced, "A page instead of an answer is told as accepted."),
    codec("takes_garbage_for_an_empty_account", "unreadable_balance_is_an_error_not_zero", CodecFault::GarbageIsEmpty, "An unreadable answer is told as an empty account."),
    codec("forgets_what_is_locked", "open_order_locks_what_it_spends", CodecFault::NoLocked, "Balances are told without what is locked."),
    codec("reads_fees_in_percent", "list_fees_equal_the_exchanges", CodecFault::FeePercent, "List fees are a hundred times too large."),
    codec("forgets_the_least_notional", "least_notionals_equal_the_exchanges", CodecFault::NoMinimum, "Rules are told without a least notional."),
    codec("takes_the_least_quantity_for_the_step", "ticks_and_lots_equal_the_exchanges", CodecFault::LotIsMinimum, "The lot is told as the least quantity, and the least quantity as none."),
    codec("tells_trades_newest_first", "recent_trades_come_oldest_first", CodecFault::NewestFirst, "Public trades are told in the wrong order."),
    codec("swaps_the_takers_side", "own_trade_is_public_with_the_takers_side", CodecFault::SwapTaker, "Public trades are told with the maker's side."),
    codec("overstates_the_snapshots_version", "book_equals_the_truth_level_by_level", CodecFault::SnapshotAhead, "Snapshots are told three versions newer than they are."),
    codec("answers_snapshots_from_a_cache", "silent_stream_of_one_symbol_is_noticed", CodecFault::CachedSnapshot, "Every snapshot of a symbol is the first one told."),
    codec("reads_seconds_for_milliseconds", "server_time_is_close_to_ours", CodecFault::TimeUnit, "The exchange's clock is read in the wrong unit."),
    codec("takes_not_found_for_cancelled", "query_of_an_unknown_order_is_not_found", CodecFault::NotFoundIsCanceled, "An order that is not found is told as cancelled."),
    codec("takes_makers_for_takers", "resting_side_is_told_as_maker", CodecFault::AlwaysTaker, "Every fill is told as a taker's."),
    codec("forgets_fees_of_fills", "fills_of_an_order_equal_the_exchanges", CodecFault::NoFees, "Fills are told without fees."),
    codec("forgets_rows_it_cannot_read", "unreadable_open_order_is_told_and_costs_the_others_nothing", CodecFault::HideUnreadable, "A list with rows that cannot be read is told as whole."),
    codec("takes_a_batch_for_accepted", "orders_of_a_batch_fail_by_themselves", CodecFault::BatchIsPlaced, "Every order of a batch is told as accepted.").needs(|claims| claims.place_batch.is_some()),
    codec("forgets_the_span_of_a_history", "order_history_stays_within_its_span", CodecFault::NoSpan, "Histories are asked for without their span.").needs(|claims| claims.order_history),
    // Budgets.
    codec("has_no_budget_of_its_own", "spent_budget_means_not_sent", CodecFault::NoBudget, "No budget is kept, so the exchange has to refuse."),
    codec("ignores_requests_to_wait", "nothing_is_sent_while_told_to_wait", CodecFault::NoFeedback, "What the exchange says of its limits is not heard."),
    codec("repeats_placements_like_reads", "calls_are_classed_by_what_they_do", CodecFault::PlacementIsQuery, "Placements are classed as reads."),
    // Streams.
    link("drops_every_twentieth_update", "book_stream_has_no_gaps_of_its_own", LinkFault::DropUpdates, "Every twentieth book update is lost between socket and book."),
    link("hides_gaps", "every_gap_is_noticed", LinkFault::HideGaps, "Versions of updates are renumbered so that they always follow each other."),
    link("keeps_deleted_levels", "live_book_equals_the_snapshot_after_many_updates", LinkFault::KeepDeleted, "Deletions of levels are left out."),
    link("swaps_bids_and_asks", "live_book_is_never_crossed", LinkFault::SwapSides, "Bids are told as asks."),
    link("forgets_that_it_is_down", "book_is_stale_at_once_after_a_cut", LinkFault::NoDown, "A lost connection is not told."),
    link("ignores_a_refused_subscription", "refused_subscription_is_told", LinkFault::NoRefused, "Refusals of subscriptions are told as confirmations."),
    link("never_confirms_subscriptions", "book_subscription_is_confirmed", LinkFault::NoSubscribed, "Confirmations are not told."),
    link("applies_what_it_cannot_read", "half_a_frame_makes_the_book_stale", LinkFault::HideUndecodable, "A frame that cannot be read is passed over in silence, its versions bridged."),
    link("loses_fills", "account_stream_tells_every_fill_once", LinkFault::LoseFills, "Streamed fills are lost."),
    link("tells_fills_twice", "account_stream_tells_every_fill_once", LinkFault::RepeatFills, "Streamed fills come twice under different identifiers."),
    link("loses_the_end_of_orders", "account_stream_tells_of_the_end_of_an_order", LinkFault::LoseEnds, "The end of an order is not streamed."),
    link("says_complete_too_early", "account_stream_with_a_wrong_secret_is_never_complete", LinkFault::EarlyReady, "The account stream is told complete as soon as it starts."),
    link("swaps_free_and_locked", "account_stream_tells_of_balances", LinkFault::SwapBalances, "Streamed balances have free and locked swapped."),
    link("takes_the_first_message_for_the_result", "streamed_acknowledgement_is_no_result", LinkFault::FirstIsResult, "Whatever comes first about a streamed order is told as accepted.").needs(|claims| claims.order_entry),
    link("takes_a_lost_stream_for_not_sent", "loss_after_a_streamed_order_is_unknown_and_never_resent", LinkFault::LossIsNotSent, "A streamed order whose connection broke is told as not sent.").needs(|claims| claims.order_entry),
    link("sends_streamed_orders_again", "streamed_order_lost_on_its_way_is_unknown_and_never_resent", LinkFault::SendsAgain, "A streamed order is sent again on the next connection.").needs(|claims| claims.order_entry),
    link("forgets_the_expiry_on_the_stream", "late_streamed_order_is_fenced_by_its_expiry", LinkFault::NoExpiry, "Streamed orders carry an expiry of a minute, whatever was asked for.").needs(|claims| claims.order_entry),
    link("ignores_wishes_for_a_new_subscription", "resubscribed_book_lives_again_on_its_connection", LinkFault::NoResubscribe, "A subscription is never begun anew."),
    link("ignores_announcements", "announced_end_is_met_by_a_successor", LinkFault::NoAnnounced, "An announced end is passed over.").needs(|claims| claims.announces_end),
    link("makes_up_fill_identifiers", "repeated_news_change_nothing", LinkFault::NewTradeIds, "Streamed fills get an identifier of their own each time."),
    link("mixes_units_of_time", "book_updates_carry_plausible_times", LinkFault::TimeUnit, "Times of updates are read in the wrong unit."),
];
