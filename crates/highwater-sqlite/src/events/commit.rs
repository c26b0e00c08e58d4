//! Looks up what appends need to know, and inserts what was decided.

use std::collections::HashSet;
use std::sync::LazyLock;

use highwater_core::{
    Appended, EventId, Imported, NewEvent, Offset, Position, StoreError, StreamAppend, StreamName,
};
use sqlx::{Row as _, SqliteConnection, SqlitePool};
use tokio::time::Instant;

use super::plan::{Found, Plan};
use super::row::recorded;
use crate::database::error::{damaged, store_error};
use crate::database::insert::Insert;
use crate::database::write::begin;

/// Columns of the second result of `find.sql`.
const HEAD_COLUMNS: usize = 3;

/// Events that an import looks up and inserts at a time.
const IMPORT_CHUNK: usize = 1_000;

static INSERT_EVENTS: LazyLock<Insert> = LazyLock::new(|| {
    let columns = "position, stream, \"offset\", event_id, event_type, data, metadata, recorded_at";
    Insert::new(&format!("events ({columns})"), "(?, ?, ?, ?, ?, ?, ?, ?)", "")
});

/// Appends a group in one transaction: each append succeeds or fails by itself, but for a failure
/// of the transaction, which is everyone's, as when it has not begun by `deadline`. With the answers comes the new head of the log, if any.
pub(crate) async fn append_group(
    writer: &SqlitePool,
    group: &[Vec<StreamAppend>],
    deadline: Instant,
) -> (Vec<Result<Appended, StoreError>>, Option<Position>) {
    match try_append_group(writer, group, deadline).await {
        Ok(answers) => answers,
        Err(error) => {
            let mut error = error.split();
            (group.iter().map(|_| Err(error())).collect(), None)
        }
    }
}

async fn try_append_group(
    writer: &SqlitePool,
    group: &[Vec<StreamAppend>],
    deadline: Instant,
) -> Result<(Vec<Result<Appended, StoreError>>, Option<Position>), StoreError> {
    let mut tx = begin(writer, deadline).await?;
    let answers = append(&mut tx, group).await?;
    tx.commit().await.map_err(store_error)?;
    Ok(answers)
}

/// Appends inside a transaction; nothing was appended when there is no new head of the log.
pub(crate) async fn append(
    conn: &mut SqliteConnection,
    group: &[Vec<StreamAppend>],
) -> Result<(Vec<Result<Appended, StoreError>>, Option<Position>), StoreError> {
    let parts = || group.iter().flatten();
    let ids = parts().flat_map(|part| &part.events).map(|event| event.id);
    let mut plan = Plan::new(find(conn, parts().map(|part| &part.stream), ids).await?);
    let answers = group.iter().map(|batch| plan.append(batch)).collect();
    insert(conn, &plan).await?;
    Ok((answers, plan.rows.last().map(|row| row.position)))
}

/// Imports inside a transaction, which must be rolled back when this fails.
pub(crate) async fn import(
    conn: &mut SqliteConnection,
    events: &[(StreamName, NewEvent)],
) -> Result<(Imported, Option<Position>), StoreError> {
    let (mut imported, mut last) = (Imported::default(), None);
    for chunk in events.chunks(IMPORT_CHUNK) {
        let streams = chunk.iter().map(|(stream, _)| stream);
        let ids = chunk.iter().map(|(_, event)| event.id);
        let mut plan = Plan::new(find(conn, streams, ids).await?);
        let part = plan.import(chunk)?;
        insert(conn, &plan).await?;
        imported.appended += part.appended;
        imported.known += part.known;
        last = plan.last();
    }
    Ok((imported, last))
}

async fn find(
    conn: &mut SqliteConnection,
    streams: impl Iterator<Item = &StreamName>,
    ids: impl Iterator<Item = EventId>,
) -> Result<Found, StoreError> {
    let ids = json(ids.map(|id| id.as_uuid().simple().to_string()));
    let streams: HashSet<&str> = streams.map(StreamName::as_str).collect();
    let rows = sqlx::query(include_str!("../../sql/events/find_events.sql"))
        .bind(ids)
        .bind(json(streams.into_iter()));
    let rows = rows.fetch_all(conn).await.map_err(store_error)?;
    // There are always heads, in rows of three columns, behind the events.
    let (heads, events): (Vec<_>, _) = rows.into_iter().partition(|row| row.len() == HEAD_COLUMNS);

    let events = recorded(&events)?.into_iter().map(|event| (event.id, event)).collect();
    let mut found = Found { events, ..Found::default() };
    for row in heads {
        let head = row.try_get(1).map_err(store_error)?;
        match row.try_get::<Option<&str>, _>(0).map_err(store_error)? {
            None => {
                found.last = Position::from_sql(head).map_err(damaged)?;
                found.now = row.try_get(2).map_err(store_error)?;
            }
            Some(name) => {
                let stream = StreamName::new(name).map_err(damaged)?;
                let head = Offset::from_sql(head).map_err(damaged)?;
                found.heads.extend(head.map(|head| (stream, head)));
            }
        }
    }
    Ok(found)
}

async fn insert(conn: &mut SqliteConnection, plan: &Plan<'_>) -> Result<(), StoreError> {
    let inserted = INSERT_EVENTS.run(conn, &plan.rows, |statement, row| {
        statement
            .bind(row.position.get().cast_signed())
            .bind(row.stream.to_string())
            .bind(row.offset.get().cast_signed())
            .bind(row.event.id.as_uuid())
            .bind(row.event.event_type.to_string())
            .bind(row.event.data.as_str().to_owned())
            .bind(row.event.metadata.as_payload().map(|json| json.as_str().to_owned()))
            .bind(plan.now())
    });
    inserted.await.map_err(store_error)
}

/// A JSON array of texts, as SQL takes a list.
pub(crate) fn json<T: Into<serde_json::Value>>(texts: impl Iterator<Item = T>) -> String {
    texts.map(Into::into).collect::<serde_json::Value>().to_string()
}
