//! Checkpoints, the leases on them, and the dead letters they left behind.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::time::Duration;

use chrono::Utc;
use highwater_core::{
    Advance, Change, Checkpoint, CheckpointKey, DeadLetter, EventId, Lease, Offset, Owner,
    PageBudget, ProjectionName, RebuildRequested, StoreError, Suspect,
};
use tokio::time::Instant;

#[derive(Debug, Default)]
pub(super) struct Checkpoints {
    rows: HashMap<CheckpointKey, Row>,
    /// The latest epoch of each key; outlives its row, so that no epoch is given twice.
    epochs: HashMap<CheckpointKey, u64>,
}

#[derive(Debug)]
struct Row {
    /// Its owner stays in it beyond expiry, until the lease is released or taken over.
    checkpoint: Checkpoint,
    expires_at: Instant,
    /// True when the suspect is being tried alone under the latest lease.
    is_on_trial: bool,
    letters: BTreeMap<Offset, DeadLetter>,
}

impl Row {
    fn new(key: CheckpointKey, epoch: u64) -> Self {
        let checkpoint = Checkpoint {
            key,
            last_processed_offset: None,
            events_processed: 0,
            last_updated: Utc::now(),
            last_error: None,
            last_error_at: None,
            epoch,
            owner: None,
            rebuild_requested: false,
            last_event_id: None,
            suspect: None,
        };
        let (expires_at, letters) = (Instant::now(), BTreeMap::new());
        Self { checkpoint, expires_at, is_on_trial: false, letters }
    }

    /// The checkpoint as others see it: an expired lease has no holder.
    fn seen(&self) -> Checkpoint {
        let owner = self.holder().cloned();
        Checkpoint { owner, ..self.checkpoint.clone() }
    }

    fn holder(&self) -> Option<&Owner> {
        self.checkpoint.owner.as_ref().filter(|_| self.expires_at > Instant::now())
    }

    fn reset(&mut self) {
        let row = &mut self.checkpoint;
        (row.last_processed_offset, row.last_event_id) = (None, None);
        row.events_processed = 0;
        row.rebuild_requested = false;
        self.touch();
    }

    fn advance(&mut self, advance: Advance) -> Result<(), StoreError> {
        let row = &mut self.checkpoint;
        if row.last_processed_offset != advance.from {
            return Err(StoreError::CheckpointMoved {
                projection: row.key.projection.clone(),
                source_name: row.key.source.clone(),
                expected: advance.from,
                actual: row.last_processed_offset,
            });
        }
        if advance.to < advance.from {
            return Err(StoreError::invalid(format!("checkpoint of {} backwards", row.key)));
        }
        (row.last_processed_offset, row.last_event_id) = (advance.to, advance.event_id);
        row.events_processed += advance.events;
        self.touch();
        for letter in advance.dead_letters {
            let key = self.checkpoint.key.clone();
            let letter = DeadLetter { key, letter, recorded_at: Utc::now() };
            self.letters.insert(letter.letter.offset, letter);
        }
        Ok(())
    }

    /// A checkpoint that moves, or is reset, has no last error and no suspect.
    fn touch(&mut self) {
        self.checkpoint.last_updated = Utc::now();
        self.checkpoint.last_error = None;
        self.checkpoint.last_error_at = None;
        self.checkpoint.suspect = None;
        self.is_on_trial = false;
    }

    /// Gives the lease to `owner`; a holder who is still there did not come back.
    fn give(&mut self, owner: &Owner, epoch: u64, expires_at: Instant) {
        let row = &mut self.checkpoint;
        if row.owner.as_ref().is_some_and(|holder| holder != owner) {
            let suspect = row.suspect.get_or_insert(Suspect { event: None, deaths: 0 });
            suspect.deaths += u32::from(self.is_on_trial);
        }
        (row.epoch, row.owner) = (epoch, Some(owner.clone()));
        (self.is_on_trial, self.expires_at) = (false, expires_at);
    }
}

impl Checkpoints {
    pub(super) fn get(&self, key: &CheckpointKey) -> Option<Checkpoint> {
        self.rows.get(key).map(Row::seen)
    }

    pub(super) fn list(&self, projection: Option<&ProjectionName>) -> Vec<Checkpoint> {
        let wanted = |key: &CheckpointKey| projection.is_none_or(|name| *name == key.projection);
        let rows = self.rows.values().filter(|row| wanted(&row.checkpoint.key));
        let mut rows: Vec<_> = rows.map(Row::seen).collect();
        rows.sort_by_cached_key(|row| (row.key.projection.clone(), row.key.source.to_string()));
        rows
    }

    pub(super) fn change(&mut self, lease: &Lease, change: Change) -> Result<(), StoreError> {
        let row = self.held(lease)?;
        match change {
            Change::Advance(advance) => row.advance(advance),
            Change::Reset => {
                row.reset();
                row.letters.clear();
                Ok(())
            }
        }
    }

    pub(super) fn reset(&mut self, key: &CheckpointKey) {
        if let Some(row) = self.rows.get_mut(key) {
            row.reset();
        }
    }

    pub(super) fn rebase(&mut self, key: &CheckpointKey, to: Option<Offset>, id: Option<EventId>) {
        if let Some(row) = self.rows.get_mut(key) {
            (row.checkpoint.last_processed_offset, row.checkpoint.last_event_id) = (to, id);
            row.touch();
        }
    }

    pub(super) fn note_attempt(
        &mut self,
        lease: &Lease,
        event: Offset,
        deaths: u32,
    ) -> Result<(), StoreError> {
        let row = self.held(lease)?;
        row.checkpoint.suspect = Some(Suspect { event: Some(event), deaths });
        row.is_on_trial = true;
        Ok(())
    }

    pub(super) fn delete(&mut self, key: &CheckpointKey) {
        self.rows.remove(key);
    }

    pub(super) fn record_error(&mut self, lease: &Lease, error: &str) -> Result<(), StoreError> {
        let row = &mut self.held(lease)?.checkpoint;
        row.last_error = Some(error.to_owned());
        row.last_error_at = Some(Utc::now());
        Ok(())
    }

    pub(super) fn request_rebuild(&mut self, key: &CheckpointKey) {
        self.row(key).checkpoint.rebuild_requested = true;
    }

    pub(super) fn acquire(
        &mut self,
        key: &CheckpointKey,
        owner: &Owner,
        ttl: Duration,
    ) -> Result<Option<(Lease, Checkpoint)>, StoreError> {
        let expires_at = expiry(ttl)?;
        let row = self.row(key);
        if row.holder().is_some_and(|holder| holder != owner) {
            return Ok(None);
        }
        let epoch = row.checkpoint.epoch + 1;
        row.give(owner, epoch, expires_at);
        let checkpoint = row.checkpoint.clone();
        self.epochs.insert(key.clone(), epoch);
        Ok(Some((Lease { key: key.clone(), owner: owner.clone(), epoch }, checkpoint)))
    }

    pub(super) fn renew(
        &mut self,
        lease: &Lease,
        ttl: Duration,
    ) -> Result<RebuildRequested, StoreError> {
        let expires_at = expiry(ttl)?;
        let row = self.held(lease)?;
        row.expires_at = expires_at;
        Ok(row.checkpoint.rebuild_requested)
    }

    pub(super) fn release(&mut self, lease: &Lease) {
        // A lost lease has nothing to give back.
        if let Ok(row) = self.held(lease) {
            row.checkpoint.owner = None;
        }
    }

    pub(super) fn dead_letters(
        &self,
        key: &CheckpointKey,
        after: Option<Offset>,
        limit: usize,
    ) -> Vec<DeadLetter> {
        let Some(row) = self.rows.get(key) else { return Vec::new() };
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let letters = row.letters.range((start, Bound::Unbounded)).take(limit).map(|(_, l)| l);
        let mut budget = PageBudget::default();
        letters.take_while(|letter| budget.admits(letter.bytes())).cloned().collect()
    }

    /// The row of `key`, made when there is none.
    fn row(&mut self, key: &CheckpointKey) -> &mut Row {
        let epoch = self.epochs.get(key).copied().unwrap_or(0);
        self.rows.entry(key.clone()).or_insert_with(|| Row::new(key.clone(), epoch))
    }

    /// The row that `lease` is the latest lease on; an expired one that nobody took will do.
    fn held(&mut self, lease: &Lease) -> Result<&mut Row, StoreError> {
        let holds = |row: &&mut Row| {
            row.checkpoint.epoch == lease.epoch
                && row.checkpoint.owner.as_ref() == Some(&lease.owner)
        };
        self.rows.get_mut(&lease.key).filter(holds).ok_or_else(|| StoreError::LeaseLost {
            projection: lease.key.projection.clone(),
            source_name: lease.key.source.clone(),
            epoch: lease.epoch,
        })
    }
}

fn expiry(ttl: Duration) -> Result<Instant, StoreError> {
    let end = Instant::now().checked_add(ttl).filter(|_| !ttl.is_zero());
    end.ok_or_else(|| StoreError::invalid(format!("a lease of {ttl:?}")))
}
