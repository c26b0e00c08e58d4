//! Patience with a store that is not reachable at this moment.

use std::error::Error;
use std::time::Duration;

use highwater::{Backoff, StoreError};
use tokio::time::{Instant, sleep};

const BACKOFF: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));

/// Repeats `request` until it succeeds, fails for good, or `patience` is over.
///
/// Only for what may safely be carried out twice: after a lost answer it is.
pub(crate) async fn patiently<T, F>(
    patience: Duration,
    mut request: impl FnMut() -> F,
) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let deadline = Instant::now() + patience;
    let mut failures = 0;
    loop {
        failures += 1;
        let pause = BACKOFF.draw(failures);
        match request().await {
            Err(error) if error.is_transient() && Instant::now() + pause < deadline => {
                let cause = error.source().map(ToString::to_string).unwrap_or_default();
                tracing::warn!(cause, "{error}, trying again in {pause:?}");
                sleep(pause).await;
            }
            outcome => return outcome,
        }
    }
}
