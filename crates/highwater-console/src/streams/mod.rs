//! `GET /api/streams/{stream}/events`: reads a stream, a category or the whole log.

pub(crate) mod append;

use axum::Router;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use highwater_core::{Offset, Source, StoreError};
use serde::Deserialize;

use crate::console::Console;
use crate::http::{Problem, bodies};

/// The most that one request lists.
const LIMIT_MAX: usize = 1000;

/// Bytes after which a response gets no further page of the store; the `Link` header leads on.
const RESPONSE_BYTES: usize = 1 << 20;

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
/// Where events are large there are fewer than `limit`: who wants all follows the link.
/// `$all` and `$category:…` are streams here, too; their offsets are positions in the store.
async fn read(
    State(console): State<Console>,
    stream: Result<Path<String>, PathRejection>,
    params: Result<Query<Params>, QueryRejection>,
) -> Result<Response, Problem> {
    let (Path(stream), Query(params)) = (stream?, params?);
    let source: Source = stream.parse()?;
    let limit = check_limit(params.limit)?;
    let list = {
        let _making = console.bodies.making().await?;
        list(&console, &source, params.from, limit).await?
    };
    let List { json, places, next } = list;
    let (mut response, next) = match console.bodies.response(json) {
        Ok(response) => (response, next),
        Err(json) => match shortened(json, &places) {
            None => return Ok(bodies::too_much()),
            Some((json, last)) => match console.bodies.response(json) {
                Ok(response) => (response, Some(last.next())),
                Err(_) => return Ok(bodies::too_much()),
            },
        },
    };
    if let Some(next) = next {
        let link = format!("<?from={next}&limit={limit}>; rel=\"next\"");
        response.headers_mut().extend(HeaderValue::try_from(link).map(|link| (header::LINK, link)));
    }
    Ok(response)
}

/// Events as a JSON array; where each ends in it, and its offset; and where to read on, unless it is
/// the end.
struct List {
    json: Vec<u8>,
    places: Vec<(usize, Offset)>,
    next: Option<Offset>,
}

/// Reads pages until `limit` events are there, or enough.
async fn list(
    console: &Console,
    source: &Source,
    from: u64,
    limit: usize,
) -> Result<List, Problem> {
    let mut after = from.checked_sub(1).map(Offset::new);
    let (mut json, mut places) = (vec![b'['], Vec::new());
    let next = loop {
        let page = console.events.read(source, &[], after, limit - places.len()).await?;
        for event in page.events {
            if !places.is_empty() {
                json.push(b',');
            }
            serde_json::to_writer(&mut json, &event).map_err(unwritable)?;
            places.push((json.len(), source.offset_of(&event)));
        }
        after = page.scanned_to.max(after);
        if page.is_end {
            break None;
        }
        if places.len() >= limit || json.len() >= RESPONSE_BYTES {
            break Some(Offset::following(after));
        }
    };
    json.push(b']');
    Ok(List { json, places, next })
}

/// The first events that make a small body, and the offset of the last of them.
fn shortened(mut json: Vec<u8>, places: &[(usize, Offset)]) -> Option<(Vec<u8>, Offset)> {
    let (end, last) = *places.iter().take_while(|(end, _)| *end < bodies::SMALL).last()?;
    json.truncate(end);
    json.push(b']');
    json.shrink_to_fit();
    Some((json, last))
}

fn unwritable(error: serde_json::Error) -> Problem {
    Problem::from(StoreError::Backend(error.into()))
}

/// The limit itself when it is within bounds.
pub(crate) fn check_limit(limit: usize) -> Result<usize, Problem> {
    if (1..=LIMIT_MAX).contains(&limit) {
        return Ok(limit);
    }
    let detail = format!("limit is {limit}, it must be 1 to {LIMIT_MAX}");
    Err(Problem::new(StatusCode::BAD_REQUEST, detail))
}
