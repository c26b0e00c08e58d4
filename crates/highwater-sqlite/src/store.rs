//! The store: one file, one connection that writes, a few that read.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use highwater_core::backend::calls::Calls;
use highwater_core::backend::{Bell, append_rules as rules};
use highwater_core::{Appended, Limits, PageBudget, Position, SagaClaim, StoreError, StreamAppend};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Sqlite, SqlitePool, Transaction};
use tokio::task::JoinSet;

use crate::database::error::store_error;
use crate::database::{SqliteWrite, connections};
use crate::events::group::{self, Appends};
use crate::events::{commit, polling};
use crate::options::SqliteOptions;

/// Events and read models in one SQLite file.
///
/// Every finished append and commit is on the disk, unless
/// [`durability`](SqliteOptions::durability) says otherwise. Several stores, in one process or
/// many, may share the file; it must be on a local disk. Cloning is cheap, clones share everything.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    pub(crate) writer: SqlitePool,
    pub(crate) readers: SqlitePool,
    pub(crate) calls: Calls,
    pub(crate) appends: Arc<Appends>,
    pub(crate) bell: Bell,
    /// Rings when this store has made a saga due.
    pub(crate) sagas_due: Bell,
    pub(crate) limits: Limits,
    pub(crate) busy_timeout: Duration,
    page_bytes: usize,
    _poll: Arc<JoinSet<()>>,
}

impl SqliteStore {
    /// Opens the file at `path`, made when it is missing, and brings its schema up to date.
    pub async fn open(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self, StoreError> {
        Self::start(SqliteConnectOptions::new().filename(path), options).await
    }

    /// Opens the file that a URL such as `sqlite:app.db` or `sqlite:///var/lib/app.db` names.
    ///
    /// Fails with `Invalid` for `sqlite::memory:`, whose data no other connection would see.
    pub async fn connect(url: &str, options: SqliteOptions) -> Result<Self, StoreError> {
        let invalid = |why: &str| StoreError::invalid(format!("not the URL of a file: {why}"));
        if !url.starts_with("sqlite:") {
            return Err(invalid("it does not start with \"sqlite:\""));
        }
        let file = url.parse().map_err(|error: sqlx::Error| invalid(&error.to_string()))?;
        Self::start(file, options).await
    }

    async fn start(file: SqliteConnectOptions, options: SqliteOptions) -> Result<Self, StoreError> {
        let (writer, readers) = connections::connect(file, &options).await?;
        let bell = Bell::new();
        let poll = polling::spawn(readers.clone(), bell.clone(), options.poll_interval);
        let appends = Arc::new(group::appends(&writer, &bell));
        let (calls, _poll, sagas_due) = (Calls::new(), Arc::new(poll), Bell::new());
        let SqliteOptions { limits, busy_timeout, page_bytes, .. } = options;
        Ok(Self {
            writer,
            readers,
            calls,
            appends,
            bell,
            sagas_due,
            limits,
            busy_timeout,
            page_bytes,
            _poll,
        })
    }

    /// Begins a write transaction, for tables of the user's own or to append with.
    ///
    /// Fails with `Unavailable` when the writer is not free within the busy timeout.
    pub async fn begin_write(&self) -> Result<SqliteWrite, StoreError> {
        SqliteWrite::begin(self).await
    }

    /// Appends inside the user's own transaction and commits both, or neither.
    ///
    /// A repetition of an append that the log already has rolls back and returns the first
    /// result: the first time, the user's own writes were committed with it. Fails like
    /// [`append`](highwater_core::EventStore::append).
    pub async fn append_and_commit(
        &self,
        write: SqliteWrite,
        batch: Vec<StreamAppend>,
    ) -> Result<Appended, StoreError> {
        rules::check(&batch, &self.limits)?;
        let bell = self.bell.clone();
        let append = |mut tx: Transaction<'static, Sqlite>| async move {
            let (answers, head) = commit::append(&mut tx, &[batch]).await?;
            let appended = answers.into_iter().collect::<Result<Vec<_>, _>>()?.swap_remove(0);
            if head.is_none() {
                tx.rollback().await.map_err(store_error)?;
                return Ok(appended);
            }
            tx.commit().await.map_err(store_error)?;
            ring(&bell, head);
            Ok(appended)
        };
        write.end(append).await
    }

    /// Connections that read the file, for queries on tables of the user's own.
    #[must_use]
    pub fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    /// Returns what a page may hold.
    pub(crate) fn page(&self) -> PageBudget {
        PageBudget::new(self.page_bytes)
    }

    /// Returns what the sagas of a claim may hold.
    pub(crate) fn page_of(&self, claim: &SagaClaim) -> PageBudget {
        PageBudget::new(self.page_bytes.min(claim.max_bytes))
    }

    /// Returns what a page may hold, as SQL counts it.
    pub(crate) fn page_bytes(&self) -> i64 {
        i64::try_from(self.page_bytes).unwrap_or(i64::MAX)
    }

    /// Waits for running calls and closes the file; later calls fail with `Unavailable`.
    pub async fn close(&self) {
        self.writer.close().await;
        self.readers.close().await;
    }
}

/// Wakes readers when something was appended: only then is there a new head.
pub(crate) fn ring(bell: &Bell, head: Option<Position>) {
    if head.is_some() {
        bell.ring(head);
    }
}
