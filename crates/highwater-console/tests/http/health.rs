//! Health over HTTP: green only when somebody keeps up.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{Down, advance, append_orders, claim, console, create, definition, get, lead};
use highwater_console::Console;
use highwater_core::{
    CheckpointStore, HealthThresholds, ProjectionDefinition, SagaState, StepOutcome,
};
use highwater_testkit::MemoryStore;
use serde_json::json;

#[tokio::test]
async fn a_projection_that_is_led_and_keeps_up_is_healthy() {
    let store = MemoryStore::new();
    append_orders(&store, 10).await;
    let lease = lead(&store, "view", 9).await;
    let router = console(&store, vec![definition("view")]).router();
    let health = get(&router, "/health").await;
    assert_eq!(health.status, 200);
    let expected = json!({
        "status": "healthy",
        "projections": [{
            "projectionName": "view", "streamName": "orders", "status": "healthy",
            "lag": 0, "lagSeconds": 0.0, "leaseHolder": lease.owner, "lastError": null,
        }],
    });
    assert_eq!(health.json(), expected);
}

#[tokio::test]
async fn lag_degrades_and_then_fails() {
    let store = MemoryStore::new();
    append_orders(&store, 10).await;
    lead(&store, "view", 4).await;
    for (degraded_events, unhealthy_events, status, code) in
        [(6, 7, "healthy", 200), (5, 6, "degraded", 200), (1, 5, "unhealthy", 503)]
    {
        let thresholds =
            HealthThresholds { degraded_events, unhealthy_events, ..Default::default() };
        let console = console(&store, vec![definition("view")]).thresholds(thresholds);
        let health = get(&console.router(), "/health").await;
        assert_eq!((health.status.as_u16(), &health.json()["status"]), (code, &json!(status)));
    }
}

#[tokio::test]
async fn a_projection_that_nobody_leads_is_never_healthy() {
    let store = MemoryStore::new();
    let router = console(&store, vec![definition("view")]).router();
    assert_eq!(get(&router, "/health").await.json()["status"], "degraded");

    let lease = lead(&store, "view", 0).await;
    assert_eq!(get(&router, "/health").await.json()["status"], "healthy");
    store.record_error(&lease, "it failed").await.unwrap();
    store.release(&lease).await.unwrap();
    let health = get(&router, "/health").await;
    assert_eq!(health.status, 503);
    assert_eq!(health.json()["projections"][0]["lastError"], "it failed");
}

#[tokio::test]
async fn the_worst_projection_counts_and_one_that_need_not_run_may_rest() {
    let store = MemoryStore::new();
    append_orders(&store, 1).await;
    lead(&store, "led", 0).await;
    let manual = ProjectionDefinition { auto_start: false, ..definition("manual") };
    let resting = console(&store, vec![definition("led"), manual.clone()]).router();
    assert_eq!(get(&resting, "/health").await.json()["status"], "healthy");
    let idle = console(&store, vec![definition("led"), manual, definition("idle")]).router();
    assert_eq!(get(&idle, "/health").await.json()["status"], "degraded");
}

#[tokio::test]
async fn a_checkpoint_of_what_is_not_registered_here_is_not_judged() {
    let store = MemoryStore::new();
    let lease = lead(&store, "retired", 0).await;
    store.release(&lease).await.unwrap();
    let router = console(&store, vec![]).router();
    let health = get(&router, "/health").await;
    assert_eq!(health.json(), json!({"status": "healthy", "projections": []}));
}

#[tokio::test]
async fn a_saga_that_needs_a_human_or_that_nobody_takes_up_is_degraded() {
    let store = MemoryStore::new();
    let patient = console(&store, vec![]).sagas(Arc::new(store.clone()));
    let thresholds = HealthThresholds { degraded_age: Duration::ZERO, ..Default::default() };
    let impatient = patient.clone().thresholds(thresholds).router();
    let patient = patient.router();
    let expected = |status: &str, failed: u32, not_taken_up: u32| {
        json!({
            "status": status, "projections": [],
            "sagas": {"status": status, "failed": failed, "notTakenUp": not_taken_up},
        })
    };
    assert_eq!(get(&impatient, "/health").await.json(), expected("healthy", 0, 0));

    create(&store, "trip", "trip-1", "trip-1").await;
    assert_eq!(get(&patient, "/health").await.json(), expected("healthy", 0, 0));
    let health = get(&impatient, "/health").await;
    assert_eq!((health.status.as_u16(), health.json()), (200, expected("degraded", 0, 1)));

    let saga = claim(&store, "trip").await;
    advance(&store, saga, SagaState::Failed, 0, &[("hotel", StepOutcome::Stuck)]).await;
    let health = get(&patient, "/health").await;
    assert_eq!((health.status.as_u16(), health.json()), (200, expected("degraded", 1, 0)));
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_store_is_unhealthy_within_seconds_and_tells_no_secrets() {
    for down in [Down::Refuses, Down::Silent] {
        let router = Console::new(Arc::new(MemoryStore::new()), Arc::new(down), vec![]).router();
        let asked = tokio::time::Instant::now();
        let health = get(&router, "/health").await;
        assert!(asked.elapsed().as_secs() <= 3);
        assert_eq!((health.status.as_u16(), &health.json()["status"]), (503, &json!("unhealthy")));
        assert!(!health.text.contains("secret"), "{}", health.text);
    }
}
