//! Signals: kept until a saga that waits for them has used them up, and known for ever.

use std::collections::HashMap;

use highwater_core::{EventId, SagaId, SagaRecord, Signal};

#[derive(Debug, Default)]
pub(super) struct Signals {
    /// In the order in which they came.
    kept: Vec<Kept>,
    index: HashMap<EventId, usize>,
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
    pub(super) fn keep(&mut self, signal: Signal) -> bool {
        if self.index.contains_key(&signal.id) {
            return false;
        }
        self.index.insert(signal.id, self.kept.len());
        self.kept.push(Kept { signal, taken_by: None, is_used_up: false });
        true
    }

    pub(super) fn has_one_for(&self, saga: &SagaRecord) -> bool {
        saga.progress.waiting_for.is_some() && self.kept.iter().any(|kept| kept.is_for(saga))
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

    pub(super) fn use_up(&mut self, id: EventId) {
        if let Some(kept) = self.index.get(&id).and_then(|index| self.kept.get_mut(*index)) {
            kept.is_used_up = true;
        }
    }
}
