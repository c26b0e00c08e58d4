//! How a connection ends, and what is said about it.

use crate::protocol::{HandshakeRefused, Malformed, ServerMessage};

/// Reason why a connection has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CloseReason {
    #[error("the client has gone")]
    Gone,
    #[error("the client has closed the connection")]
    Closed,
    #[error("{0}")]
    Refused(HandshakeRefused),
    #[error("{0}")]
    Malformed(Malformed),
    #[error("the client was silent for too long")]
    Silent,
    #[error("the client took nothing for too long")]
    Stalled,
    #[error("the client took nothing while others needed the room")]
    Crowded,
    #[error("the server is shutting down")]
    Draining,
    #[error("the identity was disconnected")]
    Revoked,
}

/// Codes of WebSocket closes.
const NORMAL: u16 = 1000;
const GOING_AWAY: u16 = 1001;
const PROTOCOL_ERROR: u16 = 1002;
const POLICY: u16 = 1008;

impl CloseReason {
    /// The last message to the client, if it can still take one.
    ///
    /// An error keeps clients from coming back; what is not their fault must not have one.
    pub(super) fn farewell(self, reason: &str) -> Option<ServerMessage<'_>> {
        match self {
            Self::Gone | Self::Stalled | Self::Crowded | Self::Refused(_) => None,
            Self::Closed => Some(ServerMessage::Close { error: None, allow_reconnect: false }),
            Self::Malformed(_) => {
                Some(ServerMessage::Close { error: Some(reason), allow_reconnect: false })
            }
            Self::Silent | Self::Draining | Self::Revoked => {
                Some(ServerMessage::Close { error: None, allow_reconnect: true })
            }
        }
    }

    /// Tells whether the client takes nothing, so that to say anything more is of no use.
    pub(crate) fn is_stuck(self) -> bool {
        matches!(self, Self::Gone | Self::Stalled | Self::Crowded)
    }

    /// The code of the WebSocket close.
    pub(crate) fn close_code(self) -> u16 {
        match self {
            Self::Gone | Self::Closed => NORMAL,
            Self::Draining => GOING_AWAY,
            Self::Refused(_) | Self::Malformed(_) => PROTOCOL_ERROR,
            Self::Silent | Self::Stalled | Self::Crowded | Self::Revoked => POLICY,
        }
    }
}
