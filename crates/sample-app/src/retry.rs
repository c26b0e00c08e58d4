//! Patience with a store that is not reachable at this moment.

use std::error::Error;
use std::time::Duration;

use highwater::StoreError;
use tokio::time::{Instant, sleep};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

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
    let mut pause = FIRST_PAUSE;
    loop {
        match request().await {
            Err(error) if error.is_transient() && Instant::now() + pause < deadline => {
                let cause = error.source().map(ToString::to_string).unwrap_or_default();
                tracing::warn!(cause, "{error}, trying again in {pause:?}");
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            outcome => return outcome,
        }
    }
}
