//! Places an order far from the market, follows it over the account stream, cancels it, and asks what became of it, on any
//! exchange.

use cex_core::{
    AccountEvent, Balance, ClientOrderId, Decimal, LinkEvent, Market, NumError, OrderKind, OrderRequest,
    OrderStatus, Price, Qty, Rounding, Side, Symbol, VenueId,
};
use cex_errors::ExchangeError;
use cex_interface::{BookSnapshot, EventSource, OrderRef, PrivateExchange, Secret, VenueConfig};
use cex_transport::{OrderEnd, Polling, balances_agree, watch_order_to_end};
use std::error::Error;
use std::time::Duration;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// The whole program, for the exchange of this name whose adapter `connect` opens.
pub(crate) fn main<E: PrivateExchange>(
    name: &str,
    connect: impl AsyncFnOnce(VenueConfig) -> Result<E, ExchangeError>,
) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { tokio::time::timeout(PATIENCE, run(name, connect)).await? })
}

async fn run<E: PrivateExchange>(
    name: &str,
    connect: impl AsyncFnOnce(VenueConfig) -> Result<E, ExchangeError>,
) -> Result<(), Box<dyn Error>> {
    let venue = VenueId::new(0, name)?;
    let mut config = VenueConfig::public(venue);
    let mut symbol: Symbol = "BTC/USDT".parse()?;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--rest" => config.rest_url = Some(value()?),
            "--ws" => config.ws_url = Some(value()?),
            "--key" => config.key = Secret::new(value()?),
            "--secret" => config.secret = Secret::new(value()?),
            text => symbol = text.parse()?,
        }
    }
    if config.rest_url.is_none() || config.ws_url.is_none() || !config.has_credentials() {
        return Err("--rest, --ws, --key and --secret of a simulated exchange are needed".into());
    }
    let client = connect(config).await?;
    let markets = client.init(&[symbol]).await?;
    let market = markets.iter().next().ok_or("no such symbol")?;
    let mut stream = client.account_stream().await?;
    // From here on nothing that happens to the account is missed.
    while stream.next_link().await.ok_or("the account stream ended")? != LinkEvent::AccountReady {}
    let account = client.account().await?;
    for balance in account.balances.iter().filter(|balance| !balance.free.is_zero()) {
        println!("{} free {} locked {}", balance.asset, balance.free, balance.locked);
    }

    let (price, qty) = far_order(market, &client.book(market.id, 20).await?).ok_or("no bid to stay below")?;
    let client_id = ClientOrderId::new(&format!("example-{}", client.server_time().await?.as_millis()));
    let order = OrderRequest {
        venue,
        symbol: market.id,
        client_id: client_id.ok_or("an identifier that cannot be sent")?,
        side: Side::Buy,
        kind: OrderKind::PostOnly { price, qty },
        expires_in: Duration::from_secs(2),
    };
    match client.place(order).await {
        Ok(placed) => println!("placed {} as {}", order.client_id, placed.order_id),
        // An error may mean that nobody knows: a program that trades asks by its own identifier before anything else.
        Err(error) => return Err(format!("{error}; outcome {:?}", error.outcome()).into()),
    }
    follow(&client, &mut stream, &order).await?;
    drop(stream);
    // What a stream told can be asked for as well: after a break, or where the outcome of a placement is unknown.
    match watch_order_to_end(&client, &order, None, &Polling::default()).await {
        OrderEnd::Ended { order, fills } => println!("asked: {}, {} fills", order.status, fills.len()),
        end @ (OrderEnd::Absent | OrderEnd::Undecided { .. }) => return Err(format!("{end:?}").into()),
    }
    let held = |balance: &Balance| Ok((balance.asset, balance.free.checked_add(balance.locked)?));
    let expected: Vec<_> = account.balances.iter().map(held).collect::<Result<_, NumError>>()?;
    match balances_agree(&client, &expected, &Polling::default()).await?.as_slice() {
        [] => println!("balances are what they were"),
        differences => return Err(format!("{differences:?}").into()),
    }
    Ok(())
}

/// Follows the order over the account's stream, cancels it once it rests, and listens until it is over.
async fn follow<E: PrivateExchange>(
    client: &E,
    stream: &mut E::Stream,
    order: &OrderRequest,
) -> Result<(), Box<dyn Error>> {
    let mut is_canceling = false;
    loop {
        let event = stream.next_account().await.ok_or("the account stream ended")?;
        println!("{event:?}");
        let AccountEvent::Order(report) = event else { continue };
        if report.client_id != Some(order.client_id) {
            continue;
        }
        if report.status.is_terminal() {
            println!("over: {}", report.status);
            return Ok(());
        }
        if report.status == OrderStatus::New && !std::mem::replace(&mut is_canceling, true) {
            client.cancel(order.symbol, OrderRef::Client(order.client_id)).await?;
            println!("cancel accepted");
        }
    }
}

/// The least order the rules allow at the last bid of the book, so that it rests.
fn far_order(market: &Market, book: &BookSnapshot) -> Option<(Price, Qty)> {
    let price = book.bids.last()?.price;
    let price = Price(price.0 - price.0 % market.tick.0);
    // A little above the least notional, whose rounding nobody documents.
    let notional = market.info.min_notional.checked_mul(Decimal::new(12, 1)).ok()?;
    let enough =
        notional.checked_div(market.scale.price_value(price), market.info.lot_dp, Rounding::Ceil).ok()?;
    let qty = market.scale.qty(enough.max(market.info.min_qty).max(market.info.lot)).ok()?;
    Some((price, Qty((qty.0 + market.lot.0 - 1) / market.lot.0 * market.lot.0)))
}
