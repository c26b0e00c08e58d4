//! What the laws of every store cannot show of this one.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod append_and_commit;
mod deadlines;
mod dropped;
mod events;
mod frozen;
mod health;
mod hints;
mod killed;
mod names;
mod partition;
mod plans;
mod poison;
mod poolers;
mod processes;
mod proxy;
mod read_model;
mod saga_damage;
mod saga_plans;
mod saga_workers;
mod sagas;
mod settings;
#[path = "../support/mod.rs"]
mod support;
