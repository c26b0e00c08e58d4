//! The lease on a saga in flight.

use std::time::Duration;

use highwater_core::{SagaLease, StoreError};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::engine::Engine;

/// Renewals within the time to live of a lease, so that one or two may fail.
const RENEWALS: u32 = 3;

/// A lease, and until when it surely holds.
///
/// The time to live counts from before each request was sent: this side's idea of when the
/// lease expires is never later than the store's.
#[derive(Debug)]
pub(crate) struct LeaseKeeper {
    pub(crate) lease: SagaLease,
    ttl: Duration,
    expires_at: Instant,
}

impl LeaseKeeper {
    /// A lease that was asked for at `asked_at`.
    pub(crate) fn new(lease: SagaLease, ttl: Duration, asked_at: Instant) -> Self {
        Self { lease, ttl, expires_at: asked_at + ttl }
    }

    /// Says that the lease was extended by a request that was sent at `asked_at`.
    pub(crate) fn extended(&mut self, asked_at: Instant) {
        self.expires_at = asked_at + self.ttl;
    }

    pub(crate) fn expires_at(&self) -> Instant {
        self.expires_at
    }

    pub(crate) fn has_expired(&self) -> bool {
        Instant::now() >= self.expires_at
    }

    /// Renews the lease again and again; returns once it is lost.
    pub(crate) async fn keep(&mut self, engine: &Engine) {
        // Some of its time may be over: whoever asked for it may have waited for the answer.
        let mut renew_at = self.expires_at - self.ttl / RENEWALS * (RENEWALS - 1);
        loop {
            sleep_until(renew_at.min(self.expires_at)).await;
            let asked_at = Instant::now();
            renew_at = asked_at + self.ttl / RENEWALS;
            let renewal = engine.writer.renew(self.lease.clone());
            match timeout_at(self.expires_at, renewal).await {
                Ok(Ok(())) => self.extended(asked_at),
                Ok(Err(StoreError::SagaLeaseLost { .. } | StoreError::SagaUnknown { .. })) => {
                    return;
                }
                Ok(Err(error)) => {
                    tracing::debug!(saga = %self.lease.id, %error, "the lease was not renewed");
                    if self.has_expired() {
                        return;
                    }
                }
                Err(_elapsed) => return,
            }
        }
    }
}
