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

pub mod backend;
mod error;
mod events;
mod health;
mod name;
mod offset;
mod option;
mod page;
mod projections;
mod retry;
mod sagas;
mod source;
mod tenant;
mod text;
mod wake;

pub use error::{BoxError, ErrorClass, StoreError};
pub use events::{
    Appended, AppendedStream, Decode, DecodeError, EncodeError, Event, EventId, EventStore,
    EventStoreExt, Expected, Imported, InvalidJson, InvalidMetadata, JsonError, JsonLimits, Limits,
    Metadata, NewEvent, NotAnEventEnum, Page, Payload, Recorded, RecordedEvent, StreamAppend,
    Upcasters,
};
pub use health::{HealthCheck, HealthReport, WriteProbe};
pub use name::{
    Category, CorrelationId, EventType, InvalidName, NAME_BYTES_MAX, ProjectionName, SagaId,
    SagaName, SignalKey, StreamName,
};
pub use offset::{InvalidPlace, Offset, Position};
pub use option::InvalidOption;
pub use page::{PAGE_BYTES, PageBudget};
pub use projections::{
    Advance, Change, Checkpoint, CheckpointKey, CheckpointStore, DeadLetter, Document, Handler,
    Health, HealthThresholds, IdempotencyKey, Lag, Lease, NewDeadLetter, Owner, Projection,
    ProjectionDefinition, ProjectionKind, ProjectionReport, ProjectionStore, ProjectionStoreExt,
    ProjectionTx, RebuildRequested, Suspect, UnfitDocument, Verdict, View, percent_complete,
    projection_reports,
};
pub use retry::{Backoff, RetryPolicy};
pub use sagas::{
    ClaimedSaga, CreatedSaga, Delivery, Due, Each, NewSaga, OverdueSagas, SagaClaim, SagaCounts,
    SagaLease, SagaProgress, SagaQuery, SagaRecord, SagaRecorded, SagaRequest, SagaState,
    SagaStore, SagaTransition, SagaVerdict, Signal, StepOutcome, StepRecord, UnknownSagaRequest,
    UnknownSagaState,
};
pub use source::Source;
pub use tenant::Tenant;
pub use tenant::scoped::{TenantScoped, TenantTx};
pub use wake::Wake;

/// The program in the README, which is compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
