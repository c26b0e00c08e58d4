//! Views: read models made of keyed documents, the shortest way to write a projection.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::BoxError;
use crate::events::{Decode, Recorded, Upcasters};
use crate::name::ProjectionName;
use crate::source::Source;

/// A stored document that does not fit the type of its view: no event is to blame for it.
#[derive(Debug, thiserror::Error)]
#[error(
    "document {key:?} of view {projection:?} does not fit the view's type, which has changed since \
     it was written: a rebuild is needed"
)]
pub struct UnfitDocument {
    /// The view.
    pub projection: ProjectionName,
    /// The document.
    pub key: String,
    /// What serde says of it.
    pub source: serde_json::Error,
}

impl UnfitDocument {
    /// The document of `projection` under `key`, which `source` refuses.
    #[must_use]
    pub fn new(projection: ProjectionName, key: &str, source: serde_json::Error) -> Self {
        Self { projection, key: key.to_owned(), source }
    }
}

/// Folds events into keyed JSON documents.
///
/// The engine loads the documents that a batch of events needs, applies the events in order, and
/// writes what changed together with the checkpoint: kill the process anywhere, and no event is
/// lost or counted twice. A view knows no database and runs on every store.
///
/// An error of [`apply`](Self::apply) is retried and then handled by the failure policy; nothing
/// of the failed event is written.
///
/// ```
/// use highwater_core::{BoxError, Event, ProjectionName, Recorded, Source, View};
/// # #[derive(serde::Serialize, serde::Deserialize)]
/// # #[serde(tag = "type", content = "data")]
/// # enum Account { Deposited(i64) }
/// # impl Event for Account {}
///
/// struct Balances;
///
/// impl View for Balances {
///     type Event = Account;
///     type Document = i64;
///
///     fn name(&self) -> ProjectionName {
///         ProjectionName::from_static("balances")
///     }
///
///     fn source(&self) -> Source {
///         Source::All
///     }
///
///     fn keys(&self, event: &Recorded<Account>) -> impl IntoIterator<Item = String> {
///         Some(event.stream.to_string())
///     }
///
///     fn apply(&self, balance: &mut i64, _: &str, event: &Recorded<Account>) -> Result<(), BoxError> {
///         let Account::Deposited(amount) = event.data;
///         *balance += amount;
///         Ok(())
///     }
/// }
/// ```
pub trait View: Send + Sync + 'static {
    /// The events: an [`Event`](crate::events::Event) enum, or [`Payload`](crate::events::Payload) for any.
    type Event: Decode;

    /// Document kept under each key; the default is what the first event finds.
    type Document: Default + Serialize + DeserializeOwned + Send + Sync;

    /// The name under which checkpoint and documents are kept.
    fn name(&self) -> ProjectionName;

    /// Returns what the view follows.
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

    /// Tells whether the document stays; one that does not is removed. All stay by default.
    fn keep(&self, document: &Self::Document) -> bool {
        let _ = document;
        true
    }

    /// Brings old events up to date before they are decoded; none by default.
    fn upcasters(&self) -> Upcasters {
        Upcasters::new()
    }
}
