//! The subscriptions of one connection.

use std::collections::HashMap;
use std::sync::Arc;

use futures::stream::{self, AbortHandle, BoxStream, SelectAll, StreamExt};

use super::Subscription;
use crate::LiveSource;
use crate::feed::Unreadable;
use crate::live_event::LiveEvent;

/// What tells the subscriptions of a connection apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// Events for the client's handler.
    Handler(LiveSource),
    /// Items for the invocation of this id.
    Stream(String),
}

/// What a subscription has to give; after an error, nothing more.
pub(super) type Given = Result<Vec<Arc<LiveEvent>>, Unreadable>;

/// Any number of subscriptions, read as one.
#[derive(Default)]
pub(super) struct Followed {
    streams: SelectAll<BoxStream<'static, (Key, Given)>>,
    handles: HashMap<Key, AbortHandle>,
}

impl Followed {
    pub(super) fn len(&self) -> usize {
        self.handles.len()
    }

    pub(super) fn contains(&self, key: &Key) -> bool {
        self.handles.contains_key(key)
    }

    /// Adds a subscription, in place of an earlier one of the same key.
    pub(super) fn add(&mut self, key: Key, subscription: Subscription) {
        self.remove(&key);
        let name = key.clone();
        let given = stream::unfold(Some(subscription), move |subscription| {
            let name = name.clone();
            async move {
                let mut subscription = subscription?;
                let given = subscription.next().await;
                let rest = given.is_ok().then_some(subscription);
                Some(((name, given), rest))
            }
        });
        let (given, handle) = stream::abortable(given);
        self.streams.push(given.boxed());
        self.handles.insert(key, handle);
    }

    /// Drops a subscription; false when there is none. Nothing of it is given afterwards.
    pub(super) fn remove(&mut self, key: &Key) -> bool {
        let handle = self.handles.remove(key);
        if let Some(handle) = &handle {
            handle.abort();
        }
        handle.is_some()
    }

    /// What the next subscription that has something gives; `None` when there are none at all.
    ///
    /// Cancel safe.
    pub(super) async fn next(&mut self) -> Option<(Key, Given)> {
        self.streams.next().await
    }
}
