//! The socket of a connection: ends each wait for the client by a deadline.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::activity::Activity;

/// Bytes that the kernel takes before the client has; so that it is soon felt when it does not.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNSENT: u32 = 128 << 10;

/// A socket whose reads fail when the client has been silent for too long, and its writes when it
/// takes nothing for too long. It has the connection's place, also when it became a WebSocket.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    activity: Activity,
    stall_timeout: Duration,
    silence: Option<Pin<Box<Sleep>>>,
    stall: Option<Pin<Box<Sleep>>>,
    evicted: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, activity: Activity, stall_timeout: Duration) -> Self {
        if let Err(error) = prepare(&stream, stall_timeout) {
            tracing::debug!("a socket keeps its defaults: {error}");
        }
        let evicted = Box::pin(activity.evicted().cancelled_owned());
        Self { stream, activity, stall_timeout, silence: None, stall: None, evicted }
    }

    /// Fails when the client has been silent for too long.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(until) = self.activity.silent_until() else {
            self.silence = None;
            return Poll::Pending;
        };
        ready!(poll_until(&mut self.silence, until, cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client says nothing")))
    }

    /// The outcome of a write, or a failure when none has been possible for too long.
    fn written(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if outcome.is_ready() {
            if self.stall.take().is_some() {
                self.activity.blocked(false);
            }
            return outcome;
        }
        let until = match &self.stall {
            Some(stall) => stall.deadline(),
            None => {
                self.activity.blocked(true);
                Instant::now() + self.stall_timeout
            }
        };
        if self.evicted.as_mut().poll(cx).is_pending() {
            ready!(poll_until(&mut self.stall, until, cx));
        }
        // What the kernel still holds for the client goes with the socket.
        let forgotten = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        if let Err(error) = forgotten {
            tracing::debug!("a stalled socket lingers: {error}");
        }
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client reads nothing")))
    }
}

/// Ready at `until`, which may change from one call to the next.
fn poll_until(
    sleep: &mut Option<Pin<Box<Sleep>>>,
    until: Instant,
    cx: &mut Context<'_>,
) -> Poll<()> {
    let sleep = sleep.get_or_insert_with(|| Box::pin(sleep_until(until)));
    if sleep.deadline() != until {
        sleep.as_mut().reset(until);
    }
    sleep.as_mut().poll(cx)
}

/// Has each event leave at once, and ends connections whose clients have vanished.
fn prepare(stream: &TcpStream, stall_timeout: Duration) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(stall_timeout))?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        socket.set_tcp_user_timeout(Some(stall_timeout))?;
        socket.set_tcp_notsent_lowat(UNSENT)?;
    }
    Ok(())
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let socket = self.get_mut();
        let before = buffer.filled().len();
        match Pin::new(&mut socket.stream).poll_read(cx, buffer) {
            Poll::Ready(outcome) => {
                if buffer.filled().len() > before {
                    socket.activity.heard();
                }
                Poll::Ready(outcome)
            }
            Poll::Pending => socket.poll_silence(cx),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let socket = self.get_mut();
        let outcome = Pin::new(&mut socket.stream).poll_write(cx, bytes);
        socket.written(cx, outcome)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let socket = self.get_mut();
        let outcome = Pin::new(&mut socket.stream).poll_write_vectored(cx, parts);
        socket.written(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
