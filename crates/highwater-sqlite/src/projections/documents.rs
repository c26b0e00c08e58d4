//! Read models made of keyed documents.

use std::sync::LazyLock;

use highwater_core::{Document, Payload, ProjectionName, StoreError};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use crate::database::error::store_error;
use crate::database::insert::Insert;
use crate::events::commit::json;

static PUT: LazyLock<Insert> = LazyLock::new(|| {
    let replace = "on conflict (projection_name, key) do update set data = excluded.data";
    Insert::new("documents (projection_name, key, data)", "(?, ?, ?)", replace)
});

/// Those under `keys`.
pub(crate) async fn find(
    conn: &mut SqliteConnection,
    projection: &ProjectionName,
    keys: &[String],
) -> Result<Vec<Document>, StoreError> {
    let found = sqlx::query(include_str!("../../sql/projections/read_documents.sql"))
        .bind(projection.to_string())
        .bind(json(keys.iter().map(String::as_str)));
    documents(&found.fetch_all(conn).await.map_err(store_error)?)
}

/// Those whose key starts with `prefix`, behind `after`, by key, at most `limit`, of at most `bytes`
/// or one.
pub(crate) async fn scan(
    conn: &mut SqliteConnection,
    projection: &ProjectionName,
    prefix: &str,
    after: Option<&str>,
    (limit, bytes): (usize, i64),
) -> Result<Vec<Document>, StoreError> {
    let found = sqlx::query(include_str!("../../sql/projections/scan_documents.sql"))
        .bind(projection.to_string())
        .bind(prefix.to_owned())
        .bind(after.map(str::to_owned))
        .bind(first_beyond(prefix))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .bind(bytes);
    documents(&found.fetch_all(conn).await.map_err(store_error)?)
}

fn documents(rows: &[SqliteRow]) -> Result<Vec<Document>, StoreError> {
    let document = |row: &SqliteRow| {
        Ok(Document { key: row.try_get(0)?, data: Payload::from_stored(row.try_get(1)?) })
    };
    rows.iter().map(document).collect::<Result<_, _>>().map_err(store_error)
}

/// The smallest text above every text that starts with `prefix`; `None` when there is none.
///
/// UTF-8 sorts by bytes as it does by characters.
fn first_beyond(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        if let Some(next) = (last..=char::MAX).nth(1) {
            text.push(next);
            return Some(text);
        }
    }
    None
}

/// Writes documents; `None` removes one.
pub(crate) async fn write(
    conn: &mut SqliteConnection,
    projection: &ProjectionName,
    changes: Vec<(String, Option<Payload>)>,
) -> Result<(), StoreError> {
    let (mut puts, mut removals) = (Vec::new(), Vec::new());
    for (key, data) in changes {
        Document::check_key(&key)?;
        match data {
            Some(data) => puts.push((key, data)),
            None => removals.push(key),
        }
    }
    let put = PUT.run(conn, &puts, |statement, (key, data)| {
        statement.bind(projection.to_string()).bind(key.clone()).bind(data.as_str().to_owned())
    });
    put.await.map_err(store_error)?;
    if removals.is_empty() {
        return Ok(());
    }
    let remove = sqlx::query(include_str!("../../sql/projections/delete_documents.sql"))
        .bind(projection.to_string())
        .bind(json(removals.into_iter()));
    remove.execute(conn).await.map(drop).map_err(store_error)
}

/// Removes every document of `projection`.
pub(crate) async fn clear(
    conn: &mut SqliteConnection,
    projection: &ProjectionName,
) -> Result<(), StoreError> {
    let clear = sqlx::query("delete from documents where projection_name = ?1");
    clear.bind(projection.to_string()).execute(conn).await.map(drop).map_err(store_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_starts_with_a_prefix_is_below_the_first_text_beyond_it() {
        assert_eq!(first_beyond("user-").as_deref(), Some("user."));
        assert_eq!(first_beyond("a\u{D7FF}").as_deref(), Some("a\u{E000}"));
        assert_eq!(first_beyond("a\u{10FFFF}").as_deref(), Some("b"));
        assert_eq!(first_beyond("\u{10FFFF}"), None);
        assert_eq!(first_beyond(""), None);
    }
}
