//! Errors over HTTP: always a problem, never more than the client may know.

use std::sync::Arc;

use crate::support::{Down, console, get, request};
use axum::http::{Method, StatusCode, header};
use axum::response::IntoResponse;
use axum::{Router, routing};
use highwater_console::{Console, Problem};
use highwater_testkit::MemoryStore;
use serde_json::json;

#[tokio::test]
async fn unknown_routes_and_wrong_methods_are_problems() {
    let router = console(&MemoryStore::new(), vec![]).router();
    for path in ["/", "/api", "/api/streams", "/healthy"] {
        get(&router, path).await.problem(404);
    }
    for (method, path, allowed) in [
        (Method::POST, "/health", "GET,HEAD"),
        (Method::PUT, "/api/projections/checkpoints", "GET,HEAD"),
        (Method::GET, "/api/projections/p/rebuild", "POST"),
    ] {
        let answer = request(&router, method, path).await;
        answer.problem(405);
        assert_eq!(answer.headers[header::ALLOW], allowed);
    }
    let delete = request(&router, Method::DELETE, "/api/streams/s/events").await;
    delete.problem(405);
    assert_eq!(delete.headers[header::ALLOW], "GET,HEAD,POST");
}

#[tokio::test]
async fn routes_merge_into_an_application_or_nest_under_a_path() {
    let console = console(&MemoryStore::new(), vec![]);
    let hello = || Router::new().route("/hello", routing::get(|| async { "hello" }));
    let merged = highwater_console::finish(hello().merge(console.routes()));
    let nested = hello().nest("/ops", console.router());
    for (router, health) in [(merged, "/health"), (nested, "/ops/health")] {
        assert_eq!(get(&router, "/hello").await.text, "hello");
        assert_eq!(get(&router, health).await.status, 200);
        get(&router, "/ops/nowhere").await.problem(404);
    }
}

#[tokio::test]
async fn an_unreachable_store_is_503_and_tells_no_secrets() {
    let router =
        Console::new(Arc::new(MemoryStore::new()), Arc::new(Down::Refuses), vec![]).router();
    for path in ["/api/projections", "/api/projections/checkpoints"] {
        let answer = get(&router, path).await;
        answer.problem(503);
        assert!(!answer.text.contains("secret"), "{}", answer.text);
    }
}

#[tokio::test]
async fn a_problem_has_its_own_members_but_never_loses_the_standard_ones() {
    let problem = Problem::new(StatusCode::NOT_FOUND, "no user 7")
        .of_type("urn:example:no-user", "No such user")
        .with("userId", 7)
        .with("status", "overwritten");
    let body = axum::body::to_bytes(problem.into_response().into_body(), 1000).await.unwrap();
    let expected = json!({
        "type": "urn:example:no-user", "title": "No such user", "status": 404,
        "detail": "no user 7", "userId": 7,
    });
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&body).unwrap(), expected);
}
