//! `GET /api/projections/{name}/dead-letters`: the events that a projection has set aside.

use axum::Router;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use chrono::{DateTime, Utc};
use highwater_core::{DeadLetter, EventId, EventType, Offset, Position, StoreError, StreamName};
use serde::{Deserialize, Serialize};

use super::keys;
use crate::console::Console;
use crate::http::{Problem, bodies};
use crate::streams::check_limit;

pub(crate) fn routes() -> Router<Console> {
    Router::new().route("/api/projections/{name}/dead-letters", get(list))
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Params {
    /// Behind this offset; -1 from the first.
    after: i64,
    limit: usize,
    /// Which source, when the projection follows several; the first when not given.
    stream: Option<String>,
}

impl Default for Params {
    fn default() -> Self {
        Self { after: -1, limit: 100, stream: None }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeadLetterBody {
    projection_name: String,
    stream_name: String,
    offset: Offset,
    stream: StreamName,
    position: Position,
    event_id: EventId,
    event_type: EventType,
    error: String,
    attempts: u32,
    recorded_at: DateTime<Utc>,
}

impl From<DeadLetter> for DeadLetterBody {
    fn from(DeadLetter { key, letter, recorded_at }: DeadLetter) -> Self {
        Self {
            projection_name: key.projection.to_string(),
            stream_name: key.source.to_string(),
            offset: letter.offset,
            stream: letter.stream,
            position: letter.position,
            event_id: letter.event_id,
            event_type: letter.event_type,
            error: letter.error,
            attempts: letter.attempts,
            recorded_at,
        }
    }
}

async fn list(
    State(console): State<Console>,
    name: Result<Path<String>, PathRejection>,
    params: Result<Query<Params>, QueryRejection>,
) -> Result<Response, Problem> {
    let (Path(name), Query(params)) = (name?, params?);
    let limit = check_limit(params.limit)?;
    let after = Offset::from_sql(params.after)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.to_string()))?;
    let keys = keys(&console, &name).await?;
    let is_wanted = |source: String| params.stream.as_ref().is_none_or(|stream| *stream == source);
    let Some(key) = keys.iter().find(|key| is_wanted(key.source.to_string())) else {
        let detail = format!("projection {name:?} does not follow that stream");
        return Err(Problem::new(StatusCode::NOT_FOUND, detail));
    };
    let json = {
        let _making = console.bodies.making().await?;
        let letters = console.checkpoints.dead_letters(key, after, limit).await?;
        let letters: Vec<_> = letters.into_iter().map(DeadLetterBody::from).collect();
        serde_json::to_vec(&letters)
    };
    let json = json.map_err(|error| Problem::from(StoreError::Backend(error.into())))?;
    Ok(console.bodies.response(json).unwrap_or_else(|_| bodies::too_much()))
}
