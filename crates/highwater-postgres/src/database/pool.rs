//! Pools whose connections are alive, and in no transaction, when they are handed out.

use std::time::Duration;

use sqlx::Connection;
use sqlx::postgres::{PgConnection, PgPoolOptions};
use tokio::time::timeout;

use crate::options::PgOptions;

/// By when a connection that is asked whether it is alive must have answered. Packets that are
/// dropped without a word would otherwise keep it, and its place in the pool, for ever.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// For so long after its last answer a connection is taken to be alive.
pub(crate) const FRESH: Duration = Duration::from_secs(1);

/// Returns what a pool must do for its connections to be fit for a store.
pub(crate) fn options(options: &PgOptions) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(options.max_connections)
        .acquire_timeout(options.call_timeout)
        // An append or a batch finds a broken connection out by itself; asking each time costs as
        // much as a short query.
        .test_before_acquire(false)
        .before_acquire(|conn, used| {
            Box::pin(async move { Ok(used.idle_for < FRESH || answers(conn).await) })
        })
        .after_release(|conn, _| Box::pin(is_clean(conn)))
}

/// Tells whether the connection is alive.
pub(crate) async fn answers(conn: &mut PgConnection) -> bool {
    matches!(timeout(ANSWER_TIMEOUT, conn.ping()).await, Ok(Ok(())))
}

/// Tells whether the connection is alive, and in no transaction; one that was begun and forgotten
/// is rolled back.
///
/// A begin that is dropped in the middle leaves a transaction that the driver does not know of:
/// whatever came next on the connection would be confirmed and never be committed. So an empty
/// statement is sent as if to begin one: that it fails shows that there is none.
async fn is_clean(conn: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let asked = timeout(ANSWER_TIMEOUT, async {
        match conn.begin_with("").await {
            Err(sqlx::Error::BeginFailed) => Ok(true),
            Ok(forgotten) => forgotten.rollback().await.map(|()| true),
            // The driver knows of a transaction that nobody ends any more.
            Err(sqlx::Error::InvalidSavePointStatement) => Ok(false),
            Err(error) => Err(error),
        }
    });
    asked.await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}
