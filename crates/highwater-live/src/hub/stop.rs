//! When the hub ends a connection for reasons that the client has no part in.

use tokio_util::sync::CancellationToken;

use super::End;

/// Tells one connection that it has to end.
#[derive(Debug, Clone)]
pub(crate) struct Stop {
    /// The hub sends everybody elsewhere.
    pub(crate) draining: CancellationToken,
    /// The identity has to come in anew.
    pub(crate) dismissed: CancellationToken,
    /// What is held for the client is needed for others.
    pub(crate) crowded: CancellationToken,
}

impl Stop {
    /// Returns once the connection has to end, and why. Cancel safe.
    pub(crate) async fn asked(&self) -> End {
        tokio::select! {
            () = self.draining.cancelled() => End::Draining,
            () = self.dismissed.cancelled() => End::Dismissed,
            () = self.crowded.cancelled() => End::Crowded,
        }
    }
}
