//! Checkpoints: how far a projection has come, and who may move it on.

use chrono::{DateTime, Utc};

use crate::events::EventId;
use crate::name::{EventType, ProjectionName, StreamName};
use crate::offset::{Offset, Position};
use crate::source::Source;

/// Names a checkpoint: a projection and the source that it follows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckpointKey {
    /// The projection.
    pub projection: ProjectionName,
    /// Source that it follows.
    pub source: Source,
}

impl CheckpointKey {
    /// The checkpoint of `projection` on `source`.
    #[must_use]
    pub fn new(projection: ProjectionName, source: impl Into<Source>) -> Self {
        Self { projection, source: source.into() }
    }
}

impl std::fmt::Display for CheckpointKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} on {}", self.projection, self.source)
    }
}

/// A checkpoint as it stands in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose it is.
    pub key: CheckpointKey,
    /// The offset of the last event processed or scanned over; `None` (-1 in SQL) at first.
    pub last_processed_offset: Option<Offset>,
    /// Events processed since the last reset, filtered ones not counted.
    pub events_processed: u64,
    /// When it last moved, was reset or was created, by the store's clock.
    pub last_updated: DateTime<Utc>,
    /// The last error, until the checkpoint next moves.
    pub last_error: Option<String>,
    /// When the last error occurred.
    pub last_error_at: Option<DateTime<Utc>>,
    /// The epoch of the latest lease; 0 before the first.
    pub epoch: u64,
    /// Who holds the lease at this moment, if anyone does.
    pub owner: Option<Owner>,
    /// True when a rebuild has been requested and not yet begun.
    pub rebuild_requested: bool,
    /// The event at `last_processed_offset`, by which another log is told from the one that the
    /// checkpoint was made on; `None` at first, and where it is not known.
    pub last_event_id: Option<EventId>,
    /// Set when a worker did not come back since the checkpoint last moved.
    pub suspect: Option<Suspect>,
}

/// What may have ended a worker: one that neither moved the checkpoint nor gave its lease back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suspect {
    /// The event that was last tried alone; `None` when all behind the checkpoint are suspects.
    pub event: Option<Offset>,
    /// Number of workers that have not come back from trying it alone.
    pub deaths: u32,
}

/// Identifies a process that holds leases: random, made anew at every start.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Owner(String);

impl Owner {
    /// A fresh identity that reads `label/` followed by a random part.
    #[must_use]
    pub fn new(label: &str) -> Self {
        let random = uuid::Uuid::new_v4().simple().to_string();
        let label: String = label.chars().filter(|c| !c.is_control()).take(64).collect();
        Self(format!("{label}/{}", &random[..12]))
    }

    /// The identity that a store has kept.
    #[must_use]
    pub fn from_stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The identity as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The right to move one checkpoint, until it expires and somebody else takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The checkpoint.
    pub key: CheckpointKey,
    /// Who holds it.
    pub owner: Owner,
    /// Increases with every acquisition; a write under an older epoch is refused.
    pub epoch: u64,
}

/// One step of a checkpoint, made by a compare-and-set in the read model's transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advance {
    /// Where the checkpoint is now; anything else fails with `CheckpointMoved`.
    pub from: Option<Offset>,
    /// Where it moves to: not below `from`.
    pub to: Option<Offset>,
    /// Number of events that have been processed on the way.
    pub events: u64,
    /// Events that are passed over, recorded with their errors in the same transaction.
    pub dead_letters: Vec<NewDeadLetter>,
    /// The event at `to`, kept with the checkpoint; `None` where it is not known.
    pub event_id: Option<EventId>,
}

impl Advance {
    /// From `from` to `to` with `events` processed and none set aside.
    #[must_use]
    pub fn new(from: Option<Offset>, to: Option<Offset>, events: u64) -> Self {
        Self { from, to, events, dead_letters: Vec::new(), event_id: None }
    }

    /// The same step, ending at the event `id`.
    #[must_use]
    pub fn at_event(mut self, id: Option<EventId>) -> Self {
        self.event_id = id;
        self
    }
}

/// Change of a checkpoint when the transaction of its read model commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It moves on.
    Advance(Advance),
    /// It returns to "nothing processed", its dead letters are forgotten, and a requested
    /// rebuild counts as begun.
    Reset,
}

/// An event to be set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDeadLetter {
    /// The event's place in the source.
    pub offset: Offset,
    /// Its stream.
    pub stream: StreamName,
    /// Its place in the store.
    pub position: Position,
    /// Its identity.
    pub event_id: EventId,
    /// Its type.
    pub event_type: EventType,
    /// The error of the last attempt, with its causes.
    pub error: String,
    /// Number of tries.
    pub attempts: u32,
}

/// An event that a projection has set aside with its error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Which projection, on which source.
    pub key: CheckpointKey,
    /// The event and its error.
    pub letter: NewDeadLetter,
    /// When it was set aside, by the store's clock.
    pub recorded_at: DateTime<Utc>,
}
