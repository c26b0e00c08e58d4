//! The bodies of requests, as they come.

use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, OnceLock};

use axum::body::Body;
use axum::http::StatusCode;
use bytes::Bytes;
use futures::stream;
use hyper::body::{Body as _, Frame, Incoming};
use tokio::time::{Instant, sleep_until};

use super::activity::Activity;
use super::bodies::Share;
use super::options::ServerOptions;

/// Reason why a body is not received any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// It has more bytes than a request may.
    TooLarge,
    /// It takes too long.
    TooSlow,
    /// All bodies together have more bytes than they may.
    NoRoom,
}

/// Where it is noted that the body of a request was cut, so that the answer says it.
pub(super) type CutSlot = Arc<OnceLock<Cut>>;

impl Cut {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::NoRoom => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the body has more bytes than a request may have",
            Self::TooSlow => "the body does not come in time",
            Self::NoRoom => "too many bodies are being received",
        })
    }
}

impl std::error::Error for Cut {}

/// The body of one request on its way.
#[derive(Debug)]
struct Receiving {
    body: Incoming,
    share: Arc<Share>,
    activity: Activity,
    cut: CutSlot,
    limits: Limits,
    began: Instant,
    bytes: usize,
}

#[derive(Debug, Clone, Copy)]
struct Limits {
    bytes: usize,
    step: usize,
    timeout: std::time::Duration,
}

/// The body, of which each part is waited for until a deadline and counted in `share`.
pub(super) fn bounded(
    body: Incoming,
    options: &ServerOptions,
    share: Arc<Share>,
    activity: Activity,
    cut: CutSlot,
) -> Body {
    let limits = Limits {
        bytes: options.body_bytes,
        step: options.body_step.max(1),
        timeout: options.body_timeout,
    };
    let began = Instant::now();
    let receiving = Receiving { body, share, activity, cut, limits, began, bytes: 0 };
    Body::from_stream(stream::unfold(Some(receiving), |receiving| async {
        let mut receiving = receiving?;
        match receiving.next().await {
            Ok(Some(part)) => Some((Ok(part), Some(receiving))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    }))
}

impl Receiving {
    /// The next part; `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, axum::BoxError> {
        let part = loop {
            let Some(frame) = self.frame().await? else { return Ok(None) };
            // Nobody here has a use for trailers.
            if let Ok(part) = frame.into_data() {
                break part;
            }
        };
        self.bytes += part.len();
        if self.bytes > self.limits.bytes {
            return Err(self.cut(Cut::TooLarge).into());
        }
        let revoked = self.share.revoked.clone();
        tokio::select! {
            () = self.share.add(part.len()) => Ok(Some(part)),
            () = revoked.cancelled() => Err(self.cut(Cut::NoRoom).into()),
            () = sleep_until(self.deadline()) => Err(self.cut(Cut::NoRoom).into()),
        }
    }

    async fn frame(&mut self) -> Result<Option<Frame<Bytes>>, axum::BoxError> {
        let (revoked, deadline) = (self.share.revoked.clone(), self.deadline());
        let body = &mut self.body;
        let frame = tokio::select! {
            frame = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)) => frame.transpose()?,
            () = revoked.cancelled() => return Err(self.cut(Cut::NoRoom).into()),
            () = sleep_until(deadline) => return Err(self.cut(Cut::TooSlow).into()),
        };
        Ok(frame)
    }

    /// So much later as more of the body has come.
    fn deadline(&self) -> Instant {
        let steps = u32::try_from(self.bytes / self.limits.step).unwrap_or(u32::MAX);
        self.began + self.limits.timeout.saturating_mul(steps.saturating_add(1))
    }

    fn cut(&self, cut: Cut) -> Cut {
        // Only the first reason counts, and there is one body for each slot.
        self.cut.get_or_init(|| cut);
        cut
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        self.share.complete();
        self.activity.received();
    }
}
