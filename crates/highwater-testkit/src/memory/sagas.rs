//! Sagas, the leases on them, and when they are due.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use highwater_core::{
    ClaimedSaga, CreatedSaga, Delivery, Due, NewSaga, OverdueSagas, Owner, PAGE_BYTES, PageBudget,
    SagaClaim, SagaCounts, SagaId, SagaLease, SagaName, SagaProgress, SagaQuery, SagaRecord,
    SagaRecorded, SagaRequest, SagaState, SagaTransition, SagaVerdict, Signal, SignalKey,
    StoreError,
};
use tokio::time::Instant;

use super::log::Log;
use super::signals::Signals;

#[derive(Debug, Default)]
pub(super) struct Sagas {
    rows: HashMap<SagaId, Row>,
    /// Every saga with a time at which it can be claimed, by that time.
    due: BTreeSet<(Instant, SagaId)>,
    signals: Signals,
    /// Who ended last of those that waited for a key, or would have.
    closed: HashMap<(SagaName, SignalKey), SagaId>,
}

#[derive(Debug)]
struct Row {
    record: SagaRecord,
    due: Option<Instant>,
    timer: Option<Instant>,
    deadline: Option<Instant>,
}

impl Sagas {
    pub(super) fn create(
        &mut self,
        log: &mut Log,
        saga: NewSaga,
    ) -> Result<CreatedSaga, StoreError> {
        if let Some(row) = self.rows.get(&saga.id) {
            let is_same = row.record.name == saga.name && row.record.input.same_value(&saga.input);
            if !is_same {
                return Err(StoreError::SagaTaken { id: saga.id });
            }
            return Ok(CreatedSaga { record: row.record.clone(), is_new: false });
        }
        if !saga.appends.is_empty() {
            log.append(saga.appends)?;
        }
        let (id, claimed_by, deadline) = (saga.id.clone(), saga.claimed_by, saga.deadline);
        let record = SagaRecord {
            id: saga.id,
            correlation_id: saga.correlation_id,
            name: saga.name,
            version: saga.version,
            plan: saga.plan,
            progress: SagaProgress::new(saga.input.clone()),
            input: saga.input,
            request: None,
            revision: 0,
            epoch: 0,
            owner: None,
            due_at: None,
            started_at: Utc::now(),
            last_updated: Utc::now(),
            completed_at: None,
        };
        let deadline = deadline.and_then(|left| Instant::now().checked_add(left));
        self.rows.insert(id.clone(), Row { record, due: None, timer: None, deadline });
        self.schedule(&id, Some(Instant::now()))?;
        if let Some((owner, ttl)) = claimed_by {
            self.claim_one(&id, &owner, ttl)?;
        }
        Ok(CreatedSaga { record: self.row(&id)?.record.clone(), is_new: true })
    }

    pub(super) fn claim(&mut self, claim: &SagaClaim) -> Result<Vec<ClaimedSaga>, StoreError> {
        if claim.limit == 0 || claim.ttl.is_zero() {
            return Err(StoreError::invalid("a claim of no sagas, or for no time"));
        }
        let now = Instant::now();
        let is_wanted = |id: &SagaId| {
            let record = self.rows.get(id).map(|row| &row.record);
            record
                .is_some_and(|saga| claim.definitions.contains(&(saga.name.clone(), saga.version)))
        };
        let due = self.due.iter().take_while(|(due, _)| *due <= now).map(|(_, id)| id);
        let mut budget = PageBudget::new(claim.max_bytes.min(PAGE_BYTES));
        let mut fits =
            |id: &&SagaId| self.rows.get(*id).is_some_and(|row| budget.admits(self.bytes(row)));
        let wanted = due.filter(|id| is_wanted(id)).take(claim.limit);
        let ids: Vec<_> = wanted.take_while(|id| fits(id)).cloned().collect();
        ids.iter().map(|id| self.claim_one(id, &claim.owner, claim.ttl)).collect()
    }

    /// Returns what the saga holds together with the signal that it would take.
    fn bytes(&self, row: &Row) -> usize {
        row.record.bytes() + self.signals.bytes_for(&row.record)
    }

    fn claim_one(
        &mut self,
        id: &SagaId,
        owner: &Owner,
        ttl: Duration,
    ) -> Result<ClaimedSaga, StoreError> {
        self.schedule(id, Instant::now().checked_add(ttl))?;
        let row = self.row(id)?;
        let saga = &mut row.record;
        let taken_from = saga.owner.replace(owner.clone());
        saga.epoch += 1;
        if saga.progress.state == SagaState::NotStarted {
            saga.progress.state = SagaState::Running;
        }
        let (record, timer, deadline) = (saga.clone(), left(row.timer), left(row.deadline));
        let signal = self.signals.take_for(&record);
        Ok(ClaimedSaga { record, taken_from, timer, deadline, signal })
    }

    pub(super) fn record(
        &mut self,
        log: &mut Log,
        mut transition: SagaTransition,
    ) -> Result<SagaRecorded, StoreError> {
        let id = transition.lease.id.clone();
        let row = self.row(&id)?;
        if let SagaVerdict::Answer(answer) = transition.judge(&row.record)? {
            return Ok(answer);
        }
        let appends = std::mem::take(&mut transition.appends);
        if !appends.is_empty() {
            log.append(appends)?;
        }
        let (before, at) = (self.row(&id)?.record.clone(), Utc::now());
        let row = self.row(&id)?;
        row.timer = transition.timer.and_then(|left| Instant::now().checked_add(left));
        transition.apply(&mut row.record, at);
        for key in std::mem::take(&mut transition.closes) {
            self.closed.insert((before.name.clone(), key), id.clone());
        }
        let row = self.row(&id)?;
        let is_unwinding = transition.progress.is_unwinding;
        let deadline = row.deadline.filter(|_| !is_unwinding);
        let (saga, timer) = (row.record.clone(), row.timer);
        if let Some(signal) = transition.consumes {
            self.signals.use_up(signal, &id);
        } else if is_unwinding && let Some(left) = self.signals.leave(&before) {
            self.wake(&left)?;
        }
        let due = match transition.due {
            Due::Held(ttl) => Instant::now().checked_add(ttl),
            Due::OnTimer if self.signals.has_one_for(&saga) => Some(Instant::now()),
            Due::OnTimer => [timer, deadline].into_iter().flatten().min(),
            Due::Now => Some(Instant::now()),
            Due::OnRequest => None,
        };
        self.schedule(&id, due)?;
        Ok(SagaRecorded::Written(at))
    }

    pub(super) fn renew(&mut self, lease: &SagaLease, ttl: Duration) -> Result<(), StoreError> {
        if self.row(&lease.id)?.record.lease().as_ref() != Some(lease) {
            let (id, epoch) = (lease.id.clone(), lease.epoch);
            return Err(StoreError::SagaLeaseLost { id, epoch });
        }
        self.schedule(&lease.id, Instant::now().checked_add(ttl))
    }

    pub(super) fn request(
        &mut self,
        id: &SagaId,
        request: SagaRequest,
    ) -> Result<SagaRecord, StoreError> {
        let saga = &mut self.row(id)?.record;
        let (state, pending) = (saga.progress.state, saga.request);
        let Some(now_pending) = request.admitted(state, saga.progress.is_unwinding, pending) else {
            return Err(StoreError::SagaRequestRefused { id: id.clone(), request, state, pending });
        };
        saga.request = now_pending;
        saga.last_updated = Utc::now();
        if saga.owner.is_none() {
            self.schedule(id, Some(Instant::now()))?;
        }
        Ok(self.row(id)?.record.clone())
    }

    pub(super) fn deliver(&mut self, signal: &Signal) -> Result<Delivery, StoreError> {
        if !self.signals.keep(signal) {
            return Ok(Delivery::Known);
        }
        if self.wake(signal)? {
            return Ok(Delivery::Woken);
        }
        let ended = self.closed.get(&(signal.saga.clone(), signal.key.clone())).cloned();
        Ok(ended.map_or(Delivery::Kept, Delivery::Ended))
    }

    /// Makes those sagas due that wait for the signal; says whether there are any.
    fn wake(&mut self, signal: &Signal) -> Result<bool, StoreError> {
        let is_waiting = |saga: &SagaRecord| {
            saga.owner.is_none()
                && !saga.progress.state.is_at_rest()
                && saga.name == signal.saga
                && saga.progress.waiting_for.as_ref() == Some(&signal.key)
        };
        let waiting = self.rows.values().map(|row| &row.record).filter(|saga| is_waiting(saga));
        let waiting: Vec<_> = waiting.map(|saga| saga.id.clone()).collect();
        for id in &waiting {
            self.schedule(id, Some(Instant::now()))?;
        }
        Ok(!waiting.is_empty())
    }

    pub(super) fn get(&self, id: &SagaId) -> Option<SagaRecord> {
        self.rows.get(id).map(|row| row.record.clone())
    }

    pub(super) fn list(&self, query: &SagaQuery) -> Result<Vec<SagaRecord>, StoreError> {
        if query.limit == 0 {
            return Err(StoreError::invalid("a search for no sagas"));
        }
        let place = |saga: &SagaRecord| (saga.started_at, saga.id.clone());
        let after = match &query.after {
            None => None,
            Some(id) => {
                let unknown = || StoreError::invalid(format!("saga {id:?} to search after"));
                Some(place(&self.get(id).ok_or_else(unknown)?))
            }
        };
        let is_behind = |saga: &SagaRecord| after.as_ref().is_none_or(|after| place(saga) < *after);
        let sagas = self.rows.values().map(|row| &row.record);
        let mut found: Vec<_> =
            sagas.filter(|saga| query.admits(saga) && is_behind(saga)).cloned().collect();
        found.sort_by_cached_key(|saga| std::cmp::Reverse(place(saga)));
        let mut budget = PageBudget::default();
        let page = found.into_iter().take(query.limit);
        Ok(page.take_while(|saga| budget.admits(saga.bytes())).collect())
    }

    pub(super) fn count(&self, overdue: Duration, up_to: usize) -> SagaCounts {
        let rows = || self.rows.values().map(|row| &row.record);
        let in_state = |state| rows().filter(move |saga| saga.progress.state == state);
        let has_error = |saga: &&SagaRecord| saga.progress.error.is_some();
        let mut kinds = BTreeMap::<_, usize>::new();
        let is_overdue = |due: &Instant| due.elapsed() >= overdue && *due <= Instant::now();
        for (_, id) in self.due.iter().take_while(|(due, _)| is_overdue(due)) {
            let kind = self.rows.get(id).map(|row| (row.record.name.clone(), row.record.version));
            kind.into_iter().for_each(|kind| *kinds.entry(kind).or_default() += 1);
        }
        let overdue = kinds.into_iter().map(|((name, version), count)| OverdueSagas {
            name,
            version,
            count: count.min(up_to),
        });
        SagaCounts {
            failed: in_state(SagaState::Failed).take(up_to).count(),
            paused: in_state(SagaState::Paused).filter(has_error).take(up_to).count(),
            overdue: overdue.collect(),
        }
    }

    pub(super) fn is_any_due(&self) -> bool {
        self.due.first().is_some_and(|(due, _)| *due <= Instant::now())
    }

    /// Sets when the saga can be claimed; `None` for never.
    fn schedule(&mut self, id: &SagaId, due: Option<Instant>) -> Result<(), StoreError> {
        let row = self.row(id)?;
        row.record.due_at = due.and_then(by_calendar);
        if let Some(before) = std::mem::replace(&mut row.due, due) {
            self.due.remove(&(before, id.clone()));
        }
        if let Some(due) = due {
            self.due.insert((due, id.clone()));
        }
        Ok(())
    }

    fn row(&mut self, id: &SagaId) -> Result<&mut Row, StoreError> {
        self.rows.get_mut(id).ok_or_else(|| StoreError::SagaUnknown { id: id.clone() })
    }
}

/// Returns what is left until `end`.
fn left(end: Option<Instant>) -> Option<Duration> {
    end.map(|end| end.saturating_duration_since(Instant::now()))
}

/// The time of day at `due`, which is now or later.
fn by_calendar(due: Instant) -> Option<DateTime<Utc>> {
    let left = TimeDelta::from_std(due.saturating_duration_since(Instant::now())).ok()?;
    Utc::now().checked_add_signed(left)
}
