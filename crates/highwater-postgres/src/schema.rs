//! Creates the schema and brings it up to date.

use highwater_core::StoreError;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, PgPool};

use crate::PgOptions;
use crate::error::store_error;
use crate::statements::name_tables;

const MIGRATIONS: [(&str, &str); 4] = [
    ("events", include_str!("../migrations/0001_events.sql")),
    ("append", include_str!("../migrations/0002_append.sql")),
    ("projections", include_str!("../migrations/0003_projections.sql")),
    ("sagas", include_str!("../migrations/0004_sagas.sql")),
];

/// Makes what is missing; any number of processes may start at once.
///
/// The lock is the transaction's, for a session's would stay behind in a transaction pooler.
pub(crate) async fn migrate(pool: &PgPool, options: &PgOptions) -> Result<(), StoreError> {
    let schema = &options.schema;
    let mut tx = pool.begin().await.map_err(store_error)?;
    let lock = "select pg_advisory_xact_lock(hashtextextended($1, 0)) \
                where (select set_config('lock_timeout', '10min', true)) is not null";
    sqlx::query(lock).bind(schema).execute(&mut *tx).await.map_err(store_error)?;
    // Asked only now, for another process may have made it while this one waited for the lock.
    let is_missing: bool = sqlx::query_scalar("select to_regnamespace($1) is null")
        .bind(schema)
        .fetch_one(&mut *tx)
        .await
        .map_err(store_error)?;
    if is_missing {
        let create = AssertSqlSafe(format!("create schema \"{schema}\""));
        sqlx::raw_sql(create).execute(&mut *tx).await.map_err(store_error)?;
    }
    migrator(options).run_direct(None, &mut *tx, false).await.map_err(store_error)?;
    tx.commit().await.map_err(store_error)
}

fn migrator(options: &PgOptions) -> Migrator {
    let migrations = (1..).zip(MIGRATIONS).map(|(version, (name, sql))| {
        let sql = name_tables(sql, options);
        Migration::new(version, name.into(), MigrationType::Simple, sql, false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    migrator.set_locking(false);
    migrator.dangerous_set_table_name(format!("\"{}\".migrations", options.schema));
    migrator
}

/// Refuses a database whose transactions do not see what was committed while they waited.
pub(crate) async fn check_isolation(pool: &PgPool) -> Result<(), StoreError> {
    let isolation: String = sqlx::query_scalar("show default_transaction_isolation")
        .fetch_one(pool)
        .await
        .map_err(store_error)?;
    refuse_isolation(&isolation)
}

/// Appending needs the isolation in which each statement sees all that was committed before it.
pub(crate) fn refuse_isolation(isolation: &str) -> Result<(), StoreError> {
    if isolation == "read committed" {
        return Ok(());
    }
    let reason = format!("appending needs the isolation level read committed, not {isolation}");
    Err(StoreError::invalid(reason))
}
