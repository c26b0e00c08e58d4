//! Connections that are found by their token: those that have negotiated.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::long_polling::Polls;
use crate::Identity;
use crate::door::Seat;
use crate::hub::Hub;

/// The connections that requests of their clients can find by token.
#[derive(Debug, Default)]
pub(crate) struct Negotiated(Mutex<HashMap<String, Arc<Entry>>>);

/// A connection that is made of many requests, or waits for its first.
#[derive(Debug)]
pub(super) struct Entry {
    /// Who has negotiated it; nobody else may use it.
    pub(super) identity: Option<Identity>,
    /// Where the bodies of requests go; they may come before there is a transport.
    pub(super) inbox: mpsc::Sender<Bytes>,
    /// Ends the connection.
    pub(super) closed: CancellationToken,
    state: Mutex<Attachment>,
}

#[derive(Debug)]
pub(super) enum Attachment {
    /// No transport yet.
    Waiting { seat: Seat, inbox: mpsc::Receiver<Bytes> },
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
    pub(super) fn new(identity: Option<Identity>, seat: Seat) -> Self {
        let (sender, inbox) = mpsc::channel(INBOX);
        Self {
            identity,
            inbox: sender,
            closed: CancellationToken::new(),
            state: Mutex::new(Attachment::Waiting { seat, inbox }),
        }
    }

    /// Where the connection stands, to be looked at and changed at once.
    pub(super) fn state(&self) -> MutexGuard<'_, Attachment> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Attaches a streaming transport; `None` when there is a transport already.
    pub(super) fn attach(&self) -> Option<(Seat, mpsc::Receiver<Bytes>)> {
        let mut state = self.state();
        match std::mem::replace(&mut *state, Attachment::Streaming) {
            Attachment::Waiting { seat, inbox } => Some((seat, inbox)),
            attached => {
                *state = attached;
                None
            }
        }
    }

    /// Ends the connection if it still has no transport; true when it did.
    ///
    /// Its seat is free then, and requests that wait for it are answered, whoever holds it.
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
pub(super) struct Listed {
    hub: Arc<Hub>,
    token: String,
}

impl Listed {
    pub(super) fn new(hub: Arc<Hub>, token: &str) -> Self {
        Self { hub, token: token.to_owned() }
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.hub.negotiated.remove(&self.token);
    }
}

impl Negotiated {
    pub(super) fn insert(&self, token: String, entry: Entry) {
        self.entries().insert(token, Arc::new(entry));
    }

    pub(super) fn find(&self, token: &str) -> Option<Arc<Entry>> {
        self.entries().get(token).map(Arc::clone)
    }

    pub(super) fn remove(&self, token: &str) -> Option<Arc<Entry>> {
        self.entries().remove(token)
    }

    /// Ends the connection if it still has no transport.
    pub(super) fn expire(&self, token: &str) {
        let mut entries = self.entries();
        if entries.get(token).is_some_and(|entry| entry.expire()) {
            entries.remove(token);
        }
    }

    /// Ends every connection that has no transport.
    pub(crate) fn expire_all(&self) {
        self.entries().retain(|_, entry| !entry.expire());
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.entries().len()
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<String, Arc<Entry>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
