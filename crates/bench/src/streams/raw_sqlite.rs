//! The raw limit on SQLite.

use std::path::Path;
use std::sync::Arc;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Executor, Row, SqliteConnection};
use tokio::sync::Mutex;

use crate::Result;
use crate::order::PLACED;
use super::raw::{Raw, RawEvent, Totals};

const TABLES: &str = include_str!("../../sql/sqlite/tables.sql");

const APPEND: &str = include_str!("../../sql/sqlite/append.sql");

const PAGE: &str = include_str!("../../sql/sqlite/page.sql");

const ADD: &str = include_str!("../../sql/sqlite/add.sql");

/// A file of its own; SQLite admits one writer, so that more connections would not help, and a
/// pool would only hand the same one around.
#[derive(Debug, Clone)]
pub(crate) struct RawSqlite(Arc<Mutex<SqliteConnection>>);

impl RawSqlite {
    /// Makes the file, as durable as the store's.
    pub(crate) async fn open(path: &Path) -> Result<Self> {
        let file = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .row_buffer_size(1_000);
        let mut conn = file.connect().await?;
        conn.execute(TABLES).await?;
        Ok(Self(Arc::new(Mutex::new(conn))))
    }
}

impl Raw for RawSqlite {
    async fn append(&self, stream: &str, first: i64, payloads: Vec<String>) -> Result {
        let insert = |offset: i64, payload: String| {
            sqlx::query(APPEND).bind(stream).bind(offset).bind(PLACED.as_str()).bind(payload)
        };
        let mut conn = self.0.lock().await;
        if let [_] = payloads.as_slice() {
            for payload in payloads {
                insert(first, payload).execute(&mut *conn).await?;
            }
            return Ok(());
        }
        let mut tx = conn.begin().await?;
        for (offset, payload) in (first..).zip(payloads) {
            insert(offset, payload).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    async fn page(&self, after: i64, limit: i64) -> Result<Vec<RawEvent>> {
        let rows =
            sqlx::query(PAGE).bind(after).bind(limit).fetch_all(&mut *self.0.lock().await).await?;
        let decode = |row: sqlx::sqlite::SqliteRow| {
            Ok(RawEvent {
                position: row.try_get(0)?,
                stream: row.try_get(1)?,
                offset: row.try_get(2)?,
                event_type: row.try_get(3)?,
                order: serde_json::from_str(row.try_get(4)?)?,
            })
        };
        rows.into_iter().map(decode).collect()
    }

    async fn add(&self, totals: &Totals, checkpoint: i64) -> Result {
        let mut conn = self.0.lock().await;
        let mut tx = conn.begin().await?;
        for (customer, (orders, cents)) in totals {
            sqlx::query(ADD).bind(customer).bind(orders).bind(cents).execute(&mut *tx).await?;
        }
        sqlx::query("update checkpoint set position = ?")
            .bind(checkpoint)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    async fn clear(&self) -> Result {
        self.0.lock().await.execute("delete from events").await?;
        Ok(())
    }

    async fn clear_totals(&self) -> Result {
        self.0
            .lock()
            .await
            .execute("delete from totals; update checkpoint set position = -1")
            .await?;
        Ok(())
    }
}
