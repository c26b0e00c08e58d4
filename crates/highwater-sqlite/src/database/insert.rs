//! Inserts of many rows in few statements.

use std::sync::Arc;

use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, Sqlite, SqliteConnection};

/// A statement on its way to the database.
pub(crate) type Statement = Query<'static, Sqlite, SqliteArguments>;

/// The largest insert has two to this power rows.
const POWER_MAX: u32 = 8;

/// An insert of any number of rows, made of inserts of 1, 2, 4, … 256 of them.
///
/// These few statements stay prepared, which a statement of every length would not. Rows for
/// which there are no parameters are null, and left out.
pub(crate) struct Insert(Vec<Arc<str>>);

impl Insert {
    /// Inserts into `table`; `row` has one row's parameters, the first of which is never null,
    /// `tail` is what follows the rows.
    pub(crate) fn new(table: &str, row: &str, tail: &str) -> Self {
        let statement = |power: u32| {
            let rows = vec![row; 1_usize << power].join(", ");
            format!(
                "insert into {table} select * from (values {rows}) where column1 is not null {tail}"
            )
        };
        Self((0..=POWER_MAX).map(|power| statement(power).into()).collect())
    }

    /// Inserts `rows`; `bind` gives a row's parameters, in order.
    pub(crate) async fn run<T>(
        &self,
        conn: &mut SqliteConnection,
        rows: &[T],
        bind: impl Fn(Statement, &T) -> Statement,
    ) -> Result<(), sqlx::Error> {
        for rows in rows.chunks(1 << POWER_MAX) {
            let power = rows.len().next_power_of_two().ilog2() as usize;
            let sql = AssertSqlSafe(Arc::clone(&self.0[power]));
            rows.iter().fold(sqlx::query(sql), &bind).execute(&mut *conn).await?;
        }
        Ok(())
    }
}
