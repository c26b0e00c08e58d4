//! The subscriptions of one connection.

use std::collections::HashSet;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::stream::{self, BoxStream, SelectAll, Stream, StreamExt};

use super::Subscription;
use crate::feed::{Batch, Unreadable};
use crate::source::LiveSource;

/// Key that tells the subscriptions of a connection apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// Events for the client's handler.
    Handler(LiveSource),
    /// Items for the invocation of this id.
    Stream(String),
}

/// Items of a subscription; after an error, nothing more.
pub(super) type Delivery = Result<Batch, Unreadable>;

/// Any number of subscriptions, read as one.
#[derive(Default)]
pub(super) struct Subscriptions {
    one_by_one: SelectAll<One>,
    keys: HashSet<Key>,
}

/// One of the subscriptions.
struct One {
    key: Key,
    given: BoxStream<'static, Delivery>,
}

impl Subscriptions {
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn contains(&self, key: &Key) -> bool {
        self.keys.contains(key)
    }

    /// Adds a subscription, in place of an earlier one of the same key.
    pub(super) fn add(&mut self, key: Key, subscription: Subscription) {
        self.remove(&key);
        let given = stream::unfold(Some(subscription), async |subscription| {
            let mut subscription = subscription?;
            let given = subscription.next().await;
            let rest = given.is_ok().then_some(subscription);
            Some((given, rest))
        });
        self.keys.insert(key.clone());
        self.one_by_one.push(One { key, given: given.boxed() });
    }

    /// Drops a subscription with all that it holds; false when there is none.
    ///
    /// At once: one that is only marked as ended would stay until it is polled, and a client
    /// that does nothing but subscribe anew is quicker than that.
    pub(super) fn remove(&mut self, key: &Key) -> bool {
        let is_there = self.keys.remove(key);
        if is_there {
            let all = std::mem::take(&mut self.one_by_one);
            self.one_by_one = all.into_iter().filter(|one| one.key != *key).collect();
        }
        is_there
    }

    /// Returns what the next subscription that has something gives; `None` when there are none at
    /// all.
    ///
    /// Cancel safe.
    pub(super) async fn next(&mut self) -> Option<(Key, Delivery)> {
        self.one_by_one.next().await
    }
}

impl Stream for One {
    type Item = (Key, Delivery);

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let given = self.given.poll_next_unpin(cx);
        given.map(|given| given.map(|given| (self.key.clone(), given)))
    }
}
