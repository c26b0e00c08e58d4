//! The one reader of the end of the log.

use std::sync::Arc;
use std::time::Duration;

use highwater_core::{EventStore, Offset, Source, Wake};
use tokio::time::sleep;

use super::report::Counters;
use super::subscription::{PAGE_MAX, page_after};
use super::topics::Topics;

/// Time to wait after the store has failed.
const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);

/// Reads the log behind `start` and hands each event to its followers, until there are none.
pub(super) async fn tail(
    log: Arc<dyn EventStore>,
    topics: Arc<Topics>,
    counters: Arc<Counters>,
    start: (Option<Offset>, Wake),
) {
    let (mut after, mut wake) = start;
    let (mut retry_in, mut page_size) = (RETRY_MIN, PAGE_MAX);
    counters.log_read_to(after);
    loop {
        match log.read(&Source::All, &[], after, page_size).await {
            Ok(page) => {
                after = page.scanned_to.max(after);
                counters.log_read_to(after);
                retry_in = RETRY_MIN;
                page_size = page_after(&page.events, page_size);
                if !topics.publish(&page.events) {
                    return;
                }
                if page.is_end {
                    wake.grown().await;
                }
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the log is not readable");
                sleep(retry_in).await;
                retry_in = next_retry(retry_in);
            }
        }
    }
}

/// The wait after one more failure.
pub(super) fn next_retry(last: Duration) -> Duration {
    (last * 2).clamp(RETRY_MIN, RETRY_MAX)
}
