//! The store: how it is opened, shared and closed.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use highwater_core::backend::{GroupCommit, append_group};
use highwater_core::{Appended, StoreError, StreamAppend};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::database::error::store_error;
use crate::database::handle::Database;
use crate::database::notifications;
use crate::database::pool;
use crate::database::schema;
use crate::database::sessions;
use crate::options::PgOptions;
use crate::sagas::read;
use crate::sagas::read::SagaReads;

/// Time that the schema may take to be made, or to be waited for while another process makes it.
const SCHEMA_TIMEOUT: Duration = Duration::from_mins(10);

/// Keeps events, checkpoints and read models in PostgreSQL.
///
/// A clone is another handle on the same store: its connections are closed when the last one
/// is dropped. Concurrent appends of one process share commits; those of several processes take
/// turns.
#[derive(Clone)]
pub struct PgStore(Arc<Shared>);

/// The groups of appends that wait for their commit, each with its deadline.
type Appends = GroupCommit<(Vec<StreamAppend>, Instant), Result<Appended, StoreError>>;

struct Shared {
    log: Arc<Database>,
    appends: Appends,
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
        let pool = pool::options(&options).connect_with(connection).await.map_err(store_error)?;
        Self::from_pool(pool, options).await
    }

    /// Uses connections of `pool`, and a few more that are kept apart from it: one to append, one
    /// to listen, and, once there are sagas, one each to create them, to move them on and to look
    /// them up.
    ///
    /// Creates what is missing, like [`connect`](Self::connect). Make the pool from
    /// [`pool_options`](Self::pool_options), and give it at least two connections.
    pub async fn from_pool(pool: PgPool, options: PgOptions) -> Result<Self, StoreError> {
        options.check()?;
        let log = Arc::new(Database::new(pool, options));
        let new = Arc::clone(&log);
        let deadline = Instant::now() + SCHEMA_TIMEOUT;
        let prepare = async move {
            sessions::check(&new.pool, new.options.append_timeout).await?;
            schema::check_settings(&new.pool, &new.options).await?;
            if new.options.migrate {
                schema::migrate(&new.pool, &new.options).await?;
            }
            Ok(())
        };
        log.apart(deadline, prepare).await?;
        let tasks = notifications::spawn(&log);
        let (appends, saga_reads) = (group_appends(&log), read::group(&log));
        Ok(Self(Arc::new(Shared { log, appends, saga_reads, tasks })))
    }

    /// Returns what a pool needs for [`from_pool`](Self::from_pool): that a connection which does
    /// not answer is replaced, and that none is handed out inside a transaction.
    ///
    /// The driver leaves a transaction open when a begin is dropped in the middle; what somebody
    /// else then does on that connection is confirmed and never committed.
    #[must_use]
    pub fn pool_options(options: &PgOptions) -> PgPoolOptions {
        pool::options(options)
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

    pub(crate) fn log(&self) -> &Arc<Database> {
        &self.0.log
    }

    pub(crate) fn appends(&self) -> &Appends {
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

/// Has the appends that arrive while others are committed share the next call.
fn group_appends(log: &Arc<Database>) -> Appends {
    let log = Arc::clone(log);
    let choose = |waiting: &[&(Vec<StreamAppend>, Instant)]| {
        append_group::choose(&waiting.iter().map(|(batch, _)| batch).collect::<Vec<_>>())
    };
    GroupCommit::new(choose, move |group| {
        let log = Arc::clone(&log);
        Box::pin(async move {
            let (batches, deadlines): (Vec<_>, Vec<_>) = group.into_iter().unzip();
            let latest = deadlines.into_iter().max().unwrap_or_else(Instant::now);
            log.commit(&batches, latest).await
        })
    })
}

/// The URL itself is left out, for it may hold a password.
fn invalid_url(error: &sqlx::Error) -> StoreError {
    StoreError::invalid(format!("the database URL is not one: {error}"))
}
