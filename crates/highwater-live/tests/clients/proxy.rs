//! A way to the server that can be cut, and led elsewhere.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;

/// Passes connections on to a server.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    server: Arc<Mutex<SocketAddr>>,
    cuts: broadcast::Sender<SocketAddr>,
}

impl Proxy {
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (server, cuts) = (Arc::new(Mutex::new(server)), broadcast::Sender::new(8));
        let proxy = Self { address, server: Arc::clone(&server), cuts: cuts.clone() };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = *server.lock().unwrap();
                tokio::spawn(pass(client, server, cuts.subscribe()));
            }
        });
        proxy
    }

    /// Cuts every connection to a server.
    pub(crate) fn cut(&self, server: SocketAddr) {
        // Fails when there is no connection to cut.
        drop(self.cuts.send(server));
    }

    /// Leads new connections to another server; those there are stay.
    pub(crate) fn lead_to(&self, server: SocketAddr) {
        *self.server.lock().unwrap() = server;
    }
}

async fn pass(mut client: TcpStream, to: SocketAddr, mut cuts: broadcast::Receiver<SocketAddr>) {
    let Ok(mut server) = TcpStream::connect(to).await else { return };
    let cut = async { while cuts.recv().await.is_ok_and(|server| server != to) {} };
    // Whoever ends it, both sides see the connection closed; a cut resets it.
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        () = cut => {
            drop(client.set_zero_linger());
            drop(server.set_zero_linger());
        }
    }
}
