//! `POST` and `DELETE`: what clients of server-sent events and long polling say.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use bytes::Bytes;

use super::negotiated::Entry;
use super::{Endpoint, Params, Refusal, Requester};

/// Takes in messages; answers once the connection has them in its queue, or does not read it.
pub(super) async fn receive(
    State(endpoint): State<Endpoint>,
    params: Result<Query<Params>, QueryRejection>,
    requester: Requester,
    body: Bytes,
) -> Result<StatusCode, Refusal> {
    let (_, entry) = find(&endpoint, params, &requester).await?;
    if entry.hear(body, endpoint.hub.options.stall_timeout).await {
        return Ok(StatusCode::OK);
    }
    let is_closed = entry.closed.is_cancelled();
    Err(if is_closed { Refusal::NoConnection } else { Refusal::Unavailable })
}

/// Ends a connection.
pub(super) async fn close(
    State(endpoint): State<Endpoint>,
    params: Result<Query<Params>, QueryRejection>,
    requester: Requester,
) -> Result<StatusCode, Refusal> {
    let (id, entry) = find(&endpoint, params, &requester).await?;
    endpoint.negotiated.remove(&id);
    entry.close();
    Ok(StatusCode::ACCEPTED)
}

async fn find(
    endpoint: &Endpoint,
    params: Result<Query<Params>, QueryRejection>,
    requester: &Requester,
) -> Result<(String, Arc<Entry>), Refusal> {
    let Endpoint { hub, negotiated } = endpoint;
    let Query(params) = params?;
    let id = params.id.ok_or(Refusal::NoId)?;
    let owner = negotiated.owner(&id).ok_or(Refusal::NoConnection)?;
    requester.must_be(hub, owner.as_ref()).await?;
    let entry = negotiated.open(hub, &id, requester.address())?;
    Ok((id, entry))
}
