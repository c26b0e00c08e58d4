//! Publishing events to clients, however they are served.

use std::future::Future;

use super::event::SentOrder;
use crate::Result;

/// Gives events to all clients.
pub(super) trait Publish: Clone + Send + Sync + 'static {
    /// Publishes the orders together.
    fn publish(&self, orders: Vec<SentOrder>) -> impl Future<Output = Result> + Send;
}
