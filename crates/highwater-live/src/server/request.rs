//! One request: who may be asked for, how much may come, and the routes that answer.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use hyper::body::{Body as _, Incoming};
use tower::Service;

use super::activity::Activity;
use super::answer::{Outgoing, refusal};
use super::bodies::Bodies;
use super::hosts;
use super::incoming::{Cut, CutSlot, bounded};
use super::options::ServerOptions;

/// What answers the requests of one connection.
#[derive(Debug, Clone)]
pub(super) struct Answerer {
    pub(super) routes: Router,
    pub(super) options: Arc<ServerOptions>,
    pub(super) bodies: Arc<Bodies>,
    pub(super) activity: Activity,
    /// The address of the client.
    pub(super) peer: SocketAddr,
    /// The address that it has connected to.
    pub(super) local: SocketAddr,
}

impl Answerer {
    pub(super) async fn answer(
        self,
        request: Request<Incoming>,
    ) -> Result<axum::http::Response<Outgoing>, Infallible> {
        self.activity.answering(!request.body().is_end_stream());
        let activity = self.activity.clone();
        let response = match self.refuse(&request) {
            Some(refusal) => refusal,
            None => self.route(request).await,
        };
        activity.received();
        Ok(Outgoing::of(response, activity))
    }

    fn refuse(&self, request: &Request<Incoming>) -> Option<Response> {
        let allowed = self.options.allowed_hosts.as_deref();
        if let Err(refused) = hosts::check(request, self.local.ip(), allowed) {
            return Some(refusal(refused.status(), &refused.to_string()));
        }
        let announced = request.body().size_hint().lower();
        let is_too_large =
            usize::try_from(announced).map_or(true, |it| it > self.options.body_bytes);
        is_too_large.then(|| refusal(Cut::TooLarge.status(), &Cut::TooLarge.to_string()))
    }

    async fn route(mut self, request: Request<Incoming>) -> Response {
        let (share, cut) = (Arc::new(self.bodies.begin()), CutSlot::default());
        let mut request = request.map(|body| {
            if body.is_end_stream() {
                share.complete();
                return Body::empty();
            }
            let (share, activity) = (Arc::clone(&share), self.activity.clone());
            bounded(body, &self.options, share, activity, Arc::clone(&cut))
        });
        request.extensions_mut().insert(ConnectInfo(self.peer));
        let Ok(mut response) = self.routes.call(request).await;
        if let Some(cut) = cut.get() {
            response = refusal(cut.status(), &cut.to_string());
        }
        // What was read is held until it is answered.
        drop(share);
        response
    }
}
