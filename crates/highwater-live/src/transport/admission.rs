//! Who makes a request, and whether there is room for one more connection.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;

use super::Refusal;
use crate::door::Seat;
use crate::hub::Hub;
use crate::{Credentials, Identity};

/// What a request says about who makes it.
#[derive(Debug)]
pub(super) struct Visitor {
    credentials: Credentials,
    address: Option<IpAddr>,
}

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(Self {
            credentials: Credentials::of(&parts.uri, &parts.headers),
            address: peer.map(|ConnectInfo(address)| address.ip()),
        })
    }
}

impl Visitor {
    /// The visitor's identity; `None` when nothing decides about access.
    pub(super) async fn identify(&self, hub: &Hub) -> Result<Option<Identity>, Refusal> {
        match &hub.access {
            None => Ok(None),
            Some(_) => self.known(hub).await?.map(Some).ok_or(Refusal::Unauthenticated),
        }
    }

    /// Takes a seat for one more connection of `identity`.
    pub(super) fn take_seat(
        &self,
        hub: &Hub,
        identity: Option<&Identity>,
    ) -> Result<Seat, Refusal> {
        if hub.draining.is_cancelled() {
            return Err(Refusal::Draining);
        }
        Ok(hub.door.enter(identity, self.address)?)
    }

    /// Checks that the visitor is `owner`, whose secret connection token it has shown.
    ///
    /// One of the Python clients polls without credentials; then the token speaks for it.
    pub(super) async fn must_be(&self, hub: &Hub, owner: Option<&Identity>) -> Result<(), Refusal> {
        if hub.access.is_none() {
            return Ok(());
        }
        match self.known(hub).await? {
            Some(identity) if Some(&identity) == owner => Ok(()),
            Some(_) => Err(Refusal::OtherIdentity),
            None if self.credentials.token.is_some() => Err(Refusal::Unauthenticated),
            None => Ok(()),
        }
    }

    async fn known(&self, hub: &Hub) -> Result<Option<Identity>, Refusal> {
        let Some(access) = &hub.access else { return Ok(None) };
        access.identify(&self.credentials).await.map_err(|error| {
            tracing::error!(error = &*error, "nobody can be identified");
            Refusal::Unavailable
        })
    }
}
