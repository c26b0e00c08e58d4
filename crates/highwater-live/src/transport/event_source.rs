//! `GET /streams/{stream}/events`: plain server-sent events, for `EventSource` and `curl -N`.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::{BufMut, Bytes, BytesMut};
use highwater_core::{Offset, Source, StoreError};
use tokio::sync::mpsc;
use tokio::time::sleep_until;

use super::server_sent_events::{event_stream, received};
use super::{Refusal, Visitor};
use crate::door::Seat;
use crate::feed::{LiveEvent, NotSent, Subscription};
use crate::hub::{End, Hub, Outbox};
use crate::protocol::Protocol;

#[derive(Debug, serde::Deserialize)]
pub(super) struct Params {
    from: Option<u64>,
}

/// Follows a stream, a category or everything, from an offset or from now on.
///
/// The id of each event is its offset in what is followed, so that a browser that lost its
/// connection goes on behind the last event that it got.
pub(super) async fn follow(
    State(hub): State<Arc<Hub>>,
    Path(stream): Path<String>,
    params: Result<Query<Params>, QueryRejection>,
    visitor: Visitor,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let Query(params) = params?;
    let source: Source = stream
        .parse()
        .map_err(|error: highwater_core::InvalidName| Refusal::Invalid(error.to_string()))?;
    let from = match last_event_id(&headers)? {
        None => params.from.map(Offset::new),
        Some(last) => Some(Offset::following(last)),
    };
    let identity = visitor.identify(&hub).await?;
    if !hub.may_follow(identity.as_ref(), &source).await.map_err(|_| Refusal::Unavailable)? {
        return Err(Refusal::Forbidden);
    }
    let seat = visitor.take_seat(&hub, identity.as_ref())?;
    let subscription = hub.feed.subscribe(source, from).await.map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "the log is not readable");
        Refusal::Unavailable
    })?;
    let (sender, frames) = mpsc::channel(1);
    let outbox = Outbox::new(sender, Arc::clone(&hub.counters), hub.options.stall_timeout);
    tokio::spawn(async move {
        let end = write(&hub, subscription, outbox).await;
        tracing::debug!(end = end.err().map(|end| end.to_string()), "the events have ended");
        drop::<Seat>(seat);
    });
    Ok(event_stream(received(frames)))
}

/// The last offset that a browser has got; -1 is none.
fn last_event_id(headers: &HeaderMap) -> Result<Option<Option<Offset>>, Refusal> {
    let Some(id) = headers.get("last-event-id") else { return Ok(None) };
    let offset = id.to_str().ok().and_then(|id| id.parse().ok());
    match offset.map(Offset::from_sql) {
        Some(Ok(offset)) => Ok(Some(offset)),
        _ => Err(Refusal::Invalid("Last-Event-ID is not an offset".to_owned())),
    }
}

/// Writes events until the client has gone, or the hub drains: then the browser comes back.
async fn write(hub: &Hub, mut subscription: Subscription, mut outbox: Outbox) -> Result<(), End> {
    // The id makes a browser that gets no event at all come back to where it began.
    let (start, name) = (Offset::to_sql(subscription.after()), subscription.name());
    let start = format!("retry: 2000\nid: {start}\nevent: start\ndata: {name}\n\n");
    outbox.send(start.into()).await?;
    loop {
        let silent = outbox.last_sent() + hub.options.keep_alive;
        let events = tokio::select! {
            () = hub.draining.cancelled() => return Err(End::Draining),
            () = outbox.closed() => return Err(End::Gone),
            events = subscription.next() => events,
            () = sleep_until(silent) => {
                outbox.send(Bytes::from_static(b":\n\n")).await?;
                continue;
            }
        };
        let Some(events) = sendable(&events) else {
            return outbox.send(Bytes::from_static(FAILED)).await;
        };
        let count = events.len();
        for event in events {
            outbox.push(event).await?;
        }
        outbox.flush().await?;
        hub.counters.delivered(count);
    }
}

/// Says that the events end here for good; the browser's own event `error` would hide it.
const FAILED: &[u8] = b"event: failure\ndata: the events cannot be sent\n\n";

/// The events as they are sent; `None` when not all of them can be.
fn sendable(events: &Result<Vec<Arc<LiveEvent>>, StoreError>) -> Option<Vec<Bytes>> {
    let events = match events {
        Ok(events) => events.iter().map(|event| message(event)).collect::<Result<_, _>>(),
        Err(error) => {
            tracing::error!(error = error as &dyn std::error::Error, "the log is not readable");
            return None;
        }
    };
    events.inspect_err(|error| tracing::error!("{error}")).ok()
}

fn message(event: &LiveEvent) -> Result<Bytes, NotSent> {
    let json = &event.encoded(Protocol::Json, usize::MAX)?.event;
    let mut out = BytesMut::with_capacity(json.len() + 40);
    out.put_slice(format!("id: {}\ndata: ", event.offset()).as_bytes());
    out.put_slice(json);
    out.put_slice(b"\n\n");
    Ok(out.freeze())
}
