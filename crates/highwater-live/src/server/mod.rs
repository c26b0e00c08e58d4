//! An HTTP server that no client can take away from the others.
//!
//! A server of long-lived connections meets clients that connect and say nothing, that take ever
//! longer over their requests, that do not read their answers, and pages of anybody's site that
//! have their own name lead here. [`Server`] serves an axum router to all of them: each wait for a
//! client ends by a deadline, bodies are bounded in bytes for each request and in total, and when
//! connections become scarce those that the server waits for longest make room.
//!
//! ```no_run
//! # async fn serve(routes: axum::Router) -> std::io::Result<()> {
//! use highwater_live::server::{Server, ServerOptions};
//! use tokio::net::TcpListener;
//! use tokio_util::sync::CancellationToken;
//!
//! let stop = CancellationToken::new();
//! let listener = TcpListener::bind("127.0.0.1:8080").await?;
//! Server::new(ServerOptions::default()).serve(listener, routes, stop).await;
//! # Ok(())
//! # }
//! ```
//!
//! It speaks HTTP/1.1, WebSockets included, and is told of each connection's address by
//! `ConnectInfo<SocketAddr>`. Encryption and HTTP/2 are for a proxy in front.

mod accept;
mod activity;
mod answer;
mod bodies;
mod connection;
mod connections;
mod hosts;
mod incoming;
mod open_files;
mod options;
mod request;
mod socket;
mod warnings;

pub use accept::Server;
pub use options::{ServerGauges, ServerOptions};
