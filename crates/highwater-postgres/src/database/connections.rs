//! A connection that is kept apart from the pool.

use sqlx::Connection;
use sqlx::postgres::{PgConnection, PgPool};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::pool::{ANSWER_TIMEOUT, FRESH, answers};

/// The connection of calls that take turns anyway, so that they do not take turns with others.
///
/// It is always the same one, whose statements the server has planned and whose memory is warm;
/// the pool hands out the one that has been idle for longest. `None` until the first call, after
/// an error, and while a call is under way: one that is dropped takes its connection with it. One
/// that was idle for long is asked for an answer first.
#[derive(Debug, Default)]
pub(crate) struct DedicatedConnection(Mutex<Option<(PgConnection, Instant)>>);

impl DedicatedConnection {
    /// Does `work` on the connection, which is made by `pool` when there is none.
    pub(crate) async fn with<T>(
        &self,
        pool: &PgPool,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        let mut held = self.0.lock().await;
        let mut alive = None;
        if let Some((mut conn, used)) = held.take()
            && (used.elapsed() < FRESH || answers(&mut conn).await)
        {
            alive = Some(conn);
        }
        let mut conn = match alive {
            Some(conn) => conn,
            // Whoever has all of the pool's connections must not keep this one from being made.
            None if is_taken(pool) => PgConnection::connect_with(&pool.connect_options()).await?,
            // Made by the pool, with whatever users have it do with new connections.
            None => pool.acquire().await?.detach(),
        };
        let done = work(&mut conn).await?;
        *held = Some((conn, Instant::now()));
        Ok(done)
    }

    /// Closes the connection, once the call that is under way has ended.
    pub(crate) async fn close(&self) {
        if let Some((conn, _)) = self.0.lock().await.take() {
            // One that does not take its leave in time is dropped.
            match timeout(ANSWER_TIMEOUT, conn.close()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, "a connection was lost at its end"),
                Err(late) => tracing::debug!(error = %late, "a connection was lost at its end"),
            }
        }
    }
}

/// Tells whether the pool has neither a connection to give away nor room for another.
fn is_taken(pool: &PgPool) -> bool {
    pool.num_idle() == 0 && pool.size() >= pool.options().get_max_connections()
}
