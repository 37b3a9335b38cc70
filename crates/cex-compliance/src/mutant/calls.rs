//! Faults of an adapter's calls.

use cex_core::{Order, OrderRequest, OrderStatus, SymbolId, Timestamp};
use cex_errors::{ErrorKind, ExchangeError, Outcome};
use cex_interface::{OrderRef, Placed, PrivateExchange};
use cex_transport::Client;

/// What is wrong with the calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the table of mutants says what each does")]
pub enum CallFault {
    RepeatUnknown,
    RepeatBusy,
    Twice,
    UnknownIsRefused,
    UnknownIsAccepted,
    AckIsFill,
    TestIsOrder,
    NoCancel,
    CancelAll,
}

impl CallFault {
    pub(crate) async fn place(self, client: &Client, order: OrderRequest) -> Result<Placed, ExchangeError> {
        let result = client.place(order).await;
        match (self, result) {
            (Self::RepeatUnknown, Err(error)) if error.outcome() == Outcome::Unknown => {
                client.place(order).await
            }
            (Self::RepeatBusy, Err(error))
                if matches!(error.kind, ErrorKind::Maintenance | ErrorKind::ServerBusy) =>
            {
                client.place(order).await
            }
            (Self::Twice, Ok(_)) => client.place(order).await,
            (Self::UnknownIsRefused, Err(mut error)) if error.outcome() == Outcome::Unknown => {
                error.kind = ErrorKind::TradingHalted;
                Err(error)
            }
            (Self::UnknownIsAccepted, Err(error)) if error.outcome() == Outcome::Unknown => {
                Ok(accepted(&order))
            }
            (Self::AckIsFill, Ok(mut placed)) => {
                placed.order = Some(filled(client, &order, &placed));
                Ok(placed)
            }
            (_, result) => result,
        }
    }

    pub(crate) async fn test_order(self, client: &Client, order: OrderRequest) -> Result<(), ExchangeError> {
        if self == Self::TestIsOrder {
            return client.place(order).await.map(|_| ());
        }
        client.test_order(order).await
    }

    pub(crate) async fn cancel(
        self,
        client: &Client,
        symbol: SymbolId,
        order: OrderRef,
    ) -> Result<(), ExchangeError> {
        match self {
            Self::NoCancel => Ok(()),
            Self::CancelAll => client.cancel_all(symbol).await.map(|_| ()),
            _ => client.cancel(symbol, order).await,
        }
    }
}

fn accepted(order: &OrderRequest) -> Placed {
    Placed { client_id: order.client_id, order_id: cex_core::OrderId::default(), order: None }
}

fn filled(client: &Client, order: &OrderRequest, placed: &Placed) -> Order {
    use cex_interface::PublicExchange as _;
    let markets = client.markets();
    let value =
        |qty| markets.get(order.symbol).map_or(cex_core::Decimal::ZERO, |market| market.scale.qty_value(qty));
    let qty = order.kind.qty().map(value);
    Order {
        venue: order.venue,
        symbol: order.symbol,
        order_id: Some(placed.order_id),
        client_id: Some(order.client_id),
        side: order.side,
        order_type: None,
        status: OrderStatus::Filled,
        price: None,
        qty,
        filled_qty: qty.unwrap_or(cex_core::Decimal::ZERO),
        filled_notional: cex_core::Decimal::ZERO,
        fee: None,
        created_at: Timestamp::EPOCH,
        as_of: Timestamp::EPOCH,
    }
}
