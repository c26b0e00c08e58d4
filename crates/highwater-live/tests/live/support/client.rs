//! A SignalR client that polls or takes server-sent events, request by request.

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Method, Request, StatusCode, header};
use highwater_live::Live;
use serde_json::Value;
use tower::ServiceExt;

/// A handshake in JSON.
pub(crate) const HANDSHAKE: &str = "{\"protocol\":\"json\",\"version\":1}\x1e";

/// A client that speaks by requests.
pub(crate) struct Client {
    app: Router,
    pub(crate) token: String,
}

impl Client {
    pub(crate) async fn negotiate(live: &Live) -> Self {
        let app = live.router();
        let request = Request::post("/hubs/events/negotiate?negotiateVersion=1");
        let request = request.body(Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        let body = to_bytes(response.into_body(), 10_000).await.unwrap();
        let answer: Value = serde_json::from_slice(&body).unwrap();
        Self { app, token: answer["connectionToken"].as_str().unwrap().to_owned() }
    }

    pub(crate) async fn request(
        &self,
        method: Method,
        accept: &str,
        body: impl Into<Body>,
    ) -> axum::response::Response {
        let request = Request::builder()
            .method(method)
            .uri(format!("/hubs/events?id={}", self.token))
            .header(header::ACCEPT, accept)
            .body(body.into())
            .unwrap();
        self.app.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn post(&self, body: impl Into<Body>) -> StatusCode {
        self.request(Method::POST, "*/*", body).await.status()
    }

    pub(crate) async fn poll(&self, accept: &str) -> (StatusCode, Bytes) {
        let response = self.request(Method::GET, accept, Body::empty()).await;
        let status = response.status();
        (status, to_bytes(response.into_body(), 1 << 20).await.unwrap())
    }

    pub(crate) async fn messages(&self, accept: &str) -> Vec<Value> {
        let (status, body) = self.poll(accept).await;
        assert_eq!(status, StatusCode::OK);
        let text = std::str::from_utf8(&body).unwrap();
        text.split_terminator('\x1e').map(|record| serde_json::from_str(record).unwrap()).collect()
    }
}

/// A message in JSON as it is sent.
pub(crate) fn framed(message: &Value) -> String {
    format!("{message}\x1e")
}
