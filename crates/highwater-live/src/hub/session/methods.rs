//! What the methods of the hub do, and how they answer.

use std::sync::Arc;

use highwater_core::Offset;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use super::Session;
use crate::access::Identity;
use crate::hub::call::{Call, CallError};
use crate::hub::subscriptions::Key;
use crate::hub::{CloseReason, LiveState, Subscription};
use crate::memory::Account;
use crate::protocol::{Invocation, Malformed, ServerMessage};
use crate::source::LiveSource;

/// A subscription that a client has asked for, or why there is none.
pub(super) struct MethodCall {
    key: Key,
    name: String,
    id: Option<String>,
    result: Result<Subscription, CallError>,
}

impl Session {
    pub(super) async fn invoke(&mut self, invocation: Invocation) -> Result<(), CloseReason> {
        let call = Call::bind(&invocation);
        let id = invocation.id;
        match (call, id) {
            (Ok(Call::Subscribe { source, from }), id) => {
                self.open(Key::Handler(source.clone()), id, source, from).await
            }
            (Ok(Call::Stream { source, from }), Some(id)) => {
                self.open(Key::Stream(id.clone()), Some(id), source, from).await
            }
            (Ok(Call::Unsubscribe { source }), id) => {
                self.followed.remove(&Key::Handler(source));
                self.complete(id.as_deref(), None).await
            }
            (Ok(Call::Stream { .. }), None) => Err(CloseReason::Malformed(NO_ID)),
            (Err(error), id) => self.fail(id.as_deref(), &error).await,
        }
    }

    /// Begins to open a subscription.
    async fn open(
        &mut self,
        key: Key,
        id: Option<String>,
        source: LiveSource,
        from: Option<Offset>,
    ) -> Result<(), CloseReason> {
        let limit = self.hub.options.limits.subscriptions;
        if self.followed.len() >= limit && !self.followed.contains(&key) {
            return self.fail(id.as_deref(), &CallError::TooMany(limit)).await;
        }
        let (hub, identity) = (Arc::clone(&self.hub), self.identity.clone());
        let account = Arc::clone(&self.account);
        let call = async move {
            let name = source.to_string();
            let result = subscribe(&hub, identity.as_ref(), (source, from), &account).await;
            MethodCall { key, name, id, result }
        };
        self.call = Some(AbortOnDropHandle::new(tokio::spawn(call.in_current_span())));
        Ok(())
    }

    /// Answers a call whose subscription has been opened, before any of its events.
    pub(super) async fn finish(&mut self, called: MethodCall) -> Result<(), CloseReason> {
        let MethodCall { key, name, id, result } = called;
        match result {
            Ok(subscription) => {
                if matches!(key, Key::Handler(_)) {
                    let target = "SubscriptionConfirmed";
                    self.outbox.say(ServerMessage::Call { target, argument: &name }).await?;
                    self.complete(id.as_deref(), None).await?;
                }
                self.followed.add(key, subscription);
                Ok(())
            }
            Err(error) => self.fail(id.as_deref(), &error).await,
        }
    }

    /// Says that a call has failed: in its completion, and to the handler of errors.
    async fn fail(&mut self, id: Option<&str>, error: &CallError) -> Result<(), CloseReason> {
        let reason = error.to_string();
        tracing::debug!(?reason, "a call has failed");
        self.outbox.say(ServerMessage::Call { target: "Error", argument: &reason }).await?;
        self.complete(id, Some(&reason)).await
    }

    pub(super) async fn complete(
        &mut self,
        id: Option<&str>,
        error: Option<&str>,
    ) -> Result<(), CloseReason> {
        match id {
            Some(id) => self.outbox.say(ServerMessage::Completion { id, error }).await,
            None => Ok(()),
        }
    }
}

/// A stream has to be invoked under an id; the codecs refuse one without.
const NO_ID: Malformed = Malformed::Field("invocation id");

/// Opens a subscription if the identity may follow the source.
async fn subscribe(
    hub: &LiveState,
    identity: Option<&Identity>,
    (source, from): (LiveSource, Option<Offset>),
    account: &Arc<Account>,
) -> Result<Subscription, CallError> {
    if !hub.may_follow(identity, &source).await? {
        return Err(CallError::Denied(source.to_string()));
    }
    hub.subscribe(source, from, account).await
}
