//! Keys, addresses, configuration: what must never leak and never be guessed.

use crate::behaviour::{Behaviour, Failure, Verdict, behaviour, ensure, error_of, outcome, refused, same};
use crate::stage::{PATIENCE, Stage};
use crate::wire::Match;
use cex_core::{Side, StreamKind};
use cex_errors::{ErrorKind, Outcome};
use cex_interface::{
    EventSource, HttpRequest, Input, Outbox, PrivateExchange, PublicExchange, Request, Secret, Subscription,
    TimeRange,
};
use cex_sim::server::{Certificate, SimAccount, SimConfig, SimServer};
use cex_transport::{Client, TransportConfig};
use std::sync::Arc;

static ALL: &[Behaviour] = &[
    behaviour!(
        Security,
        Compliance,
        secret_never_leaves_us,
        "The secret stands in no request: not in target, headers or body."
    ),
    behaviour!(
        Security,
        Compliance,
        secret_never_leaves_us_over_a_stream,
        "The secret stands in nothing a stream sends, nor in its address."
    ),
    behaviour!(
        Security,
        Compliance,
        requests_print_without_keys,
        "What is printed of a request shows no key and no signature."
    ),
    behaviour!(
        Security,
        Compliance,
        errors_print_without_keys,
        "What is printed of an error shows no key and no secret."
    ),
    behaviour!(Security, Compliance, public_calls_carry_no_key, "Public calls tell nobody who asks."),
    behaviour!(
        Security,
        RestPrivate,
        signed_calls_need_a_key,
        "Without keys a private call does not leave us."
    ),
    behaviour!(Security, RestPublic, public_data_needs_no_key, "Without keys public data is there."),
    behaviour!(
        Security,
        RestPrivate,
        wrong_secret_is_an_invalid_signature,
        "A wrong secret is told as such, and nothing happened."
    )
    .rows("H5 C6"),
    behaviour!(
        Security,
        RestPrivate,
        unknown_key_is_an_invalid_key,
        "An unknown key is told as such, and nothing happened."
    )
    .rows("C6"),
    behaviour!(
        Security,
        RestPrivate,
        order_with_a_wrong_secret_is_not_placed,
        "An order signed with a wrong secret is refused and not on record."
    )
    .rows("H5"),
    behaviour!(
        Security,
        Configuration,
        plain_text_to_another_machine_is_refused,
        "Without TLS nothing is connected to but this machine."
    )
    .rows("T10"),
    behaviour!(
        Security,
        Configuration,
        only_a_certificate_that_holds_is_trusted,
        "A good certificate of a root that was named is used; expired, another host's, an unknown root's, weak and self-signed ones are refused, for calls and for streams."
    )
    .rows("T10 X4"),
    behaviour!(
        Security,
        Configuration,
        unknown_option_is_an_error_that_names_it,
        "A misspelt option is an error that names it, never a default."
    )
    .rows("C1"),
    behaviour!(
        Security,
        Configuration,
        wrong_value_is_an_error_that_names_its_option,
        "A value that makes no sense is an error that names its option."
    )
    .rows("C1 C2"),
    behaviour!(
        Security,
        Configuration,
        half_a_pair_of_keys_is_an_error,
        "A key without secret, or a secret without key, is an error."
    )
    .rows("C5"),
    behaviour!(
        Security,
        Configuration,
        malformed_addresses_are_errors,
        "An address that is none is an error before anything is connected to."
    )
    .rows("C5"),
    behaviour!(
        Security,
        Configuration,
        defaults_are_the_real_exchange_over_tls,
        "Without addresses the adapter goes to the real exchange, over TLS."
    )
    .rows("C5 T10"),
    behaviour!(
        Security,
        RestPrivate,
        account_stream_with_a_wrong_secret_is_never_complete,
        "A stream with wrong keys never says that it is complete."
    )
    .rows("W15"),
];

/// All behaviours of this theme.
#[must_use]
pub fn all() -> Vec<&'static Behaviour> {
    ALL.iter().collect()
}

const CANARY: &str = "canary5ecret7f3a";

fn with_canary(stage: &Stage) -> Result<Arc<dyn cex_interface::Protocol>, Failure> {
    let codec = stage.codec(|config| {
        config.key = Secret::new("canarykey91b2".to_owned());
        config.secret = Secret::new(CANARY.to_owned());
    })?;
    Ok(codec?)
}

async fn requests(stage: &Stage) -> Result<Vec<Request>, Failure> {
    let market = stage.market(0)?;
    let order = stage.resting(&market, Side::Buy).await?;
    let symbol = market.id;
    Ok(vec![
        Request::Symbols,
        Request::Book { symbol, depth: 5 },
        Request::Account,
        Request::Place(order),
        Request::CancelAll { symbol },
        Request::OpenOrders { symbol: Some(symbol) },
        Request::MyTrades { symbol, order: None, range: TimeRange::default(), limit: 5 },
        Request::Fees { symbol: Some(symbol) },
    ])
}

async fn secret_never_leaves_us(stage: &mut Stage) -> Verdict {
    let codec = with_canary(stage)?;
    for request in requests(stage).await? {
        let mut out = HttpRequest::default();
        codec.encode(stage.now(), &stage.markets(), &request, &mut out)?;
        let whole = format!(
            "{} {:?} {}",
            out.target,
            Vec::from_iter(out.headers.iter()),
            String::from_utf8_lossy(&out.body)
        );
        ensure!(!whole.contains(CANARY), format_args!("no secret in {:?}", request.op()), "the secret");
    }
    Ok(())
}

async fn secret_never_leaves_us_over_a_stream(stage: &mut Stage) -> Verdict {
    let codec = with_canary(stage)?;
    let mut link = codec.account_link(&stage.markets())?;
    let mut out = Outbox::default();
    let now = stage.now();
    link.handle(now, Input::Start, &mut out)?;
    let reply = Ok(cex_interface::Reply::ListenKey("a-key".to_owned()));
    let tags: Vec<u32> = out
        .effects
        .iter()
        .filter_map(|effect| match effect {
            cex_interface::Effect::Request { tag, .. } => Some(*tag),
            _ => None,
        })
        .collect();
    for tag in tags {
        link.handle(now, Input::Reply { tag, result: &reply }, &mut out)?;
    }
    link.handle(now, Input::Connected, &mut out)?;
    ensure!(!out.effects.is_empty(), "something to do", "nothing");
    let whole = format!("{:?} {}", out.effects, link.name());
    ensure!(!whole.contains(CANARY), "no secret", "the secret");
    Ok(())
}

async fn requests_print_without_keys(stage: &mut Stage) -> Verdict {
    let codec = with_canary(stage)?;
    for request in requests(stage).await? {
        let mut out = HttpRequest::default();
        codec.encode(stage.now(), &stage.markets(), &request, &mut out)?;
        let shown = format!("{out:?}").to_ascii_lowercase();
        let leaks = ["canary", "sign", "timestamp"].iter().any(|word| shown.contains(word));
        ensure!(!leaks, "method and path only", shown);
    }
    Ok(())
}

async fn errors_print_without_keys(stage: &mut Stage) -> Verdict {
    let exchange = stage
        .another(|config, _| {
            config.key = Secret::new("canarykey91b2".to_owned());
            config.secret = Secret::new(CANARY.to_owned());
        })
        .await?;
    let market = stage.market(0)?;
    let order = stage.resting(&market, Side::Buy).await?;
    for error in [
        error_of("a refusal", exchange.account().await)?,
        error_of("a refusal", exchange.place(order).await)?,
    ] {
        let shown = format!("{error} {error:?}");
        ensure!(!shown.contains("canary"), "no key and no secret", shown);
    }
    Ok(())
}

async fn public_calls_carry_no_key(stage: &mut Stage) -> Verdict {
    let key = stage.config()?.key;
    let market = stage.market(0)?;
    stage.exchange.book(market.id, 5).await?;
    stage.exchange.tickers(None).await?;
    stage.exchange.server_time().await?;
    let told = stage.wire()?.asked(&Match::any()).iter().filter(|asked| asked.contains(key.reveal())).count();
    same("calls that carry the key", &0, &told)?;
    stage.exchange.account().await?;
    let told = stage.wire()?.asked(&Match::any()).iter().filter(|asked| asked.contains(key.reveal())).count();
    ensure!(told > 0, "a key on a private call", "none");
    Ok(())
}

async fn signed_calls_need_a_key(stage: &mut Stage) -> Verdict {
    let exchange = stage
        .another(|config, _| {
            config.key = Secret::default();
            config.secret = Secret::default();
        })
        .await?;
    let market = stage.market(0)?;
    let order = stage.resting(&market, Side::Buy).await?;
    let before = stage.wire()?.asked(&Match::any()).len();
    outcome(exchange.account().await, Outcome::NotSent)?;
    outcome(exchange.place(order).await, Outcome::NotSent)?;
    outcome(exchange.open_orders(Some(market.id)).await, Outcome::NotSent)?;
    let stream = exchange.account_stream().await;
    same("calls sent", &before, &stage.wire()?.asked(&Match::any()).len())?;
    error_of("no account stream", stream.map(drop)).map(|_| ())
}

async fn public_data_needs_no_key(stage: &mut Stage) -> Verdict {
    let exchange = stage
        .another(|config, _| {
            config.key = Secret::default();
            config.secret = Secret::default();
        })
        .await?;
    let market = stage.market(0)?;
    exchange.ping().await?;
    exchange.book(market.id, 5).await?;
    exchange.recent_trades(market.id, 5).await.map(|_| ()).map_err(Failure::from)
}

async fn wrong_secret_is_an_invalid_signature(stage: &mut Stage) -> Verdict {
    let exchange = stage.another(|config, _| config.secret = Secret::new("wrong".to_owned())).await?;
    refused(exchange.account().await, &[ErrorKind::InvalidSignature])
}

async fn unknown_key_is_an_invalid_key(stage: &mut Stage) -> Verdict {
    let exchange = stage.another(|config, _| config.key = Secret::new("nobody".to_owned())).await?;
    refused(exchange.account().await, &[ErrorKind::InvalidKey])
}

async fn order_with_a_wrong_secret_is_not_placed(stage: &mut Stage) -> Verdict {
    let exchange = stage.another(|config, _| config.secret = Secret::new("wrong".to_owned())).await?;
    let market = stage.market(0)?;
    let order = stage.resting(&market, Side::Buy).await?;
    outcome(exchange.place(order).await, Outcome::Refused)?;
    same("orders on record", &0, &stage.truth()?.orders.len())
}

async fn plain_text_to_another_machine_is_refused(stage: &mut Stage) -> Verdict {
    let codec = stage.codec(|config| config.rest_url = Some("http://203.0.113.7:8080".to_owned()))?;
    let error = match codec {
        Err(error) => error,
        Ok(codec) => match Client::connect(codec, TransportConfig::default()).await {
            Err(error) => error,
            Ok(_) => return Err(Failure::new("a refusal of plain text", "a connection")),
        },
    };
    same("outcome", &Outcome::NotSent, &error.outcome())?;
    ensure!(matches!(error.kind, ErrorKind::InvalidInput(_)), "invalid input", error);
    Ok(())
}

async fn only_a_certificate_that_holds_is_trusted(stage: &mut Stage) -> Verdict {
    for certificate in Certificate::ALL {
        let sim = SimServer::start(SimConfig {
            symbols: 2,
            tls: Some(certificate),
            accounts: vec![SimAccount::new("subject")],
            ..SimConfig::default()
        })?;
        let endpoint = sim.endpoint(stage.sim_exchange()).clone();
        let mut transport = TransportConfig::default();
        let roots = sim.roots_pem().unwrap_or_default().to_owned();
        transport.extra_roots.add_pem(roots.as_bytes()).map_err(|error| Failure::new("roots", error))?;
        let codec = stage.codec(|config| {
            config.rest_url = Some(endpoint.rest.clone());
            config.ws_url = Some(endpoint.ws.clone());
        })??;
        let is_good = certificate == Certificate::Good;
        let connected = Client::connect(codec, transport).await;
        let name = format_args!("{certificate} certificate over HTTPS");
        match connected {
            Ok(client) if is_good => {
                let markets = client.init(&stage.symbols()[..1]).await?;
                let symbol = markets.iter().next().ok_or_else(|| Failure::new("a market", "none"))?.id;
                let wanted = [Subscription { symbol, stream: StreamKind::Book }];
                let mut stream = client.subscribe(&wanted).await?;
                let heard = tokio::time::timeout(PATIENCE, stream.next_market()).await;
                ensure!(matches!(heard, Ok(Some(_))), "market data over TLS", "nothing");
            }
            Ok(client) => {
                let answer = client.server_time().await;
                let error = error_of("a refusal of the certificate", answer)?;
                same(&name.to_string(), &Outcome::NotSent, &error.outcome())?;
            }
            Err(error) => {
                ensure!(!is_good, "a connection", error);
                same(&name.to_string(), &Outcome::NotSent, &error.outcome())?;
            }
        }
    }
    Ok(())
}

/// The codec must not open, and its error must name what is wrong.
fn misconfigured(
    stage: &Stage,
    names: &str,
    change: impl FnOnce(&mut cex_interface::VenueConfig),
) -> Verdict {
    match stage.codec(change)? {
        Ok(_) => Err(Failure::new(format_args!("an error that names {names:?}"), "none")),
        Err(error) => {
            ensure!(error.to_string().contains(names), format_args!("an error that names {names:?}"), error);
            same("outcome", &Outcome::NotSent, &error.outcome())
        }
    }
}

async fn unknown_option_is_an_error_that_names_it(stage: &mut Stage) -> Verdict {
    misconfigured(stage, "rate_limit_", |config| {
        config.options.insert("rate_limit_".to_owned(), "off".to_owned());
    })
}

async fn wrong_value_is_an_error_that_names_its_option(stage: &mut Stage) -> Verdict {
    misconfigured(stage, "rate_limits", |config| {
        config.options.insert("rate_limits".to_owned(), "perhaps".to_owned());
    })
}

async fn half_a_pair_of_keys_is_an_error(stage: &mut Stage) -> Verdict {
    misconfigured(stage, "key", |config| config.key = Secret::default())?;
    misconfigured(stage, "secret", |config| config.secret = Secret::default())
}

async fn malformed_addresses_are_errors(stage: &mut Stage) -> Verdict {
    for url in ["", "nowhere", "ftp://127.0.0.1", "https://"] {
        misconfigured(stage, "rest_url", |config| config.rest_url = Some(url.to_owned()))?;
    }
    for url in ["", "nowhere", "https://127.0.0.1/ws"] {
        misconfigured(stage, "ws_url", |config| config.ws_url = Some(url.to_owned()))?;
    }
    Ok(())
}

async fn defaults_are_the_real_exchange_over_tls(stage: &mut Stage) -> Verdict {
    let codec = stage.codec(|config| {
        config.rest_url = None;
        config.ws_url = None;
    })??;
    ensure!(codec.rest_base().starts_with("https://"), "an address over TLS", codec.rest_base());
    let market = stage.market(0)?;
    let wanted = [cex_interface::Subscription { symbol: market.id, stream: cex_core::StreamKind::Book }];
    for mut link in codec.market_links(&stage.markets(), &wanted)? {
        let mut out = Outbox::default();
        link.handle(stage.now(), Input::Start, &mut out)?;
        let secure = out
            .effects
            .iter()
            .any(|effect| matches!(effect, cex_interface::Effect::Connect(url) if url.starts_with("wss://")));
        ensure!(secure, "a stream over TLS", format_args!("{:?}", out.effects));
    }
    Ok(())
}

async fn account_stream_with_a_wrong_secret_is_never_complete(stage: &mut Stage) -> Verdict {
    use cex_interface::EventSource as _;
    let exchange = stage.another(|config, _| config.secret = Secret::new("wrong".to_owned())).await?;
    let calls = stage.wire()?.asked(&Match::any()).len();
    let mut stream = exchange.account_stream().await?;
    // It has had its chance once it was turned away: a call refused, or a connection closed or refused.
    let deadline = std::time::Instant::now() + crate::stage::PATIENCE;
    loop {
        let event = tokio::time::timeout(std::time::Duration::from_millis(50), stream.next_link()).await;
        match event {
            Ok(Some(cex_core::LinkEvent::AccountReady)) => {
                return Err(Failure::new("no complete stream", "one"));
            }
            Ok(Some(cex_core::LinkEvent::Refused { .. })) => return Ok(()),
            Ok(Some(_)) => {}
            Ok(None) => return Err(Failure::new("a stream that goes on", "its end")),
            Err(_) if stage.wire()?.asked(&Match::any()).len() >= calls + 2 => return Ok(()),
            Err(_) => {}
        }
        ensure!(std::time::Instant::now() < deadline, "to be turned away", "nothing");
    }
}
