//! Events, their payloads and types, and the contract of the log that keeps them.

pub(crate) mod append;
pub(crate) mod event;
pub(crate) mod json;
pub(crate) mod json_limits;
pub(crate) mod json_scan;
pub(crate) mod metadata;
pub(crate) mod payload;
pub(crate) mod store;
pub(crate) mod store_ext;
pub(crate) mod typed;
pub(crate) mod upcast;

pub use append::{Appended, AppendedStream, Expected, Imported, Limits, StreamAppend};
pub use event::{EventId, NewEvent, Recorded, RecordedEvent};
pub use json_limits::{InvalidJson, JsonError, JsonLimits};
pub use metadata::{InvalidMetadata, Metadata};
pub use payload::Payload;
pub use store::{EventStore, Page};
pub use store_ext::EventStoreExt;
pub use typed::{Decode, DecodeError, EncodeError, Event, NotAnEventEnum};
pub use upcast::Upcasters;
