//! Finds sagas that are due, and those that somebody searches for.

use std::error::Error;
use std::time::Duration;

use highwater_core::{
    OverdueSagas, PageBudget, SagaClaim, SagaCounts, SagaId, SagaName, SagaQuery, SagaRecord,
    SagaState, StoreError,
};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use super::row::saga;
use crate::database::error::{damaged, store_error};
use crate::projections::leases::TTL_MAX;

/// A search whose first condition is one that an index serves: SQLite plans a statement before
/// it knows which of its parameters are null.
macro_rules! search {
    ($first:literal) => {
        concat!(
            include_str!("../../sql/sagas/select_saga.sql"),
            include_str!("../../sql/sagas/sized_sagas.sql"),
            $first,
            include_str!("../../sql/sagas/filter_sagas.sql"),
            include_str!("../../sql/sagas/within_bytes.sql")
        )
    };
}

const BY_CORRELATION: &str = search!("correlation_id = ?1 and\n");
const BY_STATE: &str = search!("state = ?3 and\n");
const BY_NAME: &str = search!("saga_name = ?2 and\n");
const BY_START: &str = search!("");

/// The ids of sagas that are due, the longest due first, as many as fit into `budget`.
pub(crate) async fn due(
    conn: &mut SqliteConnection,
    claim: &SagaClaim,
    mut budget: PageBudget,
) -> Result<Vec<SagaId>, StoreError> {
    let mut due: Vec<(i64, SagaId, i64)> = Vec::new();
    for (name, version) in &claim.definitions {
        let rows = sqlx::query(include_str!("../../sql/sagas/claim_sagas.sql"))
            .bind(name.to_string())
            .bind(*version)
            .bind(i64::try_from(claim.limit).unwrap_or(i64::MAX));
        for row in rows.fetch_all(&mut *conn).await.map_err(store_error)? {
            let id = SagaId::new(row.try_get::<&str, _>(1).map_err(store_error)?);
            let column = |nth: usize| row.try_get::<i64, _>(nth).map_err(store_error);
            due.push((column(0)?, id.map_err(damaged)?, column(2)?));
        }
    }
    due.sort_by_key(|(due, ..)| *due);
    due.truncate(claim.limit);
    let mut fits = |bytes: i64| budget.admits(usize::try_from(bytes).unwrap_or(usize::MAX));
    Ok(due.into_iter().take_while(|(.., bytes)| fits(*bytes)).map(|(_, id, _)| id).collect())
}

/// Where a saga stands in a search: when it was created, and its id.
pub(crate) type Place = (i64, String);

/// The sagas that are searched for, those behind `after`, of at most `bytes` or one; whoever
/// cannot be read is passed over.
pub(crate) async fn search(
    conn: &mut SqliteConnection,
    query: &SagaQuery,
    after: Option<Place>,
    bytes: i64,
) -> Result<Vec<SagaRecord>, StoreError> {
    let (mut found, mut after) = (Vec::new(), after);
    loop {
        let rows = page(conn, query, after.take(), bytes).await?;
        for row in &rows {
            match saga(row) {
                Ok(saga) => found.push(saga.record),
                Err(error) => {
                    let cause = error.source().map(ToString::to_string);
                    tracing::error!(cause, "a saga that is searched for is left out");
                }
            }
        }
        match rows.last().map(place).transpose() {
            // Not one of the page could be read: who sees none would take it for the end.
            Ok(Some(last)) if found.is_empty() => after = Some(last),
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
    bytes: i64,
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
        .bind(i64::try_from(query.limit).unwrap_or(i64::MAX))
        .bind(bytes);
    rows.fetch_all(conn).await.map_err(store_error)
}

/// Number of sagas that do not go on by themselves; see the trait.
pub(crate) async fn count(
    conn: &mut SqliteConnection,
    overdue: Duration,
    up_to: usize,
) -> Result<SagaCounts, StoreError> {
    let rows = sqlx::query(include_str!("../../sql/sagas/count_sagas.sql"))
        .bind(i64::try_from(overdue.as_micros()).unwrap_or(TTL_MAX).min(TTL_MAX))
        .bind(i64::try_from(up_to).unwrap_or(i64::MAX));
    let mut counts = SagaCounts::default();
    for row in rows.fetch_all(conn).await.map_err(store_error)? {
        let count: i64 = row.try_get(2).map_err(store_error)?;
        let count = usize::try_from(count).map_err(damaged)?;
        let name: &str = row.try_get(0).map_err(store_error)?;
        match row.try_get::<Option<u32>, _>(1).map_err(store_error)? {
            Some(_) if count == 0 => {}
            Some(version) => {
                let name = SagaName::new(name).map_err(damaged)?;
                counts.overdue.push(OverdueSagas { name, version, count });
            }
            None if name == SagaState::Failed.as_str() => counts.failed = count,
            None => counts.paused = count,
        }
    }
    Ok(counts)
}
