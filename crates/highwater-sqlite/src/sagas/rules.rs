//! What becomes of a saga; touches no database.

use std::time::Duration;

use chrono::{DateTime, Utc};
use highwater_core::{
    ClaimedSaga, Due, NewSaga, Owner, SagaProgress, SagaRecord, SagaRequest, SagaState,
    SagaTransition, Signal, StoreError,
};

use crate::projections::leases::TTL_MAX;

/// A row; times are in microseconds since 1970.
#[derive(Debug, Clone)]
pub(crate) struct Saga {
    pub(crate) record: SagaRecord,
    pub(crate) due: Option<i64>,
    pub(crate) timer: Option<i64>,
    pub(crate) deadline: Option<i64>,
}

impl Saga {
    /// A saga that begins `now`, under a lease if somebody takes it up at once.
    pub(crate) fn new(saga: &NewSaga, now: i64) -> Self {
        let at = by_calendar(now);
        let record = SagaRecord {
            id: saga.id.clone(),
            correlation_id: saga.correlation_id.clone(),
            name: saga.name.clone(),
            version: saga.version,
            plan: saga.plan.clone(),
            input: saga.input.clone(),
            progress: SagaProgress::new(saga.input.clone()),
            request: None,
            revision: 0,
            epoch: 0,
            owner: None,
            due_at: None,
            started_at: at,
            last_updated: at,
            completed_at: None,
        };
        let deadline = saga.deadline.map(|left| after(now, left));
        let mut created = Self { record, due: None, timer: None, deadline };
        created.schedule(Some(now));
        if let Some((owner, ttl)) = &saga.claimed_by {
            created.claim(owner, *ttl, now);
        }
        created
    }

    /// Gives out the saga under a new lease; returns who had the one before and never gave
    /// it back.
    pub(crate) fn claim(&mut self, owner: &Owner, ttl: Duration, now: i64) -> Option<Owner> {
        let saga = &mut self.record;
        let taken_from = saga.owner.replace(owner.clone());
        saga.epoch += 1;
        if saga.progress.state == SagaState::NotStarted {
            saga.progress.state = SagaState::Running;
        }
        self.schedule(Some(after(now, ttl)));
        taken_from
    }

    /// The claimed saga, with what is left of its times.
    pub(crate) fn claimed(
        &self,
        taken_from: Option<Owner>,
        signal: Option<Signal>,
        now: i64,
    ) -> ClaimedSaga {
        let left = |end: i64| Duration::from_micros(u64::try_from(end - now).unwrap_or(0));
        let (timer, deadline) = (self.timer.map(left), self.deadline.map(left));
        ClaimedSaga { record: self.record.clone(), taken_from, timer, deadline, signal }
    }

    /// Moves the saga on; `has_signal` says whether what it now waits for is there.
    pub(crate) fn make(&mut self, made: &SagaTransition, has_signal: bool, now: i64) {
        self.timer = made.timer.map(|left| after(now, left));
        made.apply(&mut self.record, by_calendar(now));
        let deadline = self.deadline.filter(|_| !made.progress.is_unwinding);
        self.schedule(match made.due {
            Due::Held(ttl) => Some(after(now, ttl)),
            Due::Now => Some(now),
            Due::OnTimer if has_signal => Some(now),
            Due::OnTimer => [self.timer, deadline].into_iter().flatten().min(),
            Due::OnRequest => None,
        });
    }

    /// Asks for something, and makes the saga due unless somebody holds its lease.
    pub(crate) fn ask(&mut self, request: SagaRequest, now: i64) -> Result<(), StoreError> {
        let saga = &mut self.record;
        let (state, pending) = (saga.progress.state, saga.request);
        let Some(admitted) = request.admitted(state, saga.progress.is_unwinding, pending) else {
            return Err(StoreError::SagaRequestRefused {
                id: saga.id.clone(),
                request,
                state,
                pending,
            });
        };
        saga.request = admitted;
        saga.last_updated = by_calendar(now);
        if saga.owner.is_none() {
            self.schedule(Some(self.due.map_or(now, |due| due.min(now))));
        }
        Ok(())
    }

    /// Tells whether it can be claimed at once.
    pub(crate) fn is_due(&self, now: i64) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    fn schedule(&mut self, due: Option<i64>) {
        self.due = due;
        self.record.due_at = due.map(by_calendar);
    }
}

pub(crate) fn after(now: i64, left: Duration) -> i64 {
    now + i64::try_from(left.as_micros()).unwrap_or(TTL_MAX).min(TTL_MAX)
}

/// No time of this store is beyond the calendar: each is at most a lease away from now.
pub(crate) fn by_calendar(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::<Utc>::MAX_UTC)
}
