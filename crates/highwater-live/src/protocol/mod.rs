//! The SignalR hub protocol, pure: bytes in, messages out, and back.
//!
//! Nothing here does I/O or waits, so that every byte a client may send can be tried in a test.
//! Whatever comes in is bounded before it is looked at: the length of a record by [`Framer`],
//! the depth of its content by the codecs.
//!
//! What goes out is the intersection of what the JavaScript client, pysignalr and signalrcore
//! accept: exactly the fields of the specification, no optional message types, and MessagePack
//! invocations with all six elements.

mod argument;
mod event;
mod framer;
mod handshake;
mod json;
mod message;
mod message_pack;
mod negotiation;
mod packed_json;
mod varint;

pub use argument::Argument;
pub use event::{EncodedEvent, EventMessage, EventNotEncoded};
pub(crate) use framer::RECORD_SEPARATOR;
pub use framer::{Framer, Framing, Malformed};
pub use handshake::{Handshake, HandshakeRefused};
pub use message::{ClientMessage, Invocation, ServerMessage};
pub use negotiation::Negotiation;

use bytes::Bytes;

/// Encoding of hub messages, chosen by the client in its handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Text: each message is a JSON object, ended by a record separator.
    Json,
    /// Binary: each message is a MessagePack array, preceded by its length.
    MessagePack,
}

impl Protocol {
    /// Tells how the messages are told apart in a sequence of bytes.
    #[must_use]
    pub fn framing(self) -> Framing {
        match self {
            Self::Json => Framing::Separated,
            Self::MessagePack => Framing::LengthPrefixed,
        }
    }

    /// Reads one message, as a [`Framer`] has cut it out.
    ///
    /// Unknown fields and types of messages are ignored, as the specification asks for.
    pub fn decode(self, record: &[u8]) -> Result<ClientMessage, Malformed> {
        match self {
            Self::Json => json::decode(record),
            Self::MessagePack => message_pack::decode(record),
        }
    }

    /// Appends one framed message to `out`.
    pub fn encode(self, message: &ServerMessage<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Json => json::encode(message, out),
            Self::MessagePack => message_pack::encode(message, out),
        }
    }

    /// Writes the framed message `EventReceived(name, event)`.
    pub fn encode_event<'a>(
        self,
        name: &str,
        event: impl Into<EventMessage<'a>>,
    ) -> Result<EncodedEvent, EventNotEncoded> {
        let event = event.into();
        match self {
            Self::Json => json::encode_event(name, &event),
            Self::MessagePack => message_pack::encode_event(name, &event),
        }
    }

    /// Appends one framed item of the stream that the client invoked under `id` to `out`.
    pub fn encode_item(self, id: &str, item: &Bytes, out: &mut Vec<u8>) {
        match self {
            Self::Json => json::encode_item(id, item, out),
            Self::MessagePack => message_pack::encode_item(id, item, out),
        }
    }
}
