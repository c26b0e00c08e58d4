//! What the engine asks of a projection, whichever way it is written.

use std::error::Error;
use std::iter::successors;

use async_trait::async_trait;
use highwater_core::{
    Advance, BoxError, Decode, ErrorClass, Lease, Recorded, RecordedEvent, StoreError,
    UnfitDocument, Upcasters,
};

/// One registered projection with its types erased; made anew for each run from a checkpoint.
///
/// Whatever it keeps in memory is therefore never older than the checkpoint that was read last.
#[async_trait]
pub(crate) trait Applier: Send + Sync {
    /// Applies one or more events; those that commit with their checkpoint make `advance`.
    async fn apply(
        &mut self,
        lease: &Lease,
        events: &[RecordedEvent],
        advance: Advance,
    ) -> Result<Applied, Fault>;

    /// Empties the read model and resets the checkpoint.
    async fn reset(&mut self, lease: &Lease) -> Result<(), StoreError>;
}

/// State of the checkpoint when events have been applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Applied {
    /// It has moved together with the read model.
    Saved,
    /// It is yet to be moved.
    Unsaved,
}

/// Reason why events were not applied.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The store is to blame, or somebody else has the lease: no event is.
    Store(StoreError),
    /// A document that was stored before is to blame: no event is, and trying again is no use.
    Document(UnfitDocument),
    /// An event is to blame.
    Event {
        /// Which one, where known.
        at: Option<usize>,
        /// Cause.
        error: BoxError,
    },
}

impl Fault {
    /// The event at index `at` is to blame.
    pub(crate) fn at(at: usize) -> impl FnOnce(BoxError) -> Self {
        move |error| Self::Event { at: Some(at), error }
    }

    /// Returns what a store says of writing or committing a batch: what is neither the world's nor
    /// the configuration's lies with the content, such as a key that is too long.
    pub(crate) fn of_write(error: StoreError) -> Self {
        if is_nobodys_fault(&error) {
            Self::Store(error)
        } else {
            Self::Event { at: None, error: error.into() }
        }
    }

    /// Returns what user code returned; `class` knows the errors of the store's driver.
    pub(crate) fn of_user(
        error: BoxError,
        class: impl Fn(&(dyn Error + 'static)) -> ErrorClass,
    ) -> Self {
        let error = match error.downcast::<StoreError>() {
            Ok(error) => {
                return match *error {
                    StoreError::Unfit(document) => Self::Document(document),
                    error => Self::of_write(error),
                };
            }
            Err(error) => error,
        };
        let causes = successors(Some(&*error as &(dyn Error + 'static)), |error| (*error).source());
        match causes.map(class).fold(ErrorClass::Request, ErrorClass::or) {
            ErrorClass::Request => Self::Event { at: None, error },
            class => Self::Store(StoreError::of_class(class, error)),
        }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

fn is_nobodys_fault(error: &StoreError) -> bool {
    error.class() != ErrorClass::Request
        || matches!(error, StoreError::LeaseLost { .. } | StoreError::CheckpointMoved { .. })
}

/// The event in today's form, as the projection's own type.
pub(crate) fn decode<E: Decode>(
    upcasters: &Upcasters,
    event: &RecordedEvent,
) -> Result<Recorded<E>, BoxError> {
    let event = event.clone();
    let event = if upcasters.is_empty() { event } else { upcasters.upcast(event)? };
    Ok(event.decode()?)
}
