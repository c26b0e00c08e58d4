//! What the laws of every store cannot show of this one.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod append_and_commit;
mod events;
mod frozen;
mod hints;
mod killed;
mod names;
mod plans;
mod poison;
mod poolers;
mod processes;
mod read_model;
mod saga_damage;
mod saga_plans;
mod saga_workers;
mod sagas;
mod settings;
#[path = "../support/mod.rs"]
mod support;
