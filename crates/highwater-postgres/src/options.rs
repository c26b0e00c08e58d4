//! What can be set about a store.

use std::time::Duration;

use highwater_core::{Limits, PAGE_BYTES, PageBudget, StoreError};

/// The longest identifier of PostgreSQL, in bytes.
const IDENTIFIER_BYTES_MAX: usize = 63;

/// Settings of a [`PgStore`](crate::store::PgStore), checked once, when it connects.
///
/// A connection of the store is a session of the server and stays one. A pooler such as PgBouncer
/// must be in session mode; in transaction or statement mode it is found out and refused when the
/// store connects, because the statements of different clients would get mixed up.
///
/// A `statement_timeout` of the role applies to the store as well: what it ends is `Unavailable`
/// and tried again, and is blamed on no event. Let it be longer than
/// [`append_timeout`](Self::append_timeout).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PgOptions {
    /// The schema that holds everything. Default `highwater`; one for each log that shares a
    /// database with others.
    pub schema: String,
    /// The table of checkpoints in that schema. Default `projection_checkpoints`; set it when
    /// other tools expect another name.
    pub checkpoints_table: String,
    /// The most connections of the pool; two more append and listen, and four are for sagas where
    /// there are any. Default 10; raise it when many projections run in one process.
    /// [`from_pool`](crate::store::PgStore::from_pool) ignores it.
    pub max_connections: u32,
    /// Prepared statements kept for each connection. Default 100; 0 prepares each anew, for
    /// servers that are short of memory.
    pub statement_cache_capacity: usize,
    /// True when a connection listens for the appends of other processes. Default true; without
    /// they are found by polling.
    pub listen: bool,
    /// Interval at which the log is looked at for appends that nobody told of. Default 100 ms;
    /// lower it when nothing listens and latency matters.
    pub poll_interval: Duration,
    /// Bounds on one append or import. The defaults are those of [`Limits`].
    pub limits: Limits,
    /// The bytes that one page of events, documents, dead letters or sagas holds at most, unless one
    /// item alone is larger. Default 4 MiB; lower it where memory is short and many read at once.
    pub page_bytes: usize,
    /// Time that an append waits and is tried again before it is `Unavailable`, counted from the
    /// call. Default 10 s; raise it to ride out longer failovers.
    pub append_timeout: Duration,
    /// Time that any other call takes at the most, the wait for a connection included, before it
    /// is `Unavailable`. Default 10 s; raise it for searches that take longer.
    pub call_timeout: Duration,
    /// Time that a transaction of this store may idle before the server ends it. Default 10 s;
    /// raise it for projections that think for longer within one batch.
    pub idle_in_transaction_timeout: Duration,
    /// True when the store creates and migrates the schema. Default true. Where all is there already, a role
    /// that may only read and write rows will do: it needs `usage` of the schema, the rights to
    /// select, insert, update and delete in its tables, and `usage` of its sequences. Turn it off
    /// to leave migrations to somebody else.
    pub migrate: bool,
}

impl Default for PgOptions {
    fn default() -> Self {
        Self {
            schema: "highwater".to_owned(),
            checkpoints_table: "projection_checkpoints".to_owned(),
            max_connections: 10,
            statement_cache_capacity: 100,
            listen: true,
            poll_interval: Duration::from_millis(100),
            limits: Limits::default(),
            page_bytes: PAGE_BYTES,
            append_timeout: Duration::from_secs(10),
            call_timeout: Duration::from_secs(10),
            idle_in_transaction_timeout: Duration::from_secs(10),
            migrate: true,
        }
    }
}

impl PgOptions {
    /// Returns what a page may hold.
    pub(crate) fn page(&self) -> PageBudget {
        PageBudget::new(self.page_bytes)
    }

    /// Returns what a page may hold, as SQL counts it.
    pub(crate) fn page_size(&self) -> i64 {
        i64::try_from(self.page_bytes).unwrap_or(i64::MAX)
    }

    /// Refuses names that are no plain identifiers, and numbers that mean nothing.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        check_identifier("schema", &self.schema)?;
        check_identifier("checkpoints_table", &self.checkpoints_table)?;
        let durations = [
            ("poll_interval", self.poll_interval),
            ("append_timeout", self.append_timeout),
            ("call_timeout", self.call_timeout),
            ("idle_in_transaction_timeout", self.idle_in_transaction_timeout),
        ];
        if let Some((name, _)) = durations.iter().find(|(_, d)| d.as_millis() == 0) {
            return Err(StoreError::invalid(format!("{name} is shorter than a millisecond")));
        }
        if self.max_connections == 0 {
            return Err(StoreError::invalid("max_connections is 0"));
        }
        Ok(())
    }
}

/// Identifiers go into SQL as text, so that only harmless ones may pass.
fn check_identifier(what: &str, name: &str) -> Result<(), StoreError> {
    let starts_well = name.starts_with(|c: char| c == '_' || c.is_ascii_lowercase());
    let is_plain = |c: char| c == '_' || c.is_ascii_lowercase() || c.is_ascii_digit();
    if starts_well && name.chars().all(is_plain) && name.len() <= IDENTIFIER_BYTES_MAX {
        return Ok(());
    }
    let rule = "is not 1 to 63 of a-z, 0-9 and _ with no digit first";
    Err(StoreError::invalid(format!("{what} {name:?} {rule}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_identifiers_pass() {
        let with = |schema: &str| PgOptions { schema: schema.to_owned(), ..PgOptions::default() };
        for good in ["a", "_", "tenant_7", "user", &"x".repeat(63)] {
            assert!(with(good).check().is_ok(), "{good:?}");
        }
        for bad in ["", "7a", "A", "a-b", "a\"b", "a.b", "a;", "ä", "a b", &"x".repeat(64)] {
            assert!(matches!(with(bad).check(), Err(StoreError::Invalid(_))), "{bad:?}");
        }
    }
}
