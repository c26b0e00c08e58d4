//! Clients, as cheap as may be, so that the machine is left to the servers.

use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use futures::{SinkExt, StreamExt};

use super::bare;
use super::event::STREAM;
use super::server::Server;
use crate::Result;
use crate::arguments::Served;

/// Ends each record.
const SEPARATOR: char = '\u{1e}';

/// Records of events are longer, all others shorter.
const EVENT_BYTES_MIN: usize = 200;

/// Bytes read at a time.
const READ_BUFFER: usize = 16 << 10;

/// A client that follows the stream.
pub(crate) struct Client {
    socket: WebSocketStream<TcpStream>,
}

impl Client {
    /// Connects and follows from now on.
    pub(crate) async fn follow(server: &Server) -> Result<Self> {
        Self::open(server, TcpSocket::new_v4()?, None).await
    }

    /// Connects and follows from the first event on, with little room for what is not read.
    pub(crate) async fn follow_from_start(server: &Server) -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(16 << 10)?;
        Self::open(server, socket, Some(0)).await
    }

    async fn open(server: &Server, socket: TcpSocket, from: Option<u64>) -> Result<Self> {
        let path = match server.served {
            Served::Hub => "/hubs/events",
            Served::Bare => bare::PATH,
        };
        let url = format!("ws://{}{path}", server.address);
        let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER);
        let stream = socket.connect(server.address).await?;
        let (socket, _) = client_async_with_config(url, stream, Some(config)).await?;
        let mut client = Self { socket };
        match server.served {
            Served::Hub => client.subscribe(from).await?,
            Served::Bare => client.expect(bare::WELCOME).await?,
        }
        Ok(client)
    }

    async fn subscribe(&mut self, from: Option<u64>) -> Result {
        self.say("{\"protocol\":\"json\",\"version\":1}").await?;
        self.expect("{}\u{1e}").await?;
        let from = from.map_or_else(|| "null".to_owned(), |from| from.to_string());
        let arguments = format!("[\"{STREAM}\",{from}]");
        // Without an id there is no answer but the confirmation.
        let call =
            format!("{{\"type\":1,\"target\":\"SubscribeToStream\",\"arguments\":{arguments}}}");
        self.say(&call).await?;
        let confirmed = format!(
            "{{\"type\":1,\"target\":\"SubscriptionConfirmed\",\"arguments\":[\"{STREAM}\"]}}\u{1e}"
        );
        self.expect(&confirmed).await
    }

    async fn say(&mut self, record: &str) -> Result {
        Ok(self.socket.send(Message::text(format!("{record}{SEPARATOR}"))).await?)
    }

    async fn expect(&mut self, text: &str) -> Result {
        match self.socket.next().await.ok_or("the server has hung up")?? {
            Message::Text(found) if found.as_str() == text => Ok(()),
            other => Err(format!("not {text} but {other}").into()),
        }
    }

    /// Waits for a message and hands each event in it to `take`, as the text of its record.
    pub(crate) async fn receive(&mut self, mut take: impl FnMut(&str) -> Result) -> Result {
        match self.socket.next().await.ok_or("the server has hung up")?? {
            Message::Text(text) => {
                let records = text.split_terminator(SEPARATOR);
                records.filter(|record| record.len() >= EVENT_BYTES_MIN).try_for_each(&mut take)
            }
            Message::Close(frame) => Err(format!("the server has closed: {frame:?}").into()),
            _ => Ok(()),
        }
    }
}

/// Connects so many clients, a few at a time.
pub(crate) async fn crowd(server: &Server, clients: u32) -> Result<Vec<Client>> {
    const AT_ONCE: usize = 16;
    let connecting = futures::stream::iter(0..clients).map(|_| Client::follow(server));
    let connected: Vec<Result<Client>> = connecting.buffer_unordered(AT_ONCE).collect().await;
    connected.into_iter().collect()
}
