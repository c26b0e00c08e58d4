//! The rows, and the rules by which they change.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use highwater_core::{
    Advance, Checkpoint, CheckpointKey, DeadLetter, EventId, EventType, Lease, NewDeadLetter,
    Offset, Owner, Position, ProjectionName, StoreError, StreamName, Suspect,
};
use serde::{Deserialize, Serialize};

/// What the file holds: rows by projection and source, in the order of their bytes.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Table {
    pub(crate) last_epoch: u64,
    pub(crate) rows: BTreeMap<ProjectionName, BTreeMap<String, Row>>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) last_processed_offset: Option<Offset>,
    pub(crate) events_processed: u64,
    pub(crate) last_updated: DateTime<Utc>,
    pub(crate) last_error: Option<(String, DateTime<Utc>)>,
    pub(crate) rebuild_requested: bool,
    pub(crate) epoch: u64,
    /// Stays beyond expiry, until the lease is released or taken over.
    pub(crate) owner: Option<Owner>,
    pub(crate) expires_at: DateTime<Utc>,
    pub(crate) last_event_id: Option<EventId>,
    /// The suspect, and its deaths.
    pub(crate) suspect: Option<(Option<Offset>, u32)>,
    pub(crate) is_on_trial: bool,
    pub(crate) dead_letters: BTreeMap<Offset, Letter>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Letter {
    stream: StreamName,
    position: Position,
    event_id: EventId,
    event_type: EventType,
    error: String,
    attempts: u32,
    recorded_at: DateTime<Utc>,
}

impl Table {
    pub(crate) fn get(&self, key: &CheckpointKey) -> Option<&Row> {
        self.rows.get(&key.projection)?.get(&key.source.to_string())
    }

    pub(crate) fn get_mut(&mut self, key: &CheckpointKey) -> Option<&mut Row> {
        self.rows.get_mut(&key.projection)?.get_mut(&key.source.to_string())
    }

    /// The row of `key`, made when there is none.
    pub(crate) fn row(&mut self, key: &CheckpointKey) -> &mut Row {
        let rows = self.rows.entry(key.projection.clone()).or_default();
        rows.entry(key.source.to_string()).or_insert_with(Row::new)
    }

    /// The row that `lease` is the latest lease on; an expired one that nobody took will do.
    pub(crate) fn held(&mut self, lease: &Lease) -> Result<&mut Row, StoreError> {
        let holds =
            |row: &&mut Row| row.epoch == lease.epoch && row.owner.as_ref() == Some(&lease.owner);
        self.get_mut(&lease.key).filter(holds).ok_or_else(|| StoreError::LeaseLost {
            projection: lease.key.projection.clone(),
            source_name: lease.key.source.clone(),
            epoch: lease.epoch,
        })
    }

    pub(crate) fn acquire(
        &mut self,
        key: &CheckpointKey,
        owner: &Owner,
        ttl: Duration,
    ) -> Result<Option<(Lease, Checkpoint)>, StoreError> {
        let expires_at = expiry(ttl)?;
        let epoch = self.last_epoch + 1;
        let row = self.row(key);
        if row.holder().is_some_and(|holder| holder != owner) {
            return Ok(None);
        }
        row.take_over(owner);
        (row.epoch, row.owner, row.expires_at) = (epoch, Some(owner.clone()), expires_at);
        let checkpoint = row.checkpoint(key.clone());
        self.last_epoch = epoch;
        Ok(Some((Lease { key: key.clone(), owner: owner.clone(), epoch }, checkpoint)))
    }
}

impl Row {
    pub(crate) fn new() -> Self {
        Self {
            last_processed_offset: None,
            events_processed: 0,
            last_updated: Utc::now(),
            last_error: None,
            rebuild_requested: false,
            epoch: 0,
            owner: None,
            expires_at: Utc::now(),
            last_event_id: None,
            suspect: None,
            is_on_trial: false,
            dead_letters: BTreeMap::new(),
        }
    }

    /// Who holds the lease at this moment, by the clock of the machine that has the file.
    fn holder(&self) -> Option<&Owner> {
        self.owner.as_ref().filter(|_| self.expires_at > Utc::now())
    }

    pub(crate) fn checkpoint(&self, key: CheckpointKey) -> Checkpoint {
        let (last_error, last_error_at) = self.last_error.clone().unzip();
        Checkpoint {
            key,
            last_processed_offset: self.last_processed_offset,
            events_processed: self.events_processed,
            last_updated: self.last_updated,
            last_error,
            last_error_at,
            epoch: self.epoch,
            owner: self.holder().cloned(),
            rebuild_requested: self.rebuild_requested,
            last_event_id: self.last_event_id,
            suspect: self.suspect.map(|(event, deaths)| Suspect { event, deaths }),
        }
    }

    /// An owner who is still there did not come back: what is behind the checkpoint is suspect.
    fn take_over(&mut self, owner: &Owner) {
        if self.owner.as_ref().is_some_and(|holder| holder != owner) {
            let (event, deaths) = self.suspect.unwrap_or((None, 0));
            self.suspect = Some((event, deaths + u32::from(self.is_on_trial)));
        }
        self.is_on_trial = false;
    }

    pub(crate) fn move_to(&mut self, to: Option<Offset>, event_id: Option<EventId>) {
        (self.last_processed_offset, self.last_event_id) = (to, event_id);
        (self.last_error, self.suspect, self.is_on_trial) = (None, None, false);
        self.last_updated = Utc::now();
    }

    pub(crate) fn reset(&mut self) {
        self.move_to(None, None);
        (self.events_processed, self.rebuild_requested) = (0, false);
    }

    pub(crate) fn advance(
        &mut self,
        key: &CheckpointKey,
        advance: Advance,
    ) -> Result<(), StoreError> {
        if self.last_processed_offset != advance.from {
            return Err(StoreError::CheckpointMoved {
                projection: key.projection.clone(),
                source_name: key.source.clone(),
                expected: advance.from,
                actual: self.last_processed_offset,
            });
        }
        if advance.to < advance.from {
            return Err(StoreError::invalid(format!("checkpoint of {key} backwards")));
        }
        self.move_to(advance.to, advance.event_id);
        self.events_processed += advance.events;
        let letters = advance.dead_letters.into_iter().map(|letter| (letter.offset, letter.into()));
        self.dead_letters.extend(letters);
        Ok(())
    }
}

pub(crate) fn expiry(ttl: Duration) -> Result<DateTime<Utc>, StoreError> {
    let ttl_delta = TimeDelta::from_std(ttl).ok().filter(|delta| !delta.is_zero());
    let end = ttl_delta.and_then(|delta| Utc::now().checked_add_signed(delta));
    end.ok_or_else(|| StoreError::invalid(format!("a lease of {ttl:?}")))
}

impl From<NewDeadLetter> for Letter {
    fn from(new: NewDeadLetter) -> Self {
        let NewDeadLetter { stream, position, event_id, event_type, error, attempts, .. } = new;
        let recorded_at = Utc::now();
        Self { stream, position, event_id, event_type, error, attempts, recorded_at }
    }
}

impl Letter {
    pub(crate) fn dead_letter(&self, key: CheckpointKey, offset: Offset) -> DeadLetter {
        let letter = NewDeadLetter {
            offset,
            stream: self.stream.clone(),
            position: self.position,
            event_id: self.event_id,
            event_type: self.event_type.clone(),
            error: self.error.clone(),
            attempts: self.attempts,
        };
        DeadLetter { key, letter, recorded_at: self.recorded_at }
    }
}
