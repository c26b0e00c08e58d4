//! The file, and the transactions on it.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use chrono::Utc;
use highwater_core::{
    Advance, Checkpoint, CheckpointKey, CheckpointStore, DeadLetter, EventId, Lease, Offset, Owner,
    PageBudget, ProjectionName, RebuildRequested, Source, StoreError,
};

use crate::table::{Table, expiry};

/// Checkpoints in one file, shared by the processes of one machine.
#[derive(Debug, Clone)]
pub(crate) struct CheckpointFile {
    path: PathBuf,
}

impl CheckpointFile {
    /// Keeps checkpoints in the file at `path`, made by the first of them.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Reads the table, has `act` change it, and replaces the file; after an error it stays.
    ///
    /// The lock makes this a transaction, also among processes. It runs on a thread of its own,
    /// so that a caller who goes away cannot leave half of it.
    async fn transact<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Table) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let path = self.path.clone();
        let transaction = tokio::task::spawn_blocking(move || {
            let lock = File::create(path.with_extension("lock")).map_err(unavailable)?;
            lock.lock().map_err(unavailable)?;
            let mut table = read(&path)?;
            let outcome = act(&mut table)?;
            write(&path, &table)?;
            Ok(outcome)
        });
        transaction.await.map_err(|error| StoreError::Backend(error.into()))?
    }
}

fn read(path: &Path) -> Result<Table, StoreError> {
    match fs::read(path) {
        Ok(json) => serde_json::from_slice(&json).map_err(|e| StoreError::Backend(e.into())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Table::default()),
        Err(error) => Err(unavailable(error)),
    }
}

/// Replaces the file by a rename, so that a crash leaves the old one or the new one.
fn write(path: &Path, table: &Table) -> Result<(), StoreError> {
    let json = serde_json::to_vec_pretty(table).map_err(|e| StoreError::Backend(e.into()))?;
    let new = path.with_extension("new");
    let mut file = File::create(&new).map_err(unavailable)?;
    file.write_all(&json).and_then(|()| file.sync_all()).map_err(unavailable)?;
    fs::rename(new, path).map_err(unavailable)
}

fn unavailable(error: std::io::Error) -> StoreError {
    StoreError::Unavailable(error.into())
}

#[async_trait]
impl CheckpointStore for CheckpointFile {
    async fn checkpoint(&self, key: &CheckpointKey) -> Result<Option<Checkpoint>, StoreError> {
        Ok(read(&self.path)?.get(key).map(|row| row.checkpoint(key.clone())))
    }

    async fn checkpoints(
        &self,
        projection: Option<&ProjectionName>,
    ) -> Result<Vec<Checkpoint>, StoreError> {
        let mut found = Vec::new();
        for (name, rows) in &read(&self.path)?.rows {
            if projection.is_none_or(|wanted| wanted == name) {
                for (source, row) in rows {
                    let source: Source = source.parse()?;
                    found.push(row.checkpoint(CheckpointKey::new(name.clone(), source)));
                }
            }
        }
        Ok(found)
    }

    async fn save(&self, lease: &Lease, advance: &Advance) -> Result<(), StoreError> {
        let (lease, advance) = (lease.clone(), advance.clone());
        self.transact(move |table| table.held(&lease)?.advance(&lease.key, advance)).await
    }

    async fn reset(&self, key: &CheckpointKey) -> Result<(), StoreError> {
        let key = key.clone();
        self.transact(move |table| {
            if let Some(row) = table.get_mut(&key) {
                row.reset();
            }
            Ok(())
        })
        .await
    }

    async fn rebase(
        &self,
        key: &CheckpointKey,
        to: Option<Offset>,
        event_id: Option<EventId>,
    ) -> Result<(), StoreError> {
        let key = key.clone();
        self.transact(move |table| {
            if let Some(row) = table.get_mut(&key) {
                row.move_to(to, event_id);
            }
            Ok(())
        })
        .await
    }

    async fn begin_rebuild(&self, lease: &Lease) -> Result<(), StoreError> {
        let lease = lease.clone();
        self.transact(move |table| {
            let row = table.held(&lease)?;
            row.reset();
            row.dead_letters.clear();
            Ok(())
        })
        .await
    }

    async fn delete(&self, key: &CheckpointKey) -> Result<(), StoreError> {
        let key = key.clone();
        self.transact(move |table| {
            if let Some(rows) = table.rows.get_mut(&key.projection) {
                rows.remove(&key.source.to_string());
            }
            Ok(())
        })
        .await
    }

    async fn record_error(&self, lease: &Lease, error: &str) -> Result<(), StoreError> {
        let (lease, error) = (lease.clone(), error.to_owned());
        self.transact(move |table| {
            table.held(&lease)?.last_error = Some((error, Utc::now()));
            Ok(())
        })
        .await
    }

    async fn note_attempt(
        &self,
        lease: &Lease,
        event: Offset,
        deaths: u32,
    ) -> Result<(), StoreError> {
        let lease = lease.clone();
        self.transact(move |table| {
            let row = table.held(&lease)?;
            (row.suspect, row.is_on_trial) = (Some((Some(event), deaths)), true);
            Ok(())
        })
        .await
    }

    async fn request_rebuild(&self, key: &CheckpointKey) -> Result<(), StoreError> {
        let key = key.clone();
        self.transact(move |table| {
            table.row(&key).rebuild_requested = true;
            Ok(())
        })
        .await
    }

    async fn acquire(
        &self,
        key: &CheckpointKey,
        owner: &Owner,
        ttl: Duration,
    ) -> Result<Option<(Lease, Checkpoint)>, StoreError> {
        let (key, owner) = (key.clone(), owner.clone());
        self.transact(move |table| table.acquire(&key, &owner, ttl)).await
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<RebuildRequested, StoreError> {
        let lease = lease.clone();
        self.transact(move |table| {
            let row = table.held(&lease)?;
            row.expires_at = expiry(ttl)?;
            Ok(row.rebuild_requested)
        })
        .await
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        let lease = lease.clone();
        self.transact(move |table| {
            // A lost lease has nothing to give back.
            if let Ok(row) = table.held(&lease) {
                row.owner = None;
            }
            Ok(())
        })
        .await
    }

    async fn dead_letters(
        &self,
        key: &CheckpointKey,
        after: Option<Offset>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        let table = read(&self.path)?;
        let Some(row) = table.get(key) else { return Ok(Vec::new()) };
        let behind = row.dead_letters.range(Offset::following(after)..).take(limit);
        let letters = behind.map(|(offset, letter)| letter.dead_letter(key.clone(), *offset));
        let mut budget = PageBudget::default();
        Ok(letters.take_while(|letter| budget.admits(letter.bytes())).collect())
    }
}
