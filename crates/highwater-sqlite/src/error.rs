//! Translates the driver's errors; the one place that knows SQLite's result codes.

use std::error::Error;

use highwater_core::{BoxError, StoreError};
use sqlx::migrate::MigrateError;

const BUSY: u8 = 5;
const LOCKED: u8 = 6;
const INTERRUPT: u8 = 9;
const IO: u8 = 10;
const PROTOCOL: u8 = 15;

pub(crate) fn store_error(error: sqlx::Error) -> StoreError {
    if may_pass(&error) {
        StoreError::Unavailable(Box::new(error))
    } else {
        StoreError::Backend(Box::new(error))
    }
}

/// Why a write transaction did not begin.
pub(crate) fn begin_error(error: sqlx::Error) -> StoreError {
    if matches!(error, sqlx::Error::PoolTimedOut) {
        let reason = "another write transaction of this store did not end within the busy timeout";
        return StoreError::Unavailable(format!("{reason}, or is waiting for this one").into());
    }
    store_error(error)
}

pub(crate) fn migrate_error(error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            store_error(error)
        }
        other => StoreError::Backend(Box::new(other)),
    }
}

/// What a store has kept that it would never have stored.
pub(crate) fn damaged(error: impl Into<BoxError>) -> StoreError {
    StoreError::Backend(error.into())
}

/// Whether another process had the lock that this one wanted.
pub(crate) fn is_busy(error: &sqlx::Error) -> bool {
    matches!(primary_code(error), Some(BUSY | LOCKED))
}

/// Whether an error, or one of its causes, is of this store and may pass by itself.
pub(crate) fn is_transient(error: &(dyn Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.any(|error| {
        error.downcast_ref().is_some_and(StoreError::is_transient)
            || error.downcast_ref().is_some_and(may_pass)
    })
}

fn may_pass(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        _ => matches!(primary_code(error), Some(BUSY | LOCKED | INTERRUPT | IO | PROTOCOL)),
    }
}

/// SQLite's result code, without the higher bits that tell its causes apart.
fn primary_code(error: &sqlx::Error) -> Option<u8> {
    let extended: u32 = error.as_database_error()?.code()?.parse().ok()?;
    u8::try_from(extended & 0xFF).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passing_error_is_found_among_the_causes_of_another() {
        let outer = |inner: sqlx::Error| StoreError::Backend(Box::new(inner));
        assert!(is_transient(&outer(sqlx::Error::PoolTimedOut)));
        assert!(!is_transient(&outer(sqlx::Error::RowNotFound)));
        assert!(is_transient(&store_error(sqlx::Error::WorkerCrashed)));
    }
}
