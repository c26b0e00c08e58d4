//! Every statement of the store, with the names of its tables filled in.

use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Postgres, SqlSafeStr, SqlStr};

use crate::options::PgOptions;

macro_rules! statements {
    ($($room:ident { $($name:ident)* })*) => {
        /// The texts of `sql/`, made once for each store.
        #[derive(Debug)]
        pub(crate) struct Statements {
            $($(pub(crate) $name: SqlStr,)*)*
            /// Begins the transaction of a batch.
            pub(crate) begin: SqlStr,
            is_cached: bool,
        }

        impl Statements {
            pub(crate) fn new(options: &PgOptions) -> Self {
                Self {
                    $($($name: name_tables(
                        include_str!(concat!(
                            "../../sql/",
                            stringify!($room),
                            "/",
                            stringify!($name),
                            ".sql"
                        )),
                        options,
                    ),)*)*
                    begin: begin(options),
                    is_cached: options.statement_cache_capacity > 0,
                }
            }
        }
    };
}

statements! {
    projections {
        acquire_lease clear_documents count_dead_letters delete_checkpoint delete_documents
        list_checkpoints list_dead_letters note_attempt read_checkpoint read_documents
        rebase_checkpoint rebuild_checkpoint record_error release_lease renew_lease
        request_rebuild reset_checkpoint save_checkpoint save_with_letters scan_documents
        write_documents
    }
    events {
        append_event append_events append_to_stream find_events join_transaction notify_append
        probe_append read_all read_clock read_head read_large read_stream read_stream_head
        scan_all scan_stream
    }
    sagas {
        claim_sagas count_sagas create_saga create_sagas deliver_signal find_sagas record_saga
        record_sagas renew_sagas request_saga search_sagas
    }
}

impl Statements {
    /// A query of one of these texts.
    pub(crate) fn query<'q>(&self, sql: &SqlStr) -> Query<'q, Postgres, PgArguments> {
        sqlx::query(sql.clone()).persistent(self.is_cached)
    }
}

/// Puts the schema and the table of checkpoints in place of their default names.
///
/// Nothing relies on `search_path`: it is not ours in users' transactions, nor behind a pooler.
pub(crate) fn name_tables(sql: &'static str, options: &PgOptions) -> SqlStr {
    let PgOptions { schema, checkpoints_table, .. } = options;
    if schema == "highwater" && checkpoints_table == "projection_checkpoints" {
        return sql.into_sql_str();
    }
    let checkpoints = format!("\"{schema}\".\"{checkpoints_table}\"");
    let named = sql
        .replace("highwater.projection_checkpoints", &checkpoints)
        .replace("highwater.", &format!("\"{schema}\"."));
    // Safe: options are checked to hold plain identifiers before any statement is made.
    AssertSqlSafe(named).into_sql_str()
}

/// One round trip for all, and a batch that freezes cannot keep its locks.
fn begin(options: &PgOptions) -> SqlStr {
    let idle = options.idle_in_transaction_timeout.as_millis();
    let wait = options.call_timeout.as_millis();
    AssertSqlSafe(format!(
        "begin isolation level read committed; \
         set local idle_in_transaction_session_timeout = '{idle}ms'; \
         set local lock_timeout = '{wait}ms'"
    ))
    .into_sql_str()
}
