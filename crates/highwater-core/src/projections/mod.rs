//! Read models: how they are written, where they stand, and the contract of their store.

pub(crate) mod checkpoint;
pub(crate) mod checkpoint_store;
pub(crate) mod definition;
pub(crate) mod handler;
pub(crate) mod health;
pub(crate) mod projection;
pub(crate) mod report;
pub(crate) mod store;
pub(crate) mod store_ext;
pub(crate) mod view;

pub use checkpoint::{
    Advance, Change, Checkpoint, CheckpointKey, DeadLetter, Lease, NewDeadLetter, Owner, Suspect,
};
pub use checkpoint_store::{CheckpointStore, RebuildRequested};
pub use definition::{ProjectionDefinition, ProjectionKind};
pub use handler::{Handler, IdempotencyKey};
pub use health::{Health, HealthThresholds, Lag, Verdict, percent_complete};
pub use projection::Projection;
pub use report::{ProjectionReport, projection_reports};
pub use store::{Document, ProjectionStore, ProjectionTx};
pub use store_ext::ProjectionStoreExt;
pub use view::{UnfitDocument, View};
