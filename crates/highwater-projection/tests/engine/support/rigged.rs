//! A memory store whose calls a test can fail, lose the answers of, or never answer.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use highwater_core::{
    Advance, Appended, Change, Checkpoint, CheckpointKey, CheckpointStore, DeadLetter, Document,
    ErrorClass, EventId, EventStore, EventType, Imported, Lease, NewEvent, Offset, Owner, Page,
    Payload, ProjectionName, ProjectionStore, ProjectionTx, RebuildRequested, Source, StoreError,
    StreamAppend, StreamName, Wake,
};
use highwater_testkit::{MemoryStore, MemoryTx};

/// A call that can be rigged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Read,
    Checkpoint,
    Acquire,
    Renew,
    Release,
    Save,
    RecordError,
    NoteAttempt,
    Documents,
    Begin,
    Commit,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// It does what it should.
    Pass,
    /// It does nothing, and says that the store is away.
    Fail,
    /// It does what it should, and says that the store is away.
    LoseAnswer,
    /// It takes this long before it does what it should.
    Delay(Duration),
    /// It never returns and does nothing.
    Hang,
}

type Rig = dyn Fn(Call) -> Act + Send + Sync;

/// A memory store under the hands of a test; clones share rig and store.
#[derive(Clone)]
pub(crate) struct Rigged {
    store: MemoryStore,
    rig: Arc<Mutex<Arc<Rig>>>,
    saves: Arc<Mutex<Vec<Option<u64>>>>,
}

pub(crate) struct RiggedTx(MemoryTx, Rigged);

impl Rigged {
    pub(crate) fn new(store: &MemoryStore) -> Self {
        let rig: Arc<Rig> = Arc::new(|_| Act::Pass);
        Self { store: store.clone(), rig: Arc::new(Mutex::new(rig)), saves: Arc::default() }
    }

    /// From now on every call does as `rig` says.
    pub(crate) fn rig(&self, rig: impl Fn(Call) -> Act + Send + Sync + 'static) {
        *self.rig.lock().unwrap() = Arc::new(rig);
    }

    /// From now on the first `times` calls of this kind do as `act` says.
    pub(crate) fn rig_times(&self, call: Call, act: Act, times: u32) {
        let left = Mutex::new(times);
        self.rig(move |made| {
            let mut left = left.lock().unwrap();
            if made != call || *left == 0 {
                return Act::Pass;
            }
            *left -= 1;
            act
        });
    }

    /// Where the checkpoint was moved to, each time that it was.
    pub(crate) fn saves(&self) -> Vec<Option<u64>> {
        self.saves.lock().unwrap().clone()
    }

    async fn call<T>(
        &self,
        call: Call,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let rig = Arc::clone(&*self.rig.lock().unwrap());
        match rig(call) {
            Act::Pass => work.await,
            Act::Fail => Err(away(call)),
            Act::LoseAnswer => work.await.and(Err(away(call))),
            Act::Delay(delay) => {
                tokio::time::sleep(delay).await;
                work.await
            }
            Act::Hang => std::future::pending().await,
        }
    }

    fn saved(&self, to: Option<Offset>) {
        self.saves.lock().unwrap().push(to.map(Offset::get));
    }
}

fn away(call: Call) -> StoreError {
    StoreError::Unavailable(format!("rigged: {call:?}").into())
}

impl RiggedTx {
    pub(crate) fn inner(&mut self) -> &mut MemoryTx {
        &mut self.0
    }
}

#[async_trait]
impl EventStore for Rigged {
    async fn append(&self, batch: Vec<StreamAppend>) -> Result<Appended, StoreError> {
        self.store.append(batch).await
    }

    async fn import(&self, events: Vec<(StreamName, NewEvent)>) -> Result<Imported, StoreError> {
        self.store.import(events).await
    }

    async fn read(
        &self,
        source: &Source,
        types: &[EventType],
        after: Option<Offset>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.call(Call::Read, self.store.read(source, types, after, limit)).await
    }

    async fn head(&self, source: &Source) -> Result<Option<Offset>, StoreError> {
        self.store.head(source).await
    }

    async fn now(&self) -> Result<DateTime<Utc>, StoreError> {
        self.store.now().await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.store.probe().await
    }

    fn wake(&self) -> Wake {
        self.store.wake()
    }
}

#[async_trait]
impl CheckpointStore for Rigged {
    async fn checkpoint(&self, key: &CheckpointKey) -> Result<Option<Checkpoint>, StoreError> {
        self.call(Call::Checkpoint, self.store.checkpoint(key)).await
    }

    async fn checkpoints(
        &self,
        projection: Option<&ProjectionName>,
    ) -> Result<Vec<Checkpoint>, StoreError> {
        self.store.checkpoints(projection).await
    }

    async fn save(&self, lease: &Lease, advance: &Advance) -> Result<(), StoreError> {
        let work = async {
            self.store.save(lease, advance).await?;
            self.saved(advance.to);
            Ok(())
        };
        self.call(Call::Save, work).await
    }

    async fn reset(&self, key: &CheckpointKey) -> Result<(), StoreError> {
        self.store.reset(key).await
    }

    async fn rebase(
        &self,
        key: &CheckpointKey,
        to: Option<Offset>,
        event_id: Option<EventId>,
    ) -> Result<(), StoreError> {
        self.store.rebase(key, to, event_id).await
    }

    async fn begin_rebuild(&self, lease: &Lease) -> Result<(), StoreError> {
        self.store.begin_rebuild(lease).await
    }

    async fn delete(&self, key: &CheckpointKey) -> Result<(), StoreError> {
        self.store.delete(key).await
    }

    async fn record_error(&self, lease: &Lease, error: &str) -> Result<(), StoreError> {
        self.call(Call::RecordError, self.store.record_error(lease, error)).await
    }

    async fn note_attempt(
        &self,
        lease: &Lease,
        event: Offset,
        deaths: u32,
    ) -> Result<(), StoreError> {
        self.call(Call::NoteAttempt, self.store.note_attempt(lease, event, deaths)).await
    }

    async fn request_rebuild(&self, key: &CheckpointKey) -> Result<(), StoreError> {
        self.store.request_rebuild(key).await
    }

    async fn acquire(
        &self,
        key: &CheckpointKey,
        owner: &Owner,
        ttl: Duration,
    ) -> Result<Option<(Lease, Checkpoint)>, StoreError> {
        self.call(Call::Acquire, self.store.acquire(key, owner, ttl)).await
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<RebuildRequested, StoreError> {
        self.call(Call::Renew, self.store.renew(lease, ttl)).await
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        self.call(Call::Release, self.store.release(lease)).await
    }

    async fn dead_letters(
        &self,
        key: &CheckpointKey,
        after: Option<Offset>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        self.store.dead_letters(key, after, limit).await
    }
}

#[async_trait]
impl ProjectionStore for Rigged {
    type Tx = RiggedTx;

    async fn begin(&self, lease: &Lease) -> Result<RiggedTx, StoreError> {
        let tx = self.call(Call::Begin, self.store.begin(lease)).await?;
        Ok(RiggedTx(tx, self.clone()))
    }

    async fn documents(
        &self,
        projection: &ProjectionName,
        keys: &[String],
    ) -> Result<Vec<Document>, StoreError> {
        self.call(Call::Documents, self.store.documents(projection, keys)).await
    }

    async fn scan(
        &self,
        projection: &ProjectionName,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Document>, StoreError> {
        self.store.scan(projection, prefix, after, limit).await
    }

    fn class(&self, error: &(dyn std::error::Error + 'static)) -> ErrorClass {
        self.store.class(error)
    }
}

#[async_trait]
impl ProjectionTx for RiggedTx {
    async fn write(&mut self, changes: Vec<(String, Option<Payload>)>) -> Result<(), StoreError> {
        self.0.write(changes).await
    }

    async fn clear(&mut self) -> Result<(), StoreError> {
        self.0.clear().await
    }

    async fn commit(self, change: Change) -> Result<(), StoreError> {
        let Self(tx, rigged) = self;
        let to = match &change {
            Change::Advance(advance) => advance.to,
            Change::Reset => None,
        };
        let work = async {
            tx.commit(change).await?;
            rigged.saved(to);
            Ok(())
        };
        rigged.call(Call::Commit, work).await
    }
}
