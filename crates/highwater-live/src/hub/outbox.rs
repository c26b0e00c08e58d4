//! The way out: messages gathered into frames, frames handed to the transport.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::CloseReason;
use crate::memory::{Account, Buffered};
use crate::protocol::{Protocol, RECORD_SEPARATOR, ServerMessage};

/// Whole messages for the transport to send at once.
#[derive(Debug)]
pub(crate) struct Frame {
    /// The messages, one after the other.
    pub(crate) bytes: Bytes,
    /// True when they are text.
    pub(crate) is_text: bool,
    _buffered: Buffered,
}

impl Frame {
    /// Takes the first message off a frame of text; `None` when it is the only one.
    pub(crate) fn split_message(&mut self) -> Option<Bytes> {
        let end = self.bytes.iter().position(|byte| *byte == RECORD_SEPARATOR)?;
        (end + 1 < self.bytes.len()).then(|| self.bytes.split_to(end + 1))
    }

    /// The bytes, which count as held until whoever sends them has let go of them.
    pub(crate) fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }

    /// The same with something before and behind them.
    pub(crate) fn wrapped(self, before: &[u8], behind: &[u8]) -> Bytes {
        let bytes = [before, &self.bytes, behind].concat().into();
        Bytes::from_owner(Self { bytes, ..self })
    }
}

impl AsRef<[u8]> for Frame {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Collects messages and sends them together; the only writer of its connection.
///
/// At most two frames wait: the one being gathered, and one on its way to the transport.
#[derive(Debug)]
pub(crate) struct Outbox {
    frames: mpsc::Sender<Frame>,
    account: Arc<Account>,
    stall_timeout: Duration,
    protocol: Protocol,
    messages: Vec<Bytes>,
    size: usize,
    /// The sizes of the last two frames, which may still be on their way to the client.
    under_way: [usize; 2],
    last_sent: Instant,
}

impl Outbox {
    /// A frame is sent once it has this many bytes; a longer message is a frame of its own.
    pub(crate) const FRAME_BYTES: usize = 64 << 10;

    pub(crate) fn new(
        frames: mpsc::Sender<Frame>,
        account: Arc<Account>,
        stall_timeout: Duration,
    ) -> Self {
        let (messages, last_sent) = (Vec::new(), Instant::now());
        let protocol = Protocol::Json;
        let (size, under_way) = (0, [0; 2]);
        Self { frames, account, stall_timeout, protocol, messages, size, under_way, last_sent }
    }

    /// Encodes what follows in another protocol; for the end of the handshake.
    pub(super) fn switch(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    pub(super) fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// When bytes were last handed to the transport.
    pub(crate) fn last_sent(&self) -> Instant {
        self.last_sent
    }

    pub(super) async fn say(&mut self, message: ServerMessage<'_>) -> Result<(), CloseReason> {
        let mut out = Vec::new();
        self.protocol.encode(&message, &mut out);
        self.push(out.into()).await
    }

    /// Adds an encoded message, and sends what was there before when the frame would get long.
    pub(crate) async fn push(&mut self, message: Bytes) -> Result<(), CloseReason> {
        if self.size + message.len() > Self::FRAME_BYTES {
            self.flush().await?;
        }
        self.size += message.len();
        self.messages.push(message);
        Ok(())
    }

    /// Hands what has been gathered to the transport, waiting for it to take the frame before.
    pub(crate) async fn flush(&mut self) -> Result<(), CloseReason> {
        let bytes = match self.messages.len() {
            0 => return Ok(()),
            1 => self.messages.remove(0),
            _ => self.messages.concat().into(),
        };
        self.messages.clear();
        self.size = 0;
        let _buffered = self.account.hold(bytes.len());
        let length = bytes.len();
        let frame = Frame { bytes, is_text: self.protocol == Protocol::Json, _buffered };
        match timeout(self.patience(), self.frames.send(frame)).await {
            Ok(Ok(())) => {
                self.under_way = [self.under_way[1], length];
                self.last_sent = Instant::now();
                self.account.progressed();
                Ok(())
            }
            Ok(Err(_)) => Err(CloseReason::Gone),
            Err(_) => Err(CloseReason::Stalled),
        }
    }

    /// Time that the frames before the next one may take.
    ///
    /// Whether a client takes a part of a frame is not seen from here; so a long one has as much
    /// more time as it is longer than an ordinary one.
    fn patience(&self) -> Duration {
        let longest = self.under_way[0].max(self.under_way[1]);
        let frames = longest.div_ceil(Self::FRAME_BYTES).max(1);
        self.stall_timeout.saturating_mul(u32::try_from(frames).unwrap_or(u32::MAX))
    }

    /// Sends a message in a frame of its own.
    pub(crate) async fn send(&mut self, message: Bytes) -> Result<(), CloseReason> {
        self.push(message).await?;
        self.flush().await
    }

    /// Returns when the transport takes nothing any more.
    pub(crate) async fn closed(&self) {
        self.frames.closed().await;
    }
}
