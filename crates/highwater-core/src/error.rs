//! The one error of every store.

use std::error::Error;
use std::sync::Arc;

use crate::events::{EventId, Expected};
use crate::name::{InvalidName, ProjectionName, SagaId, StreamName};
use crate::offset::{InvalidPlace, Offset};
use crate::projections::UnfitDocument;
use crate::sagas::{SagaRequest, SagaState};
use crate::source::Source;

/// Any error, boxed; what user code returns and what backends wrap.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// Reason why a store did not do what it was asked; nothing was changed, except after
/// `Unavailable`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The stream is not where the appender believed it to be.
    #[error("stream {stream:?} was expected at {expected} but is at {}", or_none(*actual))]
    Conflict {
        /// The stream.
        stream: StreamName,
        /// Expectation of the appender.
        expected: Expected,
        /// The offset of the stream's last event.
        actual: Option<Offset>,
    },

    /// The event id already stands for another event, or for a part of another append.
    #[error("event id {id} is already taken by another event")]
    EventIdTaken {
        /// The id.
        id: EventId,
    },

    /// The checkpoint is not where the caller left it; somebody else has moved or reset it.
    #[error(
        "checkpoint of projection {projection:?} on {source_name} was expected at {} but is at {}",
        or_none(*expected),
        or_none(*actual)
    )]
    CheckpointMoved {
        /// The projection.
        projection: ProjectionName,
        /// Source that the projection follows.
        source_name: Source,
        /// Where the caller believed the checkpoint to be.
        expected: Option<Offset>,
        /// Where it is.
        actual: Option<Offset>,
    },

    /// The lease has expired and been taken over, or was released: the caller must stop.
    #[error("lease of projection {projection:?} on {source_name}, epoch {epoch}, is lost")]
    LeaseLost {
        /// The projection.
        projection: ProjectionName,
        /// Source that the projection follows.
        source_name: Source,
        /// The epoch of the lost lease.
        epoch: u64,
    },

    /// No saga has the id.
    #[error("saga {id:?} is not known")]
    SagaUnknown {
        /// The id.
        id: SagaId,
    },

    /// The id already stands for a saga of another kind, or with another input.
    #[error("saga id {id:?} is already taken, by another kind of saga or with another input")]
    SagaTaken {
        /// The id.
        id: SagaId,
    },

    /// The lease on the saga was taken over or given back: the caller must stop.
    #[error("lease of saga {id:?}, epoch {epoch}, is lost")]
    SagaLeaseLost {
        /// The saga.
        id: SagaId,
        /// The epoch of the lost lease.
        epoch: u64,
    },

    /// The saga is in a state in which it cannot be asked this.
    #[error("{request} of saga {id:?} is not allowed in state {state}{}", or_empty(*pending))]
    SagaRequestRefused {
        /// The saga.
        id: SagaId,
        /// Request that it was asked.
        request: SagaRequest,
        /// The state that it is in.
        state: SagaState,
        /// Request that it was asked before and has yet to do.
        pending: Option<SagaRequest>,
    },

    /// The request breaks a rule; repeating it cannot succeed.
    #[error("{0}")]
    Invalid(String),

    /// The request is larger than a limit; repeating it cannot succeed.
    #[error("{actual} {what}, the limit is {limit}")]
    TooLarge {
        /// Unit of which there is too much.
        what: &'static str,
        /// Amount found.
        actual: usize,
        /// Limit.
        limit: usize,
    },

    /// A stored document does not fit the type that it is read as.
    #[error(transparent)]
    Unfit(#[from] UnfitDocument),

    /// The store could not be reached or did not answer; the request may have been carried out.
    ///
    /// Repeating it is safe: appends carry ids, checkpoints are compared before they are set.
    #[error("the store is unavailable")]
    Unavailable(#[source] BoxError),

    /// The store cannot work as it is set up: a right, a table or a setting is missing or wrong,
    /// or its files are damaged. Nothing was changed, and nothing will be until somebody acts.
    #[error("the store cannot work as it is set up")]
    Misconfigured(#[source] BoxError),

    /// The store refused what it was given, for a reason of its own.
    #[error("the store failed")]
    Backend(#[source] BoxError),
}

/// What has to change before a request that failed can succeed.
///
/// Only an error of the class `Request` may be blamed on an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The world: a network, a disk, memory, a lock. It may pass by itself, so wait.
    World,
    /// The configuration: rights, tables, settings, damage. Somebody has to act, so tell them.
    Configuration,
    /// The request: its content, or the state that it meets.
    Request,
}

impl ErrorClass {
    /// The class of an error, given those of two of its causes: whatever is not the request's
    /// outweighs it, and what may pass outweighs all.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::World, _) | (_, Self::World) => Self::World,
            (Self::Configuration, _) | (_, Self::Configuration) => Self::Configuration,
            (Self::Request, Self::Request) => Self::Request,
        }
    }
}

impl StoreError {
    /// Returns what has to change before the same request can succeed.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Unavailable(_) => ErrorClass::World,
            Self::Misconfigured(_) => ErrorClass::Configuration,
            _ => ErrorClass::Request,
        }
    }

    /// Tells whether the same request may succeed when it is repeated later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.class() == ErrorClass::World
    }

    /// The error that a driver's error of this class is to a user of the store; for backends.
    pub fn of_class(class: ErrorClass, cause: impl Into<BoxError>) -> Self {
        match class {
            ErrorClass::World => Self::Unavailable(cause.into()),
            ErrorClass::Configuration => Self::Misconfigured(cause.into()),
            ErrorClass::Request => Self::Backend(cause.into()),
        }
    }

    /// The error of a call that many have shared, once for each of them.
    ///
    /// For backends. Each is `Unavailable`, `Misconfigured` or `Backend`, whatever this one is:
    /// only its class is true of all.
    pub fn split(self) -> impl FnMut() -> Self {
        let class = self.class();
        let cause: Arc<dyn Error + Send + Sync> = match self {
            Self::Unavailable(cause) | Self::Misconfigured(cause) | Self::Backend(cause) => {
                cause.into()
            }
            other => Arc::new(other),
        };
        move || Self::of_class(class, Box::new(Arc::clone(&cause)))
    }

    /// A request that breaks a rule.
    pub fn invalid(reason: impl Into<String>) -> Self {
        Self::Invalid(reason.into())
    }

    pub(crate) fn too_large(what: &'static str, actual: usize, limit: usize) -> Self {
        Self::TooLarge { what, actual, limit }
    }
}

impl From<InvalidName> for StoreError {
    fn from(error: InvalidName) -> Self {
        Self::Invalid(error.to_string())
    }
}

impl From<InvalidPlace> for StoreError {
    fn from(error: InvalidPlace) -> Self {
        Self::Invalid(error.to_string())
    }
}

fn or_none(offset: Option<Offset>) -> String {
    offset.map_or_else(|| "none".to_owned(), |offset| offset.to_string())
}

fn or_empty(pending: Option<SagaRequest>) -> String {
    pending.map_or_else(String::new, |request| format!(", {request} pending"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conflict_names_the_stream_and_both_offsets() {
        let conflict = StoreError::Conflict {
            stream: StreamName::from_static("account-1"),
            expected: Expected::At(Offset::new(3)),
            actual: None,
        };
        assert_eq!(conflict.to_string(), "stream \"account-1\" was expected at 3 but is at none");
        assert!(!conflict.is_transient());
    }

    #[test]
    fn everyone_who_shared_a_call_gets_the_cause() {
        let mut error = StoreError::Unavailable("the line is dead".into()).split();
        for _ in 0..2 {
            let error = error();
            assert!(error.is_transient());
            let cause = error.source().map(ToString::to_string);
            assert_eq!(cause.as_deref(), Some("the line is dead"));
        }
        let mut error = StoreError::invalid("no").split();
        assert!(matches!(error(), StoreError::Backend(_)));
        let mut error = StoreError::Misconfigured("no rights".into()).split();
        assert_eq!(error().class(), ErrorClass::Configuration);
    }
}
