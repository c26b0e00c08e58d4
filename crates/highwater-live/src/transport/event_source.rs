//! `GET /streams/{stream}/events`: plain server-sent events, for `EventSource` and `curl -N`.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use bytes::{BufMut, Bytes, BytesMut};
use futures::stream::{self, StreamExt};
use highwater_core::Offset;
use tokio::sync::mpsc;
use tokio::time::sleep_until;
use tracing::Instrument;
use uuid::Uuid;

use super::server_sent_events::{event_stream, received};
use super::{Refusal, Requester, accepts_event_stream};
use crate::connection_limits::ConnectionPermit;
use crate::feed::event::{LiveEvent, NotSent};
use crate::feed::{Batch, Hold, Unreadable};
use crate::hub::{CloseReason, Frame, LiveState, Outbox, Subscription};
use crate::protocol::Protocol;
use crate::source::LiveSource;

/// The parameters of the query. Others are refused: a misspelt `from` would lose events.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Params {
    from: Option<u64>,
    /// What programs say that cannot send the header.
    last_event_id: Option<String>,
    /// See [`Credentials`](crate::access::Credentials).
    #[serde(rename = "access_token")]
    _access_token: Option<String>,
}

/// The parameter of the path; those of a path that the routes are nested below are not ours.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Place {
    stream: String,
}

/// Follows a stream, a category, everything or a projection, from an offset or from now on.
///
/// The id of each event is its offset in what is followed, so that a browser that lost its
/// connection goes on behind the last event that it got.
pub(super) async fn follow(
    State(hub): State<Arc<LiveState>>,
    Path(place): Path<Place>,
    params: Result<Query<Params>, QueryRejection>,
    requester: Requester,
    headers: HeaderMap,
) -> Response {
    let opened = match params {
        Ok(Query(params)) => open(hub, &place.stream, params, requester, &headers).await,
        Err(rejection) => Err(rejection.into()),
    };
    match opened {
        Ok(response) => response,
        Err(refusal) if refusal.is_temporary() && accepts_event_stream(&headers) => {
            come_back_later(&refusal)
        }
        Err(refusal) => refusal.into_response(),
    }
}

async fn open(
    hub: Arc<LiveState>,
    stream: &str,
    params: Params,
    requester: Requester,
    headers: &HeaderMap,
) -> Result<Response, Refusal> {
    let source: LiveSource = stream
        .parse()
        .map_err(|error: highwater_core::InvalidName| Refusal::Invalid(error.to_string()))?;
    let from = start(&params, headers)?;
    let identity = requester.identify(&hub).await?;
    // A permit first: whoever is revoked from now on does not get to see anything.
    let permit = requester.admit(&hub, identity.as_ref())?;
    if !hub.may_follow(identity.as_ref(), &source).await? {
        return Err(Refusal::Forbidden);
    }
    let name = source.to_string();
    let subscription = hub.subscribe(source, from, &permit.account).await?;
    let first = preamble(from, subscription.after());
    let (sender, frames) = mpsc::channel(1);
    let outbox = Outbox::new(sender, Arc::clone(&permit.account), hub.options.stall_timeout);
    let span = tracing::info_span!("live", id = %Uuid::new_v4(), transport = "EventSource", ?name);
    let stop = hub.stop(&permit);
    let serve = async move {
        tracing::debug!("the client has connected");
        let end = tokio::select! {
            end = stop.asked() => Err(end),
            end = write(&hub, first, subscription, outbox) => end,
        };
        tracing::debug!(end = end.err().map(|end| end.to_string()), "the events have ended");
        drop::<ConnectionPermit>(permit);
    };
    tokio::spawn(serve.instrument(span));
    Ok(event_stream(received(frames).map(Frame::into_bytes)))
}

/// A browser's `EventSource` takes a refusal for the last word and does not come back; from an
/// answer that ends without an event it does.
fn come_back_later(refusal: &Refusal) -> Response {
    let wait = format!(": {refusal}\nretry: 5000\n\n");
    event_stream(stream::iter([Bytes::from(wait)]))
}

/// Where to begin, if it is said: at `from` or behind the last event that the client has got,
/// whichever is further on. A client that comes back asks for `from` as it did at first.
fn start(params: &Params, headers: &HeaderMap) -> Result<Option<Offset>, Refusal> {
    let from = params.from.map(|from| match i64::try_from(from) {
        Ok(_) => Ok(Offset::new(from)),
        Err(_) => Err(Refusal::Invalid("from is not an offset".to_owned())),
    });
    let header = headers.get("last-event-id").map(|id| id.to_str().unwrap_or("?"));
    let behind = [header, params.last_event_id.as_deref()].into_iter().flatten();
    let behind = behind.map(|id| {
        let last = id.parse().ok().and_then(|id| Offset::from_sql(id).ok());
        let last =
            last.ok_or_else(|| Refusal::Invalid("Last-Event-ID is not an offset".to_owned()));
        last.map(Offset::following)
    });
    let starts: Vec<Offset> = from.into_iter().chain(behind).collect::<Result<_, _>>()?;
    Ok(starts.into_iter().max())
}

/// Tells how soon a browser is to come back; and for one that follows from now on where that was,
/// so that it comes back to there although it has got no event yet.
///
/// An event without content: programs that read each `data: ` line as an event are not misled.
fn preamble(from: Option<Offset>, after: Option<Offset>) -> Bytes {
    match from {
        Some(_) => Bytes::from_static(b"retry: 2000\n\n"),
        None => {
            let after = Offset::to_sql(after);
            format!("retry: 2000\nid: {after}\nevent: start\ndata:\n\n").into()
        }
    }
}

/// Writes events until the client has gone; if it is a browser, it comes back.
async fn write(
    hub: &LiveState,
    first: Bytes,
    mut subscription: Subscription,
    mut outbox: Outbox,
) -> Result<(), CloseReason> {
    outbox.send(first).await?;
    loop {
        let silent = outbox.last_sent() + hub.options.keep_alive;
        let events = tokio::select! {
            () = outbox.closed() => return Err(CloseReason::Gone),
            events = subscription.next() => events,
            () = sleep_until(silent) => {
                outbox.send(Bytes::from_static(b":\n\n")).await?;
                continue;
            }
        };
        // What was read is held until its messages have gone out.
        let (events, is_failed, _hold) = sendable(events);
        let count = events.len();
        for event in events {
            outbox.push(event).await?;
        }
        outbox.flush().await?;
        hub.counters.delivered(count);
        if is_failed {
            return outbox.send(Bytes::from_static(FAILED)).await;
        }
    }
}

/// Says that the events end here for good; the browser's own event `error` would hide it.
const FAILED: &[u8] = b"event: failure\ndata: the events cannot be sent\n\n";

/// The events as they are sent, and whether one cannot be: then only those before it.
fn sendable(batch: Result<Batch, Unreadable>) -> (Vec<Bytes>, bool, Option<Hold>) {
    let Batch { events, hold } = match batch {
        Ok(batch) => batch,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "no more events");
            return (Vec::new(), true, None);
        }
    };
    let mut messages = Vec::with_capacity(events.len());
    for event in events {
        match message(&event) {
            Ok(message) => messages.push(message),
            Err(error) => {
                tracing::error!("{error}");
                return (messages, true, hold);
            }
        }
    }
    (messages, false, hold)
}

fn message(event: &LiveEvent) -> Result<Bytes, NotSent> {
    let json = &event.encoded(Protocol::Json, usize::MAX)?.event;
    let mut out = BytesMut::with_capacity(json.len() + 40);
    out.put_slice(format!("id: {}\ndata: ", Offset::to_sql(event.offset())).as_bytes());
    out.put_slice(json);
    out.put_slice(b"\n\n");
    Ok(out.freeze())
}
