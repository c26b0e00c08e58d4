//! `/api/sagas`: how each saga stands, and what an operator asks of it.

pub(crate) mod body;
pub(crate) mod list;

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use highwater_core::{SagaId, SagaName, SagaRecord, SagaRequest, SagaStore, StoreError};

use crate::http::Problem;
use crate::http::bodies::Bodies;
use crate::sagas::body::SagaBody;
use crate::sagas::list::list;

/// State of the routes of sagas.
#[derive(Clone)]
pub(crate) struct Sagas {
    pub(crate) store: Arc<dyn SagaStore>,
    /// The kinds and versions that this process runs; `None` when that is not known.
    pub(crate) definitions: Option<Arc<[(SagaName, u32)]>>,
    pub(crate) bodies: Bodies,
}

impl Sagas {
    /// The saga as it is shown.
    pub(crate) fn body(&self, saga: SagaRecord) -> SagaBody {
        let obstacle = self.definitions.as_ref().and_then(|known| saga.obstacle(known));
        SagaBody::new(saga, obstacle)
    }
}

pub(crate) fn routes(sagas: Sagas) -> Router {
    let shown = Router::new()
        .route("/api/sagas", get(list))
        .route("/api/sagas/{saga_id}/status", get(status));
    let asked = SagaRequest::ALL.into_iter().fold(shown, |routes, request| {
        let asked = move |sagas: State<Sagas>, id: Result<Path<String>, PathRejection>| {
            ask(sagas, id, request)
        };
        routes.route(&format!("/api/sagas/{{saga_id}}/{request}"), post(asked))
    });
    asked.with_state(sagas)
}

async fn status(
    State(sagas): State<Sagas>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<SagaBody>, Problem> {
    let id = saga_id(id?)?;
    let saga = sagas.store.saga(&id).await?;
    let saga = saga.ok_or_else(|| Problem::from(StoreError::SagaUnknown { id }))?;
    Ok(Json(sagas.body(saga)))
}

/// Stores the request; whoever runs the saga obeys it at its next transition.
async fn ask(
    State(sagas): State<Sagas>,
    id: Result<Path<String>, PathRejection>,
    request: SagaRequest,
) -> Result<(StatusCode, Json<SagaBody>), Problem> {
    let saga = sagas.store.request_saga(&saga_id(id?)?, request).await?;
    Ok((StatusCode::ACCEPTED, Json(sagas.body(saga))))
}

/// The id in the path; what cannot be one is the id of no saga.
fn saga_id(Path(id): Path<String>) -> Result<SagaId, Problem> {
    let unknown = |_| Problem::new(StatusCode::NOT_FOUND, format!("there is no saga {id:?}"));
    SagaId::new(&id).map_err(unknown)
}
