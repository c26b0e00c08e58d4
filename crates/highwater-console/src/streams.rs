//! `GET /api/streams/{stream}/events`: reads a stream, a category or the whole log.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::routing::get;
use axum::{Json, Router};
use highwater_core::{Offset, RecordedEvent, Source, StoreError};
use serde::Deserialize;

use crate::{Console, Problem};

/// The most that one request lists.
const LIMIT_MAX: usize = 1000;

/// Payload bytes after which a response gets no further page; the `Link` header leads on.
const RESPONSE_BYTES: usize = 16 << 20;

pub(crate) fn routes() -> Router<Console> {
    Router::new().route("/api/streams/{stream}/events", get(read))
}

/// A misspelt one is refused: without `from`, a reader would begin anew and not see why.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Params {
    /// The first offset to read.
    from: u64,
    limit: usize,
}

impl Default for Params {
    fn default() -> Self {
        Self { from: 0, limit: 100 }
    }
}

/// The events from an offset on; a `Link` with `rel="next"` says that there may be more.
///
/// `$all` and `$category:…` are streams here, too; their offsets are positions in the store.
async fn read(
    State(console): State<Console>,
    stream: Result<Path<String>, PathRejection>,
    params: Result<Query<Params>, QueryRejection>,
) -> Result<(HeaderMap, Json<Vec<RecordedEvent>>), Problem> {
    let (Path(stream), Query(params)) = (stream?, params?);
    let source: Source = stream.parse()?;
    let limit = check_limit(params.limit)?;
    let (events, next) = fill(&console, &source, params.from, limit).await?;
    let mut headers = HeaderMap::new();
    if let Some(next) = next {
        let link = format!("<?from={next}&limit={limit}>; rel=\"next\"");
        headers.extend(HeaderValue::try_from(link).map(|link| (header::LINK, link)));
    }
    Ok((headers, Json(events)))
}

/// Reads pages until `limit` events are there; also where to read on, unless it is the end.
async fn fill(
    console: &Console,
    source: &Source,
    from: u64,
    limit: usize,
) -> Result<(Vec<RecordedEvent>, Option<Offset>), StoreError> {
    let mut after = from.checked_sub(1).map(Offset::new);
    let (mut events, mut bytes) = (Vec::new(), 0);
    loop {
        let page = console.events.read(source, &[], after, limit - events.len()).await?;
        bytes += page.events.iter().map(|event| event.data.as_str().len()).sum::<usize>();
        events.extend(page.events);
        after = page.scanned_to.max(after);
        if page.is_end {
            return Ok((events, None));
        }
        if events.len() >= limit || bytes >= RESPONSE_BYTES {
            return Ok((events, Some(Offset::following(after))));
        }
    }
}

/// The limit itself when it is within bounds.
pub(crate) fn check_limit(limit: usize) -> Result<usize, Problem> {
    if (1..=LIMIT_MAX).contains(&limit) {
        return Ok(limit);
    }
    let detail = format!("limit is {limit}, it must be 1 to {LIMIT_MAX}");
    Err(Problem::new(StatusCode::BAD_REQUEST, detail))
}
