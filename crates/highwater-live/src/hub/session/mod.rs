//! A connection after its handshake: calls come in, events go out.

mod methods;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::connection::{Received, Transport};
use super::keep_alive::{KeepAlive, KeepAliveAction};
use super::outbox::Outbox;
use super::subscriptions::{Delivery, Key, Subscriptions};
use super::{CloseReason, LiveState, Shutdown};
use crate::access::Identity;
use crate::feed::event::NotSent;
use crate::memory::Account;
use crate::options::LiveOptions;
use crate::protocol::{ClientMessage, Framer, ServerMessage};
use crate::rate::Rate;
use methods::MethodCall;

/// Serves one client: its calls one after the other, its subscriptions meanwhile.
pub(super) struct Session {
    hub: Arc<LiveState>,
    identity: Option<Identity>,
    account: Arc<Account>,
    transport: Transport,
    framer: Framer,
    outbox: Outbox,
    followed: Subscriptions,
    /// The call that is being carried out; nothing is read from the client until it is done.
    ///
    /// A task of its own: what decides about access may have a connection in hand, which must not
    /// wait for the client.
    call: Option<AbortOnDropHandle<MethodCall>>,
    rate: Rate,
    /// Until when nothing is read from a client that has sent too much at once.
    resting: Option<Instant>,
    keep_alive: KeepAlive,
}

/// Time that a client may take to receive the last message.
const FAREWELL: Duration = Duration::from_secs(5);

impl Session {
    pub(super) fn new(
        hub: Arc<LiveState>,
        (identity, account, transport): (Option<Identity>, Arc<Account>, Transport),
        (framer, outbox): (Framer, Outbox),
    ) -> Self {
        let LiveOptions { keep_alive, client_timeout, .. } = hub.options;
        let rate = Rate::new(hub.options.limits.calls_per_second, Instant::now());
        Self {
            hub,
            identity,
            account,
            transport,
            framer,
            outbox,
            followed: Subscriptions::default(),
            call: None,
            rate,
            resting: None,
            keep_alive: KeepAlive::new(keep_alive, client_timeout, Instant::now()),
        }
    }

    /// Serves until the connection ends, then says goodbye.
    ///
    /// When it has to stop, it does so at once, even if the client takes nothing at the moment:
    /// what had been gathered for it is dropped, and the goodbye is the last that it gets.
    pub(super) async fn run(
        mut self,
        mut inbox: mpsc::Receiver<Received>,
        stop: &Shutdown,
    ) -> CloseReason {
        let end = tokio::select! {
            biased;
            end = stop.asked() => end,
            end = self.serve(&mut inbox) => end,
        };
        let reason = end.to_string();
        if let Some(farewell) = end.farewell(&reason) {
            let said = timeout(FAREWELL, self.say_last(farewell)).await;
            tracing::debug!(was_said = matches!(said, Ok(Ok(()))), "farewell");
        }
        end
    }

    async fn serve(&mut self, inbox: &mut mpsc::Receiver<Received>) -> CloseReason {
        let mut outcome = self.read_on().await;
        loop {
            match outcome {
                Ok(()) => outcome = self.turn(inbox).await,
                Err(end) => return end,
            }
        }
    }

    async fn say_last(&mut self, message: ServerMessage<'_>) -> Result<(), CloseReason> {
        self.outbox.say(message).await?;
        self.outbox.flush().await
    }

    /// Waits for one thing to do and does it.
    async fn turn(&mut self, inbox: &mut mpsc::Receiver<Received>) -> Result<(), CloseReason> {
        let due = self.keep_alive.due(self.outbox.last_sent());
        tokio::select! {
            biased;
            () = self.outbox.closed() => return Err(CloseReason::Gone),
            called = async { self.call.as_mut().expect("checked below").await },
                if self.call.is_some() =>
            {
                self.call = None;
                // Fails only when user code has panicked, and then that has been told of.
                self.finish(called.map_err(|_| CloseReason::Gone)?).await?;
                self.read_on().await?;
            }
            () = async { sleep_until(self.resting.expect("checked below")).await },
                if self.resting.is_some() =>
            {
                self.resting = None;
                self.keep_alive.received(Instant::now());
                self.read_on().await?;
            }
            received = inbox.recv(), if self.call.is_none() && self.resting.is_none() => {
                self.framer.push(&received.ok_or(CloseReason::Gone)?.bytes);
                self.keep_alive.received(Instant::now());
                self.read_on().await?;
            }
            Some((key, given)) = self.followed.next() => self.give(key, given).await?,
            () = sleep_until(due), if self.transport.has_pings() => self.look_at_clock().await?,
        }
        self.outbox.flush().await
    }

    async fn look_at_clock(&mut self) -> Result<(), CloseReason> {
        let now = Instant::now();
        match self.keep_alive.beat(now, self.outbox.last_sent()) {
            KeepAliveAction::Rest => Ok(()),
            KeepAliveAction::Ping => self.outbox.say(ServerMessage::Ping).await,
            // While a call is being carried out, it is the hub that does not listen.
            KeepAliveAction::Silent if self.call.is_some() => {
                self.keep_alive.received(now);
                Ok(())
            }
            KeepAliveAction::Silent => Err(CloseReason::Silent),
        }
    }

    /// Handles the messages that have arrived, up to a call that takes time, or to one too many.
    async fn read_on(&mut self) -> Result<(), CloseReason> {
        while self.call.is_none() && self.resting.is_none() {
            let now = Instant::now();
            let next = self.rate.next(now);
            if next > now {
                self.resting = Some(next);
                break;
            }
            let Some(record) = self.framer.next_record().map_err(CloseReason::Malformed)? else {
                break;
            };
            self.rate.admits(now);
            let message = self.outbox.protocol().decode(&record).map_err(CloseReason::Malformed)?;
            match message {
                ClientMessage::Invocation(invocation) => self.invoke(invocation).await?,
                ClientMessage::Cancel { id } => {
                    if self.followed.remove(&Key::Stream(id.clone())) {
                        self.complete(Some(&id), None).await?;
                    }
                }
                ClientMessage::Ping => self.keep_alive.pinged(),
                ClientMessage::Close => return Err(CloseReason::Closed),
                ClientMessage::Other => {}
            }
        }
        Ok(())
    }

    /// Sends what a subscription has given.
    async fn give(&mut self, key: Key, given: Delivery) -> Result<(), CloseReason> {
        let (protocol, limit) = (self.outbox.protocol(), self.hub.options.limits.event_bytes);
        let batch = match given {
            Ok(batch) => batch,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "no more events");
                return self.end_subscription(&key, &error.to_string()).await;
            }
        };
        let count = batch.events.len();
        // One after the other, so that what has been sent takes no memory any more.
        for event in batch.events {
            let encoded = match event.encoded(protocol, limit) {
                Ok(encoded) => encoded,
                Err(error) => return self.give_up(&key, &error).await,
            };
            let message = match &key {
                Key::Handler(_) => encoded.record.clone(),
                Key::Stream(id) => {
                    let mut out = Vec::new();
                    protocol.encode_item(id, &encoded.event, &mut out);
                    out.into()
                }
            };
            self.outbox.push(message).await?;
        }
        self.hub.counters.delivered(count);
        Ok(())
    }

    async fn give_up(&mut self, key: &Key, error: &NotSent) -> Result<(), CloseReason> {
        tracing::warn!("{error}");
        self.end_subscription(key, &error.to_string()).await
    }

    /// Ends a subscription that cannot go on, and tells the client why.
    async fn end_subscription(&mut self, key: &Key, reason: &str) -> Result<(), CloseReason> {
        self.followed.remove(key);
        match key {
            Key::Stream(id) => self.complete(Some(id), Some(reason)).await,
            Key::Handler(_) => {
                let message = ServerMessage::Call { target: "Error", argument: reason };
                self.outbox.say(message).await
            }
        }
    }
}
