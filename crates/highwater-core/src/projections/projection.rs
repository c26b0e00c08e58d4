//! Projections in the store's own transaction, for read models that are more than documents.

use std::future::Future;

use super::ProjectionStore;
use crate::error::BoxError;
use crate::events::{Decode, Recorded, Upcasters};
use crate::name::ProjectionName;
use crate::source::Source;

/// Applies events to a read model in the transaction that also moves the checkpoint.
///
/// Whatever is written through the transaction commits with the checkpoint or not at all. What
/// is written elsewhere does not: that is for a [`Handler`](crate::projections::Handler).
///
/// The transaction holds a connection while [`apply`](Self::apply) runs, and on SQLite keeps
/// everybody else from writing: wait for nothing in it but the transaction itself. A view and a
/// handler hold none.
///
/// ```
/// use highwater_core::{
///     BoxError, Event, Projection, ProjectionName, ProjectionStore, ProjectionTx, Recorded, Source,
/// };
/// # #[derive(serde::Serialize, serde::Deserialize)]
/// # #[serde(tag = "type", content = "data")]
/// # enum Account { Deposited(i64) }
/// # impl Event for Account {}
///
/// /// Counts on every store; with `S` a certain store, `tx` has its connection for SQL.
/// struct Deposits;
///
/// impl<S: ProjectionStore> Projection<S> for Deposits {
///     type Event = Account;
///
///     fn name(&self) -> ProjectionName {
///         ProjectionName::from_static("deposits")
///     }
///
///     fn source(&self) -> Source {
///         Source::All
///     }
///
///     async fn apply(&self, events: &[Recorded<Account>], tx: &mut S::Tx) -> Result<(), BoxError> {
///         let document = highwater_core::Payload::of(&events.len())?;
///         tx.write(vec![("size of the last batch".to_owned(), Some(document))]).await?;
///         Ok(())
///     }
///
///     async fn reset(&self, tx: &mut S::Tx) -> Result<(), BoxError> {
///         Ok(tx.clear().await?)
///     }
/// }
/// ```
pub trait Projection<S: ProjectionStore>: Send + Sync + 'static {
    /// The events: an [`Event`](crate::events::Event) enum, or [`Payload`](crate::events::Payload) for any.
    type Event: Decode;

    /// The name under which the checkpoint is kept.
    fn name(&self) -> ProjectionName;

    /// Source that the projection follows.
    fn source(&self) -> Source;

    /// Applies a batch of one or more events, in order.
    ///
    /// When it fails the transaction is undone, and the batch is tried again in parts until the
    /// event that does not apply stands alone. Transient errors of the store's driver, such as a
    /// lost connection, are told apart and blamed on no event.
    fn apply(
        &self,
        events: &[Recorded<Self::Event>],
        tx: &mut S::Tx,
    ) -> impl Future<Output = Result<(), BoxError>> + Send;

    /// Empties the read model, in the transaction that also resets the checkpoint.
    fn reset(&self, tx: &mut S::Tx) -> impl Future<Output = Result<(), BoxError>> + Send;

    /// Tells whether a rebuild is allowed; it is by default.
    fn can_rebuild(&self) -> bool {
        true
    }

    /// Brings old events up to date before they are decoded; none by default.
    fn upcasters(&self) -> Upcasters {
        Upcasters::new()
    }
}
