//! Translates the errors of the driver.

use std::error::Error;
use std::fmt;
use std::iter::successors;

use highwater_core::{BoxError, ErrorClass, StoreError};
use sqlx::migrate::MigrateError;

use super::code::{advice, class_of};

/// Returns what an error means to a user of the store, whatever the driver has wrapped it in.
pub(crate) fn store_error(error: impl Error + Send + Sync + 'static) -> StoreError {
    let class = class(&error);
    let advice = causes(&error).find_map(code).and_then(|code| advice(&code));
    match advice {
        Some(advice) => StoreError::of_class(class, Advised { advice, cause: error.into() }),
        None => StoreError::of_class(class, error),
    }
}

/// The class of an error of the driver, or of this store, that is anywhere in the chain of causes.
pub(crate) fn class(error: &(dyn Error + 'static)) -> ErrorClass {
    let class = |error: &(dyn Error + 'static)| {
        let of_driver = error.downcast_ref().map(class_of_driver);
        let of_store = || error.downcast_ref().map(StoreError::class);
        let of_migration = || error.downcast_ref().map(class_of_migration);
        // As the driver has it among its causes.
        let boxed =
            || error.downcast_ref::<Box<MigrateError>>().map(|error| class_of_migration(error));
        of_driver.or_else(of_store).or_else(of_migration).or_else(boxed)
    };
    causes(error).filter_map(class).fold(ErrorClass::Request, ErrorClass::or)
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    successors(Some(error), |error| (*error).source())
}

/// The code of an error of the server.
fn code(error: &(dyn Error + 'static)) -> Option<String> {
    let error: &sqlx::Error = error.downcast_ref()?;
    Some(error.as_database_error()?.code()?.into_owned())
}

/// Whatever is about the connection may succeed on another one, or a little later.
fn class_of_driver(error: &sqlx::Error) -> ErrorClass {
    match error {
        sqlx::Error::Database(error) => {
            error.code().map_or(ErrorClass::Request, |code| class_of(&code))
        }
        // Said of the request before anything is sent.
        sqlx::Error::Protocol(text) if text.contains("too many arguments") => ErrorClass::Request,
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => ErrorClass::World,
        sqlx::Error::Configuration(_)
        | sqlx::Error::ConfigFile(_)
        | sqlx::Error::TypeNotFound { .. }
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::ColumnIndexOutOfBounds { .. }
        | sqlx::Error::InvalidSavePointStatement => ErrorClass::Configuration,
        // What is wrong with a migration is among the causes.
        _ => ErrorClass::Request,
    }
}

/// Class of an error of a migration: what is not an error of a statement is a schema that another
/// version has made, or damaged.
fn class_of_migration(error: &MigrateError) -> ErrorClass {
    match error {
        MigrateError::Execute(_) | MigrateError::ExecuteMigration(..) => ErrorClass::Request,
        _ => ErrorClass::Configuration,
    }
}

/// An error of the server, and what to do about it.
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

    #[derive(Debug)]
    struct Wrapped(sqlx::Error);

    impl fmt::Display for Wrapped {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("user code failed")
        }
    }

    impl Error for Wrapped {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn the_drivers_error_is_found_behind_the_users_own() {
        assert_eq!(class(&Wrapped(sqlx::Error::PoolTimedOut)), ErrorClass::World);
        assert_eq!(class(&Wrapped(sqlx::Error::RowNotFound)), ErrorClass::Request);
        assert_eq!(class(&std::fmt::Error), ErrorClass::Request);
        assert!(store_error(sqlx::Error::PoolClosed).is_transient());
    }

    #[test]
    fn every_kind_of_error_of_the_driver_is_sorted() {
        let text = String::new;
        for (error, expected) in [
            (sqlx::Error::Io(std::io::Error::other("reset")), ErrorClass::World),
            (sqlx::Error::Tls("handshake".into()), ErrorClass::World),
            (sqlx::Error::Protocol("unexpected message".to_owned()), ErrorClass::World),
            (sqlx::Error::PoolTimedOut, ErrorClass::World),
            (sqlx::Error::PoolClosed, ErrorClass::World),
            (sqlx::Error::WorkerCrashed, ErrorClass::World),
            (sqlx::Error::BeginFailed, ErrorClass::World),
            (sqlx::Error::Configuration("port".into()), ErrorClass::Configuration),
            (sqlx::Error::TypeNotFound { type_name: text() }, ErrorClass::Configuration),
            (sqlx::Error::ColumnNotFound(text()), ErrorClass::Configuration),
            (MigrateError::VersionMissing(7).into(), ErrorClass::Configuration),
            (MigrateError::Execute(sqlx::Error::PoolTimedOut).into(), ErrorClass::World),
            (sqlx::Error::Protocol("too many arguments".to_owned()), ErrorClass::Request),
            (sqlx::Error::RowNotFound, ErrorClass::Request),
            (sqlx::Error::Decode("no JSON".into()), ErrorClass::Request),
            (sqlx::Error::Encode("too long".into()), ErrorClass::Request),
        ] {
            assert_eq!(class(&error), expected, "{error}");
        }
    }
}
