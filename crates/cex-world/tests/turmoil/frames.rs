//! A stream cut at every byte: of the answer to the upgrade, of the confirmation, of the first frames of a book.

use crate::road::{Purpose, Tear};
use crate::stage::{Setting, play};
use cex_risk::Mode;
use cex_sim::server::{SimConfig, SimExchange};
use cex_transport::LinkConfig;
use std::time::Duration;

/// Bytes from the beginning of a connection: at both exchanges the upgrade, the confirmation and some frames of data.
const BYTES: usize = 1_500;

/// As quick to come back as can be, so that a thousand cuts take minutes of virtual time.
fn quick() -> LinkConfig {
    LinkConfig {
        backoff_base: Duration::from_millis(2),
        backoff_cap: Duration::from_millis(8),
        dial_spacing: Duration::from_millis(1),
        ..LinkConfig::default()
    }
}

fn every_byte(exchange: SimExchange) {
    let new = Setting::new(21);
    let setting = Setting {
        sim: SimConfig { symbols: 1, ..new.sim },
        latency: (Duration::from_millis(1), Duration::from_millis(2)),
        lasts: Duration::from_secs(7_200),
        ..new
    };
    play(setting, move |stage| async move {
        let trader = stage.trader(quick(), Mode::Observe).await;
        let road = stage.roads.to(exchange);
        let (mut compared, mut lost_inside) = (0, 0);
        for cut in 0..BYTES {
            let tear = if cut % 2 == 0 { Tear::ReadReset(cut) } else { Tear::ReadEnd(cut) };
            trader.until_books_live(cut).await;
            road.arm(Purpose::Stream, tear);
            stage.sim.cut_connections(exchange);
            // The connection that stood is lost, the next one is torn at its byte, the one after that stands.
            let (mut torn, mut was_usable) = (false, false);
            while !torn {
                stage.sleep(1).await;
                compared += trader.check_books();
                let (_, read) = road.passed(Purpose::Stream);
                torn = !road.is_armed() && read >= cut && trader.streams_lie(exchange);
                was_usable |= !road.is_armed() && trader.has_book(exchange);
            }
            lost_inside += usize::from(was_usable);
        }
        trader.until_books_live(BYTES).await;
        let (seed, view) = (stage.seed, trader.view());
        let mut trader = trader;
        trader.end().await;
        assert!(lost_inside > 0, "no cut came after the book was live: {BYTES} bytes are too few");
        println!(
            "seed {seed}, {exchange}: {BYTES} cuts, {lost_inside} of a live book, {compared} books compared, {} resyncs",
            view.venues[exchange as usize].resyncs
        );
    });
}

impl crate::stage::Trader {
    fn has_book(&self, exchange: SimExchange) -> bool {
        self.view().venues[exchange as usize].books_live.0 > 0
    }

    async fn until_books_live(&self, cut: usize) {
        let began = tokio::time::Instant::now();
        while !SimExchange::ALL.into_iter().all(|exchange| self.has_book(exchange)) {
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "after the cut at {cut}: {:?}",
                self.complaints()
            );
            self.stage.sleep(5).await;
            self.check_books();
        }
    }
}

#[test]
fn a_stream_of_mexc_cut_at_every_byte_leaves_no_wrong_book() {
    every_byte(SimExchange::Mexc);
}

#[test]
fn a_stream_of_gateio_cut_at_every_byte_leaves_no_wrong_book() {
    every_byte(SimExchange::Gateio);
}
