//! The store of read models.

use std::error::Error;

use async_trait::async_trait;
use highwater_core::{
    Document, ErrorClass, Lease, Payload, ProjectionName, ProjectionStore, StoreError,
};
use sqlx::postgres::PgRow;

use super::PgTx;
use crate::database::error::{class, store_error};
use crate::events::row::required;
use crate::store::PgStore;

#[async_trait]
impl ProjectionStore for PgStore {
    type Tx = PgTx;

    async fn begin(&self, lease: &Lease) -> Result<PgTx, StoreError> {
        PgTx::begin(self.log(), lease.clone()).await
    }

    async fn documents(
        &self,
        projection: &ProjectionName,
        keys: &[String],
    ) -> Result<Vec<Document>, StoreError> {
        // There is no document under a key with a NUL, and the database refuses the question.
        let keys: Vec<&str> = keys.iter().map(String::as_str).filter(|k| !has_nul(k)).collect();
        let log = self.log();
        let query = log.sql.query(&log.sql.read_documents).bind(projection.as_str()).bind(keys);
        let rows = log.fetch_all(query).await?;
        rows.iter().map(document).collect::<Result<_, _>>().map_err(store_error)
    }

    async fn scan(
        &self,
        projection: &ProjectionName,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Document>, StoreError> {
        if has_nul(prefix) {
            return Ok(Vec::new());
        }
        // No key has a NUL: those behind a text with one are those behind what precedes it.
        let after = after.and_then(|after| after.split('\0').next());
        let log = self.log();
        let query = log.sql.query(&log.sql.scan_documents).bind(projection.as_str());
        let query = query.bind(prefix).bind(after).bind(behind_prefix(prefix));
        let query = query.bind(i64::try_from(limit).unwrap_or(i64::MAX));
        let query = query.bind(log.options.page_size());
        let rows = log.fetch_all(query).await?;
        rows.iter().map(document).collect::<Result<_, _>>().map_err(store_error)
    }

    fn class(&self, error: &(dyn Error + 'static)) -> ErrorClass {
        class(error)
    }
}

fn document(row: &PgRow) -> Result<Document, sqlx::Error> {
    let data = Payload::from_stored(required(row, 1)?);
    Ok(Document { key: required(row, 0)?.to_owned(), data })
}

fn has_nul(text: &str) -> bool {
    text.contains('\0')
}

/// The first text behind all that start with `prefix`; `None` when nothing is behind them.
///
/// The bytes of UTF-8 are ordered like the characters that they stand for.
fn behind_prefix(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        if let Some(next) = (last..=char::MAX).nth(1) {
            text.push(next);
            return Some(text);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_behind_a_prefix_is_behind_every_key_that_starts_with_it() {
        assert_eq!(behind_prefix("order-"), Some("order.".to_owned()));
        assert_eq!(behind_prefix("a\u{d7ff}"), Some("a\u{e000}".to_owned()));
        assert_eq!(behind_prefix("a\u{10ffff}"), Some("b".to_owned()));
        assert_eq!(behind_prefix("\u{10ffff}"), None);
        assert_eq!(behind_prefix(""), None);
        for prefix in ["x", "ü", "a\u{7f}", "\u{7ff}", "\u{ffff}"] {
            let behind = behind_prefix(prefix).unwrap();
            assert!(behind.as_str() > prefix);
            assert!(behind > format!("{prefix}\u{10ffff}\u{10ffff}"));
        }
    }
}
