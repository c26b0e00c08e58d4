//! The sample application as its users see it: a process, its HTTP API, on both databases.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod attacks;
mod cases;
mod cloud_events;
mod command_line;
mod import;
#[path = "../../../highwater-live/tests/clients/install.rs"]
mod install;
mod instances;
mod lifecycle;
mod live;
mod order_control;
mod order_crashes;
mod orders;
mod support;
mod unread;
mod users;
