//! `GET /api/projections/checkpoints`: how far every projection has come.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use highwater_core::{Offset, percent_complete};
use serde::Serialize;

use crate::report::{Report, reports};
use crate::{Console, Problem};

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
    updated_at: Option<DateTime<Utc>>,
    last_error: Option<String>,
    last_error_at: Option<DateTime<Utc>>,
    owner: Option<String>,
    rebuild_requested: bool,
}

impl CheckpointBody {
    pub(crate) fn of(report: &Report) -> Self {
        let row = report.checkpoint.as_ref();
        Self {
            projection_name: report.key.projection.to_string(),
            stream_name: report.key.source.to_string(),
            checkpoint: Offset::to_sql(report.at()),
            stream_head: Offset::to_sql(report.head),
            lag: report.lag.events,
            lag_seconds: report.lag_seconds(),
            percent_complete: percent_complete(report.at(), report.head),
            events_processed: row.map_or(0, |row| row.events_processed),
            updated_at: row.map(|row| row.last_updated),
            last_error: report.last_error().map(str::to_owned),
            last_error_at: row.and_then(|row| row.last_error_at),
            owner: report.owner().map(str::to_owned),
            rebuild_requested: row.is_some_and(|row| row.rebuild_requested),
        }
    }
}

async fn list(State(console): State<Console>) -> Result<Json<Vec<CheckpointBody>>, Problem> {
    Ok(Json(reports(&console).await?.iter().map(CheckpointBody::of).collect()))
}
