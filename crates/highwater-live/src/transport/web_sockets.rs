//! WebSockets.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use bytes::Bytes;
use futures::stream::SplitStream;
use futures::{SinkExt, StreamExt};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{Refusal, Visitor};
use crate::Identity;
use crate::door::Seat;
use crate::hub::{Connection, End, Frame, Frames, Hub, Transport};

/// Messages that wait to be read.
const INBOX: usize = 4;

/// Bytes kept for reading from and writing to a socket that is idle.
const BUFFER: usize = 4 << 10;

/// How long a client that comes while the hub drains is kept from coming again.
const PAUSE: Duration = Duration::from_secs(1);

/// How long the last frames and the client's close may take.
const CLOSING: Duration = Duration::from_secs(5);

/// Opens a WebSocket, for a connection that has negotiated or for a new one.
///
/// An id that is not known here may come from another process, or be the one of a connection
/// that is gone; it becomes a new connection, without anything of an old one.
pub(super) async fn attach(
    hub: Arc<Hub>,
    id: Option<String>,
    visitor: Visitor,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Refusal> {
    let limit = hub.options.limits.message_bytes.saturating_mul(2);
    let upgrade = upgrade
        .max_message_size(limit)
        .max_frame_size(limit)
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER);
    let negotiated = match &id {
        Some(id) => take(&hub, id, &visitor).await?,
        None => None,
    };
    let (identity, seat, inbox) = match negotiated {
        Some(negotiated) => negotiated,
        None if id.is_some() && hub.options.strict_connection_id => {
            return Err(Refusal::NoConnection);
        }
        None => {
            let identity = visitor.identify(&hub).await?;
            match visitor.take_seat(&hub, identity.as_ref()) {
                Err(Refusal::Draining) => return Ok(upgrade.on_upgrade(send_elsewhere)),
                seat => (identity, seat?, mpsc::channel(INBOX)),
            }
        }
    };
    Ok(upgrade.on_upgrade(move |socket| async move {
        let (sender, inbox) = inbox;
        let (frames_in, frames) = mpsc::channel(1);
        let (transport, stop) = (Transport::WebSockets, hub.stop(&seat));
        let connection = Connection { hub, identity, inbox, frames: frames_in, transport, stop };
        carry(socket, connection, sender, frames).await;
        drop::<Seat>(seat);
    }))
}

type Inbox = (mpsc::Sender<Bytes>, mpsc::Receiver<Bytes>);

/// Takes a connection that waits for its transport out of those that have negotiated.
async fn take(
    hub: &Hub,
    id: &str,
    visitor: &Visitor,
) -> Result<Option<(Option<Identity>, Seat, Inbox)>, Refusal> {
    let Some(entry) = hub.negotiated.find(id) else { return Ok(None) };
    visitor.must_be(hub, entry.identity.as_ref()).await?;
    let Some((seat, inbox)) = entry.attach() else { return Ok(None) };
    hub.negotiated.remove(id);
    Ok(Some((entry.identity.clone(), seat, (entry.inbox.clone(), inbox))))
}

/// Carries bytes between the socket and the connection until one of them has ended.
async fn carry(
    mut socket: WebSocket,
    connection: Connection,
    inbox: mpsc::Sender<Bytes>,
    mut frames: Frames,
) {
    let end = {
        let carried = pump(&mut socket, &inbox, &mut frames);
        tokio::pin!(carried);
        tokio::select! {
            end = connection.run() => {
                let is_stuck = matches!(end, End::Gone | End::Stalled);
                if is_stuck || timeout(CLOSING, &mut carried).await.is_err() {
                    return;
                }
                end
            }
            () = &mut carried => return,
        }
    };
    drop(inbox);
    close(socket, end).await;
}

/// Sends a client elsewhere that comes while the hub drains.
///
/// After a refusal pysignalr would negotiate anew and, refused again, end for good. After a close
/// it comes back, and at once; hence the pause.
async fn send_elsewhere(mut socket: WebSocket) {
    let gone = async { while let Some(Ok(_)) = socket.recv().await {} };
    if timeout(PAUSE, gone).await.is_err() {
        close(socket, End::Draining).await;
    }
}

async fn close(mut socket: WebSocket, end: End) {
    let frame = CloseFrame { code: end.close_code(), reason: "".into() };
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

/// Returns when the client has gone, or when the connection has no more frames.
///
/// It reads while it writes: a client that takes long for what it gets is heard all the same.
async fn pump(socket: &mut WebSocket, inbox: &mpsc::Sender<Bytes>, frames: &mut Frames) {
    let (mut sink, mut stream) = socket.split();
    let sending = async {
        while let Some(frame) = frames.recv().await {
            if sink.send(message(&frame)).await.is_err() {
                return;
            }
        }
    };
    let receiving = async {
        // The socket is read only when there is room for what it gives.
        while let Ok(room) = inbox.reserve().await {
            match next_bytes(&mut stream).await {
                Some(bytes) => room.send(bytes),
                None => return,
            }
        }
        // Nobody listens any more, but there may be frames left.
        std::future::pending().await
    };
    tokio::select! {
        () = sending => {}
        () = receiving => {}
    }
}

/// The next bytes of the client; `None` when it has closed the socket or is gone.
async fn next_bytes(socket: &mut SplitStream<&mut WebSocket>) -> Option<Bytes> {
    loop {
        match socket.next().await?.ok()? {
            Message::Text(text) => return Some(text.into()),
            Message::Binary(bytes) => return Some(bytes),
            Message::Ping(_) | Message::Pong(_) => {}
            Message::Close(_) => {
                // The answer to it leaves when the socket is read once more.
                drop(timeout(CLOSING, socket.next()).await);
                return None;
            }
        }
    }
}

fn message(frame: &Frame) -> Message {
    let bytes = frame.bytes.clone();
    if !frame.is_text {
        return Message::Binary(bytes);
    }
    bytes.try_into().map_or_else(|_| Message::Binary(frame.bytes.clone()), Message::Text)
}
