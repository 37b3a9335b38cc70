//! One market's book: price-time priority and nothing of money.

use crate::ranked::Ranked;
use cex_core::{Notional, Price, Qty, Side};

/// No node.
const NIL: u32 = u32::MAX;

/// Where an order lies in the exchange's table of orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OrderSlot(pub(super) u32);

/// Where a resting quantity lies in the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NodeId(u32);

/// A resting order, linked to its neighbours in the queue of its level.
#[derive(Debug, Clone, Copy)]
struct Node {
    order: OrderSlot,
    side: Side,
    price: Price,
    qty: Qty,
    previous: u32,
    next: u32,
}

/// The orders of one price, oldest first.
#[derive(Debug, Clone, Copy)]
struct Queue {
    total: Qty,
    head: u32,
    tail: u32,
}

/// The order next to trade on a side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Front {
    pub(super) order: OrderSlot,
    pub(super) price: Price,
    pub(super) qty: Qty,
}

/// What an order would take from the book as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Take {
    pub(super) qty: Qty,
    pub(super) notional: Notional,
}

/// The resting orders of one market.
///
/// Each side maps a key to a queue; the key is the price for asks and its negative for bids, so that the best level
/// comes first on both sides and one code serves both.
#[derive(Debug, Clone, Default)]
pub(super) struct Book {
    bids: Ranked<Queue>,
    asks: Ranked<Queue>,
    nodes: Vec<Node>,
    free: Vec<u32>,
}

const fn key(side: Side, price: Price) -> i64 {
    match side {
        Side::Buy => -price.0,
        Side::Sell => price.0,
    }
}

const fn price_of(side: Side, key: i64) -> Price {
    match side {
        Side::Buy => Price(-key),
        Side::Sell => Price(key),
    }
}

/// Whether a taker on `side` with this limit (none: any price) trades at `price`.
pub(super) const fn reaches(side: Side, limit: Option<Price>, price: Price) -> bool {
    match (side, limit) {
        (_, None) => true,
        (Side::Buy, Some(limit)) => limit.0 >= price.0,
        (Side::Sell, Some(limit)) => limit.0 <= price.0,
    }
}

impl Book {
    const fn side(&self, side: Side) -> &Ranked<Queue> {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    const fn side_mut(&mut self, side: Side) -> &mut Ranked<Queue> {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }

    /// Levels of a side, best first.
    pub(super) fn levels(&self, side: Side) -> impl Iterator<Item = (Price, Qty)> {
        self.side(side).iter().map(move |(key, queue)| (price_of(side, key), queue.total))
    }

    /// Levels of a side behind a price, best first; all of them behind none.
    pub(super) fn levels_behind(
        &self,
        side: Side,
        price: Option<Price>,
    ) -> impl Iterator<Item = (Price, Qty)> {
        let from = price.map_or(i64::MIN, |price| key(side, price).saturating_add(1));
        self.side(side).range_from(from).map(move |(key, queue)| (price_of(side, key), queue.total))
    }

    /// What rests at a price.
    pub(super) fn level(&self, side: Side, price: Price) -> Qty {
        self.side(side).get(key(side, price)).map_or(Qty::ZERO, |queue| queue.total)
    }

    /// Best price of a side.
    pub(super) fn best(&self, side: Side) -> Option<Price> {
        self.side(side).first().map(|(key, _)| price_of(side, key))
    }

    /// The order next to trade on a side.
    pub(super) fn front(&self, side: Side) -> Option<Front> {
        let (_, queue) = self.side(side).first()?;
        let node = &self.nodes[queue.head as usize];
        Some(Front { order: node.order, price: node.price, qty: node.qty })
    }

    /// All orders of a side, next to trade first.
    pub(super) fn orders(&self, side: Side) -> impl Iterator<Item = Front> {
        self.side(side).iter().flat_map(|(_, queue)| {
            let nodes = std::iter::successors(self.nodes.get(queue.head as usize), |node| {
                self.nodes.get(node.next as usize)
            });
            nodes.map(|node| Front { order: node.order, price: node.price, qty: node.qty })
        })
    }

    /// Puts an order last in the queue of its price. Answers where it lies and the level's new total.
    ///
    /// The caller has checked that the total fits: see [`Self::has_room`].
    pub(super) fn push(&mut self, side: Side, price: Price, qty: Qty, order: OrderSlot) -> (NodeId, Qty) {
        let node = Node { order, side, price, qty, previous: NIL, next: NIL };
        let id = self.store(node);
        let (key, levels) = (key(side, price), self.side_mut(side));
        match levels.seek(key) {
            Err(place) => {
                levels.insert_at(place, key, Queue { total: qty, head: id, tail: id });
                (NodeId(id), qty)
            }
            Ok(queue) => {
                let last = std::mem::replace(&mut queue.tail, id);
                queue.total.0 += qty.0;
                let total = queue.total;
                self.nodes[id as usize].previous = last;
                self.nodes[last as usize].next = id;
                (NodeId(id), total)
            }
        }
    }

    /// Whether a level can hold this much more.
    pub(super) fn has_room(&self, side: Side, price: Price, qty: Qty) -> bool {
        self.level(side, price).0.checked_add(qty.0).is_some()
    }

    /// Takes `qty` from the order at the front, at most all of it. Answers what is left of the level.
    pub(super) fn take_front(&mut self, side: Side, qty: Qty) -> Qty {
        let Some(queue) = self.side_mut(side).first_mut() else { return Qty::ZERO };
        let (head, left) = (queue.head, Qty(queue.total.0 - qty.0));
        queue.total = left;
        let node = &mut self.nodes[head as usize];
        node.qty.0 -= qty.0;
        if node.qty.is_zero() {
            self.unlink(head);
        }
        left
    }

    /// Makes a resting order smaller, where it is. Answers its side, its price and what its level holds now.
    pub(super) fn reduce(&mut self, id: NodeId, by: Qty) -> (Side, Price, Qty) {
        let node = &mut self.nodes[id.0 as usize];
        node.qty.0 -= by.0;
        let (side, price) = (node.side, node.price);
        let queue = self.side_mut(side).get_mut(key(side, price));
        let left = queue.map_or(Qty::ZERO, |queue| {
            queue.total.0 -= by.0;
            queue.total
        });
        (side, price, left)
    }

    /// Takes a resting order out. Answers its side, its price and what is left of its level.
    pub(super) fn remove(&mut self, id: NodeId) -> (Side, Price, Qty) {
        let Node { side, price, .. } = self.nodes[id.0 as usize];
        (side, price, self.unlink(id.0))
    }

    /// What a taker of `side` gets, up to `qty`, at `limit` or better.
    pub(super) fn takeable(&self, side: Side, limit: Option<Price>, qty: Qty) -> Take {
        let mut take = Take::default();
        for (price, available) in self.levels(side.opposite()) {
            if take.qty >= qty || !reaches(side, limit, price) {
                break;
            }
            take.add(price, Qty(available.0.min(qty.0 - take.qty.0)));
        }
        take
    }

    /// What a taker of `side` gets for at most `budget` of quote, in whole units of quantity; `None` when that is
    /// more than can be counted.
    pub(super) fn takeable_for(&self, side: Side, budget: Notional) -> Option<Take> {
        let mut take = Take::default();
        for (price, available) in self.levels(side.opposite()) {
            let affordable = (budget.0 - take.notional.0) / i128::from(price.0);
            let qty = affordable.min(i128::from(available.0));
            take.qty.0.checked_add(i64::try_from(qty).ok()?)?;
            take.add(price, Qty(i64::try_from(qty).ok()?));
            if qty < i128::from(available.0) {
                break;
            }
        }
        Some(take)
    }

    fn store(&mut self, node: Node) -> u32 {
        if let Some(id) = self.free.pop() {
            self.nodes[id as usize] = node;
            return id;
        }
        let id = u32::try_from(self.nodes.len()).expect("fewer than 2^32 orders rest in one market");
        self.nodes.push(node);
        id
    }

    /// Takes a node out of its queue, and the queue out of the book when it was the last. Answers what is left of the level.
    fn unlink(&mut self, id: u32) -> Qty {
        let Node { side, price, qty, previous, next, .. } = self.nodes[id as usize];
        if previous != NIL {
            self.nodes[previous as usize].next = next;
        }
        if next != NIL {
            self.nodes[next as usize].previous = previous;
        }
        self.free.push(id);
        let left = self.side_mut(side).update(key(side, price), |queue| {
            if previous == NIL && next == NIL {
                return None;
            }
            queue.total.0 -= qty.0;
            if previous == NIL {
                queue.head = next;
            }
            if next == NIL {
                queue.tail = previous;
            }
            Some(queue.total)
        });
        left.unwrap_or(Qty::ZERO)
    }
}

impl Take {
    /// Takes so much more.
    pub(super) const fn add(&mut self, price: Price, qty: Qty) {
        self.qty.0 += qty.0;
        self.notional.0 += price.times(qty).0;
    }
}

#[cfg(test)]
mod tests {
    use super::{Book, Front, OrderSlot};
    use cex_core::{Notional, Price, Qty, Side};

    /// A side filled with (price, quantity), whose orders are numbered from zero.
    fn book(side: Side, orders: &[(i64, i64)]) -> (Book, Vec<super::NodeId>) {
        let mut book = Book::default();
        let push = |(index, (price, qty)): (usize, &(i64, i64))| {
            book.push(side, Price(*price), Qty(*qty), OrderSlot(index as u32)).0
        };
        let nodes = orders.iter().enumerate().map(push).collect();
        (book, nodes)
    }

    fn levels(book: &Book, side: Side) -> Vec<(i64, i64)> {
        book.levels(side).map(|(price, qty)| (price.0, qty.0)).collect()
    }

    /// Takes everything from the front, one by one: (order, price, quantity).
    fn drained(book: &mut Book, side: Side) -> Vec<(u32, i64, i64)> {
        let mut all = Vec::new();
        while let Some(Front { order, price, qty }) = book.front(side) {
            book.take_front(side, qty);
            all.push((order.0, price.0, qty.0));
        }
        all
    }

    #[test]
    fn levels_come_best_first_on_both_sides() {
        let orders = [(100, 1), (102, 2), (101, 4), (100, 8)];
        assert_eq!(levels(&book(Side::Buy, &orders).0, Side::Buy), [(102, 2), (101, 4), (100, 9)]);
        assert_eq!(levels(&book(Side::Sell, &orders).0, Side::Sell), [(100, 9), (101, 4), (102, 2)]);
        assert_eq!(book(Side::Sell, &orders).0.best(Side::Sell), Some(Price(100)));
        assert_eq!(book(Side::Sell, &orders).0.best(Side::Buy), None);
    }

    #[test]
    fn price_goes_before_time() {
        let (mut book, _) = book(Side::Buy, &[(100, 1), (101, 2), (100, 3), (101, 4)]);
        assert_eq!(drained(&mut book, Side::Buy), [(1, 101, 2), (3, 101, 4), (0, 100, 1), (2, 100, 3)]);
    }

    #[test]
    fn orders_leave_from_anywhere_in_the_queue() {
        for gone in 0..3 {
            let (mut book, nodes) = book(Side::Sell, &[(100, 1), (100, 2), (100, 4)]);
            let left = Qty(7 - (1 << gone));
            assert_eq!(book.remove(nodes[gone]), (Side::Sell, Price(100), left));
            let order: Vec<u32> = drained(&mut book, Side::Sell).iter().map(|(order, ..)| *order).collect();
            assert_eq!(order, (0..3).filter(|order| *order != gone as u32).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_part_taken_keeps_its_place() {
        let (mut book, nodes) = book(Side::Sell, &[(100, 5), (100, 5)]);
        assert_eq!(book.take_front(Side::Sell, Qty(2)), Qty(8));
        assert_eq!(
            book.front(Side::Sell),
            Some(Front { order: OrderSlot(0), price: Price(100), qty: Qty(3) })
        );
        assert_eq!(book.remove(nodes[0]), (Side::Sell, Price(100), Qty(5)));
        assert_eq!(book.remove(nodes[1]), (Side::Sell, Price(100), Qty::ZERO));
        assert_eq!(levels(&book, Side::Sell), []);
    }

    #[test]
    fn places_are_used_again() {
        let mut book = Book::default();
        for _ in 0..100 {
            let (node, _) = book.push(Side::Buy, Price(1), Qty(1), OrderSlot(0));
            book.remove(node);
        }
        assert_eq!(book.nodes.len(), 1);
    }

    #[test]
    fn what_can_be_taken_is_counted_to_limit_quantity_and_budget() {
        let (book, _) = book(Side::Sell, &[(100, 5), (101, 5), (103, 5)]);
        let taken = |limit: Option<i64>, qty| {
            let take = book.takeable(Side::Buy, limit.map(Price), Qty(qty));
            (take.qty.0, take.notional.0)
        };
        assert_eq!(taken(Some(99), 9), (0, 0));
        assert_eq!(taken(Some(101), 7), (7, 702));
        assert_eq!(taken(Some(102), 99), (10, 1_005));
        assert_eq!(taken(None, 99), (15, 1_520));
        let for_budget =
            |budget| book.takeable_for(Side::Buy, Notional(budget)).map(|take| (take.qty.0, take.notional.0));
        assert_eq!(for_budget(99), Some((0, 0)));
        assert_eq!(for_budget(702), Some((7, 702)));
        assert_eq!(for_budget(802), Some((7, 702)));
        assert_eq!(for_budget(99_999), Some((15, 1_520)));
        assert!(!book.has_room(Side::Sell, Price(100), Qty(i64::MAX)));
        assert!(book.has_room(Side::Sell, Price(104), Qty(i64::MAX)));
    }
}
