//! Finds sagas that are due, and those that somebody searches for.

use std::error::Error;

use highwater_core::{SagaClaim, SagaId, SagaName, SagaQuery, SagaRecord, SagaState, StoreError};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use crate::error::{damaged, store_error};
use crate::saga_rows::saga;

/// A search whose first condition is one that an index serves: SQLite plans a statement before
/// it knows which of its parameters are null.
macro_rules! search {
    ($first:literal) => {
        concat!(
            include_str!("../sql/saga_select.sql"),
            "where ",
            $first,
            include_str!("../sql/saga_filter.sql")
        )
    };
}

const BY_CORRELATION: &str = search!("correlation_id = ?1 and\n");
const BY_STATE: &str = search!("state = ?3 and\n");
const BY_NAME: &str = search!("saga_name = ?2 and\n");
const BY_START: &str = search!("");

/// The ids of sagas that are due, the longest due first, as many as the claim has bytes for.
pub(crate) async fn due(
    conn: &mut SqliteConnection,
    claim: &SagaClaim,
) -> Result<Vec<SagaId>, StoreError> {
    let mut due: Vec<(i64, SagaId, usize)> = Vec::new();
    for (name, version) in &claim.definitions {
        let rows = sqlx::query(include_str!("../sql/saga_due.sql"))
            .bind(name.to_string())
            .bind(*version)
            .bind(i64::try_from(claim.limit).unwrap_or(i64::MAX));
        for row in rows.fetch_all(&mut *conn).await.map_err(store_error)? {
            let id = SagaId::new(row.try_get::<&str, _>(1).map_err(store_error)?);
            let bytes: i64 = row.try_get(2).map_err(store_error)?;
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            due.push((row.try_get(0).map_err(store_error)?, id.map_err(damaged)?, bytes));
        }
    }
    due.sort_by_key(|(due, ..)| *due);
    due.truncate(claim.limit);
    let fitting = due.into_iter().scan(0_usize, |sum, (_, id, bytes)| {
        let is_first = *sum == 0;
        *sum = sum.saturating_add(bytes);
        (is_first || *sum <= claim.max_bytes).then_some(id)
    });
    Ok(fitting.collect())
}

/// Where a saga stands in a search: when it was created, and its id.
pub(crate) type Place = (i64, String);

/// The sagas that are searched for, those behind `after`; whoever cannot be read is passed over.
pub(crate) async fn search(
    conn: &mut SqliteConnection,
    query: &SagaQuery,
    after: Option<Place>,
) -> Result<Vec<SagaRecord>, StoreError> {
    let (mut found, mut after) = (Vec::new(), after);
    loop {
        let limit = query.limit - found.len();
        let rows = page(conn, query, after.take(), limit).await?;
        for row in &rows {
            match saga(row) {
                Ok(saga) => found.push(saga.record),
                Err(error) => {
                    let cause = error.source().map(ToString::to_string);
                    tracing::error!(cause, "a saga that is searched for is left out");
                }
            }
        }
        let is_last = rows.len() < limit || found.len() >= query.limit;
        match rows.last().map(place).transpose() {
            Ok(Some(last)) if !is_last => after = Some(last),
            _ => return Ok(found),
        }
    }
}

fn place(row: &SqliteRow) -> Result<Place, sqlx::Error> {
    Ok((row.try_get(18)?, row.try_get(0)?))
}

async fn page(
    conn: &mut SqliteConnection,
    query: &SagaQuery,
    after: Option<Place>,
    limit: usize,
) -> Result<Vec<SqliteRow>, StoreError> {
    let sql = match query {
        SagaQuery { correlation_id: Some(_), .. } => BY_CORRELATION,
        SagaQuery { state: Some(_), .. } => BY_STATE,
        SagaQuery { name: Some(_), .. } => BY_NAME,
        _ => BY_START,
    };
    let rows = sqlx::query(sql)
        .bind(query.correlation_id.as_ref().map(ToString::to_string))
        .bind(query.name.as_ref().map(SagaName::to_string))
        .bind(query.state.map(SagaState::as_str))
        .bind(query.from.map_or(i64::MIN, |from| from.timestamp_micros()))
        .bind(query.until.map_or(i64::MAX, |until| until.timestamp_micros()))
        .bind(after.as_ref().map_or(i64::MAX, |(started_at, _)| *started_at))
        .bind(after.map_or_else(String::new, |(_, id)| id))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX));
    rows.fetch_all(conn).await.map_err(store_error)
}
