//! Connections that are found by their token: those that have negotiated.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::Refusal;
use super::long_polling::Polls;
use super::pending::Pending;
use crate::access::Identity;
use crate::connection_limits::{ConnectionPermit, Full};
use crate::hub::{LiveState, Received};
use crate::memory::Account;
use crate::options::LiveOptions;

/// The connections that requests of their clients can find by token, and the tokens that were
/// given out and stand for no connection yet.
#[derive(Debug)]
pub(super) struct Negotiated(Mutex<Table>);

#[derive(Debug)]
struct Table {
    pending: Pending,
    entries: HashMap<String, Arc<Entry>>,
}

/// A connection that is made of many requests, or waits for its first.
#[derive(Debug)]
pub(super) struct Entry {
    /// Who has negotiated it; nobody else may use it.
    pub(super) identity: Option<Identity>,
    /// Where the bodies of requests go; they may come before there is a transport.
    inbox: mpsc::Sender<Received>,
    /// What is held for the client.
    account: Arc<Account>,
    /// Ends the connection.
    pub(super) closed: CancellationToken,
    state: Mutex<Attachment>,
}

#[derive(Debug)]
pub(super) enum Attachment {
    /// No transport yet.
    Waiting { permit: ConnectionPermit, inbox: mpsc::Receiver<Received> },
    /// A transport that is one long response.
    Streaming,
    /// Many polls.
    Polling(Arc<Polls>),
    /// It came too late for a transport.
    Expired,
}

/// Bodies that wait to be read.
const INBOX: usize = 4;

impl Entry {
    fn new(identity: Option<Identity>, permit: ConnectionPermit) -> Self {
        let (sender, inbox) = mpsc::channel(INBOX);
        Self {
            identity,
            inbox: sender,
            account: Arc::clone(&permit.account),
            closed: CancellationToken::new(),
            state: Mutex::new(Attachment::Waiting { permit, inbox }),
        }
    }

    /// Queues what the client says; false when the connection has ended, or hears nothing for as
    /// long as `patience`.
    pub(super) async fn hear(&self, bytes: Bytes, patience: Duration) -> bool {
        let queued = timeout(patience, async {
            let room = self.inbox.reserve().await.ok()?;
            room.send(Received::new(bytes, &self.account));
            Some(())
        });
        let queued = self.closed.run_until_cancelled(queued).await;
        matches!(queued, Some(Ok(Some(()))))
    }

    /// The other end of [`hear`](Self::hear), for a transport that hears by itself.
    pub(super) fn inbox(&self) -> mpsc::Sender<Received> {
        self.inbox.clone()
    }

    /// Where the connection stands, to be looked at and changed at once.
    pub(super) fn state(&self) -> MutexGuard<'_, Attachment> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Attaches a streaming transport; `None` when there is a transport already.
    pub(super) fn attach(&self) -> Option<(ConnectionPermit, mpsc::Receiver<Received>)> {
        let mut state = self.state();
        match std::mem::replace(&mut *state, Attachment::Streaming) {
            Attachment::Waiting { permit, inbox } => Some((permit, inbox)),
            attached => {
                *state = attached;
                None
            }
        }
    }

    /// Ends the connection if it still has no transport; true when it did.
    ///
    /// Its permit is free then, and requests that wait for it are answered, whoever holds it.
    fn expire(&self) -> bool {
        let mut state = self.state();
        let is_waiting = matches!(*state, Attachment::Waiting { .. });
        if is_waiting {
            *state = Attachment::Expired;
            self.closed.cancel();
        }
        is_waiting
    }

    /// Ends the connection, with or without a transport.
    pub(super) fn close(&self) {
        self.expire();
        self.closed.cancel();
    }
}

/// A connection that its requests can find; no longer when this is dropped.
#[derive(Debug)]
pub(super) struct Registration {
    negotiated: Arc<Negotiated>,
    token: String,
}

impl Registration {
    pub(super) fn new(negotiated: &Arc<Negotiated>, token: &str) -> Self {
        Self { negotiated: Arc::clone(negotiated), token: token.to_owned() }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.negotiated.remove(&self.token);
    }
}

impl Negotiated {
    pub(super) fn new(options: &LiveOptions) -> Self {
        let pending = Pending::new(options);
        Self(Mutex::new(Table { pending, entries: HashMap::new() }))
    }

    /// Gives out a token to whoever has knocked.
    pub(super) fn promise(
        &self,
        token: String,
        identity: Option<Identity>,
        address: Option<IpAddr>,
    ) -> Result<(), Full> {
        self.table().pending.insert(token, identity, address)
    }

    /// Who has negotiated what `token` stands for; `None` when it stands for nothing.
    pub(super) fn owner(&self, token: &str) -> Option<Option<Identity>> {
        let table = self.table();
        let entry = table.entries.get(token).map(|entry| entry.identity.clone());
        entry.or_else(|| table.pending.find(token).map(|promise| promise.identity.clone()))
    }

    /// The connection that `token` stands for; the first request that shows it takes a permit.
    pub(super) fn open(
        self: &Arc<Self>,
        hub: &Arc<LiveState>,
        token: &str,
        address: Option<IpAddr>,
    ) -> Result<Arc<Entry>, Refusal> {
        let mut table = self.table();
        if let Some(entry) = table.entries.get(token) {
            return Ok(Arc::clone(entry));
        }
        let promise = table.pending.find(token).cloned().ok_or(Refusal::NoConnection)?;
        let permit = hub.limiter.enter(promise.identity.as_ref(), address)?;
        let entry = Arc::new(Entry::new(promise.identity, permit));
        table.pending.remove(token);
        table.entries.insert(token.to_owned(), Arc::clone(&entry));
        drop(table);
        let (hub, token) = (Arc::clone(hub), token.to_owned());
        let negotiated = Arc::clone(self);
        tokio::spawn(async move {
            // Draining forgets who has not attached; not to be missed by one who comes just then.
            drop(timeout(hub.options.attach_timeout, hub.draining.cancelled()).await);
            negotiated.expire(&token);
        });
        Ok(entry)
    }

    pub(super) fn remove(&self, token: &str) {
        self.table().entries.remove(token);
    }

    /// Ends the connection if it still has no transport.
    fn expire(&self, token: &str) {
        let mut table = self.table();
        if table.entries.get(token).is_some_and(|entry| entry.expire()) {
            table.entries.remove(token);
        }
    }

    /// Ends every connection that has no transport, and makes invalid what was given out.
    pub(super) fn expire_all(&self) {
        let mut table = self.table();
        table.pending.clear();
        table.entries.retain(|_, entry| !entry.expire());
    }

    /// Makes invalid what was given out to an identity and not used.
    pub(super) fn revoke(&self, identity: &Identity) {
        self.table().pending.revoke(identity);
    }

    /// Number of tokens that were given out and can still be used.
    pub(super) fn waiting(&self) -> usize {
        self.table().pending.len()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
