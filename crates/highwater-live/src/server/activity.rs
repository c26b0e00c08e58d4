//! What a connection is doing, and until when the server waits for its client.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

use super::connections::Place;

/// What a connection is doing, shared by its socket, its request and its response.
#[derive(Debug, Clone)]
pub(super) struct Activity(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    place: Place,
    header_timeout: Duration,
    idle_timeout: Duration,
    /// When the client may have been silent for too long, while no request is answered.
    silent_until: Instant,
    /// True when a request has begun to come.
    has_begun: bool,
    /// True when a request is being received or answered.
    is_answering: bool,
    /// True when the body of the request is still coming.
    is_receiving: bool,
    /// True when the client takes nothing of what is to be written.
    is_blocked: bool,
}

impl Activity {
    /// That of a new connection, which is waited for.
    pub(super) fn new(mut place: Place, header_timeout: Duration, idle_timeout: Duration) -> Self {
        place.begin_wait();
        Self(Arc::new(Mutex::new(State {
            place,
            header_timeout,
            idle_timeout,
            silent_until: Instant::now() + header_timeout,
            has_begun: true,
            is_answering: false,
            is_receiving: false,
            is_blocked: false,
        })))
    }

    /// Cancelled when the connection has to make room for another.
    pub(super) fn evicted(&self) -> CancellationToken {
        self.state().place.evicted.clone()
    }

    /// When the client has been silent for too long; `None` while it is not its turn.
    pub(super) fn silent_until(&self) -> Option<Instant> {
        let state = self.state();
        (!state.is_answering && !state.is_blocked).then_some(state.silent_until)
    }

    /// Bytes have come: of the head of a request, when none is answered, or of a body, whose
    /// client is not one that has been waited for long.
    pub(super) fn heard(&self) {
        let mut state = self.state();
        if state.is_receiving {
            state.place.begin_wait();
        }
        if !state.is_answering && !state.has_begun {
            state.has_begun = true;
            state.silent_until = Instant::now() + state.header_timeout;
        }
    }

    /// A request has come, with a body that is still to be received or without.
    pub(super) fn answering(&self, has_body: bool) {
        self.change(|state| (state.is_answering, state.is_receiving) = (true, has_body));
    }

    /// The body of the request has wholly come, or nobody reads on in it.
    pub(super) fn received(&self) {
        self.change(|state| state.is_receiving = false);
    }

    /// The response has been handed to the socket.
    pub(super) fn answered(&self) {
        self.change(|state| {
            (state.is_answering, state.is_receiving, state.has_begun) = (false, false, false);
            state.silent_until = Instant::now() + state.idle_timeout;
        });
    }

    /// The client takes nothing, or takes something again.
    pub(super) fn blocked(&self, is_blocked: bool) {
        self.change(|state| {
            if state.is_blocked && !is_blocked {
                state.silent_until = Instant::now() + state.idle_timeout;
            }
            state.is_blocked = is_blocked;
        });
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        let was_waited_for = state.is_waited_for();
        change(&mut state);
        match (was_waited_for, state.is_waited_for()) {
            (false, true) => state.place.begin_wait(),
            (true, false) => state.place.end_wait(),
            _ => {}
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Tells whether it is the client's turn.
    fn is_waited_for(&self) -> bool {
        !self.is_answering || self.is_receiving || self.is_blocked
    }
}
