//! `POST /api/sagas/order-fulfillment/start`: takes an order in and has it fulfilled.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use highwater::console::{JsonBody, Object, Problem};
use highwater::saga::{Start, StartError};
use highwater::{CorrelationId, SagaId, StoreError};
use serde::Serialize;
use uuid::Uuid;

use super::Fulfilment;
use super::order::Order;
use crate::retry::patiently;

/// The name space of the sagas' ids, which are made of the orders'.
const ORDERS: Uuid = Uuid::from_u128(0x1d6f_0a5b_93c2_4b6e_8a7d_2e41_c05f_9b13);

/// How long a request waits for a store that is briefly away.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) fn routes(fulfilment: Fulfilment) -> Router {
    Router::new().route("/api/sagas/order-fulfillment/start", post(start)).with_state(fulfilment)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StartedBody {
    saga_id: SagaId,
    correlation_id: CorrelationId,
}

/// Starts the saga of the order, or finds that it was started before.
async fn start(
    State(fulfilment): State<Fulfilment>,
    JsonBody(Object(order)): JsonBody<Object<Order>>,
) -> Result<(StatusCode, Json<StartedBody>), Problem> {
    let order = order.fresh();
    order.check().map_err(|flaw| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, flaw.to_string()).with("field", flaw.field)
    })?;
    let correlation_id = CorrelationId::new(&order.order_id)?;
    let saga_id = SagaId::new(Uuid::new_v5(&ORDERS, order.order_id.as_bytes()).to_string())?;
    let start = Start::new(saga_id.clone()).correlated(correlation_id.clone());
    let started = patiently(PATIENCE, || async {
        fulfilment.handle.start(start.clone(), &order).await.map_err(of_store)
    });
    match started.await {
        Err(StoreError::SagaTaken { id }) => check_is_same(&fulfilment, &id, &order).await?,
        outcome => drop(outcome?),
    }
    Ok((StatusCode::ACCEPTED, Json(StartedBody { saga_id, correlation_id })))
}

/// Refuses an order whose id another order has; the same one may be written in another way.
async fn check_is_same(fulfilment: &Fulfilment, id: &SagaId, order: &Order) -> Result<(), Problem> {
    let saga = fulfilment.sagas.status(id).await?;
    let started: Option<Order> = saga.and_then(|saga| saga.input.to().ok());
    if started.is_some_and(|started| started.asks_the_same(order)) {
        return Ok(());
    }
    let detail = format!("order {:?} was started with other contents", order.order_id);
    Err(Problem::new(StatusCode::CONFLICT, detail).with("sagaId", id.as_str()))
}

fn of_store(error: StartError) -> StoreError {
    match error {
        StartError::Store(error) => error,
        other => StoreError::invalid(other.to_string()),
    }
}
