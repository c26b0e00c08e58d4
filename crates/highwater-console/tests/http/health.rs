//! Health over HTTP: green only when somebody keeps up.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{Down, advance, append_orders, claim, console, create, definition, get, lead};
use highwater_console::Console;
use highwater_core::{
    Advance, CheckpointStore, EventId, EventType, HealthThresholds, NewDeadLetter, Offset,
    Position, ProjectionDefinition, SagaState, StepOutcome, StreamName,
};
use highwater_testkit::MemoryStore;
use serde_json::{Value, json};

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
            "projectionName": "view", "streamName": "orders", "status": "healthy", "reasons": [],
            "lag": 0, "lagSeconds": 0.0, "deadLetters": 0, "leaseHolder": lease.owner,
            "lastError": null,
        }],
        "writes": {"status": "healthy", "reasons": []},
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
    append_orders(&store, 1).await;
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
    let writes = json!({"status": "healthy", "reasons": []});
    let expected = json!({"status": "healthy", "projections": [], "writes": writes});
    assert_eq!(health.json(), expected);
}

#[tokio::test]
async fn a_saga_that_needs_a_human_or_that_nobody_takes_up_is_degraded() {
    let store = MemoryStore::new();
    let patient = console(&store, vec![]).sagas(Arc::new(store.clone()));
    let thresholds = HealthThresholds { degraded_age: Duration::ZERO, ..Default::default() };
    let impatient = patient.clone().thresholds(thresholds).router();
    let patient = patient.router();
    let sagas = |health: Value| {
        let sagas = &health["sagas"];
        assert_eq!(health["status"], sagas["status"]);
        assert_eq!(sagas["status"] == "healthy", sagas["reasons"] == json!([]), "{health}");
        let [status, failed, overdue] = ["status", "failed", "notTakenUp"].map(|of| &sagas[of]);
        (status.clone(), failed.clone(), overdue.clone())
    };
    assert_eq!(sagas(get(&impatient, "/health").await.json()), told("healthy", 0, 0));

    create(&store, "trip", "trip-1", "trip-1").await;
    assert_eq!(sagas(get(&patient, "/health").await.json()), told("healthy", 0, 0));
    let health = get(&impatient, "/health").await;
    assert_eq!((health.status.as_u16(), sagas(health.json())), (200, told("degraded", 0, 1)));
    let kind = json!([{"sagaName": "trip", "version": 1, "count": 1}]);
    assert_eq!(health.json()["sagas"]["overdue"], kind);

    let saga = claim(&store, "trip").await;
    advance(&store, saga, SagaState::Failed, 0, &[("hotel", StepOutcome::Stuck)]).await;
    let health = get(&patient, "/health").await;
    assert_eq!((health.status.as_u16(), sagas(health.json())), (200, told("degraded", 1, 0)));
}

fn told(status: &str, failed: u32, not_taken_up: u32) -> (Value, Value, Value) {
    (json!(status), json!(failed), json!(not_taken_up))
}

#[tokio::test]
async fn a_saga_that_is_paused_with_an_error_is_degraded() {
    let store = MemoryStore::new();
    let router = console(&store, vec![]).sagas(Arc::new(store.clone())).router();
    create(&store, "trip", "trip-1", "trip-1").await;
    let mut saga = claim(&store, "trip").await;
    saga.progress.error = Some("its state cannot be read".to_owned());
    advance(&store, saga, SagaState::Paused, 0, &[]).await;
    let health = get(&router, "/health").await.json();
    assert_eq!((&health["status"], &health["sagas"]["paused"]), (&json!("degraded"), &json!(1)));
}

#[tokio::test]
async fn dead_letters_degrade_from_the_first_on_and_are_counted() {
    let store = MemoryStore::new();
    append_orders(&store, 10).await;
    let lease = lead(&store, "view", 4).await;
    let router = console(&store, vec![definition("view")]).router();
    let at = |offset: u64| Some(Offset::new(offset));
    let mut advance = Advance::new(at(4), at(9), 3);
    advance.dead_letters = vec![letter(5), letter(7)];
    store.save(&lease, &advance).await.unwrap();

    let health = get(&router, "/health").await;
    assert_eq!((health.status.as_u16(), &health.json()["status"]), (200, &json!("degraded")));
    let projection = &health.json()["projections"][0];
    assert_eq!(projection["deadLetters"], 2);
    assert!(projection["reasons"][0].as_str().unwrap().contains("dead letters"), "{projection}");
    for list in ["/api/projections", "/api/projections/checkpoints"] {
        assert_eq!(get(&router, list).await.json()[0]["deadLetters"], 2, "{list}");
    }
    let tolerant = HealthThresholds { degraded_dead_letters: 3, ..Default::default() };
    let tolerant = console(&store, vec![definition("view")]).thresholds(tolerant).router();
    assert_eq!(get(&tolerant, "/health").await.json()["status"], "healthy");

    store.begin_rebuild(&lease).await.unwrap();
    store.save(&lease, &Advance::new(None, at(9), 10)).await.unwrap();
    assert_eq!(get(&router, "/health").await.json()["status"], "healthy");
}

fn letter(offset: u64) -> NewDeadLetter {
    NewDeadLetter {
        offset: Offset::new(offset),
        stream: StreamName::from_static("orders"),
        position: Position::new(offset),
        event_id: EventId::new(),
        event_type: EventType::from_static("Placed"),
        error: "out of ink".to_owned(),
        attempts: 1,
    }
}

#[tokio::test]
async fn a_checkpoint_beyond_the_end_of_the_log_is_unhealthy() {
    let store = MemoryStore::new();
    append_orders(&store, 3).await;
    lead(&store, "view", 7).await;
    let router = console(&store, vec![definition("view")]).router();
    let health = get(&router, "/health").await;
    assert_eq!((health.status.as_u16(), &health.json()["status"]), (503, &json!("unhealthy")));
    let reason = &health.json()["projections"][0]["reasons"][0];
    assert!(reason.as_str().unwrap().contains("beyond the end of the log"), "{reason}");
    append_orders(&store, 5).await;
    assert_eq!(get(&router, "/health").await.json()["status"], "healthy");
}

#[tokio::test]
async fn a_projection_that_tries_again_is_degraded_and_says_why() {
    let store = MemoryStore::new();
    append_orders(&store, 1).await;
    let lease = lead(&store, "view", 0).await;
    store.record_error(&lease, "the table is locked").await.unwrap();
    let router = console(&store, vec![definition("view")]).router();
    let health = get(&router, "/health").await;
    assert_eq!((health.status.as_u16(), &health.json()["status"]), (200, &json!("degraded")));
    let reason = &health.json()["projections"][0]["reasons"][0];
    assert!(reason.as_str().unwrap().contains("the table is locked"), "{reason}");
}

#[tokio::test]
async fn one_that_runs_now_and_then_may_rest_whatever_is_behind() {
    let store = MemoryStore::new();
    append_orders(&store, 1).await;
    let nightly = ProjectionDefinition { is_continuous: false, ..definition("nightly") };
    let router = console(&store, vec![nightly]).router();
    assert_eq!(get(&router, "/health").await.json()["status"], "healthy");
    let lease = lead(&store, "nightly", 0).await;
    store.record_error(&lease, "it failed").await.unwrap();
    store.release(&lease).await.unwrap();
    assert_eq!(get(&router, "/health").await.status, 503);
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
