//! The handshake: the client names the protocol, in JSON whatever the protocol is.

use highwater_core::JsonLimits;

use super::Protocol;

/// The newest version of the protocol that a client may ask for.
///
/// Version 2 adds stateful reconnects, which a client uses only when negotiate offered them;
/// signalrcore asks for 0.
const VERSION_MAX: u64 = 2;

/// A handshake that the hub accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handshake {
    /// Encoding of the messages of both sides from now on.
    pub protocol: Protocol,
}

/// Reason why a handshake is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeRefused {
    /// The first record is not a handshake at all.
    #[error("the handshake is not valid")]
    Malformed,
    /// Another protocol than JSON or MessagePack.
    #[error("the protocol is not supported")]
    Protocol,
    /// A later version of the protocol.
    #[error("the version of the protocol is not supported")]
    Version,
    /// MessagePack over server-sent events.
    #[error("the transport carries only text")]
    TextOnly,
    /// Nothing came in time.
    #[error("no handshake was received in time")]
    TimedOut,
}

#[derive(serde::Deserialize)]
struct Request {
    protocol: String,
    version: u64,
}

impl Handshake {
    /// Answer to a handshake that the hub accepts, framed.
    pub const ACCEPTED: &[u8] = b"{}\x1e";

    /// The most bytes that a handshake may have.
    pub const BYTES_MAX: usize = 4096;

    /// Reads the first record of a connection.
    pub fn read(record: &[u8]) -> Result<Self, HandshakeRefused> {
        if !super::json::is_object(record) {
            return Err(HandshakeRefused::Malformed);
        }
        let limits = JsonLimits { bytes: Self::BYTES_MAX, ..JsonLimits::default() };
        let request: Request = limits.parse(record).map_err(|_| HandshakeRefused::Malformed)?;
        // The original server minds no case either.
        let protocol = match request.protocol.to_ascii_lowercase().as_str() {
            "json" => Protocol::Json,
            "messagepack" => Protocol::MessagePack,
            _ => return Err(HandshakeRefused::Protocol),
        };
        if request.version > VERSION_MAX {
            return Err(HandshakeRefused::Version);
        }
        Ok(Self { protocol })
    }
}

impl HandshakeRefused {
    /// Returns what the hub answers, framed; the connection ends after it.
    #[must_use]
    pub fn response(self) -> Vec<u8> {
        format!("{{\"error\":\"{self}\"}}\x1e").into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_handshakes_of_all_clients_are_accepted() {
        for (record, protocol) in [
            (r#"{"protocol":"json","version":1}"#, Protocol::Json),
            (r#"{"protocol":"messagepack","version":2}"#, Protocol::MessagePack),
            (r#"{"protocol": "json", "version": 0}"#, Protocol::Json),
            (r#" {"protocol":"JSON","version":1}"#, Protocol::Json),
            (r#"{"protocol":"MessagePack","version":1}"#, Protocol::MessagePack),
        ] {
            assert_eq!(Handshake::read(record.as_bytes()), Ok(Handshake { protocol }));
        }
    }

    #[test]
    fn anything_else_is_refused_with_its_reason() {
        for (record, refusal) in [
            (&b"{\"protocol\":\"xml\",\"version\":1}"[..], HandshakeRefused::Protocol),
            (b"{\"protocol\":\"json\",\"version\":3}", HandshakeRefused::Version),
            (b"{\"protocol\":\"json\"}", HandshakeRefused::Malformed),
            (b"{\"type\":6}", HandshakeRefused::Malformed),
            (b"[\"json\",1]", HandshakeRefused::Malformed),
            (b"", HandshakeRefused::Malformed),
            (b"\xff\xfe", HandshakeRefused::Malformed),
        ] {
            assert_eq!(Handshake::read(record), Err(refusal));
        }
        let response = HandshakeRefused::Version.response();
        let text = b"{\"error\":\"the version of the protocol is not supported\"}\x1e";
        assert_eq!(response, text);
    }
}
