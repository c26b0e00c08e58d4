//! Whether writes succeed at present.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::error::StoreError;
use crate::events::EventStore;
use crate::projections::{Health, Verdict};

/// Times that a success and a failure stand.
const FRESH: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(1));

/// Time that whoever asks waits for an answer.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Time that a write may take before it counts as failed.
const LIMIT: Duration = Duration::from_secs(10);

/// Asks a store now and then whether it takes writes; clones share the answers.
///
/// However many ask, one write is under way at a time. It goes on when nobody waits for it any
/// more, so that one which takes too long is found out and not begun again and again.
#[derive(Debug, Clone, Default)]
pub struct WriteProbe(Arc<watch::Sender<Probed>>);

/// What is known of the store.
#[derive(Debug, Default)]
struct Probed {
    begun: Option<Instant>,
    ended: Option<(Instant, Result<(), String>)>,
}

impl WriteProbe {
    /// Tells whether writes succeed, as far as can be told within two seconds.
    pub async fn check(&self, store: &Arc<dyn EventStore>) -> Verdict {
        self.begin(store);
        let mut probed = self.0.subscribe();
        let ended = timeout(PATIENCE, probed.wait_for(|probed| probed.begun.is_none())).await;
        drop(ended);
        self.0.borrow().judge()
    }

    /// Begins a write unless one is under way or was a moment ago.
    fn begin(&self, store: &Arc<dyn EventStore>) {
        let begins = self.0.send_if_modified(|probed| {
            let begins = probed.begun.is_none() && !probed.is_fresh();
            if begins {
                probed.begun = Some(Instant::now());
            }
            begins
        });
        if begins {
            let (store, under_way) = (Arc::clone(store), UnderWay(self.clone()));
            tokio::spawn(async move {
                let written = timeout(LIMIT, store.probe()).await;
                under_way.end(match written {
                    Ok(written) => written.map_err(|error| told(&error)),
                    Err(_) => Err(format!("it took longer than {LIMIT:?}")),
                });
            });
        }
    }
}

/// Returns what may be shown of the error; the rest is for the log.
fn told(error: &StoreError) -> String {
    tracing::warn!(error = std::error::Error::source(error), "a trial write failed: {error}");
    error.to_string()
}

/// A write that is under way; one that breaks off has failed.
struct UnderWay(WriteProbe);

impl UnderWay {
    fn end(&self, outcome: Result<(), String>) {
        self.0.0.send_modify(|probed| {
            *probed = Probed { begun: None, ended: Some((Instant::now(), outcome)) };
        });
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if self.0.0.borrow().begun.is_some() {
            self.end(Err("it broke off".to_owned()));
        }
    }
}

impl Probed {
    fn is_fresh(&self) -> bool {
        self.ended.as_ref().is_some_and(|(at, outcome)| {
            at.elapsed() < if outcome.is_ok() { FRESH.0 } else { FRESH.1 }
        })
    }

    /// A failure stands until a write succeeds.
    fn judge(&self) -> Verdict {
        let mut verdict = Verdict::default();
        if let Some((_, Err(error))) = &self.ended {
            verdict.add(Health::Unhealthy, || format!("no write succeeds: {error}"));
        } else if let Some(begun) = self.begun {
            let took = begun.elapsed().as_secs_f64();
            verdict.add(Health::Degraded, || format!("a write has been waiting for {took:.1} s"));
        }
        verdict
    }
}
