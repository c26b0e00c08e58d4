//! Views: read models made of keyed documents, the shortest way to write a projection.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{BoxError, Decode, ProjectionName, Recorded, Source, Upcasters};

/// Folds events into keyed JSON documents.
///
/// The engine loads the documents that a batch of events needs, applies the events in order, and
/// writes what changed together with the checkpoint: kill the process anywhere, and no event is
/// lost or counted twice. A view knows no database and runs on every store.
///
/// An error of [`apply`](Self::apply) is retried and then handled by the failure policy; nothing
/// of the failed event is written.
pub trait View: Send + Sync + 'static {
    /// The events: an [`Event`](crate::Event) enum, or [`Payload`](crate::Payload) for any.
    type Event: Decode;

    /// What is kept under each key; the default is what the first event finds.
    type Document: Default + Serialize + DeserializeOwned + Send + Sync;

    /// The name under which checkpoint and documents are kept.
    fn name(&self) -> ProjectionName;

    /// What the view follows.
    fn source(&self) -> Source;

    /// The keys of the documents that `event` changes; none when it changes nothing.
    ///
    /// `Some(key)`, an array and a `Vec` will all do. A key has 1 to 1,024 bytes and no NUL.
    fn keys(&self, event: &Recorded<Self::Event>) -> impl IntoIterator<Item = String>;

    /// Applies `event` to the document under `key`; called once for each of its keys.
    ///
    /// Must depend on nothing but its arguments: a batch may be applied again.
    fn apply(
        &self,
        document: &mut Self::Document,
        key: &str,
        event: &Recorded<Self::Event>,
    ) -> Result<(), BoxError>;

    /// Whether the document stays; one that does not is removed. All stay by default.
    fn keep(&self, document: &Self::Document) -> bool {
        let _ = document;
        true
    }

    /// Brings old events up to date before they are decoded; none by default.
    fn upcasters(&self) -> Upcasters {
        Upcasters::new()
    }
}
