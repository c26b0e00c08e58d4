//! Server-sent events, as a transport of connections; the client speaks by `POST`.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt};
use tokio::sync::mpsc;

use super::negotiated::Registration;
use super::{Endpoint, Refusal, Requester};
use crate::connection_limits::ConnectionPermit;
use crate::hub::{Connection, Frame, Frames, Transport};

/// Opens the response that carries everything to the client.
pub(super) async fn attach(
    endpoint: &Endpoint,
    id: &str,
    requester: Requester,
) -> Result<Response, Refusal> {
    let Endpoint { hub, negotiated } = endpoint;
    let owner = negotiated.owner(id).ok_or(Refusal::NoConnection)?;
    requester.must_be(hub, owner.as_ref()).await?;
    let entry = negotiated.open(hub, id, requester.address())?;
    let (permit, inbox) = entry.attach().ok_or(Refusal::OtherTransport)?;
    let (sender, frames) = mpsc::channel(1);
    let connection = Connection {
        hub: Arc::clone(hub),
        identity: entry.identity.clone(),
        inbox,
        account: Arc::clone(&permit.account),
        frames: sender,
        transport: Transport::ServerSentEvents,
        stop: hub.stop(&permit),
    };
    let (listed, closed) = (Registration::new(negotiated, id), entry.closed.clone());
    tokio::spawn(async move {
        closed.run_until_cancelled(connection.run()).await;
        drop::<(Registration, ConnectionPermit)>((listed, permit));
    });
    // The comment makes proxies pass the headers on, on which the client waits.
    let first = stream::once(async { Bytes::from_static(b":\r\n\r\n") });
    Ok(event_stream(first.chain(received(frames).map(event))))
}

/// A response of the type of server-sent events that nothing on the way holds back.
pub(super) fn event_stream(chunks: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store")),
        (header::HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    (headers, Body::from_stream(chunks.map(Ok::<_, Infallible>))).into_response()
}

/// The frames as they come, until there are no more.
pub(super) fn received(frames: Frames) -> impl Stream<Item = Frame> + Send {
    stream::unfold(frames, |mut frames| async move {
        let frame = frames.recv().await?;
        Some((frame, frames))
    })
}

/// Whole messages as one event; they have no line breaks.
fn event(messages: Frame) -> Bytes {
    messages.wrapped(b"data: ", b"\r\n\r\n")
}
