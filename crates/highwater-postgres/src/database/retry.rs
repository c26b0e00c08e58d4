//! Tries again what a lost connection has interrupted.

use std::future::Future;
use std::time::Duration;

use highwater_core::StoreError;
use tokio::time::{Instant, sleep, timeout_at};

use super::error::store_error;

const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// The most of its time that an attempt leaves to the next one: its connection may be dead
/// without a word, and another one be alive.
const LEFT_OVER_MAX: Duration = Duration::from_secs(2);

/// Attempts it until it succeeds, fails for good, or `deadline` is near.
///
/// Each attempt is told when it must have ended. Only for what may be done twice: the answer to an
/// attempt that succeeded can be lost.
pub(crate) async fn until<T, F>(
    deadline: Instant,
    attempt: impl Fn(Instant) -> F,
) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, sqlx::Error>>,
{
    let mut pause = FIRST_PAUSE;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let end = deadline - LEFT_OVER_MAX.min(left / 4);
        let error = match timeout_at(end, attempt(end)).await {
            Ok(Ok(done)) => return Ok(done),
            // A pool that has been closed stays closed.
            Ok(Err(error @ sqlx::Error::PoolClosed)) => return Err(store_error(error)),
            Ok(Err(error)) => store_error(error),
            Err(elapsed) => StoreError::Unavailable(Box::new(elapsed)),
        };
        if !error.is_transient() || Instant::now() + pause >= deadline {
            return Err(error);
        }
        sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}
