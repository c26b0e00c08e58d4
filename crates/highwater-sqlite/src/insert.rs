//! Inserts of many rows in few statements.

use std::sync::Arc;

use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, Sqlite, SqliteConnection};

/// A statement on its way to the database.
pub(crate) type Statement = Query<'static, Sqlite, SqliteArguments>;

/// The largest insert has two to this power rows.
const POWER_MAX: usize = 8;

/// An insert of any number of rows, made of inserts of 256, 128, … 2 and 1 of them.
///
/// These few statements stay prepared, which a statement of every length would not.
pub(crate) struct Insert(Vec<Arc<str>>);

impl Insert {
    /// `head` ends in `values`, `row` holds one row's parameters, `tail` is what follows the rows.
    pub(crate) fn new(head: &str, row: &str, tail: &str) -> Self {
        let statement =
            |power: usize| format!("{head} {} {tail}", vec![row; 1_usize << power].join(", "));
        Self((0..=POWER_MAX).map(|power| statement(power).into()).collect())
    }

    /// Inserts `rows`; `bind` gives a row's parameters, in order.
    pub(crate) async fn run<T>(
        &self,
        conn: &mut SqliteConnection,
        mut rows: &[T],
        bind: impl Fn(Statement, &T) -> Statement,
    ) -> Result<(), sqlx::Error> {
        while !rows.is_empty() {
            let power = POWER_MAX.min(rows.len().ilog2() as usize);
            let (now, later) = rows.split_at(1 << power);
            let sql = AssertSqlSafe(Arc::clone(&self.0[power]));
            now.iter().fold(sqlx::query(sql), &bind).execute(&mut *conn).await?;
            rows = later;
        }
        Ok(())
    }
}
