//! Live streams over SignalR and server-sent events for Highwater.
//!
//! A client follows a stream, a category of streams (`$category:receipt`) or everything
//! (`$all`), from an offset or from now on. It gets each event once and in order: first those
//! that are stored, then each new one as it is appended. After a lost connection it goes on
//! behind the last event that it got.
//!
//! [`Live`] makes an axum router of an event store:
//!
//! | route | |
//! |---|---|
//! | `/hubs/events` | a SignalR hub, for any SignalR client |
//! | `GET /streams/{stream}/events?from=` | server-sent events, for `EventSource` and `curl -N` |
//!
//! The hub has these methods:
//!
//! | method | |
//! |---|---|
//! | `SubscribeToStream(streamName, startFromOffset?)` | events come to the handlers below |
//! | `UnsubscribeFromStream(streamName)` | they come no more |
//! | `StreamEvents(streamName, startFromOffset?)` | events come as the items of a stream |
//!
//! and calls these handlers of the client:
//!
//! | handler | |
//! |---|---|
//! | `SubscriptionConfirmed(streamName)` | before the first event |
//! | `EventReceived(streamName, event)` | each event, under the name that was subscribed to |
//! | `Error(message)` | a call has failed, or a subscription cannot go on |
//!
//! An event is an object of `streamName`, `offset`, `position`, `eventId`, `eventType`, `data`,
//! `metadata` and `timestamp`. To go on later, subscribe to a stream from the last `offset` + 1,
//! and to a category or to everything from the last `position` + 1.
//!
//! # Projections and sagas
//!
//! A saga that appends events is followed like any stream. How far a projection has come is
//! followed as `$projection:NAME`, once [`Live::projections`] was given the store of the
//! checkpoints: events of the type `ProjectionAdvanced`, whose `offset` is the checkpoint (-1
//! before the first) and whose `data` has `projectionName`, `streamName`, `checkpoint`,
//! `streamHead`, `lag`, `percentComplete`, `eventsProcessed`, `updatedAt`, `lastError`,
//! `lastErrorAt`, `owner` and `rebuildRequested`. The current state comes at once, then the
//! newest whenever it has changed: it is a state and no log, states in between are left out,
//! an offset to start from means nothing, and neither `position` (-1) nor `eventId` are stored
//! anywhere. A projection that follows several sources has an event for each. One that has
//! never run says nothing until it does.
//!
//! # Many clients
//!
//! A slow client slows nobody: it is sent what its connection takes, and reads the rest from the
//! log. Any number of processes can serve the same store; WebSockets need no sticky sessions,
//! the other transports do.

mod access;
mod door;
mod feed;
mod gauges;
mod hub;
mod live;
mod live_event;
mod options;
mod projections;
pub mod protocol;
mod source;
mod transport;

pub use access::{Access, Credentials, Identity};
pub use gauges::LiveGauges;
pub use live::Live;
pub use options::{LiveLimits, LiveOptions};
pub use source::LiveSource;
