//! `/api/projections`: what is registered, how it does, and a rebuild on request.

pub(crate) mod checkpoints;
pub(crate) mod dead_letters;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use highwater_core::{
    CheckpointKey, EventType, Health, ProjectionDefinition, ProjectionKind, ProjectionName,
    ProjectionReport, Verdict,
};
use serde::Serialize;

use crate::console::Console;
use crate::http::Problem;
use crate::projections::checkpoints::{CheckpointBody, reports};

pub(crate) fn routes() -> Router<Console> {
    Router::new()
        .route("/api/projections", get(list))
        .route("/api/projections/{name}/rebuild", post(rebuild))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProjectionBody {
    kind: ProjectionKind,
    event_types: Option<Vec<EventType>>,
    can_rebuild: bool,
    auto_start: bool,
    status: Health,
    /// Reason why it is no better.
    reasons: Vec<String>,
    #[serde(flatten)]
    checkpoint: CheckpointBody,
}

async fn list(State(console): State<Console>) -> Result<Json<Vec<ProjectionBody>>, Problem> {
    let reports = reports(&console).await?;
    let body = |report: &ProjectionReport| {
        let definition = report.definition.clone()?;
        let Verdict { status, reasons } = report.judge(&console.thresholds);
        Some(ProjectionBody {
            kind: definition.kind,
            event_types: definition.event_types,
            can_rebuild: definition.can_rebuild,
            auto_start: definition.auto_start,
            status,
            reasons,
            checkpoint: CheckpointBody::of(report),
        })
    };
    Ok(Json(reports.iter().filter_map(body).collect()))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RebuildBody {
    projection_name: ProjectionName,
    rebuild_requested: bool,
}

/// Asks whoever runs the projection to rebuild it, on every source that it follows.
async fn rebuild(
    State(console): State<Console>,
    name: Result<Path<String>, PathRejection>,
) -> Result<(StatusCode, Json<RebuildBody>), Problem> {
    let Path(name) = name?;
    let keys = keys(&console, &name).await?;
    if console.definitions.iter().any(|it| it.key.projection == *name && !it.can_rebuild) {
        let detail = format!("projection {name:?} cannot be rebuilt");
        return Err(Problem::new(StatusCode::CONFLICT, detail));
    }
    for key in &keys {
        console.checkpoints.request_rebuild(key).await?;
    }
    let projection_name = ProjectionName::new(&name)?;
    Ok((StatusCode::ACCEPTED, Json(RebuildBody { projection_name, rebuild_requested: true })))
}

/// The checkpoints of the projection `name`, at least one; a problem when there is none.
///
/// Where it is not registered, what the store knows of it counts.
pub(crate) async fn keys(console: &Console, name: &str) -> Result<Vec<CheckpointKey>, Problem> {
    let is_it = |definition: &&ProjectionDefinition| definition.key.projection == *name;
    let mut keys: Vec<_> =
        console.definitions.iter().filter(is_it).map(|it| it.key.clone()).collect();
    if keys.is_empty()
        && let Ok(name) = ProjectionName::new(name)
    {
        let rows = console.checkpoints.checkpoints(Some(&name)).await?;
        keys.extend(rows.into_iter().map(|row| row.key));
    }
    if keys.is_empty() {
        let detail = format!("there is no projection {name:?}");
        return Err(Problem::new(StatusCode::NOT_FOUND, detail));
    }
    Ok(keys)
}
