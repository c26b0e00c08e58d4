//! Signals: kept until a saga that waits for them has used them up, and known for ever.

use std::collections::HashMap;

use highwater_core::{EventId, SagaId, SagaRecord, Signal};

#[derive(Debug, Default)]
pub(super) struct Signals {
    /// In the order in which they came.
    kept: Vec<Kept>,
    /// Where those of each id are kept.
    index: HashMap<EventId, Vec<usize>>,
}

#[derive(Debug)]
struct Kept {
    signal: Signal,
    taken_by: Option<SagaId>,
    is_used_up: bool,
}

impl Kept {
    fn is_for(&self, saga: &SagaRecord) -> bool {
        !self.is_used_up
            && self.taken_by.as_ref().is_none_or(|taker| *taker == saga.id)
            && self.signal.saga == saga.name
            && Some(&self.signal.key) == saga.progress.waiting_for.as_ref()
    }
}

impl Signals {
    /// Keeps the signal; `false` when it was known.
    pub(super) fn keep(&mut self, signal: &Signal) -> bool {
        let known = self.index.entry(signal.id).or_default();
        let is_for = |known: &Signal| (&known.saga, &known.key) == (&signal.saga, &signal.key);
        if known.iter().any(|at| is_for(&self.kept[*at].signal)) {
            return false;
        }
        known.push(self.kept.len());
        self.kept.push(Kept { signal: signal.clone(), taken_by: None, is_used_up: false });
        true
    }

    pub(super) fn has_one_for(&self, saga: &SagaRecord) -> bool {
        saga.progress.waiting_for.is_some() && self.kept.iter().any(|kept| kept.is_for(saga))
    }

    /// The bytes of the largest signal that the saga might take.
    pub(super) fn bytes_for(&self, saga: &SagaRecord) -> usize {
        if saga.progress.waiting_for.is_none() {
            return 0;
        }
        let found = self.kept.iter().filter(|kept| kept.is_for(saga));
        found.map(|kept| kept.signal.data.as_str().len()).max().unwrap_or(0)
    }

    /// The oldest signal that the saga waits for, which is its own from now on.
    pub(super) fn take_for(&mut self, saga: &SagaRecord) -> Option<Signal> {
        saga.progress.waiting_for.as_ref()?;
        let own = self.kept.iter().position(|kept| kept.taken_by.is_some() && kept.is_for(saga));
        let found = own.or_else(|| self.kept.iter().position(|kept| kept.is_for(saga)));
        let kept = self.kept.get_mut(found?)?;
        kept.taken_by = Some(saga.id.clone());
        Some(kept.signal.clone())
    }

    /// Has the signal, which the saga has taken, go to nobody any more.
    pub(super) fn use_up(&mut self, id: EventId, saga: &SagaId) {
        for at in self.index.get(&id).into_iter().flatten() {
            let kept = &mut self.kept[*at];
            kept.is_used_up |= kept.taken_by.as_ref() == Some(saga);
        }
    }

    /// Has the saga, as it still waits, leave the signal that it has taken to others.
    pub(super) fn leave(&mut self, saga: &SagaRecord) -> Option<Signal> {
        let mut kept = self.kept.iter_mut();
        let taken = kept.find(|kept| kept.taken_by.is_some() && kept.is_for(saga))?;
        taken.taken_by = None;
        Some(taken.signal.clone())
    }
}
