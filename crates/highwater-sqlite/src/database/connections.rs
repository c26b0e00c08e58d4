//! Opens the file, brings its schema up to date and connects to it.

use std::time::{Duration, Instant};

use highwater_core::StoreError;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{ConnectOptions, Connection, SqlSafeStr, SqliteConnection, SqlitePool};

use super::error::{is_busy, migrate_error, store_error};
use super::identity::Identity;
use crate::options::{Durability, SqliteOptions};

/// Number, description and text of every migration, oldest first.
const MIGRATIONS: [(i64, &str, &str); 3] = [
    (1, "events", include_str!("../../migrations/0001_events.sql")),
    (2, "projections", include_str!("../../migrations/0002_projections.sql")),
    (3, "sagas", include_str!("../../migrations/0003_sagas.sql")),
];

/// Apart from the table that an application's own migrations of its read models would use.
const MIGRATIONS_TABLE: &str = "highwater_migrations";

/// Rows that a reading connection may run ahead of the task that takes them.
const ROWS_AHEAD: usize = 1_000;

/// Time that SQLite itself waits for another process that writes, before the call that waits sees
/// whether it may wait on.
const WRITER_BUSY_MAX: Duration = Duration::from_millis(100);

/// The least time that opening a connection may take; calls of the store wait by their own clock.
const CONNECT_MIN: Duration = Duration::from_secs(5);

/// The connection that writes, and those that read.
pub(crate) async fn connect(
    file: SqliteConnectOptions,
    options: &SqliteOptions,
) -> Result<(SqlitePool, SqlitePool), StoreError> {
    options.check()?;
    let file = file
        .create_if_missing(true)
        .busy_timeout(options.busy_timeout)
        .synchronous(options.durability.into());
    let file = match options.durability {
        // Where a plain sync stops at the cache of the disk, as on macOS.
        Durability::Full => file.pragma("fullfsync", "on"),
        Durability::Normal => file,
    };
    let mut first = file.connect().await.map_err(store_error)?;
    use_write_ahead_log(&mut first, options).await?;
    migrate(&mut first).await?;
    first.close().await.map_err(store_error)?;

    let identity = Identity::of(file.get_filename().to_owned())
        .map_err(|error| StoreError::Misconfigured(error.into()))?;
    // Whoever finds the file gone must not go on with an empty one.
    let file = file.create_if_missing(false);
    let read_only = file.clone().pragma("query_only", "on").row_buffer_size(ROWS_AHEAD);
    let readers = pool(options.readers, options, &identity).connect_with(read_only).await;
    let writer = pool(1, options, &identity)
        .after_release(|conn, _| Box::pin(has_no_transaction(conn)))
        .connect_with(file.busy_timeout(options.busy_timeout.min(WRITER_BUSY_MAX)))
        .await;
    Ok((writer.map_err(store_error)?, readers.map_err(store_error)?))
}

/// Connections that are given out only as long as their file has not been deleted or replaced;
/// otherwise others are opened, which fails unless there is a file again.
fn pool(connections: u32, options: &SqliteOptions, opened: &Identity) -> SqlitePoolOptions {
    let opened = opened.clone();
    SqlitePoolOptions::new()
        .before_acquire(move |_, _| {
            let is_there = opened.holds();
            Box::pin(async move { Ok(is_there) })
        })
        .max_connections(connections)
        .acquire_timeout(options.busy_timeout.max(CONNECT_MIN))
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

/// Tells whether the connection can begin a transaction; one that cannot is replaced.
///
/// When the disk is full SQLite ends a transaction by itself, and the driver, which goes on
/// counting it, would never begin another one.
async fn has_no_transaction(conn: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    if conn.is_in_transaction() {
        // A transaction that was dropped is rolled back before the ping is answered.
        conn.ping().await?;
    }
    Ok(!conn.is_in_transaction())
}

/// Readers and the writer do not wait for each other in this mode, which the file remembers.
async fn use_write_ahead_log(
    conn: &mut SqliteConnection,
    options: &SqliteOptions,
) -> Result<(), StoreError> {
    let started = Instant::now();
    let mode: String = loop {
        let set = sqlx::query_scalar("pragma journal_mode = wal").fetch_one(&mut *conn).await;
        match set {
            // SQLite does not wait for the lock that the change of a new file needs.
            Err(error) if is_busy(&error) && started.elapsed() < options.busy_timeout => {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            other => break other.map_err(store_error)?,
        }
    };
    if mode == "wal" {
        Ok(())
    } else {
        let reason = "is in memory or on a file system without shared memory";
        Err(StoreError::invalid(format!("the database cannot keep a write-ahead log: it {reason}")))
    }
}

/// Runs inside one write transaction, so that processes that open a file at once take turns.
async fn migrate(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    let migrations = MIGRATIONS.map(|(number, what, sql)| {
        Migration::new(number, what.into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    let mut migrator = Migrator::with_migrations(migrations.into());
    migrator.dangerous_set_table_name(MIGRATIONS_TABLE);
    let mut tx = conn.begin_with("begin immediate").await.map_err(store_error)?;
    migrator.run_direct(None, &mut *tx, false).await.map_err(migrate_error)?;
    tx.commit().await.map_err(store_error)
}
