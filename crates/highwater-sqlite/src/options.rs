//! How a store is opened.

use std::time::Duration;

use highwater_core::{Limits, PAGE_BYTES, StoreError};
use sqlx::sqlite::SqliteSynchronous;

/// The longest wait that SQLite can be asked for, in milliseconds.
const BUSY_TIMEOUT_MAX: Duration = Duration::from_millis(i32::MAX as u64);

/// How a [`SqliteStore`](crate::store::SqliteStore) is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteOptions {
    /// Failures that a finished commit survives. Default `Full`; lower it for data that can be
    /// made again.
    pub durability: Durability,
    /// Connections that read. Default 4; raise it when many tasks read at once.
    pub readers: u32,
    /// Bounds on one append or import. Default [`Limits::default`].
    pub limits: Limits,
    /// The bytes that one page of events, documents, dead letters or sagas holds at most, unless one
    /// item alone is larger. Default 4 MiB; lower it where memory is short and many read at once.
    pub page_bytes: usize,
    /// How soon appends of other processes are noticed. Default 100 ms; lower it when they share
    /// the file and every millisecond counts.
    pub poll_interval: Duration,
    /// Time to wait for a connection, and for writers in other processes, before a call fails
    /// with `Unavailable`. Default 10 s; raise it when transactions take longer.
    pub busy_timeout: Duration,
}

/// Failures that a finished commit survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// A crash of the machine: every commit waits for the disk.
    #[default]
    Full,
    /// A crash of the process. When the machine loses power the latest commits may be undone;
    /// what is left is consistent.
    Normal,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            durability: Durability::Full,
            readers: 4,
            limits: Limits::default(),
            page_bytes: PAGE_BYTES,
            poll_interval: Duration::from_millis(100),
            busy_timeout: Duration::from_secs(10),
        }
    }
}

impl SqliteOptions {
    /// Refuses options that no store can work with.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        if self.readers == 0 {
            return Err(StoreError::invalid("a store with no connection to read with"));
        }
        if self.poll_interval.is_zero() {
            return Err(StoreError::invalid("a poll interval of zero"));
        }
        if self.busy_timeout > BUSY_TIMEOUT_MAX {
            return Err(StoreError::invalid("a busy timeout of more than 24 days"));
        }
        Ok(())
    }
}

impl From<Durability> for SqliteSynchronous {
    fn from(durability: Durability) -> Self {
        match durability {
            Durability::Full => Self::Full,
            Durability::Normal => Self::Normal,
        }
    }
}
