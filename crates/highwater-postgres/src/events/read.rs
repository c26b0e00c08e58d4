//! Reads pages of a source.

use highwater_core::{EventType, Offset, Page, Source, StoreError, StreamName};
use sqlx::Row;

use super::page::{LARGE, Part};
use crate::database::error::store_error;
use crate::database::handle::Database;

/// Part of a source that one filtered read looks through, so that a filter that matches next to
/// nothing costs no more than a fraction of a second a page.
const WINDOW: i64 = 100_000;

impl Database {
    pub(crate) async fn page(
        &self,
        source: &Source,
        types: &[EventType],
        after: Option<Offset>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        if limit == 0 {
            return Err(StoreError::invalid("a page of no events"));
        }
        match source {
            Source::All if types.is_empty() => {
                Ok(whole_page(source, self.read_all(after, limit).await?, after))
            }
            Source::Stream(stream) if types.is_empty() => {
                Ok(whole_page(source, self.read_stream(stream, after, limit).await?, after))
            }
            _ => self.filtered_page(source, types, after, limit).await,
        }
    }

    /// A page of events that are not all there are.
    ///
    /// The head is read first, in a statement of its own: everything up to it is visible to the
    /// scan, so that what the scan does not return it may pass over.
    async fn filtered_page(
        &self,
        source: &Source,
        types: &[EventType],
        after: Option<Offset>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let head = self.head_of(source).await?;
        let Some(head) = head.filter(|head| after < Some(*head)) else {
            return Ok(Page { events: Vec::new(), scanned_to: after, is_end: true });
        };
        // Offsets and positions have no gaps, so that this many events lie between the two.
        let window = (Offset::to_sql(Some(head)) - Offset::to_sql(after)).min(WINDOW);
        let up_to = Offset::from_sql(Offset::to_sql(after) + window)?.unwrap_or(head);
        let Part { events, is_cut } = self.scan(source, types, (after, window), limit).await?;
        let last = events.last().filter(|_| is_cut).map(|event| source.offset_of(event));
        let scanned_to = last.unwrap_or(up_to);
        Ok(Page { events, scanned_to: Some(scanned_to), is_end: scanned_to >= head })
    }

    /// The offset of the last event of a stream, or of the log.
    pub(crate) async fn head_of(&self, source: &Source) -> Result<Option<Offset>, StoreError> {
        let Source::Stream(stream) = source else {
            return Ok(self.last().await?.map(|last| Offset::new(last.get())));
        };
        let query = self.sql.query(&self.sql.read_stream_head).bind(stream.as_str());
        let row = self.fetch_optional(query).await?;
        let head = row.map_or(Ok(-1), |row| row.try_get(0)).map_err(store_error)?;
        Ok(Offset::from_sql(head)?)
    }

    async fn read_all(&self, after: Option<Offset>, limit: usize) -> Result<Part, StoreError> {
        let query = self.sql.query(&self.sql.read_all);
        let query = query.bind(Offset::to_sql(after)).bind(rows(limit)).bind(LARGE);
        self.events_within(query, limit).await
    }

    async fn read_stream(
        &self,
        stream: &StreamName,
        after: Option<Offset>,
        limit: usize,
    ) -> Result<Part, StoreError> {
        let query = self.sql.query(&self.sql.read_stream).bind(stream.as_str());
        let query = query.bind(Offset::to_sql(after)).bind(rows(limit)).bind(LARGE);
        self.events_within(query, limit).await
    }

    async fn scan(
        &self,
        source: &Source,
        types: &[EventType],
        (after, window): (Option<Offset>, i64),
        limit: usize,
    ) -> Result<Part, StoreError> {
        let after = Offset::to_sql(after);
        let types: Vec<&str> = types.iter().map(EventType::as_str).collect();
        let query = if let Source::Stream(stream) = source {
            let query = self.sql.query(&self.sql.scan_stream).bind(stream.as_str());
            query.bind(after).bind(window).bind(types).bind(rows(limit)).bind(LARGE)
        } else {
            let (name, prefix) = streams_of(source);
            let query = self.sql.query(&self.sql.scan_all).bind(after).bind(window).bind(types);
            query.bind(name).bind(prefix).bind(rows(limit)).bind(LARGE)
        };
        self.events_within(query, limit).await
    }
}

/// A page of a source that was read without a filter.
fn whole_page(source: &Source, Part { events, is_cut }: Part, after: Option<Offset>) -> Page {
    let last = events.last().map(|event| source.offset_of(event));
    Page { scanned_to: last.or(after), is_end: !is_cut, events }
}

/// The streams of a category: the one that bears its name, and those that start so.
///
/// `None` and `None` for the whole log. See [`StreamName::category`] for the rule; a category
/// that no stream can have has the name of no stream.
fn streams_of(source: &Source) -> (Option<String>, Option<String>) {
    let Source::Category(category) = source else { return (None, None) };
    match category.as_str().find('-') {
        None => (Some(category.to_string()), Some(format!("{category}-"))),
        Some(0) => (Some(category.to_string()), None),
        Some(_) => (Some(String::new()), None),
    }
}

fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_streams_of_a_category_are_those_that_name_it() {
        let names = ["a", "a-1", "a-b-c", "ab", "ab-1", "-a", "-a-1", "-", "a-"];
        for category in ["a", "ab", "-a", "-a-1", "a-b", "-", "a-"] {
            let source: Source = format!("$category:{category}").parse().unwrap();
            let (name, prefix) = streams_of(&source);
            for stream in names.map(StreamName::from_static) {
                let is_found = name.as_deref() == Some(stream.as_str())
                    || prefix.as_ref().is_some_and(|p| stream.as_str().starts_with(p));
                let belongs = stream.category().as_str() == category;
                assert_eq!(is_found, belongs, "{stream} in {category}");
            }
        }
    }
}
