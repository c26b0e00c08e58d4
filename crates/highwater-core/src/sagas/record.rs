//! Sagas as a store keeps them, and who may move them on.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{SagaRequest, SagaState, Signal, StepOutcome, StepRecord};
use crate::events::{Payload, StreamAppend};
use crate::name::{CorrelationId, SagaId, SagaName, SignalKey};
use crate::projections::Owner;

/// A saga as it stands in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SagaRecord {
    /// Its identity.
    pub id: SagaId,
    /// The business process that it belongs to.
    pub correlation_id: CorrelationId,
    /// Kind of saga.
    pub name: SagaName,
    /// The version of its definition; it keeps the one that it began with.
    pub version: u32,
    /// The names of its steps, in order, as they were when it began.
    pub plan: Vec<String>,
    /// Input that it was started with.
    pub input: Payload,
    /// Progress so far.
    pub progress: SagaProgress,
    /// Request that it has yet to do.
    pub request: Option<SagaRequest>,
    /// Transitions so far.
    pub revision: u64,
    /// The epoch of the latest lease; 0 before the first.
    pub epoch: u64,
    /// Who holds the lease, or held it last and never gave it back.
    pub owner: Option<Owner>,
    /// When it can next be claimed, by the store's clock: the end of the lease, of a timer, or of
    /// the deadline. `None` while it waits for a request or a signal alone, or is final.
    pub due_at: Option<DateTime<Utc>>,
    /// When it was created, by the store's clock.
    pub started_at: DateTime<Utc>,
    /// When it was created, last moved or was last asked something, by the store's clock.
    pub last_updated: DateTime<Utc>,
    /// When it reached a final state, by the store's clock.
    pub completed_at: Option<DateTime<Utc>>,
}

/// Progress of a saga: all that a transition replaces as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SagaProgress {
    /// Where it stands.
    pub state: SagaState,
    /// True when it has given up: a pause keeps this, so that a resume knows the way.
    pub is_unwinding: bool,
    /// The index of the step that is next, or under way; the number of steps once it completed.
    pub current_step: u32,
    /// The steps that it has come to, in order.
    pub steps: Vec<StepRecord>,
    /// The user's state, as the last step that finished left it.
    pub data: Payload,
    /// Reason why it gave up, rests, or tries again.
    pub error: Option<String>,
    /// Key of the signal that it waits for.
    pub waiting_for: Option<SignalKey>,
}

impl SagaProgress {
    /// A saga that has yet to begin, with the user's state at the outset.
    #[must_use]
    pub fn new(data: Payload) -> Self {
        Self {
            state: SagaState::NotStarted,
            is_unwinding: false,
            current_step: 0,
            steps: Vec::new(),
            data,
            error: None,
            waiting_for: None,
        }
    }

    /// Number of steps that have finished and not been compensated.
    #[must_use]
    pub fn completed_steps(&self) -> usize {
        self.steps.iter().filter(|step| step.outcome == StepOutcome::Completed).count()
    }
}

impl SagaRecord {
    /// The name of the step that is next, or under way.
    #[must_use]
    pub fn current_step(&self) -> Option<&str> {
        let index = usize::try_from(self.progress.current_step).unwrap_or(usize::MAX);
        self.plan.get(index).map(String::as_str)
    }

    /// Reason why a process that has registered these kinds and versions cannot run it, if it
    /// cannot.
    #[must_use]
    pub fn obstacle(&self, registered: &[(SagaName, u32)]) -> Option<String> {
        let Self { name, version, .. } = self;
        let is_known = registered.iter().any(|known| known == &(name.clone(), *version));
        (!is_known && !self.progress.state.is_final()).then(|| {
            format!("version {version} of saga {name:?} is not registered in this process")
        })
    }

    /// The latest lease, while somebody has it.
    #[must_use]
    pub fn lease(&self) -> Option<SagaLease> {
        let owner = self.owner.clone()?;
        Some(SagaLease { id: self.id.clone(), owner, epoch: self.epoch })
    }
}

/// A saga to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSaga {
    /// Its identity.
    pub id: SagaId,
    /// The business process that it belongs to.
    pub correlation_id: CorrelationId,
    /// Kind of saga.
    pub name: SagaName,
    /// The version of its definition.
    pub version: u32,
    /// The names of its steps, in order.
    pub plan: Vec<String>,
    /// The user's state at the outset.
    pub input: Payload,
    /// Time that it may take before it is made to give up.
    pub deadline: Option<Duration>,
    /// Who takes it up at once, under a lease of this long; nobody, and anyone can claim it.
    pub claimed_by: Option<(Owner, Duration)>,
    /// Events to append in the same transaction.
    pub appends: Vec<StreamAppend>,
}

/// The answer to creating a saga.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedSaga {
    /// The saga as it now stands.
    pub record: SagaRecord,
    /// True when it was created just now; otherwise it had been, and nothing was changed.
    pub is_new: bool,
}

/// Who asks for sagas to run, and which ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SagaClaim {
    /// Who asks.
    pub owner: Owner,
    /// Time that the leases last.
    pub ttl: Duration,
    /// Number of sagas at most.
    pub limit: usize,
    /// Number of bytes of [states and inputs](SagaRecord::bytes) at most; the first saga is given
    /// out though it has more.
    pub max_bytes: usize,
    /// The kinds and versions that the owner can run.
    pub definitions: Vec<(SagaName, u32)>,
}

/// A saga that somebody has claimed, with what only the store can tell about its times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedSaga {
    /// The saga under its new lease; one that was not started is `Running`.
    pub record: SagaRecord,
    /// Who had the lease before and never gave it back: the current step may have been begun.
    pub taken_from: Option<Owner>,
    /// Rest of the timer; zero once it has run out, `None` when none was set.
    pub timer: Option<Duration>,
    /// Rest of the time it may take; zero once that has run out.
    pub deadline: Option<Duration>,
    /// The oldest signal that it waits for, once there is one; it is this saga's from now on.
    pub signal: Option<Signal>,
}

/// The right to move one saga on, until it expires and somebody else takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SagaLease {
    /// The saga.
    pub id: SagaId,
    /// Who holds it.
    pub owner: Owner,
    /// Increases with every claim; a transition under an older epoch is refused.
    pub epoch: u64,
}
