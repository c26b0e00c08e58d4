//! Why a projection was not registered, or did not run.

use highwater_core::{
    BoxError, Checkpoint, CheckpointKey, EventId, EventType, InvalidOption, NotAnEventEnum, Offset,
    ProjectionName, Source, StoreError, StreamName,
};

/// Reason why a projection was not registered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterProjectionError {
    /// Another projection has the name; it is taken whatever either of them follows.
    #[error("projection {0:?} is already registered")]
    Duplicate(ProjectionName),
    /// The projection's event type is not an enum that serde tags with `type` and `data`.
    #[error(transparent)]
    NotAnEventEnum(#[from] NotAnEventEnum),
    /// An option cannot be meant.
    #[error(transparent)]
    Option(#[from] InvalidOption),
}

/// Reason why a projection did not run, or did not run to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// No projection of this name is registered.
    #[error("projection {0:?} is not registered")]
    Unknown(ProjectionName),
    /// `run` has been called before and has not returned.
    #[error("these projections are already running")]
    AlreadyRunning,
    /// The projection does not allow a rebuild.
    #[error("projection {0:?} cannot be rebuilt")]
    CannotRebuild(ProjectionName),
    /// An event failed for good, a document or the log is not what it was, or the store failed
    /// too often.
    #[error("projection {projection:?} gave up {}: {}", place(*checkpoint), with_causes(&**reason))]
    GaveUp {
        /// The projection.
        projection: ProjectionName,
        /// Where its checkpoint was, as far as it came to know; `None` at the first event.
        checkpoint: Option<Offset>,
        /// The last error.
        #[source]
        reason: BoxError,
    },
    /// The source has no event at the place that was asked for.
    #[error("projection {projection:?} cannot go on behind {to} of {followed}: no event is there")]
    NoSuchPlace {
        /// The projection.
        projection: ProjectionName,
        /// Source that it follows.
        followed: Source,
        /// The place.
        to: Offset,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn place(checkpoint: Option<Offset>) -> String {
    checkpoint.map_or_else(|| "at the first event".to_owned(), |at| format!("behind offset {at}"))
}

/// Reason why a projection gives up.
#[derive(Debug)]
pub(crate) struct Reason {
    pub(crate) error: BoxError,
    /// True when it lies with the world, so that trying again later may help.
    pub(crate) may_pass: bool,
}

impl Reason {
    /// Somebody has to change something.
    pub(crate) fn lasting(error: impl Into<BoxError>) -> Self {
        Self { error: error.into(), may_pass: false }
    }

    /// It may be over by itself.
    pub(crate) fn passing(error: impl Into<BoxError>) -> Self {
        Self { error: error.into(), may_pass: true }
    }
}

/// An event whose workers did not come back from it.
#[derive(Debug, thiserror::Error)]
#[error(
    "its process ended, or its worker did not come back, {deaths} times in a row while it was \
     tried alone"
)]
pub(crate) struct Deadly {
    pub(crate) deaths: u32,
}

/// A log that is not the one which the checkpoint was made on.
#[derive(Debug, thiserror::Error)]
#[error(
    "the checkpoint of projection {projection:?} is at {at} of {followed}, but {}: the log was \
     replaced, as by a backup or a failover that lost events. Request a rebuild, or rebase the \
     projection to the place behind which it shall go on",
    self.found()
)]
pub(crate) struct LogReplaced {
    pub(crate) projection: ProjectionName,
    pub(crate) followed: Source,
    pub(crate) at: Offset,
    pub(crate) expected: Option<EventId>,
    pub(crate) head: Option<Offset>,
}

impl LogReplaced {
    fn found(&self) -> String {
        match (self.head, self.expected) {
            (None, _) => "there are no events".to_owned(),
            (Some(head), Some(event)) if head >= self.at => {
                format!("another event than {event} is there (the last one is at {head})")
            }
            (Some(head), _) => format!("the last event is at {head}"),
        }
    }
}

/// An event that has failed for good.
#[derive(Debug, thiserror::Error)]
#[error("event {offset} of stream {stream:?} ({event_type:?}) failed {attempts} times")]
pub(crate) struct EventFailed {
    pub(crate) stream: StreamName,
    pub(crate) offset: Offset,
    pub(crate) event_type: EventType,
    pub(crate) attempts: u32,
    pub(crate) source: BoxError,
}

/// A projection whose source is another one than before.
#[derive(Debug, thiserror::Error)]
#[error(
    "projection {projection:?} has followed {followed} as far as {offset} under this name: request \
     a rebuild, or delete that checkpoint to begin with the first event of the new source"
)]
pub(crate) struct SourceChanged {
    projection: ProjectionName,
    followed: Source,
    offset: i64,
}

impl From<&Checkpoint> for SourceChanged {
    fn from(checkpoint: &Checkpoint) -> Self {
        let CheckpointKey { projection, source } = checkpoint.key.clone();
        let offset = Offset::to_sql(checkpoint.last_processed_offset);
        Self { projection, followed: source, offset }
    }
}

/// The error and its causes in one line; a driver may have told the cause already.
pub(crate) fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    for cause in std::iter::successors(error.source(), |error| error.source()) {
        let cause = cause.to_string();
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_is_told_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("the database said: {0}")]
        struct Driver(#[source] std::fmt::Error);

        let cause = std::fmt::Error.to_string();
        let error = StoreError::Backend(Driver(std::fmt::Error).into());
        assert_eq!(with_causes(&error), format!("the store failed: the database said: {cause}"));
    }
}
