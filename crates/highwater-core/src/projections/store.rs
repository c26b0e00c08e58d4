//! The store of read models: they and their checkpoints commit together.

use async_trait::async_trait;

use super::{Change, CheckpointStore, Lease};
use crate::error::{ErrorClass, StoreError};
use crate::events::Payload;
use crate::name::ProjectionName;

/// One document of a read model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its key: 1 to 1,024 bytes, no NUL.
    pub key: String,
    /// Its content.
    pub data: Payload,
}

impl Document {
    /// The longest key, in bytes.
    pub const KEY_BYTES_MAX: usize = 1_024;

    /// Refuses a key that is empty, too long or has a NUL; for backends, before they write.
    pub fn check_key(key: &str) -> Result<(), StoreError> {
        if key.is_empty() || key.contains('\0') {
            return Err(StoreError::invalid(format!("document key {key:?} is empty or has a NUL")));
        }
        if key.len() > Self::KEY_BYTES_MAX {
            let what = "bytes in one document key";
            return Err(StoreError::too_large(what, key.len(), Self::KEY_BYTES_MAX));
        }
        Ok(())
    }
}

/// Keeps read models: keyed JSON documents, and whatever users write in its transactions.
///
/// # Contract
/// - [`ProjectionTx::commit`] is the only way to commit a read model, and commits the checkpoint
///   with it. A transaction that is dropped, or whose process dies, leaves nothing behind.
/// - Keys are ordered by their bytes.
///
/// ```
/// use highwater_core::{ProjectionName, ProjectionStore, StoreError};
///
/// /// Prints every document of a projection.
/// async fn print_documents<S: ProjectionStore>(
///     store: &S,
///     projection: &ProjectionName,
/// ) -> Result<(), StoreError> {
///     let mut after = None;
///     loop {
///         let page = store.scan(projection, "", after.as_deref(), 100).await?;
///         let Some(last) = page.last() else { return Ok(()) };
///         after = Some(last.key.clone());
///         page.iter().for_each(|document| println!("{} {}", document.key, document.data.as_str()));
///     }
/// }
/// ```
#[async_trait]
pub trait ProjectionStore: CheckpointStore + Clone {
    /// The transaction in which a batch is applied.
    type Tx: ProjectionTx;

    /// Begins a transaction under `lease`; whether the lease holds is judged at its commit.
    async fn begin(&self, lease: &Lease) -> Result<Self::Tx, StoreError>;

    /// The documents under `keys`, in any order; a missing one is left out.
    async fn documents(
        &self,
        projection: &ProjectionName,
        keys: &[String],
    ) -> Result<Vec<Document>, StoreError>;

    /// Documents whose key starts with `prefix`, behind the key `after`, by key, at most `limit`.
    ///
    /// A page of them holds at most [`PAGE_BYTES`](crate::page::PAGE_BYTES), or is one: where documents
    /// are large it is shorter than the limit. Only an empty page is the end.
    async fn scan(
        &self,
        projection: &ProjectionName,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Document>, StoreError>;

    /// Returns what an error means that user code got from this store's driver, or from this store.
    ///
    /// Tells a full disk or a missing right, which are no event's fault, from a poison event.
    fn class(&self, error: &(dyn std::error::Error + 'static)) -> ErrorClass;

    /// Tells whether an error that user code got from this store's driver may pass by itself.
    fn is_transient(&self, error: &(dyn std::error::Error + 'static)) -> bool {
        self.class(error) == ErrorClass::World
    }
}

/// One batch of a projection; dropping it undoes everything.
///
/// ```
/// use highwater_core::{
///     Advance, Change, Lease, Payload, ProjectionStore, ProjectionTx, StoreError,
/// };
///
/// /// Writes one document and moves the checkpoint, both or neither.
/// async fn commit<S: ProjectionStore>(
///     store: &S,
///     lease: &Lease,
///     document: Payload,
///     advance: Advance,
/// ) -> Result<(), StoreError> {
///     let mut tx = store.begin(lease).await?;
///     tx.write(vec![("ada".to_owned(), Some(document))]).await?;
///     tx.commit(Change::Advance(advance)).await
/// }
/// ```
#[async_trait]
pub trait ProjectionTx: Send + Sized + 'static {
    /// Writes documents of the lease's projection; `None` removes one. A key appears once.
    async fn write(&mut self, changes: Vec<(String, Option<Payload>)>) -> Result<(), StoreError>;

    /// Removes every document of the lease's projection.
    async fn clear(&mut self) -> Result<(), StoreError>;

    /// Commits the read model with its checkpoint, or neither.
    ///
    /// Fails like [`CheckpointStore::save`]; after `Unavailable` it may have committed, and
    /// reading the checkpoint tells.
    async fn commit(self, change: Change) -> Result<(), StoreError>;
}
