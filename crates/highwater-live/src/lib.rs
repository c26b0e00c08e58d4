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
//! A slow client slows nobody: it is sent what its connection takes, and reads the rest from the
//! log. Any number of processes can serve the same store; WebSockets need no sticky sessions,
//! the other transports do.

mod access;
mod door;
mod feed;
mod gauges;
mod hub;
mod live;
mod options;
pub mod protocol;
mod transport;

pub use access::{Access, Credentials, Identity};
pub use gauges::LiveGauges;
pub use live::Live;
pub use options::{LiveLimits, LiveOptions};
