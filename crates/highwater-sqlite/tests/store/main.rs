//! What the SQLite store promises beyond the laws of every store.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod cancelled;
mod categories;
mod faults;
mod file;
mod fixture;
mod killed;
mod own_transaction;
mod saga_damage;
mod sagas;
mod shared_file;
