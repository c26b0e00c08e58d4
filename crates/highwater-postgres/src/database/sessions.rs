//! Refuses a pooler that gives a client another session for each transaction or statement.

use highwater_core::StoreError;
use sqlx::postgres::PgPool;
use sqlx::{ConnectOptions, Connection, PgConnection, Row};
use tokio::time::{Duration, timeout};

use super::error::store_error;

/// Number of times that both connections are asked. A busy pooler may by chance give each the same
/// session twice, but not so often.
const ROUNDS: usize = 10;

const REFUSED: &str = "statements of one connection reach several sessions of the server, as \
    behind a pooler in transaction or statement mode, where those of different clients get mixed \
    up: connect to the server itself, or to a pooler in session mode";

/// Fails with `Misconfigured` unless each connection has a session of its own.
///
/// The driver prepares a statement in one round trip and runs it in another. Where the session
/// changes in between, the statement that runs is the one that another client has prepared there
/// under the same name: not an error, but somebody else's rows deleted.
pub(crate) async fn check(pool: &PgPool, within: Duration) -> Result<(), StoreError> {
    let checked = timeout(within, look(pool)).await;
    let is_apart = checked.map_err(|late| StoreError::Unavailable(late.into()))?;
    if is_apart.map_err(store_error)? {
        return Ok(());
    }
    Err(StoreError::Misconfigured(REFUSED.into()))
}

/// Tells whether two connections have two sessions, which do not change.
async fn look(pool: &PgPool) -> Result<bool, sqlx::Error> {
    let options = pool.connect_options();
    let (mut one, mut other) = (options.connect().await?, options.connect().await?);
    let mut is_apart = true;
    let first = session(&mut one).await?;
    for _ in 0..ROUNDS {
        is_apart &= session(&mut other).await? != first && session(&mut one).await? == first;
    }
    one.close().await?;
    other.close().await?;
    Ok(is_apart)
}

/// The session that answers, asked in a way that needs no statement to be prepared.
async fn session(conn: &mut PgConnection) -> Result<i32, sqlx::Error> {
    sqlx::raw_sql("select pg_backend_pid()").fetch_one(conn).await?.try_get(0)
}
