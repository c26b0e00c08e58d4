//! A server whose clients follow their own account as it changes, and nobody else's.
//!
//! ```sh
//! cargo run -p highwater --example live --features live
//! curl -N -H 'authorization: Bearer secret-of-ada' localhost:6002/streams/account-ada/events?from=0
//! ```
//!
//! A SignalR client gives its token with `withUrl("http://localhost:6002/hubs/events",
//! { accessTokenFactory: () => "secret-of-ada" })`, an `EventSource` as `&access_token=…`. Without
//! a token, or for the account of somebody else, both are refused.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::routing::get;
use highwater::live::server::{Server, ServerOptions};
use highwater::live::{Access, Credentials, Identity, Live, LiveOptions, LiveSource};
use highwater::sqlite::SqliteStore;
use highwater::{BoxError, Event, EventStoreExt, Expected, Source, StreamName};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(tag = "type", content = "data")]
enum Account {
    Deposited(i64),
}

impl Event for Account {}

/// Who has which token, and so which account. An application would verify signed tokens.
struct Owners;

#[async_trait]
impl Access for Owners {
    async fn identify(&self, credentials: &Credentials) -> Result<Option<Identity>, BoxError> {
        let name = credentials.token.as_deref().and_then(|token| token.strip_prefix("secret-of-"));
        Ok(name.map(Identity::new))
    }

    async fn may_follow(&self, identity: &Identity, source: &LiveSource) -> Result<bool, BoxError> {
        Ok(match source {
            LiveSource::Events(Source::Stream(stream)) => {
                stream.as_str().strip_prefix("account-") == Some(identity.as_str())
            }
            // Categories and everything have events of others among them.
            LiveSource::Events(_) | LiveSource::Projection(_) => false,
        })
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let store = SqliteStore::open("live.db", Default::default()).await?;
    let options = LiveOptions {
        allowed_origins: vec!["https://bank.example".to_owned()],
        ..Default::default()
    };
    let live = Live::builder(Arc::new(store.clone())).options(options).access(Owners).build();
    // `hub_router` and `streams_router` are for other paths than `/hubs/events` and `/streams`.
    let app = Router::new().route("/", get(|| async { "a bank" })).merge(live.router());
    tokio::spawn(deposit(store));

    // Answers to loopback names and addresses; `allowed_hosts` are the names of a public server.
    let server = Server::new(ServerOptions::default());
    let listener = TcpListener::bind("127.0.0.1:6002").await?;
    let stop = CancellationToken::new();
    tokio::spawn(stopped(live, stop.clone()));
    server.serve(listener, app, stop).await;
    Ok(())
}

/// Something to see.
async fn deposit(store: SqliteStore) -> Result<(), BoxError> {
    loop {
        for account in
            [StreamName::from_static("account-ada"), StreamName::from_static("account-bob")]
        {
            store.publish(account, Expected::Any, &[Account::Deposited(1)]).await?;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Waits for Ctrl-C, then sends the clients elsewhere: the server would wait for them.
async fn stopped(live: Live, stop: CancellationToken) {
    if tokio::signal::ctrl_c().await.is_ok() {
        live.drain().await;
        stop.cancel();
    }
}
