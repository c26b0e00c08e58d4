//! A console on a memory store, and requests to it.

mod down;
mod sagas;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use highwater_console::Console;
use highwater_core::{
    CheckpointKey, CheckpointStore, EventStoreExt, EventType, Expected, NewEvent, Offset, Payload,
    ProjectionDefinition, ProjectionKind, ProjectionName, StreamName,
};
use highwater_testkit::MemoryStore;
use serde_json::Value;
use tower::ServiceExt;

pub(crate) use down::Down;
pub(crate) use sagas::{advance, claim, create};

/// A response, read whole.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// The body, after checking that it is a well-formed problem of this status.
    pub(crate) fn problem(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], status);
        for member in ["type", "title", "detail"] {
            assert!(problem[member].is_string(), "{member}: {problem}");
        }
        problem
    }
}

pub(crate) async fn send(router: &Router, request: Request<Body>) -> Answer {
    let response = router.clone().oneshot(request).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    Answer { status, headers, text: String::from_utf8(body.to_vec()).unwrap() }
}

pub(crate) async fn request(router: &Router, method: Method, path: &str) -> Answer {
    let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    send(router, request).await
}

pub(crate) async fn get(router: &Router, path: &str) -> Answer {
    request(router, Method::GET, path).await
}

pub(crate) async fn post(router: &Router, path: &str, json: impl Into<String>) -> Answer {
    let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
    send(router, request.body(Body::from(json.into())).unwrap()).await
}

pub(crate) fn console(store: &MemoryStore, definitions: Vec<ProjectionDefinition>) -> Console {
    Console::new(Arc::new(store.clone()), Arc::new(store.clone()), definitions)
}

/// A registered view of the stream `orders` that starts by itself and can be rebuilt.
pub(crate) fn definition(name: &'static str) -> ProjectionDefinition {
    ProjectionDefinition {
        key: key(name),
        kind: ProjectionKind::View,
        event_types: None,
        can_rebuild: true,
        auto_start: true,
        is_continuous: true,
    }
}

pub(crate) fn key(name: &'static str) -> CheckpointKey {
    CheckpointKey::new(ProjectionName::from_static(name), StreamName::from_static("orders"))
}

/// Appends `count` events to the stream `orders`.
pub(crate) async fn append_orders(store: &MemoryStore, count: u64) {
    let event = |n: u64| NewEvent::new(EventType::from_static("Placed"), Payload::of(&n).unwrap());
    let orders = StreamName::from_static("orders");
    store.append_to(orders, Expected::Any, (0..count).map(event).collect()).await.unwrap();
}

/// Takes the lease of `name` for an hour and moves its checkpoint to `to`.
pub(crate) async fn lead(
    store: &MemoryStore,
    name: &'static str,
    to: u64,
) -> highwater_core::Lease {
    let owner = highwater_core::Owner::new("tester");
    let hour = std::time::Duration::from_secs(3600);
    let (lease, at) = store.acquire(&key(name), &owner, hour).await.unwrap().unwrap();
    let from = at.last_processed_offset;
    let advance = highwater_core::Advance::new(from, Some(Offset::new(to)), to + 1);
    store.save(&lease, &advance).await.unwrap();
    lease
}
