//! The raw limit on SQLite.

use std::path::Path;
use std::sync::Arc;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Executor, SqliteConnection};
use tokio::sync::Mutex;

use super::raw::{RawSagas, SagaRow};
use crate::Result;

const TABLES: &str = include_str!("../../sql/sqlite/sagas/tables.sql");

const INSERT: &str = include_str!("../../sql/sqlite/sagas/insert.sql");

const UPDATE: &str = include_str!("../../sql/sqlite/sagas/update.sql");

/// A file of its own, with the one writer that SQLite admits.
#[derive(Debug, Clone)]
pub(crate) struct RawSqlite(Arc<Mutex<SqliteConnection>>);

impl RawSqlite {
    /// Makes the file, as durable as the store's.
    pub(crate) async fn open(path: &Path) -> Result<Self> {
        let file = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let mut conn = file.connect().await?;
        conn.execute(TABLES).await?;
        Ok(Self(Arc::new(Mutex::new(conn))))
    }

    async fn write(&self, statement: &'static str, rows: Vec<SagaRow>) -> Result {
        let mut conn = self.0.lock().await;
        if rows.len() == 1 {
            return write(&mut conn, statement, rows).await;
        }
        let mut tx = conn.begin().await?;
        write(&mut tx, statement, rows).await?;
        Ok(tx.commit().await?)
    }
}

async fn write(conn: &mut SqliteConnection, statement: &'static str, rows: Vec<SagaRow>) -> Result {
    for row in rows {
        let query = sqlx::query(statement).bind(row.id).bind(row.state).bind(row.step);
        let written = query.bind(row.steps).bind(row.data).execute(&mut *conn).await?;
        if written.rows_affected() != 1 {
            return Err("a row was not written".into());
        }
    }
    Ok(())
}

impl RawSagas for RawSqlite {
    async fn insert(&self, rows: Vec<SagaRow>) -> Result {
        self.write(INSERT, rows).await
    }

    async fn update(&self, rows: Vec<SagaRow>) -> Result {
        self.write(UPDATE, rows).await
    }
}
