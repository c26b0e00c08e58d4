//! Who makes a request, and whether there is room for one more connection.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;

use super::Refusal;
use crate::access::{Credentials, Identity};
use crate::connection_limits::ConnectionPermit;
use crate::hub::LiveState;

/// Credentials of a request: all that it says about who makes it.
#[derive(Debug)]
pub(super) struct Requester {
    credentials: Credentials,
    address: Option<IpAddr>,
}

impl<S: Sync> FromRequestParts<S> for Requester {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(Self {
            credentials: Credentials::of(&parts.uri, &parts.headers),
            address: peer.map(|ConnectInfo(address)| address.ip()),
        })
    }
}

impl Requester {
    /// Identity of the requester; `None` when nothing decides about access.
    pub(super) async fn identify(&self, hub: &LiveState) -> Result<Option<Identity>, Refusal> {
        let Some(access) = &hub.access else { return Ok(None) };
        let identity = access.identify(&self.credentials).await.map_err(|error| {
            tracing::error!(error = &*error, "nobody can be identified");
            Refusal::Unavailable
        })?;
        identity.map(Some).ok_or(Refusal::Unauthenticated)
    }

    /// Address of the requester, if the server tells.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// Asks whether there is room for one more connection of `identity`.
    pub(super) fn knock(
        &self,
        hub: &LiveState,
        identity: Option<&Identity>,
    ) -> Result<(), Refusal> {
        if hub.draining.is_cancelled() {
            return Err(Refusal::Draining);
        }
        Ok(hub.limiter.knock(identity, self.address)?)
    }

    /// Takes a permit for one more connection of `identity`, which has not negotiated.
    pub(super) fn admit(
        &self,
        hub: &LiveState,
        identity: Option<&Identity>,
    ) -> Result<ConnectionPermit, Refusal> {
        self.knock(hub, identity)?;
        Ok(hub.limiter.enter(identity, self.address)?)
    }

    /// Checks that the requester is `owner`, whose secret connection token it has shown.
    pub(super) async fn must_be(
        &self,
        hub: &LiveState,
        owner: Option<&Identity>,
    ) -> Result<(), Refusal> {
        match self.identify(hub).await? {
            identity if identity.as_ref() == owner => Ok(()),
            _ => Err(Refusal::OtherIdentity),
        }
    }

    /// The same, but a requester that does not say who it is may be the owner: one of the Python
    /// clients polls without credentials, and the secret speaks for it.
    pub(super) async fn may_be(
        &self,
        hub: &LiveState,
        owner: Option<&Identity>,
    ) -> Result<(), Refusal> {
        match self.must_be(hub, owner).await {
            Err(Refusal::Unauthenticated) if self.credentials.token.is_none() => Ok(()),
            outcome => outcome,
        }
    }
}
