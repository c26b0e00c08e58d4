//! A SignalR client that shows each message as it came.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::{PATIENCE, call};

/// A WebSocket to the hub.
pub(crate) struct Socket<S = TcpStream> {
    socket: WebSocketStream<S>,
    records: VecDeque<String>,
    /// How long it waits for a message that has to come.
    pub(crate) patience: Duration,
    /// How the server has closed it.
    pub(crate) close: Option<CloseFrame>,
}

impl Socket {
    /// Opens a WebSocket, and says nothing.
    pub(crate) async fn open(address: SocketAddr, query: &str) -> Result<Self, Error> {
        // With a small buffer the server soon feels that a client does not read.
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(16 << 10)?;
        Self::over(socket.connect(address).await?, &address.to_string(), query).await
    }

    /// Opens a WebSocket and shakes hands in JSON.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let mut socket = Self::open(address, "").await.expect("the hub is served");
        socket.shake_hands().await;
        socket
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// Opens a WebSocket over any connection, and says nothing.
    pub(crate) async fn over(connection: S, host: &str, query: &str) -> Result<Self, Error> {
        let url = format!("ws://{host}/hubs/events{query}");
        let (socket, _) = client_async(url, connection).await?;
        Ok(Self { socket, records: VecDeque::new(), patience: PATIENCE, close: None })
    }

    /// Shakes hands in JSON.
    pub(crate) async fn shake_hands(&mut self) {
        self.send_text("{\"protocol\":\"json\",\"version\":1}\x1e").await;
        assert_eq!(self.next().await, Some(serde_json::json!({})));
    }

    /// Closes the WebSocket; true when the server has closed it, too.
    pub(crate) async fn close_in_order(mut self) -> bool {
        self.socket.close(None).await.expect("the socket is open");
        let answer = timeout(PATIENCE, self.socket.next()).await.expect("something comes");
        matches!(answer, Some(Ok(Message::Close(_))))
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
        let record = self.next_record().await?;
        Some(serde_json::from_str(&record).expect("each message is JSON"))
    }

    /// The text of the next message; there has to be one.
    pub(crate) async fn record(&mut self) -> String {
        self.next_record().await.expect("the connection goes on")
    }

    async fn next_record(&mut self) -> Option<String> {
        while self.records.is_empty() {
            let received = timeout(self.patience, self.socket.next()).await;
            match received.expect("something comes") {
                Some(Ok(Message::Text(text))) => {
                    assert!(text.ends_with('\x1e'), "a message spans frames: {text:.200}");
                    self.records.extend(text.split_terminator('\x1e').map(str::to_owned));
                }
                Some(Ok(Message::Close(close))) => self.close = close,
                Some(Ok(other)) => panic!("the hub sends only text here: {other:?}"),
                Some(Err(_)) | None => return None,
            }
        }
        self.records.pop_front()
    }
}
