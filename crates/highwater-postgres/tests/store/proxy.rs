//! A line to the server that goes dead without a word.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use highwater_postgres::{PgOptions, PgStore};
use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Passes on what clients and server say, until it drops all of it: nothing is closed then.
pub(crate) struct Proxy {
    port: u16,
    server: PgConnectOptions,
    shared: Arc<Shared>,
    _lines: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    /// Whether each of the lines is dead.
    lines: Mutex<Vec<Arc<AtomicBool>>>,
    /// The line on which a client says this is dead for it afterwards.
    last_words: Mutex<Option<&'static str>>,
}

impl Proxy {
    /// One before the server of `url`, which must be reached over TCP.
    pub(crate) async fn before(url: &str) -> Self {
        let server: PgConnectOptions = url.parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared::default());
        let mut lines = JoinSet::new();
        let address = (server.get_host().to_owned(), server.get_port());
        lines.spawn(serve(listener, address, Arc::clone(&shared)));
        Self { port, server, shared, _lines: lines }
    }

    /// A store whose connections go through here, known to the server by `name`.
    pub(crate) async fn store(&self, options: &PgOptions, name: &str) -> PgStore {
        let server = self.server.clone().host("127.0.0.1").port(self.port).application_name(name);
        let pool = PgStore::pool_options(options).connect_with(server).await.unwrap();
        PgStore::from_pool(pool, options.clone()).await.unwrap()
    }

    /// Lets every line that there is go dead; new ones are alive.
    pub(crate) fn cut(&self) {
        self.shared
            .lines
            .lock()
            .unwrap()
            .iter()
            .for_each(|line| line.store(true, Ordering::SeqCst));
    }

    /// Lets the next line on which a client says `last_words` go dead once it has said so.
    pub(crate) fn cut_after(&self, last_words: &'static str) {
        *self.shared.last_words.lock().unwrap() = Some(last_words);
    }
}

async fn serve(listener: TcpListener, server: (String, u16), shared: Arc<Shared>) {
    let mut lines = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let server = TcpStream::connect((server.0.as_str(), server.1)).await.unwrap();
        let is_dead = Arc::new(AtomicBool::new(false));
        shared.lines.lock().unwrap().push(Arc::clone(&is_dead));
        let ((from_client, to_client), (from_server, to_server)) =
            (client.into_split(), server.into_split());
        let listening = Some(Arc::clone(&shared));
        lines.spawn(pass_on(from_client, to_server, Arc::clone(&is_dead), listening));
        lines.spawn(pass_on(from_server, to_client, is_dead, None));
    }
}

async fn pass_on(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    is_dead: Arc<AtomicBool>,
    listening: Option<Arc<Shared>>,
) {
    let mut bytes = vec![0; 1 << 16];
    loop {
        let read = from.read(&mut bytes).await;
        if is_dead.load(Ordering::SeqCst) {
            // Neither side hears that the other has gone.
            std::future::pending::<()>().await;
        }
        let Ok(count @ 1..) = read else { return };
        if listening.as_ref().is_some_and(|shared| shared.is_last(&bytes[..count])) {
            is_dead.store(true, Ordering::SeqCst);
        }
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

impl Shared {
    fn is_last(&self, said: &[u8]) -> bool {
        let mut last_words = self.last_words.lock().unwrap();
        let words = last_words.map(str::as_bytes);
        let is_last =
            words.is_some_and(|words| said.windows(words.len()).any(|window| window == words));
        if is_last {
            *last_words = None;
        }
        is_last
    }
}
