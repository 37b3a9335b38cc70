//! What is on its way, by time of arrival.

use super::line::Parcel;
use cex_core::Timestamp;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Parcels by time of arrival; those that arrive together in the order they were sent. Parcels are large: they lie still, and
/// only their times are moved about.
#[derive(Debug, Default)]
pub(super) struct Post {
    due: BinaryHeap<Reverse<(Timestamp, u64, usize)>>,
    parcels: Vec<Option<Parcel>>,
    free: Vec<usize>,
    sent: u64,
}

impl Post {
    /// Sends something that arrives then.
    pub(super) fn send(&mut self, at: Timestamp, parcel: Parcel) {
        let place = self.free.pop().unwrap_or_else(|| {
            self.parcels.push(None);
            self.parcels.len() - 1
        });
        self.parcels[place] = Some(parcel);
        self.sent += 1;
        self.due.push(Reverse((at, self.sent, place)));
    }

    /// When the next one arrives.
    pub(super) fn next_at(&self) -> Option<Timestamp> {
        self.due.peek().map(|Reverse((at, ..))| *at)
    }

    /// Takes the next one, whenever it arrives.
    pub(super) fn take(&mut self) -> Option<Parcel> {
        let Reverse((_, _, place)) = self.due.pop()?;
        self.free.push(place);
        self.parcels[place].take()
    }
}

#[cfg(test)]
mod tests {
    use super::{Parcel, Post, Timestamp};
    use crate::server::world::LineId;

    #[test]
    fn the_earliest_comes_first_and_what_comes_together_in_the_order_it_was_sent() {
        let mut post = Post::default();
        assert!(post.next_at().is_none() && post.take().is_none());
        for round in 0..3 {
            for (at, line) in [(5, 1), (3, 2), (5, 3), (3, 4), (4, 5), (3, 6)] {
                post.send(Timestamp::from_secs(at), Parcel::Silence(LineId(line)));
            }
            let mut came = Vec::new();
            while let Some(at) = post.next_at() {
                let Some(Parcel::Silence(line)) = post.take() else { panic!("round {round}: it was sent") };
                came.push((at.as_secs(), line.0));
            }
            assert_eq!(came, [(3, 2), (3, 4), (3, 6), (4, 5), (5, 1), (5, 3)]);
        }
        assert_eq!(post.parcels.len(), 6, "places are used again");
    }
}
