//! The vocabulary of Highwater and its storage traits.
//!
//! An application **appends events** to named **streams** through an [`EventStore`]. A
//! projection follows a [`Source`] (one stream, a category of streams, or the whole log) from
//! its [`Checkpoint`], applies each event to a read model, and commits read model and checkpoint
//! together through a [`ProjectionStore`].
//!
//! Users write projections against [`View`], [`Projection`] or [`Handler`].
//!
//! There is no engine, no SQL and no HTTP in this crate. Every other crate of Highwater depends
//! on it, and on none of the others; they meet in its traits:
//!
//! | trait | keeps | for |
//! |---|---|---|
//! | [`EventStore`] | events in streams | everyone |
//! | [`CheckpointStore`] | checkpoints and the leases on them | side-effect handlers |
//! | [`ProjectionStore`] | read models that commit with their checkpoints | projections |
//! | [`SagaStore`] | sagas, the leases on them, and the signals they wait for | sagas |
//!
//! The promise that the rest rests on is in the contract of [`EventStore`]: whoever reads on
//! from where they stopped misses nothing.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod append;
pub mod append_group;
pub mod calls;
mod checkpoint;
mod checkpoint_store;
mod definition;
mod error;
mod event;
mod event_store;
mod event_store_ext;
mod group_commit;
mod handler;
mod health_check;
mod json;
mod json_limits;
mod json_scan;
mod metadata;
mod name;
mod page;
mod payload;
mod place;
mod projection;
mod projection_report;
mod projection_store;
mod projection_store_ext;
mod saga;
mod saga_counts;
mod saga_query;
mod saga_request;
mod saga_signal;
mod saga_state;
mod saga_step;
mod saga_store;
mod saga_transition;
mod source;
mod status;
mod tenant;
mod tenant_scoped;
mod text;
mod typed;
mod upcast;
mod view;
mod wake;
mod write_probe;

pub use append::{Appended, AppendedStream, Expected, Imported, Limits, StreamAppend};
pub use checkpoint::{
    Advance, Change, Checkpoint, CheckpointKey, DeadLetter, Lease, NewDeadLetter, Owner, Suspect,
};
pub use checkpoint_store::{CheckpointStore, RebuildRequested};
pub use definition::{ProjectionDefinition, ProjectionKind};
pub use error::{BoxError, ErrorClass, StoreError};
pub use event::{EventId, NewEvent, Recorded, RecordedEvent};
pub use event_store::{EventStore, Page};
pub use event_store_ext::EventStoreExt;
pub use group_commit::GroupCommit;
pub use handler::{Handler, IdempotencyKey};
pub use health_check::{HealthCheck, HealthReport};
pub use json_limits::{InvalidJson, JsonError, JsonLimits};
pub use metadata::{InvalidMetadata, Metadata};
pub use name::{
    Category, CorrelationId, EventType, InvalidName, NAME_BYTES_MAX, ProjectionName, SagaId,
    SagaName, SignalKey, StreamName,
};
pub use page::{PAGE_BYTES, PageBudget};
pub use payload::Payload;
pub use place::{InvalidPlace, Offset, Position};
pub use projection::Projection;
pub use projection_report::{ProjectionReport, projection_reports};
pub use projection_store::{Document, ProjectionStore, ProjectionTx};
pub use projection_store_ext::ProjectionStoreExt;
pub use saga::{ClaimedSaga, CreatedSaga, NewSaga, SagaClaim, SagaLease, SagaProgress, SagaRecord};
pub use saga_counts::{OverdueSagas, SagaCounts};
pub use saga_query::SagaQuery;
pub use saga_request::{SagaRequest, UnknownSagaRequest};
pub use saga_signal::{Delivery, Signal};
pub use saga_state::{SagaState, UnknownSagaState};
pub use saga_step::{StepOutcome, StepRecord};
pub use saga_store::{Each, SagaStore};
pub use saga_transition::{Due, SagaRecorded, SagaTransition, SagaVerdict};
pub use source::Source;
pub use status::{Health, HealthThresholds, Lag, Verdict, percent_complete};
pub use tenant::Tenant;
pub use tenant_scoped::{TenantScoped, TenantTx};
pub use typed::{Decode, DecodeError, EncodeError, Event, NotAnEventEnum};
pub use upcast::Upcasters;
pub use view::{UnfitDocument, View};
pub use wake::{Bell, Wake};
pub use write_probe::WriteProbe;

/// The program in the README, which is compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
