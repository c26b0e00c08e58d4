//! What a registered projection is, as operators see it.

use super::CheckpointKey;
use crate::name::EventType;

/// Kind of a projection: the way in which it works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ProjectionKind {
    /// Events folded into keyed documents.
    View,
    /// Events applied in the store's own transaction.
    Transactional,
    /// Side effects outside the store.
    Handler,
}

/// A registered projection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectionDefinition {
    /// Its name and what it follows.
    pub key: CheckpointKey,
    /// Way in which it works.
    pub kind: ProjectionKind,
    /// The event types it gets; `None` for all.
    pub event_types: Option<Vec<EventType>>,
    /// True when it can be rebuilt.
    pub can_rebuild: bool,
    /// True when `run` starts it.
    pub auto_start: bool,
    /// True when it goes on once it has caught up.
    pub is_continuous: bool,
}

impl ProjectionDefinition {
    /// Tells whether somebody is meant to run it all the time.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.auto_start && self.is_continuous
    }
}
