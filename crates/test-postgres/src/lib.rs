//! A throw-away PostgreSQL for tests.
//!
//! [`url()`] gives every test of a process one server, and never skips a test for want of one: it
//! finds a server, makes one, or says what to install. [`Cluster`] is a server of one's own, for
//! tests that stop, crash and restart it.
//!
//! Whatever is started here goes away with the process that started it, even when that process
//! is killed: a small shell holds a pipe from it and cleans up when the pipe closes.

mod account;
mod cluster;
mod command;
mod container;
mod error;
mod given;
mod pooler;
mod programs;
mod server;
mod settings;
mod watchdog;

pub use cluster::Cluster;
pub use error::Error;
pub use pooler::{PoolMode, Pooler};
pub use server::{DATABASE_URL, url};
pub use settings::Settings;
