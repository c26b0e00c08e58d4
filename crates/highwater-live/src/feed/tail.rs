//! The one reader of the end of the log.

use std::sync::Arc;
use std::time::Duration;

use highwater_core::{Backoff, EventStore, Offset, Source, Wake};
use tokio::time::sleep;

use super::report::Counters;
use super::subscription::{PAGE_MAX, page_after};
use super::topics::Topics;

/// The waits while the store fails.
pub(super) const STORE_RETRY: Backoff =
    Backoff::new(Duration::from_millis(100), Duration::from_secs(5));

/// Reads the log behind `start` and hands each event to its followers, until there are none.
pub(super) async fn tail(
    log: Arc<dyn EventStore>,
    topics: Arc<Topics>,
    counters: Arc<Counters>,
    start: (Option<Offset>, Wake),
) {
    let (mut after, mut wake) = start;
    let (mut failures, mut page_size) = (0_u32, PAGE_MAX);
    counters.log_read_to(after);
    loop {
        match log.read(&Source::All, &[], after, page_size).await {
            Ok(page) => {
                after = page.scanned_to.max(after);
                counters.log_read_to(after);
                failures = 0;
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
                failures = failures.saturating_add(1);
                sleep(STORE_RETRY.draw(failures)).await;
            }
        }
    }
}
