//! One connection, from its first byte to its end.

use std::pin::pin;
use std::sync::Arc;

use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio_util::sync::CancellationToken;

use super::options::ServerOptions;
use super::request::Answerer;
use super::socket::Socket;

/// Answers the requests of a connection until it ends, has to make room for others, or is asked
/// to stop when it has answered.
pub(super) async fn serve(
    socket: Socket,
    answerer: Answerer,
    options: Arc<ServerOptions>,
    stop: CancellationToken,
) {
    let evicted = answerer.activity.evicted();
    let answers = service_fn(move |request: Request<Incoming>| answerer.clone().answer(request));
    let mut http = http1::Builder::new();
    // The socket has deadlines of its own, which tell heads from silence.
    http.header_read_timeout(None).max_buf_size(options.header_bytes.max(8 << 10));
    let connection = http.serve_connection(TokioIo::new(socket), answers).with_upgrades();
    let mut connection = pin!(connection);
    let mut is_stopping = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::trace!("a connection has ended: {error}");
                }
                return;
            }
            () = evicted.cancelled() => {
                tracing::trace!("a connection makes room");
                return;
            }
            () = stop.cancelled(), if !is_stopping => {
                is_stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}
