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
//! | `GET /streams/events?stream=&from=` | the same, for names that cannot stand in a path: `.`, `..` |
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
//! and to a category or to everything from the last `position` + 1. Without an offset, or with
//! `null`, events come from now on. A stream need not exist yet, nor an offset: its events come
//! when they are appended. To subscribe again to what one has subscribed to begins it anew.
//!
//! # Server-sent events
//!
//! Each event has its offset as `id` and the object above as `data`; in a category or in
//! everything, the offset is the position. A browser's `EventSource` comes back by itself, with
//! the header `Last-Event-ID`; where a program cannot send headers, `?lastEventId=` says the same.
//! Of these and `from`, whichever is furthest on counts. Three things are no events of the log:
//!
//! - `event: start`, without content: first of all when there is no `from`; its `id` is the last
//!   offset before now on, so that a browser comes back to there.
//! - `event: failure`: the events cannot go on, and the response ends.
//! - comments, `:`, when there was nothing to send for [`LiveOptions::keep_alive`].
//!
//! A request is refused with 400 (the name, an offset, a parameter that is not known), 401 or 403 (see [`Access`]),
//! 429 or 503 (see [`LiveLimits`]). Since an `EventSource` takes these for final, one that only
//! has to wait gets an empty response and comes back.
//!
//! # Who may follow what
//!
//! Everybody, everything, until [`LiveBuilder::access`] decides. Pages of other origins are refused unless
//! they are in [`LiveOptions::allowed_origins`].
//!
//! # Projections and sagas
//!
//! A saga that appends events is followed like any stream. How far a projection has come is
//! followed as `$projection:NAME`, once [`LiveBuilder::projections`] was given the store of the
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
#![cfg_attr(docsrs, feature(doc_cfg))]

mod access;
mod builder;
mod connection_limits;
mod feed;
mod hub;
mod live;
mod memory;
mod options;
mod projection_report;
mod projections;
pub mod protocol;
mod rate;
pub mod server;
mod source;
mod transport;

pub use access::{Access, Credentials, Identity};
pub use builder::LiveBuilder;
pub use feed::report::LiveGauges;
pub use live::Live;
pub use options::{LiveLimits, LiveOptions};
pub use source::LiveSource;

/// The program in the README, which is compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
