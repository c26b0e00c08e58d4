//! How long failures of the store are borne.

use std::time::Duration;

use highwater_core::StoreError;

use crate::options::ProjectionOptions;

/// Counts failures of the store in a row, which are blamed on no event.
#[derive(Debug)]
pub(crate) struct FailureBudget<'a> {
    options: &'a ProjectionOptions,
    failures: u32,
}

/// Consequence of a failure of the store.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Try again after this long.
    Wait(Duration),
    /// It was one too many.
    GiveUp(StoreError),
}

impl<'a> FailureBudget<'a> {
    pub(crate) fn new(options: &'a ProjectionOptions) -> Self {
        Self { options, failures: 0 }
    }

    /// The store has answered as it should.
    pub(crate) fn restore(&mut self) {
        self.failures = 0;
    }

    /// The store has failed with `error`.
    pub(crate) fn on_failure(&mut self, error: StoreError) -> Verdict {
        self.failures = self.failures.saturating_add(1);
        if self.options.max_poll_failures.is_some_and(|max| self.failures >= max) {
            return Verdict::GiveUp(error);
        }
        Verdict::Wait(self.options.poll_backoff.draw(self.failures))
    }

    /// Tells whether operators should hear of it: one failure that passes is not worth their time.
    pub(crate) fn is_low(&self) -> bool {
        self.failures > 2
    }
}
