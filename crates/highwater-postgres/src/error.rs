//! Translates the errors of the driver.

use std::error::Error;
use std::iter::successors;

use highwater_core::StoreError;

/// What an error means to a user of the store, whatever the driver has wrapped it in.
pub(crate) fn store_error(error: impl Error + Send + Sync + 'static) -> StoreError {
    if is_transient(&error) {
        StoreError::Unavailable(Box::new(error))
    } else {
        StoreError::Backend(Box::new(error))
    }
}

/// Whether anything in the chain of causes is an error of the driver that may pass by itself.
pub(crate) fn is_transient(error: &(dyn Error + 'static)) -> bool {
    successors(Some(error), |&error| error.source()).any(|error| {
        error.downcast_ref::<sqlx::Error>().is_some_and(may_pass)
            || error.downcast_ref::<StoreError>().is_some_and(StoreError::is_transient)
    })
}

/// Whether the same request may succeed on another connection, or a little later.
fn may_pass(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| is_transient_state(&code)),
        _ => false,
    }
}

fn is_transient_state(code: &str) -> bool {
    // Connection exceptions and exhausted resources.
    code.starts_with("08")
        || code.starts_with("53")
        || matches!(
            code,
            // Read only, as a standby is that has not been promoted yet.
            "25006"
            // Shutting down, crashed, starting up; a session or transaction that idled too long.
            | "57P01" | "57P02" | "57P03" | "57P05" | "25P03"
            // Serialisation failure, deadlock, lock timeout.
            | "40001" | "40P01" | "55P03"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Wrapped(sqlx::Error);

    impl std::fmt::Display for Wrapped {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("user code failed")
        }
    }

    impl Error for Wrapped {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn a_transient_error_is_found_behind_the_users_own() {
        assert!(is_transient(&Wrapped(sqlx::Error::PoolTimedOut)));
        assert!(!is_transient(&Wrapped(sqlx::Error::RowNotFound)));
        assert!(store_error(sqlx::Error::PoolClosed).is_transient());
        assert!(!is_transient(&std::fmt::Error));
    }

    #[test]
    fn states_of_the_server_are_told_from_defects() {
        for passing in ["08006", "53300", "57P01", "40P01", "55P03", "25P03", "25006"] {
            assert!(is_transient_state(passing), "{passing}");
        }
        for lasting in ["23505", "42P01", "22P02", "57014", "23001"] {
            assert!(!is_transient_state(lasting), "{lasting}");
        }
    }
}
