//! An exchange opened: its rules read, its clock measured, its links running.

use super::budget::order_windows;
use super::choice;
use super::desk::Desk;
use super::fees::{self, Told};
use crate::exit::{Exit, Failure};
use crate::show::summary::ExchangeRow;
use cex_core::{
    Bps, ClientOrderId, Market, Markets, OrderKind, OrderRequest, Scale, Side, StreamKind, Symbol, SymbolId,
    SymbolInfo, TimeInForce, VenueId,
};
use cex_engine::{VenueSetup, VenueView};
use cex_errors::{ErrorKind, ExchangeError};
use cex_interface::{Link, Protocol, Registration, Reply, Request, Subscription, VenueConfig};
use cex_risk::OrderWindow;
use cex_transport::metrics::LinkMetrics;
use cex_transport::{
    Clock, Connector, DriveContext, LinkHandle, Rest, Rotation, TransportConfig, VenueNetwork,
    drive_rotating, link_channel,
};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// One exchange, opened.
pub struct Venue {
    /// Index and name.
    pub id: VenueId,
    /// Its codec.
    pub protocol: Arc<dyn Protocol>,
    /// Its request interface.
    pub rest: Arc<Rest>,
    /// Whether its account can be asked.
    pub has_key: bool,
    /// Counters of its links.
    pub metrics: Vec<Arc<LinkMetrics>>,
    connector: Connector,
    config: TransportConfig,
    handles: Vec<(LinkHandle, Rc<[SymbolId]>)>,
}

/// The rules an exchange states, before scales are agreed on.
pub type Rules = Vec<SymbolInfo>;

impl Venue {
    /// Opens the request interface, measures the exchange's clock and reads its rules.
    pub async fn open(
        registration: &Registration,
        config: VenueConfig,
        transport: TransportConfig,
        clock: Clock,
    ) -> Result<(Self, Rules), Failure> {
        let (id, has_key) = (config.venue, !config.key.is_empty());
        let failed = |error: ExchangeError| unreachable(&error);
        let protocol = (registration.open)(config).map_err(failed)?;
        let connector = Connector::of(&transport).map_err(|error| {
            Failure::new(Exit::Internal, format!("{id}: TLS could not be set up: {error}"), "")
        })?;
        let seed = transport.seed;
        let rest = Rest::new(Arc::clone(&protocol), connector.clone(), clock, transport.rest.clone(), seed);
        let rest = rest.map_err(failed)?;
        rest.sync_clock().await.map_err(failed)?;
        tokio::task::spawn_local(rest.maintain());
        let rules = match rest.call(&Request::Symbols).await.map_err(failed)? {
            Reply::Symbols(rules) => rules,
            other => {
                return Err(Failure::new(Exit::Internal, format!("{id}: symbols answered as {other:?}"), ""));
            }
        };
        let venue = Self {
            id,
            protocol,
            rest,
            has_key,
            metrics: Vec::new(),
            connector,
            config: transport,
            handles: Vec::new(),
        };
        Ok((venue, rules))
    }

    /// Marks in its rules what this account may not trade over it.
    pub async fn narrow(&self, rules: &mut Rules) {
        narrow(&self.rest, rules, &mut None).await;
    }

    /// What the engine must know of it, and how its fees are told.
    pub async fn setup(&self, markets: Arc<Markets>) -> Result<(VenueSetup, Told), Failure> {
        let book = self.protocol.capabilities().books.first();
        let sync = book
            .map(|book| book.sync)
            .ok_or_else(|| Failure::new(Exit::Internal, format!("{} names no book stream", self.id), ""))?;
        self.rest.set_markets(Arc::clone(&markets));
        let (taker_fees, told) = self.taker_fees(&markets).await?;
        let order_windows = self.order_windows(&markets);
        Ok((VenueSetup { venue: self.id, markets, sync, taker_fees, order_windows }, told))
    }

    /// The account's own taker fees, as far as they are known now: its one fee where the exchange tells that. Where it tells that
    /// of each market the first is asked for, so that a key that may not ask ends the start. What else fails does not: what an
    /// earlier run left open must be closed, whatever it costs.
    async fn taker_fees(&self, markets: &Markets) -> Result<(BTreeMap<SymbolId, Bps>, Told), Failure> {
        let Some(first) = markets.iter().next().filter(|_| self.has_key) else {
            return Ok((BTreeMap::new(), Told::Listed));
        };
        let asked = match fees::of_account(&self.rest).await {
            Ok(Some(fee)) => {
                return Ok((markets.iter().map(|market| (market.id, fee)).collect(), Told::AsOne));
            }
            Ok(None) => fees::of_market(&self.rest, first).await,
            Err(error) => Err(error),
        };
        match asked {
            Ok(Some(_)) => Ok((BTreeMap::new(), Told::ByMarket)),
            Ok(None) => Ok((BTreeMap::new(), Told::Listed)),
            Err(error) if error.kind == ErrorKind::PermissionDenied => Err(Failure::new(
                Exit::Credentials,
                format!("{}: the key may not read what the account pays: {error}", self.id),
                format!(
                    "give it the permissions that docs/exchanges/{}.md names under \"Settings\"",
                    self.id
                ),
            )),
            Err(error) => {
                tracing::warn!(%error, "fees are not known yet: nothing is opened before they are");
                Ok((BTreeMap::new(), Told::ByMarket))
            }
        }
    }

    /// How many openings fit into the exchange's budgets beside what is kept back for closings.
    fn order_windows(&self, markets: &Markets) -> Vec<OrderWindow> {
        let Some(market) = markets.iter().next() else { return Vec::new() };
        let sample = OrderRequest {
            venue: self.id,
            symbol: market.id,
            client_id: ClientOrderId::default(),
            side: Side::Buy,
            kind: OrderKind::Limit { price: market.tick, qty: market.lot, tif: TimeInForce::Ioc },
            expires_in: Duration::from_secs(1),
        };
        let cost = self.protocol.cost(&Request::Place(sample));
        let question = self.protocol.cost(&Request::OpenOrders { symbol: None });
        order_windows(self.protocol.limits(), (&cost, &question), &self.config.rest)
    }

    /// Starts the links: books of all markets, and the account's if there is a key.
    pub fn start(&mut self, markets: &Arc<Markets>, with_account: bool) -> Result<Vec<PendingLink>, Failure> {
        let wanted: Vec<_> = markets
            .iter()
            .map(|market| Subscription { symbol: market.id, stream: StreamKind::Book })
            .collect();
        let books = self.protocol.market_links(markets, &wanted).map_err(|error| unreachable(&error))?;
        let account = with_account.then(|| self.protocol.account_link(markets)).transpose();
        let account = account.map_err(|error| unreachable(&error))?;
        let network = VenueNetwork::new(Arc::clone(&self.rest), self.connector.clone(), &self.config.links);
        let mut pending = Vec::new();
        for link in books.into_iter().chain(account) {
            pending.push(self.prepare(link, markets, network.clone()));
        }
        Ok(pending)
    }

    fn prepare(&mut self, link: Box<dyn Link>, markets: &Arc<Markets>, network: VenueNetwork) -> PendingLink {
        let symbols: Rc<[SymbolId]> =
            link.subscriptions().iter().map(|subscription| subscription.symbol).collect();
        let (handle, commands) = link_channel(self.config.links.commands_max);
        let metrics = Arc::new(LinkMetrics::default());
        let number = u64::try_from(self.handles.len()).unwrap_or(0);
        let seed = self.config.seed.wrapping_add(number);
        let (protocol, markets) = (Arc::clone(&self.protocol), Arc::clone(markets));
        let rotation = Rotation::of(protocol, markets, link.as_ref(), &self.config.links, seed);
        let context = DriveContext {
            venue: self.id,
            clock: self.rest.clock(),
            config: self.config.links.clone(),
            commands,
            metrics: Arc::clone(&metrics),
            seed,
        };
        self.metrics.push(metrics);
        self.handles.push((handle, Rc::clone(&symbols)));
        PendingLink { venue: self.id, link, symbols, network, context, rotation }
    }

    /// Has the stream of a book send its snapshot again.
    pub fn resubscribe(&self, symbol: SymbolId) {
        let Some((handle, _)) = self.handles.iter().find(|(_, symbols)| symbols.contains(&symbol)) else {
            return;
        };
        if !handle.resubscribe(symbol) {
            tracing::warn!(venue = %self.id, symbol = symbol.0, "link is too busy to resubscribe; it will be asked again");
        }
    }

    /// Asks all links for an orderly end.
    pub fn stop(&self) {
        self.handles.iter().for_each(|(handle, _)| handle.stop());
    }

    /// Its line in a summary: what the engine knows of its books, and what its links counted.
    #[must_use]
    pub fn row(&self, view: &VenueView) -> ExchangeRow {
        ExchangeRow {
            frames: self.frames(),
            book_updates: view.updates,
            gaps: view.gaps,
            resyncs: view.resyncs,
            reconnects: self.reconnects(),
            rotations: self.rotations(),
            books_live: view.books_live.0,
        }
    }

    /// Connections made again so far.
    #[must_use]
    pub fn reconnects(&self) -> u64 {
        self.metrics.iter().map(|one| one.reconnects.value()).sum()
    }

    /// Connections replaced before they were lost, so far.
    #[must_use]
    pub fn rotations(&self) -> u64 {
        self.metrics.iter().map(|one| one.rotations.value()).sum()
    }

    /// Frames received so far.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.metrics.iter().map(|metrics| metrics.frames.value()).sum()
    }
}

/// A link that waits for the desk it reports to.
pub struct PendingLink {
    venue: VenueId,
    link: Box<dyn Link>,
    symbols: Rc<[SymbolId]>,
    network: VenueNetwork,
    context: DriveContext,
    rotation: Rotation,
}

impl PendingLink {
    /// Runs it on this thread until it is stopped.
    pub fn run(self, desk: &Desk) -> JoinHandle<()> {
        let sink = desk.sink(self.venue, self.symbols);
        tokio::task::spawn_local(async move {
            drive_rotating(self.link, sink, self.network, self.context, self.rotation).await;
        })
    }
}

/// Markets of the symbols that every venue trades, with ids and scales shared by all of them.
pub fn shared_markets(venues: &[VenueId], rules: Vec<Rules>) -> Result<Vec<Arc<Markets>>, Failure> {
    let tradable = |rules: Rules| rules.into_iter().filter(SymbolInfo::is_tradable).collect();
    listed_markets(venues, rules.into_iter().map(tradable).collect())
}

/// Markets of the symbols that every venue lists, whether it takes orders of them now or not: an earlier run may have traded one
/// that is halted.
pub fn listed_markets(venues: &[VenueId], rules: Vec<Rules>) -> Result<Vec<Arc<Markets>>, Failure> {
    let listed: Vec<BTreeMap<Symbol, SymbolInfo>> =
        rules.into_iter().map(|rules| rules.into_iter().map(|info| (info.symbol, info)).collect()).collect();
    let Some(first) = listed.first() else { return Ok(Vec::new()) };
    let common: Vec<Symbol> = first
        .keys()
        .filter(|symbol| listed.iter().all(|rules| rules.contains_key(symbol)))
        .copied()
        .collect();
    let mut markets: Vec<Vec<Market>> = venues.iter().map(|_| Vec::new()).collect();
    for (index, symbol) in common.iter().enumerate() {
        let infos: Vec<&SymbolInfo> = listed.iter().filter_map(|rules| rules.get(symbol)).collect();
        let Some(scale) = common_scale(&infos) else {
            tracing::warn!(%symbol, "left out: its prices or quantities need more decimals than fit");
            continue;
        };
        let id = SymbolId(u32::try_from(index).unwrap_or(u32::MAX));
        let made: Result<Vec<Market>, _> = venues
            .iter()
            .zip(&infos)
            .map(|(venue, info)| Market::new(*venue, id, (*info).clone(), scale))
            .collect();
        match made {
            Ok(made) => markets.iter_mut().zip(made).for_each(|(markets, market)| markets.push(market)),
            Err(error) => tracing::warn!(%symbol, %error, "left out: its rules do not fit"),
        }
    }
    if markets.iter().any(Vec::is_empty) {
        return Err(Failure::new(
            Exit::Unreachable,
            "no symbol is tradable on all exchanges",
            "check which symbols the exchanges list as tradable over the API",
        ));
    }
    Ok(markets.into_iter().map(|markets| Arc::new(Markets::new(markets))).collect())
}

/// The finest of the scales that the venues' rules ask for.
fn common_scale(infos: &[&SymbolInfo]) -> Option<Scale> {
    infos.iter().map(|info| info.scale().ok()).try_fold(None, |finest: Option<Scale>, scale| {
        let scale = scale?;
        Some(Some(finest.map_or(scale, |finest| finest.finest(scale))))
    })?
}

/// Marks in an exchange's rules what this account may not trade over it, where it says so. Where it cannot be asked now it may what
/// it `might` when it was last told. Where it never was nothing is marked: orders are refused then, and it is asked again.
pub(super) async fn narrow(rest: &Rest, rules: &mut Rules, might: &mut Option<Vec<String>>) {
    match rest.call(&Request::Tradable).await {
        Ok(Reply::Tradable(may)) => *might = Some(may),
        Ok(_another) => {
            tracing::warn!(venue = %rest.venue(), "what may be traded was answered as something else");
        }
        Err(error) if error.kind == ErrorKind::Unsupported => return,
        Err(error) => tracing::warn!(%error, "what this account may trade could not be asked"),
    }
    if let Some(may) = might {
        choice::narrow(rules, may);
    }
}

fn unreachable(error: &ExchangeError) -> Failure {
    Failure::new(
        Exit::Unreachable,
        error.to_string(),
        "check the network, the exchange's status page, and the addresses and keys in use",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::recover::stage::market;
    use cex_core::TradingStatus;

    #[test]
    fn what_is_halted_is_listed_and_not_traded() {
        let ids = [(0, "mexc"), (1, "gateio")].map(|(index, name)| VenueId::new(index, name).expect("short"));
        let info =
            |symbol: &str| SymbolInfo { symbol: symbol.parse().expect("a symbol"), ..market(ids[0]).info };
        let halted = SymbolInfo { status: TradingStatus::Halted, ..info("ETH/USDT") };
        let rules = || vec![vec![info("BTC/USDT"), info("ETH/USDT")], vec![info("BTC/USDT"), halted.clone()]];
        let symbols = |markets: Result<Vec<Arc<Markets>>, Failure>| {
            let markets = markets.map_err(|failure| failure.what).expect("some are common");
            let names =
                markets.iter().map(|its| its.iter().map(|market| market.symbol().to_string()).collect());
            names.collect::<Vec<Vec<String>>>()
        };
        assert_eq!(symbols(shared_markets(&ids, rules())), [["BTC/USDT"], ["BTC/USDT"]]);
        let both = ["BTC/USDT", "ETH/USDT"];
        assert_eq!(symbols(listed_markets(&ids, rules())), [both, both]);
    }
}
