//! `POST /api/streams/{stream}/events`: appends events, atomically.

use std::str::FromStr;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use highwater_core::{
    EventId, EventStoreExt, EventType, Expected, Metadata, NewEvent, Offset, Payload, StreamName,
};
use serde::{Deserialize, Serialize};

use crate::console::Console;
use crate::http::{JsonBody, Object, Problem};

/// The largest body: what a store takes in one append by default.
const BODY_BYTES_MAX: usize = 16 << 20;

pub(crate) fn routes() -> Router<Console> {
    Router::new()
        .route("/api/streams/{stream}/events", post(append))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
}

/// A misspelt `expected` is refused: without it, the append would be made unconditionally.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    expected: Option<String>,
}

/// An event to append; payload and metadata keep the text in which they were sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EventBody {
    id: Option<EventId>,
    #[serde(rename = "type")]
    event_type: EventType,
    data: Payload,
    metadata: Option<Metadata>,
}

impl From<EventBody> for NewEvent {
    fn from(body: EventBody) -> Self {
        let event = Self::new(body.event_type, body.data);
        Self {
            id: body.id.unwrap_or(event.id),
            metadata: body.metadata.unwrap_or_default(),
            ..event
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AppendedBody {
    first_offset: Offset,
    next_offset: Offset,
}

async fn append(
    State(console): State<Console>,
    stream: Result<Path<String>, PathRejection>,
    params: Result<Query<Params>, QueryRejection>,
    // Payloads are fields of objects in an array.
    events: Result<JsonBody<Vec<Object<EventBody>>, 2>, Problem>,
) -> Result<(StatusCode, Json<AppendedBody>), Problem> {
    let (Path(stream), Query(params), JsonBody(events)) = (stream?, params?, events?);
    let stream = StreamName::new(stream)?;
    let expected = params.expected.as_deref().map_or(Ok(Expected::Any), parse_expected)?;
    let events = events.into_iter().map(|Object(event)| event.into()).collect();
    let appended = console.events.append_to(stream, expected, events).await?;
    let body = AppendedBody { first_offset: appended.first, next_offset: appended.last.next() };
    Ok((StatusCode::CREATED, Json(body)))
}

/// `any`, `none`, `exists` or the offset of the last event, where -1 is `none`.
fn parse_expected(text: &str) -> Result<Expected, Problem> {
    match text {
        "any" => return Ok(Expected::Any),
        "none" => return Ok(Expected::NoStream),
        "exists" => return Ok(Expected::Exists),
        _ => {}
    }
    match i64::from_str(text).map(Offset::from_sql) {
        Ok(Ok(Some(offset))) => Ok(Expected::At(offset)),
        Ok(Ok(None)) => Ok(Expected::NoStream),
        _ => {
            let detail = format!("expected is {text:?}, not any, none, exists or an offset");
            Err(Problem::new(StatusCode::BAD_REQUEST, detail))
        }
    }
}
