//! What the tests share: a store with events, a served hub, and a client that speaks raw bytes.

mod client;
mod pipe;
mod raw;
mod rigged;
mod server;
mod socket;

use serde_json::{Value, json};

pub(crate) use client::{Client, HANDSHAKE, framed};
pub(crate) use pipe::{Pipes, slowed};
pub(crate) use rigged::{Reads, Rigged};
pub(crate) use server::{PATIENCE, Served, append, event, serve, serve_live, until};
pub(crate) use socket::Socket;

/// An invocation in JSON, not yet framed.
pub(crate) fn call(id: &str, target: &str, arguments: &Value) -> Value {
    json!({ "type": 1, "invocationId": id, "target": target, "arguments": arguments })
}

/// The offset of an `EventReceived` for `name`; fails on anything else.
pub(crate) fn offset_of(message: &Value, name: &str) -> u64 {
    assert_eq!(message["target"], "EventReceived", "{message}");
    assert_eq!(message["arguments"][0], name, "{message}");
    message["arguments"][1]["offset"].as_u64().expect("an offset")
}
