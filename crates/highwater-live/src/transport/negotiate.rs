//! `POST /negotiate`: gives out connection ids.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderName, HeaderValue, header};
use serde_json::Value;
use uuid::Uuid;

use super::{Endpoint, Params, Refusal, Requester};
use crate::protocol::Negotiation;

/// Gives out the id of a connection, which a client has to attach a transport to before long.
pub(super) async fn negotiate(
    State(endpoint): State<Endpoint>,
    params: Result<Query<Params>, QueryRejection>,
    requester: Requester,
) -> Result<([(HeaderName, HeaderValue); 1], Json<Value>), Refusal> {
    let Query(params) = params?;
    let identity = requester.identify(&endpoint.hub).await?;
    requester.knock(&endpoint.hub, identity.as_ref())?;
    let (id, token) = (Uuid::new_v4().simple().to_string(), new_token());
    let answer = Negotiation { id: &id, token: &token }.answer(params.negotiate_version.as_deref());
    if answer.get("error").is_none() {
        endpoint.negotiated.promise(token, identity, requester.address())?;
    }
    let uncached = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((uncached, Json(answer)))
}

/// A secret of 244 random bits.
fn new_token() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}
