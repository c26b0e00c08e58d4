//! The store: how it is opened, shared and closed.

use std::fmt;
use std::sync::Arc;

use highwater_core::{Appended, GroupCommit, StoreError, StreamAppend, append_group};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use tokio::task::AbortHandle;

use crate::PgOptions;
use crate::error::store_error;
use crate::hints;
use crate::log::Log;
use crate::saga_reads::{self, SagaReads};
use crate::schema;
use crate::sessions;

/// Keeps events, checkpoints and read models in PostgreSQL.
///
/// A clone is another handle on the same store: its connections are closed when the last one
/// is dropped. Concurrent appends of one process share commits; those of several processes take
/// turns.
#[derive(Clone)]
pub struct PgStore(Arc<Shared>);

struct Shared {
    log: Arc<Log>,
    appends: GroupCommit<Vec<StreamAppend>, Result<Appended, StoreError>>,
    saga_reads: SagaReads,
    tasks: Vec<AbortHandle>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl PgStore {
    /// Connects to the database at `url`, such as `postgres://user:password@host/database`.
    ///
    /// Creates what is missing in the database, unless [`PgOptions::migrate`] is off; any number
    /// of processes may do so at once. Fails with `Invalid` for options that break a rule, with
    /// `Unavailable` when no connection can be made, and with `Misconfigured` when nothing but a
    /// change of the database can help: it is not encoded in UTF-8, its transactions are not
    /// `read committed` unless told so, a right is missing, or a pooler is in between that is not
    /// in session mode.
    pub async fn connect(url: &str, options: PgOptions) -> Result<Self, StoreError> {
        options.check()?;
        let connection: PgConnectOptions = url.parse().map_err(|error| invalid_url(&error))?;
        let connection = connection
            .statement_cache_capacity(options.statement_cache_capacity)
            // Since PostgreSQL 12 numbers are exact without, and PgBouncer refuses it.
            .extra_float_digits(None);
        let pool = PgPoolOptions::new()
            .max_connections(options.max_connections)
            // An append or a batch finds a broken connection out by itself; asking each time
            // costs as much as a short query.
            .test_before_acquire(false)
            .connect_with(connection)
            .await
            .map_err(store_error)?;
        Self::from_pool(pool, options).await
    }

    /// Uses connections of `pool`, and a few more that are kept apart from it: one to append, one
    /// to listen, and, once there are sagas, one each to create them, to move them on and to look
    /// them up.
    ///
    /// Creates what is missing, like [`connect`](Self::connect). Give the pool
    /// `test_before_acquire(false)` and at least two connections.
    pub async fn from_pool(pool: PgPool, options: PgOptions) -> Result<Self, StoreError> {
        options.check()?;
        sessions::check(&pool, options.append_timeout).await?;
        schema::check_settings(&pool, &options).await?;
        if options.migrate {
            schema::migrate(&pool, &options).await?;
        }
        let log = Arc::new(Log::new(pool, options));
        let tasks = hints::spawn(&log);
        let committer = Arc::clone(&log);
        let appends = GroupCommit::new(append_group::choose, move |batches| {
            let log = Arc::clone(&committer);
            Box::pin(async move { log.commit(&batches).await })
        });
        let saga_reads = saga_reads::group(&log);
        Ok(Self(Arc::new(Shared { log, appends, saga_reads, tasks })))
    }

    /// The pool, for queries on read models.
    #[must_use]
    pub fn pool(&self) -> &PgPool {
        &self.0.log.pool
    }

    /// Closes every connection, once what is under way has ended.
    ///
    /// Every clone is closed with it; what they are asked afterwards is `Unavailable`.
    pub async fn close(&self) {
        self.0.tasks.iter().for_each(AbortHandle::abort);
        self.0.log.close().await;
    }

    pub(crate) fn log(&self) -> &Arc<Log> {
        &self.0.log
    }

    pub(crate) fn appends(&self) -> &GroupCommit<Vec<StreamAppend>, Result<Appended, StoreError>> {
        &self.0.appends
    }

    pub(crate) fn saga_reads(&self) -> &SagaReads {
        &self.0.saga_reads
    }
}

impl fmt::Debug for PgStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgStore")
            .field("schema", &self.0.log.options.schema)
            .finish_non_exhaustive()
    }
}

/// The URL itself is left out, for it may hold a password.
fn invalid_url(error: &sqlx::Error) -> StoreError {
    StoreError::invalid(format!("the database URL is not one: {error}"))
}
