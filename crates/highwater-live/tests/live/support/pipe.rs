//! A hub at the end of pipes that hold little, so that the server feels at once what a client does
//! not read; time may be paused.

use std::future::pending;
use std::time::Duration;

use axum::serve::Listener;
use highwater_live::Live;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, copy, duplex, split};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::Socket;

/// The bytes that each direction of a pipe holds.
const PIPE: usize = 4 << 10;

/// Where clients of the hub come in.
pub(crate) struct Pipes(mpsc::UnboundedSender<DuplexStream>);

struct Ends(mpsc::UnboundedReceiver<DuplexStream>);

impl Pipes {
    /// Serves the hub.
    pub(crate) fn to(live: &Live) -> Self {
        let (pipes, ends) = mpsc::unbounded_channel();
        let router = live.router();
        tokio::spawn(async move { axum::serve(Ends(ends), router).await });
        Self(pipes)
    }

    /// A new connection.
    pub(crate) fn open(&self) -> DuplexStream {
        let (near, far) = duplex(PIPE);
        self.0.send(far).expect("the hub is served");
        near
    }

    /// A WebSocket that has shaken hands in JSON.
    pub(crate) async fn connect(&self) -> Socket<DuplexStream> {
        let mut socket = Socket::over(self.open(), "hub", "").await.expect("the hub is served");
        socket.shake_hands().await;
        socket
    }
}

impl Listener for Ends {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> (DuplexStream, ()) {
        match self.0.recv().await {
            Some(pipe) => (pipe, ()),
            None => pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The same connection, but of what comes only `bytes` are let through after each `pause`.
pub(crate) fn slowed(connection: DuplexStream, bytes: usize, pause: Duration) -> DuplexStream {
    let (near, far) = duplex(bytes);
    tokio::spawn(async move {
        let (mut coming, mut going) = split(connection);
        let (mut sent, mut received) = split(far);
        let slow = async {
            let mut buffer = vec![0; bytes];
            loop {
                sleep(pause).await;
                let length = coming.read(&mut buffer).await?;
                if length == 0 {
                    return Ok::<_, std::io::Error>(());
                }
                received.write_all(&buffer[..length]).await?;
            }
        };
        tokio::select! {
            ended = slow => ended,
            ended = copy(&mut sent, &mut going) => ended.map(drop),
        }
    });
    near
}
