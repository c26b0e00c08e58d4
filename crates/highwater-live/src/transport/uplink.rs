//! `POST` and `DELETE`: what clients of server-sent events and long polling say.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use bytes::Bytes;

use super::negotiated::Entry;
use super::{Params, Refusal, Visitor};
use crate::hub::Hub;

/// Takes in messages; answers once the connection has them in its queue.
pub(super) async fn receive(
    State(hub): State<Arc<Hub>>,
    params: Result<Query<Params>, QueryRejection>,
    visitor: Visitor,
    body: Bytes,
) -> Result<StatusCode, Refusal> {
    let (_, entry) = find(&hub, params, &visitor).await?;
    tokio::select! {
        sent = entry.inbox.send(body) => sent.map_err(|_| Refusal::NoConnection)?,
        () = entry.closed.cancelled() => return Err(Refusal::NoConnection),
    }
    Ok(StatusCode::OK)
}

/// Ends a connection.
pub(super) async fn close(
    State(hub): State<Arc<Hub>>,
    params: Result<Query<Params>, QueryRejection>,
    visitor: Visitor,
) -> Result<StatusCode, Refusal> {
    let (id, entry) = find(&hub, params, &visitor).await?;
    hub.negotiated.remove(&id);
    entry.close();
    Ok(StatusCode::ACCEPTED)
}

async fn find(
    hub: &Hub,
    params: Result<Query<Params>, QueryRejection>,
    visitor: &Visitor,
) -> Result<(String, Arc<Entry>), Refusal> {
    let Query(params) = params?;
    let id = params.id.ok_or(Refusal::NoId)?;
    let entry = hub.negotiated.find(&id).ok_or(Refusal::NoConnection)?;
    visitor.must_be(hub, entry.identity.as_ref()).await?;
    Ok((id, entry))
}
