//! The hub of Highwater, on an embedded store.

use std::sync::Arc;

use axum::Router;
use highwater::sqlite::SqliteStore;
use highwater::{EventStoreExt, Expected, NewEvent};
use highwater_live::Live;
use tempfile::TempDir;

use super::event::{LiveEvent, STREAM, SentOrder};
use super::publish::Publish;
use crate::{Result, sqlite_store};

/// Appends to the store that the hub follows.
#[derive(Clone)]
pub(crate) struct Hub {
    store: SqliteStore,
    _dir: Arc<TempDir>,
}

/// A new store, and the hub of it.
pub(crate) async fn open() -> Result<(Hub, Router)> {
    let dir = tempfile::tempdir()?;
    let store = sqlite_store(dir.path(), "live.db").await?;
    let router = Live::new(Arc::new(store.clone())).router();
    Ok((Hub { store, _dir: Arc::new(dir) }, router))
}

impl Publish for Hub {
    async fn publish(&self, orders: Vec<SentOrder>) -> Result {
        let events = orders.into_iter().map(|order| NewEvent::of(&LiveEvent::Sent(order)));
        let events = events.collect::<std::result::Result<Vec<_>, _>>()?;
        self.store.append_to(STREAM, Expected::Any, events).await?;
        Ok(())
    }
}
