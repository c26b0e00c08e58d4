//! The messages of the hub, whatever the protocol.

use super::Argument;

/// Message of a client.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientMessage {
    /// Calls a method.
    Invocation(Invocation),
    /// Asks for no more items of the stream that it invoked under this id.
    Cancel {
        /// The id of the invocation.
        id: String,
    },
    /// Says that it is alive, and from now on does so regularly.
    Ping,
    /// Says that it closes the connection.
    Close,
    /// Messages without use for the hub: items of uploads, acknowledgements, types not known yet.
    Other,
}

/// A call of a method of the hub.
#[derive(Debug, Clone, PartialEq)]
pub struct Invocation {
    /// Id that the completion is to carry; without one the client expects no answer.
    pub id: Option<String>,
    /// The name of the method.
    pub target: String,
    /// The arguments, in order.
    pub arguments: Vec<Argument>,
    /// True when the client expects a stream of items.
    pub wants_stream: bool,
    /// True when the client means to upload streams of its own.
    pub has_uploads: bool,
}

/// The longest id of an invocation: it comes back with every item of a stream.
pub(super) const ID_BYTES_MAX: usize = 128;

/// Message of the hub, events aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerMessage<'a> {
    /// Calls the client's handler `target` with one text.
    Call {
        /// The name of the handler; the Python clients mind its case.
        target: &'static str,
        /// The only argument.
        argument: &'a str,
    },
    /// Ends an invocation; the hub's methods have no result.
    Completion {
        /// The id of the invocation.
        id: &'a str,
        /// Reason why it failed; `None` when it did not.
        error: Option<&'a str>,
    },
    /// Says that the server is alive.
    Ping,
    /// Ends the connection.
    ///
    /// Only one without an error lets all clients come back by themselves.
    Close {
        /// Reason why the client must not come back.
        error: Option<&'a str>,
        /// True when it may.
        allow_reconnect: bool,
    },
}
