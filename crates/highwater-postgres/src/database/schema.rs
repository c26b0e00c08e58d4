//! Creates the schema and brings it up to date.

use highwater_core::StoreError;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, PgPool, Row};

use super::error::store_error;
use super::statements::name_tables;
use crate::options::PgOptions;

const MIGRATIONS: [(&str, &str); 4] = [
    ("events", include_str!("../../migrations/0001_events.sql")),
    ("append", include_str!("../../migrations/0002_append.sql")),
    ("projections", include_str!("../../migrations/0003_projections.sql")),
    ("sagas", include_str!("../../migrations/0004_sagas.sql")),
];

/// Makes what is missing; any number of processes may start at once.
///
/// The lock is the transaction's, for a session's would stay behind in a transaction pooler.
pub(crate) async fn migrate(pool: &PgPool, options: &PgOptions) -> Result<(), StoreError> {
    let (schema, migrator) = (&options.schema, migrator(options));
    if is_up_to_date(pool, &migrator).await.map_err(store_error)? {
        return Ok(());
    }
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
    migrator.run_direct(None, &mut *tx, false).await.map_err(store_error)?;
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

/// Refuses a database that cannot hold every text, or whose transactions do not see what was
/// committed while they waited.
pub(crate) async fn check_settings(pool: &PgPool, options: &PgOptions) -> Result<(), StoreError> {
    let settings =
        sqlx::raw_sql(include_str!("../../sql/database/read_settings.sql")).fetch_one(pool).await;
    let settings = settings.map_err(store_error)?;
    let encoding: String = settings.try_get(0).map_err(store_error)?;
    if encoding != "UTF8" {
        let reason = format!(
            "the database is encoded in {encoding} and cannot hold every text: make one with \
             `create database … encoding 'UTF8' template template0`"
        );
        return Err(StoreError::Misconfigured(reason.into()));
    }
    let isolation: String = settings.try_get(1).map_err(store_error)?;
    refuse_isolation(&isolation)
        .map_err(|refused| StoreError::Misconfigured(refused.to_string().into()))?;
    let statement_timeout: i64 = settings.try_get(2).map_err(store_error)?;
    if (1..options.append_timeout.as_millis()).contains(&statement_timeout.unsigned_abs().into()) {
        tracing::warn!(
            statement_timeout,
            "statements of this role end before `append_timeout`: what takes longer is unavailable"
        );
    }
    Ok(())
}

/// Tells whether every migration has been made, so that a role need not be allowed to make any.
async fn is_up_to_date(pool: &PgPool, migrator: &Migrator) -> Result<bool, sqlx::Error> {
    let table = &migrator.table_name;
    let exists = sqlx::query_scalar("select to_regclass($1) is not null").bind(&**table);
    if !exists.fetch_one(pool).await? {
        return Ok(false);
    }
    let made = AssertSqlSafe(format!("select version, checksum from {table} where success"));
    let made: Vec<(i64, Vec<u8>)> = sqlx::query_as(made).fetch_all(pool).await?;
    let is_made = |wanted: &Migration| {
        made.iter().any(|(version, sum)| *version == wanted.version && **sum == *wanted.checksum)
    };
    Ok(migrator.iter().all(is_made) && made.len() == migrator.iter().count())
}

/// Appending needs the isolation in which each statement sees all that was committed before it.
pub(crate) fn refuse_isolation(isolation: &str) -> Result<(), StoreError> {
    if isolation == "read committed" {
        return Ok(());
    }
    let reason = format!("appending needs the isolation level read committed, not {isolation}");
    Err(StoreError::invalid(reason))
}
