//! Transitions: how a saga moves on, and how a store judges whether it may.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{SagaLease, SagaProgress, SagaRecord, SagaRequest};
use crate::error::StoreError;
use crate::events::{EventId, StreamAppend};
use crate::name::SignalKey;

/// One move of a saga, made whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SagaTransition {
    /// The right to make it.
    pub lease: SagaLease,
    /// The revision that it starts from; the saga is at the next one afterwards.
    pub revision: u64,
    /// The pending request that it takes into account, and clears.
    pub request: Option<SagaRequest>,
    /// Where it leads.
    pub progress: SagaProgress,
    /// A timer that runs from now on; `None` removes the one there was.
    pub timer: Option<Duration>,
    /// When the saga can next be claimed.
    pub due: Due,
    /// The signal that it has used up.
    pub consumes: Option<EventId>,
    /// The keys of signals for which it no longer comes, of a saga that ends.
    pub closes: Vec<SignalKey>,
    /// Events to append in the same transaction.
    pub appends: Vec<StreamAppend>,
}

/// When a saga can next be claimed, other than by the request or signal that makes it due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// When the lease, which its holder keeps for this long from now, has ended.
    Held(Duration),
    /// At once; the lease is given back.
    Now,
    /// When its timer runs out, or its deadline unless it is unwinding; the lease is given back.
    OnTimer,
    /// Only on request; the lease is given back.
    OnRequest,
}

/// The answer to a transition that was not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SagaRecorded {
    /// It was made at this time by the store's clock; or it had been made, this was its
    /// repetition, and this is when the saga changed last.
    Written(DateTime<Utc>),
    /// It was not made: the saga has been asked something, or a request was withdrawn, that the
    /// transition does not take into account. This is what is pending now.
    Requested(Option<SagaRequest>),
}

/// Verdict of a store on a transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SagaVerdict {
    /// Make it.
    Write,
    /// Answer this, and change nothing.
    Answer(SagaRecorded),
}

impl SagaTransition {
    /// Returns what to do with the transition, given the saga as it stands.
    ///
    /// For backends: the one rule that keeps a zombie from changing anything. Fails with
    /// `SagaLeaseLost` when the lease is not the latest or was given back. A repetition of the
    /// transition that was made last is harmless, whether or not it gave the lease back.
    pub fn judge(&self, saga: &SagaRecord) -> Result<SagaVerdict, StoreError> {
        let is_latest = saga.epoch == self.lease.epoch;
        if is_latest && saga.revision == self.revision + 1 {
            return Ok(SagaVerdict::Answer(SagaRecorded::Written(saga.last_updated)));
        }
        let is_held = is_latest && saga.owner.as_ref() == Some(&self.lease.owner);
        if !is_held || saga.revision != self.revision {
            let (id, epoch) = (self.lease.id.clone(), self.lease.epoch);
            return Err(StoreError::SagaLeaseLost { id, epoch });
        }
        if saga.request != self.request {
            return Ok(SagaVerdict::Answer(SagaRecorded::Requested(saga.request)));
        }
        Ok(SagaVerdict::Write)
    }

    /// Has the saga moved on, at this time by the store's clock, once [`judge`](Self::judge) says
    /// that it may; `due_at` is left as it was, for only the store knows when it is due next.
    pub fn apply(&self, saga: &mut SagaRecord, at: DateTime<Utc>) {
        saga.progress.clone_from(&self.progress);
        saga.request = None;
        saga.revision += 1;
        saga.last_updated = at;
        saga.completed_at = saga.progress.state.is_final().then_some(at);
        if !matches!(self.due, Due::Held(_)) {
            saga.owner = None;
        }
    }
}
