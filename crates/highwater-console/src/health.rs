//! `GET /health`: whether the store takes reads and writes, every projection keeps up, and sagas go
//! on by themselves.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use highwater_core::{
    Health, HealthReport, OverdueSagas, ProjectionReport, SagaCounts, SagaName, Verdict,
};
use serde::Serialize;

use crate::console::Console;

pub(crate) fn routes() -> Router<Console> {
    Router::new().route("/health", get(health))
}

#[derive(Serialize)]
struct HealthBody {
    status: Health,
    projections: Vec<ProjectionHealth>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sagas: Option<SagaHealth>,
    writes: WriteHealth,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProjectionHealth {
    projection_name: String,
    stream_name: String,
    status: Health,
    /// Reason why it is no better.
    reasons: Vec<String>,
    lag: u64,
    lag_seconds: f64,
    /// 1,000 stands for that many or more.
    dead_letters: usize,
    lease_holder: Option<String>,
    last_error: Option<String>,
}

/// Each count stands for more where it is 100.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SagaHealth {
    status: Health,
    reasons: Vec<String>,
    /// Those that wait for a human to say retry or skip.
    failed: usize,
    /// Those that are paused with an error.
    paused: usize,
    /// Those that have been due for as long as an event may wait, and that nobody has taken.
    not_taken_up: usize,
    overdue: Vec<OverdueBody>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OverdueBody {
    saga_name: SagaName,
    version: u32,
    count: usize,
}

/// Health of writes, as the route tells it.
#[derive(Serialize)]
struct WriteHealth {
    status: Health,
    reasons: Vec<String>,
}

impl From<(ProjectionReport, Verdict)> for ProjectionHealth {
    fn from((report, Verdict { status, reasons }): (ProjectionReport, Verdict)) -> Self {
        Self {
            projection_name: report.key.projection.to_string(),
            stream_name: report.key.source.to_string(),
            status,
            reasons,
            lag: report.lag.events,
            lag_seconds: report.lag.age.as_secs_f64(),
            dead_letters: report.dead_letters,
            lease_holder: report.owner().map(str::to_owned),
            last_error: report.last_error().map(str::to_owned),
        }
    }
}

impl From<(SagaCounts, Verdict)> for SagaHealth {
    fn from((counts, Verdict { status, reasons }): (SagaCounts, Verdict)) -> Self {
        let SagaCounts { failed, paused, overdue } = counts;
        let not_taken_up = overdue.iter().map(|kind| kind.count).sum();
        let body =
            |OverdueSagas { name, version, count }| OverdueBody { saga_name: name, version, count };
        let overdue = overdue.into_iter().map(body).collect();
        Self { status, reasons, failed, paused, not_taken_up, overdue }
    }
}

/// The worst of the projections that are registered here, the sagas, and whether there are writes;
/// unhealthy without a store.
async fn health(State(console): State<Console>) -> (StatusCode, Json<HealthBody>) {
    let Console { health, definitions, saga_definitions, thresholds, .. } = &console;
    let report = health.report(definitions, &[], saga_definitions.as_deref(), thresholds).await;
    let HealthReport { status, projections, sagas, writes, error } = report;
    let code = match status {
        Health::Healthy | Health::Degraded => StatusCode::OK,
        Health::Unhealthy => StatusCode::SERVICE_UNAVAILABLE,
    };
    let Verdict { status: of_writes, reasons } = writes;
    let body = HealthBody {
        status,
        projections: projections.into_iter().map(ProjectionHealth::from).collect(),
        sagas: sagas.map(SagaHealth::from),
        writes: WriteHealth { status: of_writes, reasons },
        error,
    };
    (code, Json(body))
}
