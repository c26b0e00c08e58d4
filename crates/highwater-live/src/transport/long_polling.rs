//! Long polling: each `GET` waits for the next frame.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::timeout;

use super::negotiated::{Attachment, Entry, Registration};
use super::{Endpoint, Refusal, Requester};
use crate::connection_limits::ConnectionPermit;
use crate::hub::{Connection, Frame, Frames, Transport};

/// The polls of one connection, of which the latest gets the next frame.
#[derive(Debug)]
pub(crate) struct Polls {
    waiting: Mutex<Waiting>,
    seen: watch::Sender<Seen>,
}

/// Messages for the next poll.
#[derive(Debug)]
struct Waiting {
    frames: Frames,
    /// Rest of a frame after a poll for single messages.
    frame: Option<Frame>,
}

/// The polls that have come, and how many of them have not been answered.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    total: u64,
    open: usize,
    /// True when a poll was told that the connection is closed.
    told_closed: bool,
}

/// The answer to a poll.
enum Answer {
    Messages(Bytes, bool),
    Nothing,
    Closed,
}

/// Answers a poll; the first one starts the connection.
pub(super) async fn poll(
    endpoint: &Endpoint,
    id: &str,
    requester: Requester,
    one_message: bool,
) -> Result<Response, Refusal> {
    let Endpoint { hub, negotiated } = endpoint;
    let owner = negotiated.owner(id).ok_or(Refusal::NoConnection)?;
    requester.may_be(hub, owner.as_ref()).await?;
    let entry = negotiated.open(hub, id, requester.address())?;
    let polls = attach(endpoint, id, &entry).ok_or(Refusal::OtherTransport)?;
    let answer = polls.next(hub.options.poll_timeout, one_message).await;
    if matches!(answer, Answer::Closed) {
        polls.seen.send_modify(|seen| seen.told_closed |= seen.open == 0);
    }
    Ok(answer.into_response())
}

/// The polls of the connection; `None` when it has another transport.
fn attach(endpoint: &Endpoint, id: &str, entry: &Arc<Entry>) -> Option<Arc<Polls>> {
    let Endpoint { hub, negotiated } = endpoint;
    let mut state = entry.state();
    if let Attachment::Polling(polls) = &*state {
        return Some(Arc::clone(polls));
    }
    let (sender, frames) = mpsc::channel(1);
    let waiting = Mutex::new(Waiting { frames, frame: None });
    let polls = Arc::new(Polls { waiting, seen: watch::Sender::default() });
    let polling = Attachment::Polling(Arc::clone(&polls));
    let (permit, inbox) = match std::mem::replace(&mut *state, polling) {
        Attachment::Waiting { permit, inbox } => (permit, inbox),
        attached => {
            *state = attached;
            return None;
        }
    };
    let connection = Connection {
        hub: Arc::clone(hub),
        identity: entry.identity.clone(),
        inbox,
        account: Arc::clone(&permit.account),
        frames: sender,
        transport: Transport::LongPolling,
        stop: hub.stop(&permit),
    };
    let (listed, gap) = (Registration::new(negotiated, id), hub.options.attach_timeout);
    let (entry, served) = (Arc::clone(entry), Arc::clone(&polls));
    tokio::spawn(async move {
        serve(&entry, &served, connection, gap).await;
        drop::<(Registration, ConnectionPermit)>((listed, permit));
    });
    Some(polls)
}

/// Runs the connection while polls come, none being missing for longer than `gap`.
///
/// What the connection says last waits for the next poll. So does whoever drains the hub: a
/// client that was not told would poll for a connection that nobody knows.
async fn serve(entry: &Entry, polls: &Polls, connection: Connection, gap: Duration) {
    let served = async {
        connection.run().await;
        polls.told_closed().await;
    };
    tokio::select! {
        () = served => {}
        () = polls.abandoned(gap) => {}
        () = entry.closed.cancelled() => {}
    }
}

impl Polls {
    /// Waits for the next frame, unless another poll comes.
    async fn next(&self, patience: Duration, one_message: bool) -> Answer {
        let open = OpenPoll::new(self);
        if open.number == 1 {
            // JavaScript sends its handshake only once its first poll was answered.
            return Answer::Nothing;
        }
        let mut seen = self.seen.subscribe();
        tokio::select! {
            biased;
            _ = seen.wait_for(|seen| seen.total > open.number) => Answer::Closed,
            answer = timeout(patience, self.take(one_message)) => answer.unwrap_or(Answer::Nothing),
        }
    }

    /// Takes the next frame, or one message of it. Cancel safe.
    async fn take(&self, one_message: bool) -> Answer {
        let mut waiting = self.waiting.lock().await;
        if waiting.frame.is_none() {
            waiting.frame = waiting.frames.recv().await;
        }
        match waiting.frame.take() {
            None => Answer::Closed,
            Some(mut frame) => {
                let is_text = frame.is_text;
                let bytes = if one_message && is_text { frame.split_message() } else { None };
                match bytes {
                    Some(message) => {
                        waiting.frame = Some(frame);
                        Answer::Messages(message, is_text)
                    }
                    None => Answer::Messages(frame.into_bytes(), is_text),
                }
            }
        }
    }

    /// Returns when no poll has been open for as long as `gap`.
    async fn abandoned(&self, gap: Duration) {
        let mut seen = self.seen.subscribe();
        loop {
            // Waiting fails only when the sender is gone, and that is in `self`.
            drop(seen.wait_for(|seen| seen.open == 0).await);
            if timeout(gap, seen.wait_for(|seen| seen.open > 0)).await.is_err() {
                return;
            }
        }
    }

    /// Returns when a poll has been answered with the end of the connection.
    async fn told_closed(&self) {
        drop(self.seen.subscribe().wait_for(|seen| seen.told_closed).await);
    }
}

/// A poll that has not been answered yet.
struct OpenPoll<'a> {
    polls: &'a Polls,
    number: u64,
}

impl<'a> OpenPoll<'a> {
    fn new(polls: &'a Polls) -> Self {
        let mut number = 0;
        polls.seen.send_modify(|seen| {
            seen.total += 1;
            seen.open += 1;
            number = seen.total;
        });
        Self { polls, number }
    }
}

impl Drop for OpenPoll<'_> {
    fn drop(&mut self) {
        self.polls.seen.send_modify(|seen| seen.open -= 1);
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let uncached = [(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store"))];
        let (status, body, is_text) = match self {
            Self::Messages(bytes, is_text) => (StatusCode::OK, bytes, is_text),
            Self::Nothing => (StatusCode::OK, Bytes::new(), true),
            Self::Closed => (StatusCode::NO_CONTENT, Bytes::new(), true),
        };
        let content =
            if is_text { "text/plain; charset=utf-8" } else { "application/octet-stream" };
        let content = [(header::CONTENT_TYPE, HeaderValue::from_static(content))];
        (status, uncached, content, body).into_response()
    }
}
