//! A SignalR client that shows each message as it came.

use std::collections::VecDeque;
use std::net::SocketAddr;

use futures::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::{PATIENCE, call};

/// A WebSocket to the hub.
pub(crate) struct Socket {
    socket: WebSocketStream<TcpStream>,
    records: VecDeque<Value>,
    /// How the server has closed it.
    pub(crate) close: Option<CloseFrame>,
}

impl Socket {
    /// Opens a WebSocket, and says nothing.
    pub(crate) async fn open(address: SocketAddr, query: &str) -> Result<Self, Error> {
        let url = format!("ws://{address}/hubs/events{query}");
        // With a small buffer the server soon feels that a client does not read.
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(16 << 10)?;
        let (socket, _) = client_async(url, socket.connect(address).await?).await?;
        Ok(Self { socket, records: VecDeque::new(), close: None })
    }

    /// Opens a WebSocket and shakes hands in JSON.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let mut socket = Self::open(address, "").await.expect("the hub is served");
        socket.send_text("{\"protocol\":\"json\",\"version\":1}\x1e").await;
        assert_eq!(socket.next().await, Some(serde_json::json!({})));
        socket
    }

    pub(crate) async fn send_text(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.expect("the socket is open");
    }

    /// Sends bytes as they are; true when the socket still took them.
    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) -> bool {
        self.socket.send(Message::binary(bytes.to_vec())).await.is_ok()
    }

    pub(crate) async fn send(&mut self, message: &Value) {
        self.send_text(&format!("{message}\x1e")).await;
    }

    pub(crate) async fn call(&mut self, id: &str, target: &str, arguments: Value) {
        self.send(&call(id, target, &arguments)).await;
    }

    /// Subscribes, and reads past the confirmation and the completion.
    pub(crate) async fn subscribe(&mut self, stream: &str, from: Option<u64>) {
        self.call("s", "SubscribeToStream", serde_json::json!([stream, from])).await;
        let confirmed = self.message().await;
        assert_eq!(confirmed["target"], "SubscriptionConfirmed", "{confirmed}");
        assert_eq!(confirmed["arguments"], serde_json::json!([stream]));
        assert_eq!(self.message().await, serde_json::json!({ "type": 3, "invocationId": "s" }));
    }

    /// The next message other than a ping; there has to be one.
    pub(crate) async fn message(&mut self) -> Value {
        loop {
            let message = self.next().await.expect("the connection goes on");
            if message["type"] != 6 {
                return message;
            }
        }
    }

    /// The next frame as bytes; `None` at the end of the connection.
    pub(crate) async fn binary(&mut self) -> Option<Vec<u8>> {
        match timeout(PATIENCE, self.socket.next()).await.expect("something comes") {
            Some(Ok(Message::Binary(bytes))) => Some(bytes.into()),
            Some(Ok(Message::Close(_)) | Err(_)) | None => None,
            Some(Ok(other)) => panic!("the hub sends only bytes here: {other:?}"),
        }
    }

    /// The next message; `None` at the end of the connection.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        while self.records.is_empty() {
            let received = timeout(PATIENCE, self.socket.next()).await.expect("something comes");
            match received {
                Some(Ok(Message::Text(text))) => {
                    assert!(text.ends_with('\x1e'), "a message spans frames: {text:.200}");
                    let records = text.split_terminator('\x1e').map(serde_json::from_str);
                    let records: Result<Vec<Value>, _> = records.collect();
                    self.records.extend(records.expect("each message is JSON"));
                }
                Some(Ok(Message::Close(close))) => self.close = close,
                Some(Ok(other)) => panic!("the hub sends only text here: {other:?}"),
                Some(Err(_)) | None => return None,
            }
        }
        self.records.pop_front()
    }
}
