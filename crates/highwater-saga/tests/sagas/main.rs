//! Sagas through the orchestrator, on the store in memory and in virtual time.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod control;
mod endurance;
mod events;
mod late;
mod outages;
mod panics;
mod steps;
mod storms;
mod support;
mod time;
mod versions;
mod workers;
