//! State of a projection, which its engine sets and its status tells.

/// State of a projection in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ProjectionState {
    /// It is not running.
    Stopped,
    /// It waits for the lease, which somebody else holds.
    Standby,
    /// It holds the lease and works through what has been appended.
    CatchingUp,
    /// It holds the lease, has processed everything, and waits for more.
    Live,
    /// It holds the lease and waits before it tries again what has failed.
    Retrying,
    /// It has given up.
    Failed,
}
