//! The raw limit: a broadcast channel and a handler, as one would write them for this alone.

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::any;
use chrono::Utc;
use futures::SinkExt;
use highwater::{EventId, Metadata, Offset, Payload, Position, RecordedEvent};
use highwater_live::protocol::Protocol;
use tokio::sync::broadcast;

use super::event::{SENT, STREAM, SentOrder};
use super::publish::Publish;
use crate::Result;

/// Where clients connect.
pub(crate) const PATH: &str = "/bare";

/// What a client gets once it is sure to get all that follows.
pub(crate) const WELCOME: &str = "{}\u{1e}";

/// Frames kept for those who are behind, as in the hub.
const BUFFER: usize = 64;

/// Sends frames to all who are connected.
#[derive(Clone)]
pub(crate) struct Bare(broadcast::Sender<Utf8Bytes>);

/// A new channel, and the server of it.
pub(crate) fn open() -> (Bare, Router) {
    let sender = broadcast::Sender::new(BUFFER);
    let router = Router::new().route(PATH, any(upgrade)).with_state(sender.clone());
    (Bare(sender), router)
}

impl Publish for Bare {
    async fn publish(&self, orders: Vec<SentOrder>) -> Result {
        for order in orders {
            // Without clients it goes nowhere.
            self.0.send(frame(&order)?).ok();
        }
        Ok(())
    }
}

/// The bytes that the hub would send.
fn frame(order: &SentOrder) -> Result<Utf8Bytes> {
    let event = RecordedEvent {
        stream: STREAM,
        offset: Offset::new(123_456),
        position: Position::new(123_456),
        id: EventId::new(),
        event_type: SENT,
        data: Payload::of(order)?,
        metadata: Metadata::EMPTY,
        recorded_at: Utc::now(),
    };
    Ok(Protocol::Json.encode_event(STREAM.as_str(), &event)?.record.try_into()?)
}

async fn upgrade(
    State(sender): State<broadcast::Sender<Utf8Bytes>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade.on_upgrade(async move |socket| {
        // Whoever is too slow, or has gone, is disconnected.
        drop(send_on(socket, sender.subscribe()).await);
    })
}

async fn send_on(mut socket: WebSocket, mut frames: broadcast::Receiver<Utf8Bytes>) -> Result {
    socket.send(Message::Text(WELCOME.into())).await?;
    loop {
        tokio::select! {
            frame = frames.recv() => {
                socket.feed(Message::Text(frame?)).await?;
                while let Ok(frame) = frames.try_recv() {
                    socket.feed(Message::Text(frame)).await?;
                }
                socket.flush().await?;
            }
            received = socket.recv() => {
                received.ok_or("the client has gone")??;
            }
        }
    }
}
