//! Appends: what can be appended, and what comes back.

use super::NewEvent;
use crate::name::StreamName;
use crate::offset::{Offset, Position};

/// Belief of the appender about the stream; the append is refused when it is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Expected {
    /// Anything.
    #[default]
    Any,
    /// The stream has no events.
    NoStream,
    /// The stream has at least one event.
    Exists,
    /// The stream's last event is at this offset.
    At(Offset),
}

impl Expected {
    /// Tells whether it fits a stream whose last event is at `head`.
    #[must_use]
    pub fn admits(self, head: Option<Offset>) -> bool {
        match self {
            Self::Any => true,
            Self::NoStream => head.is_none(),
            Self::Exists => head.is_some(),
            Self::At(offset) => head == Some(offset),
        }
    }
}

impl std::fmt::Display for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::NoStream => f.write_str("none"),
            Self::Exists => f.write_str("exists"),
            Self::At(offset) => offset.fmt(f),
        }
    }
}

/// The events for one stream of an append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamAppend {
    /// The stream, made by its first event.
    pub stream: StreamName,
    /// Belief of the appender about the stream.
    pub expected: Expected,
    /// One or more events, in order.
    pub events: Vec<NewEvent>,
}

impl StreamAppend {
    /// The events for `stream`, whatever is in it already.
    #[must_use]
    pub fn new(stream: StreamName, events: Vec<NewEvent>) -> Self {
        Self { stream, expected: Expected::Any, events }
    }

    /// Sets what the appender believes about the stream.
    #[must_use]
    pub fn expecting(mut self, expected: Expected) -> Self {
        self.expected = expected;
        self
    }
}

/// Where the events of one stream have been put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendedStream {
    /// The stream.
    pub stream: StreamName,
    /// The offset of the first event of this append.
    pub first: Offset,
    /// The offset of its last event.
    pub last: Offset,
}

/// The result of an append; the same one for every repetition of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// One entry for each stream of the append, in its order.
    pub streams: Vec<AppendedStream>,
    /// The position of the last event of the append.
    pub position: Position,
}

/// The result of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Imported {
    /// Events that were new.
    pub appended: u64,
    /// Events that were in the store already, by their ids.
    pub known: u64,
}

/// Bounds on one append or import; a larger one is refused and changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Events in one append or import. Default 10,000; raise it for larger atomic batches.
    pub events: usize,
    /// Bytes of one event's payload and metadata. Default 1 MiB; raise it for larger payloads.
    pub event_bytes: usize,
    /// Bytes of all payloads and metadata together. Default 16 MiB; raise it with `events`.
    pub batch_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { events: 10_000, event_bytes: 1 << 20, batch_bytes: 16 << 20 }
    }
}
