//! Why a projection was not registered, or did not run.

use highwater_core::{
    BoxError, Checkpoint, CheckpointKey, EventType, NotAnEventEnum, Offset, ProjectionName, Source,
    StoreError, StreamName,
};

use crate::InvalidOption;

/// Why a projection was not registered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
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

/// Why a projection did not run, or did not run to its end.
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
    /// An event failed for good, or the store failed too often; the checkpoint says where.
    #[error("projection {projection:?} gave up: {}", with_causes(&**reason))]
    GaveUp {
        /// The projection.
        projection: ProjectionName,
        /// The last error.
        #[source]
        reason: BoxError,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
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
