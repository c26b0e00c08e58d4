//! Live streams over SignalR and server-sent events for Highwater.

pub mod protocol;
