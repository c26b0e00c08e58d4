//! State that handles, the runner and executions share.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use highwater_core::{ClaimedSaga, Owner, SagaId, SagaLease, SagaName, SagaRecord, SagaStore};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::Instant;

use super::bytes::{Bytes, Load};
use super::leases::{Kept, Leases};
use super::writer::Writer;
use crate::define::definition::Definition;
use crate::options::OrchestratorOptions;

/// A saga to be worked on.
pub(crate) struct Assignment {
    pub(crate) claimed: ClaimedSaga,
    /// When its lease was asked for.
    pub(crate) asked_at: Instant,
    pub(crate) place: Slot,
}

/// The place that a saga takes among those in flight, and its lease, until this is dropped.
pub(crate) struct Slot {
    engine: Arc<Engine>,
    id: SagaId,
    pub(crate) kept: Kept,
    pub(crate) load: Load,
    _permit: OwnedSemaphorePermit,
}

/// What a saga that is about to be created takes up, should it be run here.
pub(crate) struct Reserved {
    permit: OwnedSemaphorePermit,
    load: Load,
}

/// The parts of an orchestrator that outlive a run.
pub(crate) struct Engine {
    pub(crate) store: Arc<dyn SagaStore>,
    pub(crate) writer: Writer,
    pub(crate) options: OrchestratorOptions,
    pub(crate) owner: Owner,
    pub(crate) slots: Arc<Semaphore>,
    /// Bytes of states in flight.
    pub(crate) bytes: Arc<Bytes>,
    pub(crate) leases: Arc<Leases>,
    /// The turn of a step that may be what ends processes.
    pub(crate) suspects: Arc<Semaphore>,
    definitions: Mutex<HashMap<(SagaName, u32), Arc<dyn Definition>>>,
    /// Where sagas that are started here go, while this process runs any.
    desk: Mutex<Option<mpsc::UnboundedSender<Assignment>>>,
    watched: Mutex<Watched>,
}

/// News for those who wait for sagas.
#[derive(Default)]
struct Watched {
    /// Who waits for which saga to come to rest.
    waiting: HashMap<SagaId, Vec<oneshot::Sender<SagaRecord>>>,
    /// The sagas in flight here, which will tell. One that was taken up again while an earlier
    /// execution ended may be missing: whoever waits for it looks into the store.
    flying: HashSet<SagaId>,
}

impl Engine {
    pub(crate) fn new(store: Arc<dyn SagaStore>, options: OrchestratorOptions) -> Self {
        let options = options.bounded();
        Self {
            writer: Writer::new(&store, options.max_bytes),
            store,
            owner: Owner::new("sagas"),
            slots: Arc::new(Semaphore::new(options.max_in_flight)),
            bytes: Bytes::new(options.max_bytes),
            leases: Leases::new(options.lease_ttl, options.block_warning),
            suspects: Arc::new(Semaphore::new(1)),
            options,
            definitions: Mutex::default(),
            desk: Mutex::default(),
            watched: Mutex::default(),
        }
    }

    /// Adds a definition, unless its name and version are taken.
    pub(crate) fn define(&self, definition: Arc<dyn Definition>) -> bool {
        let key = (definition.name().clone(), definition.version());
        let mut definitions = lock(&self.definitions);
        let is_new = !definitions.contains_key(&key);
        if is_new {
            definitions.insert(key, definition);
        }
        is_new
    }

    pub(crate) fn definition(&self, name: &SagaName, version: u32) -> Option<Arc<dyn Definition>> {
        lock(&self.definitions).get(&(name.clone(), version)).cloned()
    }

    pub(crate) fn known(&self) -> Vec<(SagaName, u32)> {
        lock(&self.definitions).keys().cloned().collect()
    }

    /// Takes in sagas that are started here until what is returned is dropped.
    pub(crate) fn open_desk(&self) -> (LocalQueue<'_>, mpsc::UnboundedReceiver<Assignment>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        *lock(&self.desk) = Some(sender);
        (LocalQueue(self), receiver)
    }

    /// A place for a saga that is started here with so many bytes, if there is one and this
    /// process runs sagas.
    pub(crate) fn reserve(&self, bytes: usize) -> Option<Reserved> {
        lock(&self.desk).as_ref()?;
        let permit = Arc::clone(&self.slots).try_acquire_owned().ok()?;
        Some(Reserved { permit, load: self.bytes.try_load(bytes)? })
    }

    /// Gives the saga, which was claimed at `asked_at`, the place that was kept for it.
    pub(crate) fn take_reserved(
        self: &Arc<Self>,
        lease: SagaLease,
        asked_at: Instant,
        Reserved { permit, load }: Reserved,
    ) -> Slot {
        lock(&self.watched).flying.insert(lease.id.clone());
        let (id, kept) = (lease.id.clone(), self.leases.keep(lease, asked_at));
        Slot { engine: Arc::clone(self), id, kept, load, _permit: permit }
    }

    /// Gives the saga the place, and lets those who wait for it know that it is in flight.
    pub(crate) fn take_place(
        self: &Arc<Self>,
        claimed: &ClaimedSaga,
        asked_at: Instant,
        permit: OwnedSemaphorePermit,
    ) -> Option<Slot> {
        let load = self.bytes.load(claimed.record.bytes());
        Some(self.take_reserved(claimed.record.lease()?, asked_at, Reserved { permit, load }))
    }

    /// Hands a saga that was created under a lease to the runner.
    ///
    /// When the run has ended meanwhile, the lease is left to expire.
    pub(crate) fn enqueue(&self, assignment: Assignment) {
        if let Some(desk) = &*lock(&self.desk) {
            // A runner that has gone leaves the saga to whoever claims it next.
            drop(desk.send(assignment));
        }
    }

    /// Tells when the saga comes to rest in this process.
    pub(crate) fn watch<'a>(&'a self, id: &'a SagaId) -> Watch<'a> {
        let (sender, rest) = oneshot::channel();
        let mut watched = lock(&self.watched);
        watched.waiting.entry(id.clone()).or_default().push(sender);
        Watch { engine: self, id, is_flying: watched.flying.contains(id), rest }
    }

    /// Tells those who wait for the saga that it has come to rest, and how; nobody works on it any more.
    pub(crate) fn announce(&self, saga: &SagaRecord) {
        let waiting = {
            let mut watched = lock(&self.watched);
            watched.flying.remove(&saga.id);
            watched.waiting.remove(&saga.id)
        };
        for sender in waiting.into_iter().flatten() {
            // Who has stopped waiting need not be told.
            sender.send(saga.clone()).ok();
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        lock(&self.engine.watched).flying.remove(&self.id);
    }
}

/// Somebody who waits for a saga, until this is dropped.
pub(crate) struct Watch<'a> {
    engine: &'a Engine,
    id: &'a SagaId,
    /// True when it was in flight in this process when the watch began.
    pub(crate) is_flying: bool,
    /// The saga as it was stored when it came to rest.
    pub(crate) rest: oneshot::Receiver<SagaRecord>,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.rest.close();
        let waiting = &mut lock(&self.engine.watched).waiting;
        if let Some(senders) = waiting.get_mut(self.id) {
            senders.retain(|sender| !sender.is_closed());
            if senders.is_empty() {
                waiting.remove(self.id);
            }
        }
    }
}

/// Open as long as this lives.
pub(crate) struct LocalQueue<'a>(&'a Engine);

impl Drop for LocalQueue<'_> {
    fn drop(&mut self) {
        *lock(&self.0.desk) = None;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
