//! `GET /api/projections/case-progress`: all cases, those of a category, or one.

pub(crate) mod progress;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{MethodRouter, get};
use axum::{Json, Router};
use highwater::console::Problem;
use highwater::{Category, Document, ProjectionStore, StoreError, StreamName};
use serde::{Deserialize, Serialize};

use crate::cases::progress::{Case, NAME};

/// The most that one request lists.
const LIMIT_MAX: usize = 10_000;

pub(crate) fn routes<S: ProjectionStore>(store: S) -> Router {
    Router::new()
        .route("/api/projections/case-progress", get(list::<S>))
        .route("/api/projections/case-progress/{stream}", get(one::<S>))
        .with_state(store)
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Params {
    category: Option<String>,
    /// That of this stream alone, whose name may be one that cannot stand in a path.
    stream: Option<String>,
    /// Behind this stream, by the order of bytes.
    after: Option<String>,
    limit: usize,
}

impl Default for Params {
    fn default() -> Self {
        Self { category: None, stream: None, after: None, limit: 100 }
    }
}

#[derive(Serialize)]
struct CaseBody {
    stream: String,
    #[serde(flatten)]
    case: Case,
}

impl TryFrom<Document> for CaseBody {
    type Error = StoreError;

    fn try_from(document: Document) -> Result<Self, StoreError> {
        let case = document.data.to().map_err(|error| StoreError::Backend(error.into()))?;
        Ok(Self { stream: document.key, case })
    }
}

async fn list<S: ProjectionStore>(
    State(store): State<S>,
    params: Result<Query<Params>, QueryRejection>,
) -> Result<Json<Vec<CaseBody>>, Problem> {
    let Query(Params { category, stream, after, limit }) = params?;
    if !(1..=LIMIT_MAX).contains(&limit) {
        let detail = format!("limit is {limit}, it must be 1 to {LIMIT_MAX}");
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    }
    if let Some(stream) = stream {
        return Ok(Json(of_stream(&store, &stream).await?.into_iter().collect()));
    }
    let documents = match category {
        None => store.scan(&NAME, "", after.as_deref(), limit).await?,
        Some(category) => {
            of_category(&store, &Category::new(category)?, after.as_deref(), limit).await?
        }
    };
    let cases: Result<_, _> = documents.into_iter().map(CaseBody::try_from).collect();
    Ok(Json(cases?))
}

/// The cases of one category: the stream that is called like it, then those behind its dash.
async fn of_category<S: ProjectionStore>(
    store: &S,
    category: &Category,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<Document>, StoreError> {
    let namesake = StreamName::new(category)?;
    if namesake.category() != *category {
        return Ok(Vec::new());
    }
    let mut documents = Vec::new();
    if after.is_none_or(|after| after < category.as_str()) {
        documents = store.documents(&NAME, &[namesake.to_string()]).await?;
    }
    // A category that starts with a dash has no other streams.
    if !category.as_str().contains('-') && documents.len() < limit {
        let prefix = format!("{category}-");
        documents.extend(store.scan(&NAME, &prefix, after, limit - documents.len()).await?);
    }
    Ok(documents)
}

async fn one<S: ProjectionStore>(
    State(store): State<S>,
    stream: Result<Path<String>, PathRejection>,
) -> Result<Json<CaseBody>, Problem> {
    let Path(stream) = stream?;
    found(&store, &stream).await
}

/// The case of a stream whose path leads to something else for other methods.
pub(crate) fn one_named<S: ProjectionStore>(store: &S, stream: &'static str) -> MethodRouter {
    get(move |State(store): State<S>| async move { found(&store, stream).await })
        .with_state(store.clone())
}

async fn found<S: ProjectionStore>(store: &S, stream: &str) -> Result<Json<CaseBody>, Problem> {
    let unknown = || Problem::new(StatusCode::NOT_FOUND, format!("there is no case {stream:?}"));
    of_stream(store, stream).await?.map(Json).ok_or_else(unknown)
}

async fn of_stream<S: ProjectionStore>(
    store: &S,
    stream: &str,
) -> Result<Option<CaseBody>, Problem> {
    let key = StreamName::new(stream)?.to_string();
    let document = store.documents(&NAME, &[key]).await?.pop();
    Ok(document.map(CaseBody::try_from).transpose()?)
}
