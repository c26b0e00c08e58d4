//! What readers of read models like to call.

use async_trait::async_trait;

use super::{ProjectionStore, UnfitDocument, View};
use crate::error::StoreError;
use crate::events::Payload;
use crate::name::ProjectionName;

/// Convenience over any [`ProjectionStore`]; implemented for all, not meant to be implemented.
///
/// ```
/// use highwater_core::{ProjectionStore, ProjectionStoreExt, StoreError, View};
///
/// async fn balance<S: ProjectionStore, V: View<Document = i64>>(
///     store: &S,
///     view: &V,
/// ) -> Result<i64, StoreError> {
///     Ok(store.document(view, "account-ada").await?.unwrap_or_default())
/// }
/// ```
#[async_trait]
pub trait ProjectionStoreExt: ProjectionStore {
    /// The document of `view` under `key`, or `None` when no event has made it.
    ///
    /// Fails with `Unfit` when what is stored does not fit the view's type: rebuild a view whose
    /// document has changed its shape.
    async fn document<V: View>(
        &self,
        view: &V,
        key: &str,
    ) -> Result<Option<V::Document>, StoreError> {
        let found = self.raw_document(&view.name(), key).await?;
        let document = found.map(|data| data.to()).transpose();
        document.map_err(|source| UnfitDocument::new(view.name(), key, source).into())
    }

    /// The JSON of one document, or `None` when no event has made it.
    async fn raw_document(
        &self,
        projection: &ProjectionName,
        key: &str,
    ) -> Result<Option<Payload>, StoreError> {
        let found = self.documents(projection, &[key.to_owned()]).await?;
        Ok(found.into_iter().next().map(|document| document.data))
    }
}

impl<S: ProjectionStore> ProjectionStoreExt for S {}
