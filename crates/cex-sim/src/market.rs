//! Seeded order flow on all exchanges at once.
