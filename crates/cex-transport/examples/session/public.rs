//! Prints the best levels of a book and the trades of some symbols as they happen, on any exchange.

use cex_core::{Level, Market, MarketEvent, Markets, StreamKind, Symbol, VenueId};
use cex_errors::ExchangeError;
use cex_interface::{EventSource, PublicExchange, Subscription, VenueConfig};
use std::error::Error;

/// Best levels a side that are printed.
const DEPTH: u16 = 5;

/// The whole program, for the exchange of this name whose adapter `connect` opens.
pub(crate) fn main<E: PublicExchange>(
    name: &str,
    connect: impl AsyncFnOnce(VenueConfig) -> Result<E, ExchangeError>,
) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(name, connect))
}

async fn run<E: PublicExchange>(
    name: &str,
    connect: impl AsyncFnOnce(VenueConfig) -> Result<E, ExchangeError>,
) -> Result<(), Box<dyn Error>> {
    let mut config = VenueConfig::public(VenueId::new(0, name)?);
    let (mut symbols, mut events) = (Vec::<Symbol>::new(), usize::MAX);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--rest" => config.rest_url = Some(value()?),
            "--ws" => config.ws_url = Some(value()?),
            "--events" => events = value()?.parse()?,
            symbol => symbols.push(symbol.parse()?),
        }
    }
    if symbols.is_empty() {
        symbols.push("BTC/USDT".parse()?);
    }
    let client = connect(config).await?;
    let markets = client.init(&symbols).await?;
    let streams = [StreamKind::TopLevels(DEPTH), StreamKind::Trades];
    let wish = |market: &Market| streams.map(|stream| Subscription { symbol: market.id, stream });
    let wanted: Vec<Subscription> = markets.iter().flat_map(wish).collect();
    let mut stream = client.subscribe(&wanted).await?;
    for _ in 0..events {
        let Some((event, levels)) = stream.next_market().await else { break };
        if let Some(line) = line(&markets, &event, &levels) {
            println!("{line}");
        }
    }
    Ok(())
}

fn line(markets: &Markets, event: &MarketEvent, levels: &[Level]) -> Option<String> {
    match event {
        MarketEvent::TopLevels(update) => {
            let market = markets.get(update.symbol)?;
            let side = |levels: &[Level]| {
                let shown = |level: &Level| {
                    format!(
                        "{} x {}",
                        market.scale.price_value(level.price),
                        market.scale.qty_value(level.qty)
                    )
                };
                levels.iter().map(shown).collect::<Vec<_>>().join(", ")
            };
            let (bids, asks) = (side(update.bids.of(levels)), side(update.asks.of(levels)));
            Some(format!("{} book  bids [{bids}]  asks [{asks}]", market.symbol()))
        }
        MarketEvent::Trade(trade) => {
            let market = markets.get(trade.symbol)?;
            let (price, qty) = (market.scale.price_value(trade.price), market.scale.qty_value(trade.qty));
            Some(format!(
                "{} trade {} {qty} at {price}, {}",
                market.symbol(),
                trade.taker_side,
                trade.exchange_ts
            ))
        }
        MarketEvent::Book(_)
        | MarketEvent::BookTicker(_)
        | MarketEvent::Ticker(_)
        | MarketEvent::Kline(_) => None,
    }
}
