//! The raw limit: the same work in plain SQL, without any of the guarantees.

use std::collections::HashMap;
use std::future::Future;

use crate::Result;
use crate::order::Order;

/// Events and totals in tables of its own on one database.
pub(crate) trait Raw: Clone + Send + Sync + 'static {
    /// Inserts the payloads as the next events of `stream`, in one statement that commits itself.
    fn append(
        &self,
        stream: &str,
        first: i64,
        payloads: Vec<String>,
    ) -> impl Future<Output = Result> + Send;

    /// The events with a higher position than `after`, decoded.
    fn page(&self, after: i64, limit: i64) -> impl Future<Output = Result<Vec<RawEvent>>> + Send;

    /// Adds to the totals and moves the checkpoint, in one transaction.
    fn add(&self, totals: &Totals, checkpoint: i64) -> impl Future<Output = Result> + Send;

    /// Removes all events.
    fn clear(&self) -> impl Future<Output = Result> + Send;

    /// Removes all totals.
    fn clear_totals(&self) -> impl Future<Output = Result> + Send;
}

/// An event as a program without a library would keep it.
#[derive(Debug)]
#[expect(dead_code, reason = "a reader needs them, the measurement does not")]
pub(crate) struct RawEvent {
    pub(crate) position: i64,
    pub(crate) stream: String,
    pub(crate) offset: i64,
    pub(crate) event_type: String,
    pub(crate) order: Order,
}

/// Number of orders and cents by customer.
pub(crate) type Totals = HashMap<String, (i64, i64)>;
