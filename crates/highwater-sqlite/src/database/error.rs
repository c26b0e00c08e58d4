//! Translates the driver's errors; the one place that knows SQLite's result codes.

use std::error::Error;
use std::fmt;

use highwater_core::{BoxError, ErrorClass, StoreError};
use sqlx::migrate::MigrateError;

use super::code;
use super::code::{BUSY, LOCKED};

pub(crate) fn store_error(error: sqlx::Error) -> StoreError {
    let class = class(&error);
    match code_and_text(&error).and_then(|(code, text)| code::advice(code, text)) {
        Some(advice) => StoreError::of_class(class, Advised { advice, cause: error.into() }),
        None => StoreError::of_class(class, error),
    }
}

/// Reason why a write transaction did not begin.
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
        // A schema that another version has made, or somebody has changed.
        other => StoreError::Misconfigured(Box::new(other)),
    }
}

/// An error for what the file holds and this store would never have stored.
pub(crate) fn damaged(error: impl Into<BoxError>) -> StoreError {
    StoreError::Backend(error.into())
}

/// Tells whether another process had the lock that this one wanted.
pub(crate) fn is_busy(error: &sqlx::Error) -> bool {
    let primary = |(code, _): (u32, &str)| u8::try_from(code & 0xFF).ok();
    matches!(code_and_text(error).and_then(primary), Some(BUSY | LOCKED))
}

/// The class of an error of the driver, or of this store, that is anywhere in the chain of causes.
pub(crate) fn class(error: &(dyn Error + 'static)) -> ErrorClass {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    let class = |error: &(dyn Error + 'static)| {
        let of_driver = error.downcast_ref().map(class_of_driver);
        of_driver.or_else(|| error.downcast_ref().map(StoreError::class))
    };
    causes.filter_map(class).fold(ErrorClass::Request, ErrorClass::or)
}

fn class_of_driver(error: &sqlx::Error) -> ErrorClass {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => ErrorClass::World,
        sqlx::Error::Configuration(_)
        | sqlx::Error::ConfigFile(_)
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::ColumnIndexOutOfBounds { .. }
        | sqlx::Error::InvalidSavePointStatement => ErrorClass::Configuration,
        other => code_and_text(other)
            .map_or(ErrorClass::Request, |(code, text)| code::class_of(code, text)),
    }
}

/// SQLite's result code with the higher bits that tell its causes apart, and what it says.
fn code_and_text(error: &sqlx::Error) -> Option<(u32, &str)> {
    let error = error.as_database_error()?;
    Some((error.code()?.parse().ok()?, error.message()))
}

/// An error of the driver, and what to do about it.
#[derive(Debug)]
struct Advised {
    advice: &'static str,
    cause: BoxError,
}

impl fmt::Display for Advised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.advice)
    }
}

impl Error for Advised {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_driver_is_found_among_the_causes_of_another() {
        let outer = |inner: sqlx::Error| StoreError::Backend(Box::new(inner));
        assert_eq!(class(&outer(sqlx::Error::PoolTimedOut)), ErrorClass::World);
        assert_eq!(class(&outer(sqlx::Error::RowNotFound)), ErrorClass::Request);
        assert!(store_error(sqlx::Error::WorkerCrashed).is_transient());
    }
}
