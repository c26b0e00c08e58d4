//! WebSockets.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseCode, CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use bytes::Bytes;
use futures::stream::SplitStream;
use futures::{SinkExt, StreamExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::{self, error::ProtocolError};

use super::{Endpoint, Refusal, Requester};
use crate::access::Identity;
use crate::connection_limits::ConnectionPermit;
use crate::hub::{CloseReason, Connection, Frame, Frames, Outbox, Received, Transport};
use crate::memory::Account;
use crate::options::LiveLimits;
use crate::rate::Rate;

/// Messages that wait to be read.
const INBOX: usize = 4;

/// Bytes kept for reading from and writing to a socket that is idle.
const BUFFER: usize = 4 << 10;

/// Time that a client that comes while the hub drains is kept from coming again.
const PAUSE: Duration = Duration::from_secs(1);

/// Time that the last frames and the client's close may take.
const CLOSING: Duration = Duration::from_secs(5);

/// Room for the answers to a client's pings, beside a frame.
const PONGS: usize = 64 << 10;

/// Pings and pongs of a client that are read in a second.
const CONTROL_PER_SECOND: u32 = 10;

/// The most bytes that are written at once: a message, as a stream's item under the longest id.
fn longest_frame(limits: &LiveLimits) -> usize {
    Outbox::FRAME_BYTES.max(limits.event_bytes.saturating_add(4 << 10)).min(usize::MAX / 2)
}

/// Opens a WebSocket, for a connection that has negotiated or for a new one.
///
/// An id that is not known here may come from another process, or be the one of a connection
/// that is gone; it becomes a new connection, without anything of an old one.
pub(super) async fn attach(
    endpoint: Endpoint,
    id: Option<String>,
    requester: Requester,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Refusal> {
    let hub = Arc::clone(&endpoint.hub);
    let limit = hub.options.limits.message_bytes.saturating_mul(2);
    let upgrade = upgrade
        .max_message_size(limit)
        .max_frame_size(limit)
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER)
        .max_write_buffer_size(longest_frame(&hub.options.limits) + PONGS);
    let negotiated = match &id {
        Some(id) => take(&endpoint, id, &requester).await?,
        None => None,
    };
    let (identity, permit, inbox) = match negotiated {
        Some(negotiated) => negotiated,
        None if id.is_some() && hub.options.strict_connection_id => {
            return Err(Refusal::NoConnection);
        }
        None => {
            let identity = requester.identify(&hub).await?;
            match requester.admit(&hub, identity.as_ref()) {
                Err(Refusal::Draining) => return Ok(upgrade.on_upgrade(send_elsewhere)),
                permit => (identity, permit?, mpsc::channel(INBOX)),
            }
        }
    };
    Ok(upgrade.on_upgrade(move |socket| async move {
        let (sender, inbox) = inbox;
        let (frames_in, frames) = mpsc::channel(1);
        let (transport, stop) = (Transport::WebSockets, hub.stop(&permit));
        let account = Arc::clone(&permit.account);
        let connection =
            Connection { hub, identity, inbox, account, frames: frames_in, transport, stop };
        carry(socket, connection, sender, frames).await;
        drop::<ConnectionPermit>(permit);
    }))
}

type Inbox = (mpsc::Sender<Received>, mpsc::Receiver<Received>);

/// Takes a connection that waits for its transport out of those that have negotiated.
async fn take(
    endpoint: &Endpoint,
    id: &str,
    requester: &Requester,
) -> Result<Option<(Option<Identity>, ConnectionPermit, Inbox)>, Refusal> {
    let Endpoint { hub, negotiated } = endpoint;
    let Some(owner) = negotiated.owner(id) else { return Ok(None) };
    requester.must_be(hub, owner.as_ref()).await?;
    let entry = match negotiated.open(hub, id, requester.address()) {
        Err(Refusal::NoConnection) => return Ok(None),
        entry => entry?,
    };
    let Some((permit, inbox)) = entry.attach() else { return Ok(None) };
    negotiated.remove(id);
    Ok(Some((owner, permit, (entry.inbox(), inbox))))
}

/// Carries bytes between the socket and the connection until one of them has ended.
async fn carry(
    mut socket: WebSocket,
    connection: Connection,
    inbox: mpsc::Sender<Received>,
    mut frames: Frames,
) {
    let account = Arc::clone(&connection.account);
    let code = {
        let carried = pump(&mut socket, (&inbox, &account), &mut frames);
        tokio::pin!(carried);
        tokio::select! {
            end = connection.run() => {
                if end.is_stuck() || timeout(CLOSING, &mut carried).await.is_err() {
                    return;
                }
                end.close_code()
            }
            carried = &mut carried => match carried {
                Carried::All => return,
                Carried::Broken(code) => code,
            },
        }
    };
    drop(inbox);
    close(socket, code).await;
}

/// Sends a client elsewhere that comes while the hub drains.
///
/// After a refusal pysignalr would negotiate anew and, refused again, end for good. After a close
/// it comes back, and at once; hence the pause.
async fn send_elsewhere(mut socket: WebSocket) {
    let gone = async { while let Some(Ok(_)) = socket.recv().await {} };
    if timeout(PAUSE, gone).await.is_err() {
        close(socket, CloseReason::Draining.close_code()).await;
    }
}

async fn close(mut socket: WebSocket, code: u16) {
    let frame = CloseFrame { code, reason: "".into() };
    let close = async {
        socket.send(Message::Close(Some(frame))).await?;
        // Closing with unread bytes would reset the connection and lose what was sent last.
        while let Some(message) = socket.recv().await {
            message?;
        }
        Ok::<_, axum::Error>(())
    };
    let closed = timeout(CLOSING, close).await;
    tracing::debug!(in_order = matches!(closed, Ok(Ok(()))), "the socket is closed");
}

/// Reason why nothing is carried any more.
enum Carried {
    /// The client has gone, or the connection has no more frames.
    All,
    /// What the client sends is no WebSocket; it is told so by this code.
    Broken(CloseCode),
}

/// Carries until the client has gone, or the connection has no more frames.
///
/// It reads while it writes: a client that takes long for what it gets is heard all the same.
async fn pump(
    socket: &mut WebSocket,
    (inbox, account): (&mpsc::Sender<Received>, &Arc<Account>),
    frames: &mut Frames,
) -> Carried {
    let (mut sink, mut stream) = socket.split();
    let sending = async {
        while let Some(frame) = frames.recv().await {
            if sink.send(message(&frame)).await.is_err() {
                return;
            }
        }
    };
    let receiving = async {
        let mut rate = Rate::new(CONTROL_PER_SECOND, Instant::now());
        // The socket is read only when there is room for what it gives.
        while let Ok(room) = inbox.reserve().await {
            match next_bytes(&mut stream, &mut rate).await {
                Ok(Some(bytes)) => room.send(Received::new(bytes, account)),
                Ok(None) => return Carried::All,
                Err(error) => return broken(error),
            }
        }
        // Nobody listens any more, but there may be frames left.
        std::future::pending().await
    };
    tokio::select! {
        () = sending => Carried::All,
        carried = receiving => carried,
    }
}

/// The next bytes of the client; `None` when it has closed the socket.
///
/// Each ping is answered, and a client that takes no answers could have any number of them wait:
/// so they are read only so fast, and the socket takes its time with whoever sends more.
async fn next_bytes(
    socket: &mut SplitStream<&mut WebSocket>,
    rate: &mut Rate,
) -> Result<Option<Bytes>, axum::Error> {
    while let Some(message) = socket.next().await.transpose()? {
        match message {
            Message::Text(text) => return Ok(Some(text.into())),
            Message::Binary(bytes) => return Ok(Some(bytes)),
            Message::Ping(_) | Message::Pong(_) => {
                let now = Instant::now();
                sleep_until(rate.next(now)).await;
                rate.admits(Instant::now());
            }
            Message::Close(_) => {
                // The answer to it leaves when the socket is read once more.
                drop(timeout(CLOSING, socket.next()).await);
                break;
            }
        }
    }
    Ok(None)
}

/// Returns what to tell a client that has sent something wrong; nothing when the socket is broken
/// itself.
fn broken(error: axum::Error) -> Carried {
    match error.into_inner().downcast_ref::<tungstenite::Error>() {
        Some(tungstenite::Error::Capacity(_)) => Carried::Broken(close_code::SIZE),
        Some(tungstenite::Error::Utf8(_)) => Carried::Broken(close_code::INVALID),
        Some(tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => {
            Carried::All
        }
        Some(tungstenite::Error::Protocol(_)) => Carried::Broken(close_code::PROTOCOL),
        _ => Carried::All,
    }
}

fn message(frame: &Frame) -> Message {
    let bytes = frame.bytes.clone();
    if !frame.is_text {
        return Message::Binary(bytes);
    }
    bytes.try_into().map_or_else(|_| Message::Binary(frame.bytes.clone()), Message::Text)
}
