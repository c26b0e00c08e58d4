//! `GET /health`: whether the store answers, every projection keeps up, and no saga needs a human.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use highwater_core::{Health, HealthThresholds};
use serde::Serialize;

use crate::Console;
use crate::report::{Report, reports};
use crate::saga_health::SagaHealth;

/// How long the store may take; an orchestrator that asks must not wait for a dead database.
const TIMEOUT: Duration = Duration::from_secs(3);

pub(crate) fn routes() -> Router<Console> {
    Router::new().route("/health", get(health))
}

#[derive(Serialize)]
struct HealthBody {
    status: Health,
    projections: Vec<ProjectionHealth>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sagas: Option<SagaHealth>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProjectionHealth {
    projection_name: String,
    stream_name: String,
    status: Health,
    lag: u64,
    lag_seconds: f64,
    lease_holder: Option<String>,
    last_error: Option<String>,
}

impl ProjectionHealth {
    fn of(report: &Report, thresholds: &HealthThresholds) -> Self {
        Self {
            projection_name: report.key.projection.to_string(),
            stream_name: report.key.source.to_string(),
            status: report.health(thresholds),
            lag: report.lag.events,
            lag_seconds: report.lag_seconds(),
            lease_holder: report.owner().map(str::to_owned),
            last_error: report.last_error().map(str::to_owned),
        }
    }
}

/// The health of the worst projection that is registered here, or of the sagas; unhealthy without
/// a store.
async fn health(State(console): State<Console>) -> (StatusCode, Json<HealthBody>) {
    let asked = async { tokio::try_join!(reports(&console), SagaHealth::of(&console)) };
    let body = match tokio::time::timeout(TIMEOUT, asked).await {
        Ok(Ok((reports, sagas))) => judge(&reports, sagas, &console.thresholds),
        Ok(Err(error)) => unreachable(error.to_string()),
        Err(_) => unreachable(format!("the store did not answer within {TIMEOUT:?}")),
    };
    let code = match body.status {
        Health::Healthy | Health::Degraded => StatusCode::OK,
        Health::Unhealthy => StatusCode::SERVICE_UNAVAILABLE,
    };
    (code, Json(body))
}

/// What only the store knows of is left out: nobody may be meant to run it any more.
fn judge(
    reports: &[Report],
    sagas: Option<SagaHealth>,
    thresholds: &HealthThresholds,
) -> HealthBody {
    let registered = reports.iter().filter(|report| report.definition.is_some());
    let projections: Vec<_> =
        registered.map(|report| ProjectionHealth::of(report, thresholds)).collect();
    let of_sagas = sagas.as_ref().map(|sagas| sagas.status);
    let worst = projections.iter().map(|projection| projection.status).chain(of_sagas).max();
    HealthBody { status: worst.unwrap_or(Health::Healthy), projections, sagas, error: None }
}

fn unreachable(error: String) -> HealthBody {
    let status = Health::Unhealthy;
    HealthBody { status, projections: Vec::new(), sagas: None, error: Some(error) }
}
