//! Clocks, signatures and expiries.

use crate::behaviour::{Behaviour, Failure, Verdict, behaviour, ensure, refused, same};
use crate::stage::Stage;
use cex_core::Side;
use cex_errors::ErrorKind;
use cex_interface::{HttpRequest, PrivateExchange, PublicExchange, Request};
use std::time::Duration;

pub(super) static ALL: &[Behaviour] = &[
    behaviour!(
        Limits,
        Compliance,
        placement_carries_its_expiry,
        "A longer expiry is another request: the exchange is told."
    )
    .rows("O16 O17"),
    behaviour!(
        Limits,
        Compliance,
        every_signature_has_its_own_time,
        "The same order signed later has another signature."
    )
    .rows("H5"),
    behaviour!(
        Limits,
        RestPrivate,
        clock_is_measured_before_anything_is_signed,
        "The exchange's clock is known before the first signed call."
    )
    .rows("H4"),
    behaviour!(
        Limits,
        RestPrivate,
        skewed_clock_is_refused_and_told,
        "A call signed with a wrong time is refused as such, and nothing is on record."
    )
    .rows("H4"),
];

/// A placement as it would leave now.
fn encoded(stage: &Stage, order: cex_core::OrderRequest, later: Duration) -> Result<String, Failure> {
    let mut out = HttpRequest::default();
    stage.protocol.encode(stage.now() + later, &stage.markets(), &Request::Place(order), &mut out)?;
    Ok(format!(
        "{} {:?} {}",
        out.target,
        Vec::from_iter(out.headers.iter()),
        String::from_utf8_lossy(&out.body)
    ))
}

async fn placement_carries_its_expiry(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let mut order = stage.resting(&market, Side::Buy).await?;
    let now = stage.now();
    let mut written = Vec::new();
    for seconds in [1, 4] {
        order.expires_in = Duration::from_secs(seconds);
        let mut out = HttpRequest::default();
        stage.protocol.encode(now, &stage.markets(), &Request::Place(order), &mut out)?;
        written.push(format!(
            "{} {:?} {}",
            out.target,
            Vec::from_iter(out.headers.iter()),
            String::from_utf8_lossy(&out.body)
        ));
    }
    ensure!(written[0] != written[1], "two requests", "the same one");
    Ok(())
}

async fn every_signature_has_its_own_time(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let order = stage.resting(&market, Side::Buy).await?;
    let (first, second) =
        (encoded(stage, order, Duration::ZERO)?, encoded(stage, order, Duration::from_secs(2))?);
    ensure!(first != second, "two signatures", "the same one");
    Ok(())
}

async fn clock_is_measured_before_anything_is_signed(stage: &mut Stage) -> Verdict {
    let known = stage.exchange.health().clock_error;
    let known = known.ok_or_else(|| Failure::new("a known clock", "none"))?;
    ensure!(known < Duration::from_millis(250), "an error below 250 ms", format_args!("{known:?}"));
    stage.exchange.account().await.map(|_| ()).map_err(Failure::from)
}

/// What is signed with a time far off must be refused: encoded by the codec itself, sent over a bare connection.
async fn skewed_clock_is_refused_and_told(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let order = stage.resting(&market, Side::Buy).await?;
    let request = Request::Place(order);
    let mut out = HttpRequest::default();
    let markets = stage.markets();
    stage.protocol.encode(stage.now() - Duration::from_secs(600), &markets, &request, &mut out)?;
    let (status, body) = crate::stage::bare_call(stage, &out).await?;
    let response = cex_interface::HttpResponse { status, headers: &[], body: &body };
    let kinds = [ErrorKind::ClockSkew];
    refused(stage.protocol.decode(&markets, &request, &response), &kinds)?;
    same("orders on record", &0, &stage.on_record(order.client_id)?.len())
}
