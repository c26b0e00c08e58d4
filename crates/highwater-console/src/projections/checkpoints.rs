//! `GET /api/projections/checkpoints`: how far every projection has come.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use highwater_core::{Offset, ProjectionReport, StoreError, percent_complete, projection_reports};
use serde::Serialize;

use crate::console::Console;
use crate::http::Problem;

pub(crate) fn routes() -> Router<Console> {
    Router::new().route("/api/projections/checkpoints", get(list))
}

/// A checkpoint as JSON; -1 stands for "nothing yet".
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CheckpointBody {
    projection_name: String,
    stream_name: String,
    checkpoint: i64,
    stream_head: i64,
    lag: u64,
    lag_seconds: f64,
    percent_complete: f64,
    events_processed: u64,
    /// 1,000 stands for that many or more.
    dead_letters: usize,
    updated_at: Option<DateTime<Utc>>,
    last_error: Option<String>,
    last_error_at: Option<DateTime<Utc>>,
    owner: Option<String>,
    rebuild_requested: bool,
}

impl CheckpointBody {
    pub(crate) fn of(report: &ProjectionReport) -> Self {
        let row = report.checkpoint.as_ref();
        Self {
            projection_name: report.key.projection.to_string(),
            stream_name: report.key.source.to_string(),
            checkpoint: Offset::to_sql(report.at()),
            stream_head: Offset::to_sql(report.head),
            lag: report.lag.events,
            lag_seconds: report.lag.age.as_secs_f64(),
            percent_complete: percent_complete(report.at(), report.head),
            events_processed: row.map_or(0, |row| row.events_processed),
            dead_letters: report.dead_letters,
            updated_at: row.map(|row| row.last_updated),
            last_error: report.last_error().map(str::to_owned),
            last_error_at: row.and_then(|row| row.last_error_at),
            owner: report.owner().map(str::to_owned),
            rebuild_requested: row.is_some_and(|row| row.rebuild_requested),
        }
    }
}

/// Every projection that is registered here or has a checkpoint in the store, by key.
pub(crate) async fn reports(console: &Console) -> Result<Vec<ProjectionReport>, StoreError> {
    let Console { events, checkpoints, definitions, .. } = console;
    projection_reports(&**events, &**checkpoints, definitions).await
}

async fn list(State(console): State<Console>) -> Result<Json<Vec<CheckpointBody>>, Problem> {
    Ok(Json(reports(&console).await?.iter().map(CheckpointBody::of).collect()))
}
