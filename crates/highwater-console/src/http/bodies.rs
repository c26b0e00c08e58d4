//! Large bodies: how much of them is held for clients that take their time.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout};

use super::Problem;

/// A body up to here is sent whatever else is held.
pub(crate) const SMALL: usize = 64 << 10;

/// The bytes of all larger bodies together, in KiB.
const HELD_KIB: usize = 64 << 10;

/// Large answers that are made at one time.
const MADE: usize = 8;

/// Time that a request waits until its answer can be made.
const PATIENCE: Duration = Duration::from_secs(5);

/// Time that a client may take nothing of a body before that is dropped.
const STALLED: Duration = Duration::from_secs(30);

/// Bytes that are handed to the connection at a time.
const PIECE: usize = 64 << 10;

/// Counts the bodies of a console; clones share the count.
#[derive(Debug, Clone)]
pub(crate) struct Bodies {
    making: Arc<Semaphore>,
    held: Arc<Semaphore>,
}

impl Default for Bodies {
    fn default() -> Self {
        let [making, held] = [MADE, HELD_KIB].map(|permits| Arc::new(Semaphore::new(permits)));
        Self { making, held }
    }
}

impl Bodies {
    /// Waits until the store may be read for a large answer; held while it is made, and never
    /// while a client is waited for.
    pub(crate) async fn making(&self) -> Result<OwnedSemaphorePermit, Problem> {
        match timeout(PATIENCE, Arc::clone(&self.making).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too many large reads at once")),
        }
    }

    /// JSON as a response; gives it back when so much is held already that it must be shorter.
    pub(crate) fn response(&self, json: Vec<u8>) -> Result<Response, Vec<u8>> {
        let length = json.len();
        let body = if length <= SMALL {
            Body::from(json)
        } else {
            let kib = u32::try_from(length.div_ceil(1 << 10).min(HELD_KIB)).unwrap_or(u32::MAX);
            match Arc::clone(&self.held).try_acquire_many_owned(kib) {
                Ok(permit) => body(json.into(), permit),
                Err(_) => return Err(json),
            }
        };
        let json = HeaderValue::from_static("application/json");
        let headers = [(header::CONTENT_TYPE, json), (header::CONTENT_LENGTH, length.into())];
        Ok((headers, body).into_response())
    }
}

/// The answer to a request that could not be served because others hold too much.
pub(crate) fn too_much() -> Response {
    let detail = "too many large answers are waiting for their clients";
    let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail);
    ([(header::RETRY_AFTER, HeaderValue::from_static("1"))], problem).into_response()
}

/// What is left of a body, until its client stalls.
struct Held(Mutex<Left>);

struct Left {
    rest: Option<(Bytes, OwnedSemaphorePermit)>,
    taken_at: Instant,
}

impl Held {
    fn lock(&self) -> MutexGuard<'_, Left> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next piece; `None` at the end.
    fn take(&self) -> io::Result<Option<Bytes>> {
        let mut left = self.lock();
        left.taken_at = Instant::now();
        let Some((rest, _)) = &mut left.rest else {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the client took nothing"));
        };
        let piece = rest.split_to(rest.len().min(PIECE));
        Ok((!piece.is_empty()).then_some(piece))
    }
}

fn body(bytes: Bytes, permit: OwnedSemaphorePermit) -> Body {
    let left = Left { rest: Some((bytes, permit)), taken_at: Instant::now() };
    let held = Arc::new(Held(Mutex::new(left)));
    tokio::spawn(drop_when_stalled(Arc::downgrade(&held)));
    Body::from_stream(stream::unfold(held, async |held| {
        let piece = held.take().transpose()?;
        Some((piece, held))
    }))
}

/// Drops what a client does not take; the connection is closed when it asks for more.
async fn drop_when_stalled(held: Weak<Held>) {
    loop {
        sleep(STALLED).await;
        let Some(held) = held.upgrade() else { return };
        let mut left = held.lock();
        if left.taken_at.elapsed() >= STALLED {
            left.rest = None;
            return;
        }
    }
}
