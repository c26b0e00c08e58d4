//! The raw limit on PostgreSQL.

use sqlx::Executor;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};

use super::raw::{RawSagas, SagaRow};
use crate::Result;

const TABLES: &str = include_str!("../../sql/postgres/sagas/tables.sql");

const INSERT_ONE: &str = include_str!("../../sql/postgres/sagas/insert_one.sql");

const INSERT_MANY: &str = include_str!("../../sql/postgres/sagas/insert_many.sql");

const UPDATE_ONE: &str = include_str!("../../sql/postgres/sagas/update_one.sql");

const UPDATE_MANY: &str = include_str!("../../sql/postgres/sagas/update_many.sql");

/// One table with a primary key.
#[derive(Debug, Clone)]
pub(crate) struct RawPostgres(PgPool);

impl RawPostgres {
    /// Connects, and makes the table if nobody has.
    pub(crate) async fn connect(url: &str, connections: u32) -> Result<Self> {
        // A plan that was made while the table was empty would scan all of it later.
        let options = url.parse::<PgConnectOptions>()?.options([
            ("enable_seqscan", "off"),
            ("enable_hashjoin", "off"),
            ("enable_mergejoin", "off"),
            ("plan_cache_mode", "force_generic_plan"),
        ]);
        let pool = PgPoolOptions::new().max_connections(connections).test_before_acquire(false);
        let pool = pool.connect_with(options).await?;
        pool.execute(TABLES).await?;
        Ok(Self(pool))
    }

    async fn write(
        &self,
        [one, many]: [&'static str; 2],
        mut rows: Vec<SagaRow>,
    ) -> Result {
        let expected = rows.len() as u64;
        let only = if rows.len() == 1 { rows.pop() } else { None };
        let query = match only {
            Some(row) => sqlx::query(one)
                .bind(row.id)
                .bind(row.state)
                .bind(row.step)
                .bind(row.steps)
                .bind(row.data),
            None => {
                let states: Vec<&str> = rows.iter().map(|row| row.state).collect();
                let steps: Vec<i64> = rows.iter().map(|row| row.step).collect();
                let (mut ids, mut lists, mut data) = (Vec::new(), Vec::new(), Vec::new());
                for row in rows {
                    ids.push(row.id);
                    lists.push(row.steps);
                    data.push(row.data);
                }
                sqlx::query(many).bind(ids).bind(states).bind(steps).bind(lists).bind(data)
            }
        };
        match query.execute(&self.0).await?.rows_affected() {
            written if written == expected => Ok(()),
            written => Err(format!("{written} of {expected} rows were written").into()),
        }
    }
}

impl RawSagas for RawPostgres {
    async fn insert(&self, rows: Vec<SagaRow>) -> Result {
        self.write([INSERT_ONE, INSERT_MANY], rows).await
    }

    async fn update(&self, rows: Vec<SagaRow>) -> Result {
        self.write([UPDATE_ONE, UPDATE_MANY], rows).await
    }
}
