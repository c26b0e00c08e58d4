//! Events that projections have set aside.

use highwater_core::{
    BoxError, CheckpointKey, DeadLetter, EventId, EventType, NewDeadLetter, Offset, Position,
    StoreError, StreamName,
};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::checkpoints::at;
use crate::database::error::{damaged, store_error};
use crate::events::row::time;

/// Sets `letters` aside; an event that was set aside before keeps its latest error.
pub(crate) async fn add(
    conn: &mut SqliteConnection,
    key: &CheckpointKey,
    letters: &[NewDeadLetter],
) -> Result<(), StoreError> {
    for letter in letters {
        let add = at(include_str!("../../sql/projections/add_dead_letter.sql"), key)
            .bind(letter.offset.get().cast_signed())
            .bind(letter.stream.to_string())
            .bind(letter.position.get().cast_signed())
            .bind(letter.event_id.as_uuid())
            .bind(letter.event_type.to_string())
            .bind(letter.error.clone())
            .bind(letter.attempts);
        add.execute(&mut *conn).await.map_err(store_error)?;
    }
    Ok(())
}

/// Those behind `after`, by offset, at most `limit`, of at most `bytes` or one.
pub(crate) async fn page(
    conn: &mut SqliteConnection,
    key: &CheckpointKey,
    after: Option<Offset>,
    (limit, bytes): (usize, i64),
) -> Result<Vec<DeadLetter>, StoreError> {
    let rows = at(include_str!("../../sql/projections/list_dead_letters.sql"), key)
        .bind(Offset::to_sql(after))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .bind(bytes);
    let rows = rows.fetch_all(conn).await.map_err(store_error)?;
    rows.iter().map(|row| dead_letter(key, row).map_err(damaged)).collect()
}

/// Number of dead letters; `up_to` stands for that many or more.
pub(crate) async fn count(
    conn: &mut SqliteConnection,
    key: &CheckpointKey,
    up_to: usize,
) -> Result<usize, StoreError> {
    let count = at(include_str!("../../sql/projections/count_dead_letters.sql"), key)
        .bind(i64::try_from(up_to).unwrap_or(i64::MAX));
    let row = count.fetch_one(conn).await.map_err(store_error)?;
    let count: i64 = row.try_get(0).map_err(store_error)?;
    usize::try_from(count).map_err(damaged)
}

fn dead_letter(key: &CheckpointKey, row: &SqliteRow) -> Result<DeadLetter, BoxError> {
    let letter = NewDeadLetter {
        offset: Offset::new(row.try_get::<i64, _>(0)?.try_into()?),
        stream: StreamName::new(row.try_get::<&str, _>(1)?)?,
        position: Position::new(row.try_get::<i64, _>(2)?.try_into()?),
        event_id: EventId::from_uuid(row.try_get(3)?),
        event_type: EventType::new(row.try_get::<&str, _>(4)?)?,
        error: row.try_get(5)?,
        attempts: row.try_get(6)?,
    };
    Ok(DeadLetter { key: key.clone(), letter, recorded_at: time(row.try_get(7)?)? })
}

/// Forgets all of them.
pub(crate) async fn clear(
    conn: &mut SqliteConnection,
    key: &CheckpointKey,
) -> Result<(), StoreError> {
    let clear = at("delete from dead_letters where projection_name = ?1 and stream_name = ?2", key);
    clear.execute(conn).await.map(drop).map_err(store_error)
}
