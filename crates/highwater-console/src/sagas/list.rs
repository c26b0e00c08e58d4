//! `GET /api/sagas`: sagas by what is known of them, a page at a time.

use std::fmt::Display;
use std::str::FromStr;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use highwater_core::{SagaId, SagaQuery, SagaRecord, StoreError};
use serde::{Deserialize, Serialize};

use super::Sagas;
use super::body::SagaBody;
use crate::http::{Problem, bodies};
use crate::streams::check_limit;

/// Parameters of a search; an empty value is none. A misspelt name is refused: without it, the list
/// would be of more than was meant.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Params {
    correlation_id: Option<String>,
    name: Option<String>,
    state: Option<String>,
    /// Created at this time or later, as RFC 3339 has it.
    from: Option<String>,
    /// Created before this time.
    until: Option<String>,
    /// Behind this saga in the list: `next` of the page before.
    after: Option<String>,
    limit: Option<String>,
}

/// A page, newest first.
#[derive(Serialize)]
pub(crate) struct SagaPage {
    sagas: Vec<SagaBody>,
    /// Value of `after` for the next page; `null` on the last one.
    next: Option<SagaId>,
}

pub(crate) async fn list(
    State(sagas): State<Sagas>,
    params: Result<Query<Params>, QueryRejection>,
) -> Result<Response, Problem> {
    let mut query = query(params?.0)?;
    let limit = query.limit;
    // One more tells whether there is a next page.
    query.limit += 1;
    if let Some(after) = &query.after
        && sagas.store.saga(after).await?.is_none()
    {
        let detail = format!("after is {after:?}: there is no such saga");
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail).with("parameter", "after"));
    }
    let json = {
        let _making = sagas.bodies.making().await?;
        let (found, next) = page(&sagas, query, limit).await?;
        let found = found.into_iter().map(|saga| sagas.body(saga)).collect();
        serde_json::to_vec(&SagaPage { sagas: found, next })
    };
    let json = json.map_err(|error| Problem::from(StoreError::Backend(error.into())))?;
    Ok(sagas.bodies.response(json).unwrap_or_else(|_| bodies::too_much()))
}

/// At most `limit` sagas, and the last of them where there are more.
async fn page(
    sagas: &Sagas,
    mut query: SagaQuery,
    limit: usize,
) -> Result<(Vec<SagaRecord>, Option<SagaId>), StoreError> {
    let mut found = sagas.store.sagas(&query).await?;
    let mut has_more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().map(|saga| saga.id.clone());
    if !has_more && last.is_some() {
        // The page may have ended for its bytes: only an empty one is the end.
        (query.after, query.limit) = (last.clone(), 1);
        has_more = !sagas.store.sagas(&query).await?.is_empty();
    }
    Ok((found, last.filter(|_| has_more)))
}

fn query(params: Params) -> Result<SagaQuery, Problem> {
    let default = SagaQuery::default();
    Ok(SagaQuery {
        correlation_id: parse("correlationId", params.correlation_id)?,
        name: parse("name", params.name)?,
        state: parse("state", params.state)?,
        from: parse("from", params.from)?,
        until: parse("until", params.until)?,
        after: parse("after", params.after)?,
        limit: check_limit(parse("limit", params.limit)?.unwrap_or(default.limit))?,
    })
}

fn parse<T: FromStr<Err: Display>>(
    name: &str,
    value: Option<String>,
) -> Result<Option<T>, Problem> {
    let Some(text) = value.filter(|text| !text.is_empty()) else { return Ok(None) };
    let refused = |error| {
        let detail = format!("{name} is {text:?}: {error}");
        Problem::new(StatusCode::BAD_REQUEST, detail).with("parameter", name)
    };
    text.parse().map(Some).map_err(refused)
}
