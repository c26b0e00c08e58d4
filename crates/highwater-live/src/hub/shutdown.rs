//! When the hub ends a connection for reasons that the client has no part in.

use tokio_util::sync::CancellationToken;

use super::CloseReason;

/// Tells one connection that it has to end.
#[derive(Debug, Clone)]
pub(crate) struct Shutdown {
    /// The hub sends everybody elsewhere.
    pub(crate) draining: CancellationToken,
    /// The identity has to come in anew.
    pub(crate) revoked: CancellationToken,
    /// What is held for the client is needed for others.
    pub(crate) crowded: CancellationToken,
}

impl Shutdown {
    /// Returns once the connection has to end, and why. Cancel safe.
    pub(crate) async fn asked(&self) -> CloseReason {
        tokio::select! {
            () = self.draining.cancelled() => CloseReason::Draining,
            () = self.revoked.cancelled() => CloseReason::Revoked,
            () = self.crowded.cancelled() => CloseReason::Crowded,
        }
    }
}
