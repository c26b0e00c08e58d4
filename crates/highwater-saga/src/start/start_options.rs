//! What a saga is started with, beside its state.

use highwater_core::{CorrelationId, SagaId, StreamAppend};

/// Start of a saga; a [`SagaId`] alone will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    pub(crate) id: SagaId,
    pub(crate) correlation_id: CorrelationId,
    pub(crate) appends: Vec<StreamAppend>,
}

impl Start {
    /// Starts it under this id, which is its correlation id too.
    #[must_use]
    pub fn new(id: SagaId) -> Self {
        Self { correlation_id: id.clone().into(), id, appends: Vec::new() }
    }

    /// Names the business process that the saga belongs to.
    #[must_use]
    pub fn correlated(mut self, id: impl Into<CorrelationId>) -> Self {
        self.correlation_id = id.into();
        self
    }

    /// Appends these events in the same transaction, so that neither is ever without the other.
    #[must_use]
    pub fn appending(mut self, appends: Vec<StreamAppend>) -> Self {
        self.appends.extend(appends);
        self
    }
}

impl From<SagaId> for Start {
    fn from(id: SagaId) -> Self {
        Self::new(id)
    }
}
