//! The exchange's table of orders: slots are reused, numbers never are.

use super::book::{NodeId, OrderSlot};
use super::listing::Rates;
use super::types::{AccountIndex, EndReason, NewOrder, OrderNo, OrderView};
use cex_core::{Asset, Decimal, OrderStatus, Qty, Timestamp};
use rustc_hash::FxHashMap;

/// An order with what its owner does not see.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) view: OrderView,
    /// Base still to trade.
    pub(super) leaves: Qty,
    /// What is still locked for it, in smallest units of what it spends.
    pub(super) locked: i128,
    /// Quote turned over so far, in smallest units.
    pub(super) turnover: i128,
    /// Fee so far, in smallest units.
    pub(super) fee: i128,
    /// Its fees.
    pub(super) rates: Rates,
    /// Whether it was accepted but has not met the book yet.
    pub(super) is_held: bool,
    /// Where it rests, while it does.
    pub(super) node: Option<NodeId>,
}

/// The neighbours of an order among the open ones of its account.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Links {
    pub(super) older: Option<OrderSlot>,
    pub(super) newer: Option<OrderSlot>,
}

/// An order of a house account, for who placed it: found without being looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Resting {
    pub(super) no: OrderNo,
    pub(super) slot: OrderSlot,
}

/// No order.
const NONE: OrderNo = OrderNo(0);

/// All orders that are remembered.
#[derive(Debug, Clone, Default)]
pub(super) struct Orders {
    records: Vec<Record>,
    /// By slot: whose it is, or nobody's.
    nos: Vec<OrderNo>,
    /// By slot. Apart from the records, so that whoever comes or goes touches little of its neighbours.
    links: Vec<Links>,
    free: Vec<OrderSlot>,
    /// Of clients' orders. Makers come and go by the thousand a second, and nobody asks for theirs by number.
    by_no: FxHashMap<OrderNo, OrderSlot>,
    last_no: u64,
}

impl Orders {
    /// Enters an order under the next number.
    pub(super) fn insert(
        &mut self,
        now: Timestamp,
        (account, is_house): (AccountIndex, bool),
        request: NewOrder,
        fee_asset: Asset,
        rates: Rates,
    ) -> OrderSlot {
        self.last_no += 1;
        let no = OrderNo(self.last_no);
        let view = OrderView {
            no,
            account,
            request,
            status: OrderStatus::New,
            end: EndReason::Open,
            filled_qty: Qty::ZERO,
            filled_notional: Decimal::ZERO,
            fee: Decimal::ZERO,
            fee_asset,
            created_at: now,
            updated_at: now,
        };
        let record = Record {
            view,
            leaves: Qty::ZERO,
            locked: 0,
            turnover: 0,
            fee: 0,
            rates,
            is_held: false,
            node: None,
        };
        let slot = self.store(record);
        self.nos[slot.index()] = no;
        if !is_house {
            self.by_no.insert(no, slot);
        }
        slot
    }

    fn store(&mut self, record: Record) -> OrderSlot {
        if let Some(slot) = self.free.pop() {
            self.records[slot.index()] = record;
            self.links[slot.index()] = Links::default();
            return slot;
        }
        let slot =
            OrderSlot(u32::try_from(self.records.len()).expect("fewer than 2^32 orders are remembered"));
        self.records.push(record);
        self.nos.push(NONE);
        self.links.push(Links::default());
        slot
    }

    /// Forgets an ended order of a house account.
    pub(super) fn forget(&mut self, slot: OrderSlot) {
        self.nos[slot.index()] = NONE;
        self.free.push(slot);
    }

    /// Where an order is. One of a house account is looked for.
    pub(super) fn slot_of(&self, no: OrderNo) -> Option<OrderSlot> {
        let of_house = || (0..).map(OrderSlot).zip(&self.nos).find(|(_, known)| **known == no);
        let known = self.by_no.get(&no).copied();
        known.or_else(|| of_house().filter(|_| no != NONE).map(|(slot, _)| slot))
    }

    /// Whether an order of a house account is still remembered.
    pub(super) fn has(&self, order: Resting) -> bool {
        self.nos.get(order.slot.index()) == Some(&order.no)
    }

    pub(super) fn get(&self, slot: OrderSlot) -> &Record {
        &self.records[slot.index()]
    }

    pub(super) fn get_mut(&mut self, slot: OrderSlot) -> &mut Record {
        &mut self.records[slot.index()]
    }

    pub(super) fn links(&self, slot: OrderSlot) -> Links {
        self.links[slot.index()]
    }

    pub(super) fn links_mut(&mut self, slot: OrderSlot) -> &mut Links {
        &mut self.links[slot.index()]
    }
}

impl OrderSlot {
    const fn index(self) -> usize {
        self.0 as usize
    }
}
