//! A connection from its handshake to its end, whatever the transport.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::Instrument;

use super::outbox::Outbox;
use super::session::Session;
use super::{CloseReason, Frame, LiveState, Shutdown};
use crate::access::Identity;
use crate::memory::{Account, Buffered};
use crate::protocol::{Framer, Framing, Handshake, HandshakeRefused, Protocol};

/// One client; [`run`](Self::run) serves it.
///
/// Bytes come in through one channel and go out through another, so that transports only carry
/// them. Both are short: a client that does not read is not read from either.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) hub: Arc<LiveState>,
    pub(crate) identity: Option<Identity>,
    /// Bytes from the client, cut in any way.
    pub(crate) inbox: mpsc::Receiver<Received>,
    /// What is held for the client.
    pub(crate) account: Arc<Account>,
    /// Where frames go.
    pub(crate) frames: mpsc::Sender<Frame>,
    pub(crate) transport: Transport,
    pub(crate) stop: Shutdown,
}

/// What a client has sent, in any number of pieces.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) bytes: Bytes,
    _buffered: Buffered,
}

impl Received {
    pub(crate) fn new(bytes: Bytes, account: &Arc<Account>) -> Self {
        let _buffered = account.hold(bytes.len());
        Self { bytes, _buffered }
    }
}

/// The other end of a connection's way out.
pub(crate) type Frames = mpsc::Receiver<Frame>;

/// Kind of transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    WebSockets,
    ServerSentEvents,
    LongPolling,
}

impl Transport {
    /// Tells whether it carries MessagePack.
    fn is_binary(self) -> bool {
        self != Self::ServerSentEvents
    }

    /// Tells whether both sides show that they are alive by pings; a poll does it by itself.
    pub(super) fn has_pings(self) -> bool {
        self != Self::LongPolling
    }
}

impl Connection {
    /// Serves the client until one side ends the connection, and says why it has ended.
    pub(crate) async fn run(self) -> CloseReason {
        let id = uuid::Uuid::new_v4();
        let span = tracing::info_span!("live", %id, transport = ?self.transport);
        async move {
            tracing::debug!("the client has connected");
            let end = self.serve().await;
            tracing::debug!("{end}");
            end
        }
        .instrument(span)
        .await
    }

    async fn serve(self) -> CloseReason {
        let Self { hub, identity, mut inbox, account, frames, transport, stop } = self;
        let stall_timeout = hub.options.stall_timeout;
        let mut outbox = Outbox::new(frames, Arc::clone(&account), stall_timeout);
        let greeted = tokio::select! {
            greeted = greet(&hub, transport, &mut inbox) => greeted,
            end = stop.asked() => Err(end),
            () = outbox.closed() => Err(CloseReason::Gone),
        };
        let answer = match &greeted {
            Ok((handshake, _)) => {
                outbox.switch(handshake.protocol);
                Bytes::from_static(Handshake::ACCEPTED)
            }
            Err(CloseReason::Refused(refusal)) => refusal.response().into(),
            Err(end) => return *end,
        };
        if let Err(end) = outbox.send(answer).await {
            return end;
        }
        match greeted {
            Ok((_, framer)) => {
                let client = (identity, account, transport);
                Session::new(hub, client, (framer, outbox)).run(inbox, &stop).await
            }
            Err(end) => end,
        }
    }
}

/// Receives the handshake; the framer has whatever came behind it.
async fn greet(
    hub: &LiveState,
    transport: Transport,
    inbox: &mut mpsc::Receiver<Received>,
) -> Result<(Handshake, Framer), CloseReason> {
    let received = timeout(hub.options.handshake_timeout, first_record(inbox)).await;
    let (record, mut framer) =
        received.unwrap_or(Err(CloseReason::Refused(HandshakeRefused::TimedOut)))?;
    let handshake = Handshake::read(&record).map_err(CloseReason::Refused)?;
    if handshake.protocol == Protocol::MessagePack && !transport.is_binary() {
        return Err(CloseReason::Refused(HandshakeRefused::TextOnly));
    }
    framer.switch(handshake.protocol.framing(), hub.options.limits.message_bytes);
    Ok((handshake, framer))
}

async fn first_record(
    inbox: &mut mpsc::Receiver<Received>,
) -> Result<(Bytes, Framer), CloseReason> {
    let mut framer = Framer::new(Framing::Separated, Handshake::BYTES_MAX);
    loop {
        framer.push(&inbox.recv().await.ok_or(CloseReason::Gone)?.bytes);
        match framer.next_record() {
            Ok(Some(record)) => return Ok((record, framer)),
            Ok(None) => {}
            Err(_) => return Err(CloseReason::Refused(HandshakeRefused::Malformed)),
        }
    }
}
