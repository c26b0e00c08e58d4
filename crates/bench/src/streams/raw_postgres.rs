//! The raw limit on PostgreSQL.

use std::fmt::Write;

use highwater::EventId;
use sqlx::postgres::{PgPool, PgPoolCopyExt, PgPoolOptions};
use sqlx::{Executor, Row};

use super::raw::{Raw, RawEvent, Totals};
use crate::Result;
use crate::order::PLACED;

const TABLES: &str = include_str!("../../sql/postgres/tables.sql");

const APPEND_ONE: &str = include_str!("../../sql/postgres/append_one.sql");

const APPEND_MANY: &str = include_str!("../../sql/postgres/append_many.sql");

const COPY: &str = r#"copy raw.imports (stream, "offset", type, data, event_id) from stdin"#;

const PAGE: &str = include_str!("../../sql/postgres/page.sql");

const ADD: &str = include_str!("../../sql/postgres/add.sql");

/// Tables of its own in the schema `raw`.
#[derive(Debug, Clone)]
pub(crate) struct RawPostgres(PgPool);

impl RawPostgres {
    /// Connects and makes the tables.
    pub(crate) async fn connect(url: &str, connections: u32) -> Result<Self> {
        let options = PgPoolOptions::new().max_connections(connections).test_before_acquire(false);
        let pool = options.connect(url).await?;
        pool.execute(TABLES).await?;
        Ok(Self(pool))
    }

    /// Copies events, each given by its stream, its offset and its payload, into a table that
    /// knows events by their ids.
    pub(crate) async fn import(&self, events: Vec<(String, u64, String)>) -> Result {
        let mut lines = String::new();
        for (stream, offset, payload) in events {
            let (payload, id) = (payload.replace('\\', r"\\"), EventId::new());
            writeln!(lines, "{stream}\t{offset}\t{PLACED}\t{payload}\t{id}")?;
        }
        let mut copy = self.0.copy_in_raw(COPY).await?;
        copy.send(lines.into_bytes()).await?;
        copy.finish().await?;
        Ok(())
    }
}

impl Raw for RawPostgres {
    async fn append(&self, stream: &str, first: i64, mut payloads: Vec<String>) -> Result {
        let one = if payloads.len() == 1 { payloads.pop() } else { None };
        let insert = match one {
            Some(payload) => {
                sqlx::query(APPEND_ONE).bind(stream).bind(first).bind(PLACED.as_str()).bind(payload)
            }
            None => sqlx::query(APPEND_MANY)
                .bind(stream)
                .bind(first)
                .bind(PLACED.as_str())
                .bind(payloads),
        };
        insert.execute(&self.0).await?;
        Ok(())
    }

    async fn page(&self, after: i64, limit: i64) -> Result<Vec<RawEvent>> {
        let rows = sqlx::query(PAGE).bind(after).bind(limit).fetch_all(&self.0).await?;
        let decode = |row: sqlx::postgres::PgRow| {
            Ok(RawEvent {
                position: row.try_get(0)?,
                stream: row.try_get(1)?,
                offset: row.try_get(2)?,
                event_type: row.try_get(3)?,
                order: serde_json::from_slice(row.try_get_raw(4)?.as_bytes()?)?,
            })
        };
        rows.into_iter().map(decode).collect()
    }

    async fn add(&self, totals: &Totals, checkpoint: i64) -> Result {
        let customers: Vec<&str> = totals.keys().map(String::as_str).collect();
        let (orders, cents): (Vec<i64>, Vec<i64>) = totals.values().copied().unzip();
        let mut tx = self.0.begin().await?;
        sqlx::query(ADD).bind(customers).bind(orders).bind(cents).execute(&mut *tx).await?;
        let moved = sqlx::query("update raw.checkpoint set position = $1").bind(checkpoint);
        moved.execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn clear(&self) -> Result {
        self.0.execute("truncate raw.events").await?;
        Ok(())
    }

    async fn clear_totals(&self) -> Result {
        self.0.execute("truncate raw.totals; update raw.checkpoint set position = -1").await?;
        Ok(())
    }
}
