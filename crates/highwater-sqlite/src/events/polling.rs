//! Notices what other processes append to the file.

use std::time::Duration;

use highwater_core::backend::Bell;
use highwater_core::{Position, Source, StoreError};
use sqlx::SqlitePool;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::read;
use crate::database::error::store_error;

/// Rings `bell` within `interval` after the log has grown, until the set is dropped.
pub(crate) fn spawn(readers: SqlitePool, bell: Bell, interval: Duration) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !readers.is_closed() {
            ticks.tick().await;
            match head(&readers).await {
                Ok(head) => bell.ring(head),
                // Closed while it was looking; nobody waits for appends any more.
                Err(_) if readers.is_closed() => return,
                Err(error) => tracing::warn!(%error, "cannot look for appends of other processes"),
            }
        }
    });
    tasks
}

async fn head(readers: &SqlitePool) -> Result<Option<Position>, StoreError> {
    let mut conn = readers.acquire().await.map_err(store_error)?;
    let head = read::head(&mut conn, &Source::All).await?;
    Ok(head.map(|offset| Position::new(offset.get())))
}
