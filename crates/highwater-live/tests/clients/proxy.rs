//! A way to the server that can be cut, frozen, and led elsewhere.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;

/// Passes connections on to a server.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    server: Arc<Mutex<SocketAddr>>,
    accepted: Arc<AtomicUsize>,
    troubles: broadcast::Sender<Trouble>,
}

/// What happens to the connections there are.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    /// Those to this server are reset.
    Cut(SocketAddr),
    /// Nothing passes any more, and none is closed.
    Frozen,
}

impl Proxy {
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (server, troubles) = (Arc::new(Mutex::new(server)), broadcast::Sender::new(8));
        let accepted = Arc::<AtomicUsize>::default();
        let proxy = Self {
            address,
            server: Arc::clone(&server),
            accepted: Arc::clone(&accepted),
            troubles: troubles.clone(),
        };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                accepted.fetch_add(1, Ordering::Relaxed);
                let server = *server.lock().unwrap();
                tokio::spawn(pass(client, server, troubles.subscribe()));
            }
        });
        proxy
    }

    /// How often somebody has connected.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Cuts every connection to a server.
    pub(crate) fn cut(&self, server: SocketAddr) {
        // Fails when there is no connection to cut.
        drop(self.troubles.send(Trouble::Cut(server)));
    }

    /// Leaves every connection half open: it is there, and nothing comes of it.
    pub(crate) fn freeze(&self) {
        drop(self.troubles.send(Trouble::Frozen));
    }

    /// Leads new connections to another server; those there are stay.
    pub(crate) fn lead_to(&self, server: SocketAddr) {
        *self.server.lock().unwrap() = server;
    }
}

async fn pass(mut client: TcpStream, to: SocketAddr, mut troubles: broadcast::Receiver<Trouble>) {
    let Ok(mut server) = TcpStream::connect(to).await else { return };
    let trouble = async {
        loop {
            match troubles.recv().await {
                Ok(Trouble::Cut(server)) if server != to => {}
                Ok(trouble) => return trouble,
                Err(_) => std::future::pending().await,
            }
        }
    };
    // Whoever ends it, both sides see the connection closed; a cut resets it.
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        trouble = trouble => match trouble {
            Trouble::Cut(_) => {
                drop(client.set_zero_linger());
                drop(server.set_zero_linger());
            }
            Trouble::Frozen => std::future::pending().await,
        },
    }
}
