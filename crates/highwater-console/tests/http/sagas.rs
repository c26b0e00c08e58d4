//! Sagas over HTTP: where each stands, and what an operator asks of it.

use std::sync::Arc;

use crate::support::{Answer, advance, claim, console, create, get, request};
use axum::Router;
use axum::http::Method;
use highwater_core::{SagaName, SagaState, StepOutcome};
use highwater_testkit::MemoryStore;
use serde_json::{Value, json};

fn router(store: &MemoryStore) -> Router {
    console(store, vec![]).sagas(Arc::new(store.clone())).router()
}

async fn status(router: &Router, id: &str) -> Value {
    let answer = get(router, &format!("/api/sagas/{id}/status")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

async fn ask(router: &Router, id: &str, what: &str) -> Answer {
    request(router, Method::POST, &format!("/api/sagas/{id}/{what}")).await
}

fn ids(page: &Value) -> Vec<&str> {
    page["sagas"].as_array().unwrap().iter().map(|it| it["sagaId"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_status_of_a_saga_says_how_far_it_is_at_every_stage() {
    let store = MemoryStore::new();
    let router = router(&store);
    create(&store, "trip", "trip-1", "order-7").await;
    let mut saga = status(&router, "trip-1").await;
    for time in ["startedAt", "lastUpdated"] {
        assert!(saga[time].take().as_str().unwrap().ends_with('Z'), "{time}");
    }
    let expected = json!({
        "sagaId": "trip-1", "correlationId": "order-7", "sagaName": "trip", "version": 1,
        "state": "NotStarted", "request": null, "progress": "0/2", "currentStep": "hotel",
        "waitingFor": null, "totalSteps": 2, "completedSteps": [],
        "data": {"to": "Oslo", "price": 1.5}, "stream": "saga-trip-trip-1", "startedAt": null, "lastUpdated": null,
        "completedAt": null, "errorMessage": null,
    });
    assert_eq!(saga, expected);

    let hotel = [("hotel", StepOutcome::Completed)];
    let saga = claim(&store, "trip").await;
    let saga = advance(&store, saga, SagaState::Running, 1, &hotel).await;
    let body = status(&router, "trip-1").await;
    assert_eq!((&body["progress"], &body["currentStep"]), (&json!("1/2"), &json!("card")));
    let step = json!({
        "step": "hotel", "outcome": "Completed", "isInDoubt": false, "attempts": 2,
        "compensationAttempts": 0, "startedAt": "1970-01-01T00:00:00Z",
        "finishedAt": "1970-01-01T00:00:01Z", "error": null,
    });
    assert_eq!(body["completedSteps"], json!([step]));

    let both = [("hotel", StepOutcome::Completed), ("card", StepOutcome::Completed)];
    advance(&store, saga, SagaState::Completed, 2, &both).await;
    let body = status(&router, "trip-1").await;
    assert_eq!((&body["progress"], &body["currentStep"]), (&json!("2/2"), &json!(null)));
    assert!(body["completedAt"].is_string(), "{body}");
}

#[tokio::test]
async fn one_that_failed_says_at_which_step_and_why_and_one_that_undid_itself_has_no_step() {
    let store = MemoryStore::new();
    let router = router(&store);
    create(&store, "trip", "trip-1", "trip-1").await;
    let stuck = [("hotel", StepOutcome::Stuck), ("card", StepOutcome::Failed)];
    let saga = claim(&store, "trip").await;
    advance(&store, saga, SagaState::Failed, 0, &stuck).await;
    let body = status(&router, "trip-1").await;
    assert_eq!((&body["state"], &body["currentStep"]), (&json!("Failed"), &json!("hotel")));
    assert_eq!(
        (&body["errorMessage"], &body["progress"]),
        (&json!("the hotel is closed"), &json!("0/2"))
    );

    assert_eq!(ask(&router, "trip-1", "retry").await.status, 202);
    let undone = [("hotel", StepOutcome::Compensated), ("card", StepOutcome::Failed)];
    let saga = claim(&store, "trip").await;
    advance(&store, saga, SagaState::Compensated, 0, &undone).await;
    let body = status(&router, "trip-1").await;
    assert_eq!((&body["state"], &body["currentStep"]), (&json!("Compensated"), &json!(null)));
}

#[tokio::test]
async fn a_request_is_accepted_where_the_state_allows_it_and_a_conflict_elsewhere() {
    let store = MemoryStore::new();
    let router = router(&store);
    create(&store, "trip", "trip-1", "trip-1").await;
    let paused = ask(&router, "trip-1", "pause").await;
    assert_eq!(paused.status, 202, "{}", paused.text);
    assert_eq!(
        (&paused.json()["state"], &paused.json()["request"]),
        (&json!("NotStarted"), &json!("pause"))
    );
    assert_eq!(ask(&router, "trip-1", "pause").await.status, 202, "asked twice is asked once");
    assert_eq!(ask(&router, "trip-1", "resume").await.json()["request"], json!(null));
    for refused in ["resume", "retry", "skip"] {
        let problem = ask(&router, "trip-1", refused).await.problem(409);
        assert_eq!(problem["type"], "urn:highwater:saga-not-allowed");
        assert_eq!(problem["state"], "NotStarted");
    }
    assert_eq!(ask(&router, "trip-1", "cancel").await.status, 202);
    assert_eq!(ask(&router, "trip-1", "pause").await.problem(409)["pending"], "cancel");

    let saga = claim(&store, "trip").await;
    advance(&store, saga, SagaState::Compensated, 0, &[]).await;
    for refused in ["cancel", "pause", "resume", "retry", "skip"] {
        ask(&router, "trip-1", refused).await.problem(409);
    }
}

#[tokio::test]
async fn what_is_no_saga_is_not_found() {
    let store = MemoryStore::new();
    let router = router(&store);
    create(&store, "trip", "trip-1", "trip-1").await;
    for id in ["nobody", "%20", &"x".repeat(300)] {
        get(&router, &format!("/api/sagas/{id}/status")).await.problem(404);
        for what in ["cancel", "pause", "resume", "retry", "skip"] {
            ask(&router, id, what).await.problem(404);
        }
    }
    ask(&router, "trip-1", "explode").await.problem(404);
    get(&router, "/api/sagas/trip-1/cancel").await.problem(405);
    let without = console(&store, vec![]).router();
    get(&without, "/api/sagas/trip-1/status").await.problem(404);
}

#[tokio::test]
async fn sagas_are_found_by_what_is_known_of_them() {
    let store = MemoryStore::new();
    let router = router(&store);
    create(&store, "trip", "trip-1", "order-1").await;
    create(&store, "refund", "refund-1", "order-1").await;
    create(&store, "trip", "trip-2", "order-2").await;
    let saga = claim(&store, "refund").await;
    advance(&store, saga, SagaState::Completed, 2, &[]).await;
    for (query, found) in [
        ("", &["trip-2", "refund-1", "trip-1"][..]),
        (
            "?correlationId=&state=&name=&from=&until=&limit=&after=",
            &["trip-2", "refund-1", "trip-1"],
        ),
        ("?correlationId=order-1", &["refund-1", "trip-1"]),
        ("?name=trip", &["trip-2", "trip-1"]),
        ("?name=trip&correlationId=order-1", &["trip-1"]),
        ("?state=Completed", &["refund-1"]),
        ("?state=Paused", &[]),
        ("?from=1970-01-01T00:00:00Z", &["trip-2", "refund-1", "trip-1"]),
        ("?until=1970-01-01T00:00:00Z", &[]),
    ] {
        let page = get(&router, &format!("/api/sagas{query}")).await;
        assert_eq!(page.status, 200, "{query}: {}", page.text);
        assert_eq!(ids(&page.json()), found, "{query}");
        assert_eq!(page.json()["next"], json!(null), "{query}");
    }
}

#[tokio::test]
async fn a_list_goes_on_behind_what_it_says_is_next() {
    let store = MemoryStore::new();
    let router = router(&store);
    for n in 0..7 {
        create(&store, "trip", &format!("trip-{n}"), "order-1").await;
    }
    let (mut found, mut after, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let path = format!("/api/sagas?correlationId=order-1&limit=3&after={after}");
        let page = get(&router, &path).await.json();
        found.extend(ids(&page).into_iter().map(str::to_owned));
        pages += 1;
        let Some(next) = page["next"].as_str() else { break };
        next.clone_into(&mut after);
    }
    let newest_first: Vec<String> = (0..7).rev().map(|n| format!("trip-{n}")).collect();
    assert_eq!((found, pages), (newest_first, 3));
}

#[tokio::test]
async fn a_search_for_what_cannot_be_is_a_problem_that_names_the_parameter() {
    let store = MemoryStore::new();
    let router = router(&store);
    for (query, parameter) in [
        ("state=Sleeping", "state"),
        ("limit=many", "limit"),
        ("limit=-1", "limit"),
        ("from=yesterday", "from"),
        ("until=2026-13-01T00:00:00Z", "until"),
        ("correlationId=%0A", "correlationId"),
        ("name=%20", "name"),
        ("after=%00", "after"),
    ] {
        let problem = get(&router, &format!("/api/sagas?{query}")).await.problem(400);
        assert_eq!(problem["parameter"], parameter, "{query}");
    }
    for query in ["limit=0", "limit=1001", "correlationid=order-1", "state=Running&state=Failed"] {
        get(&router, &format!("/api/sagas?{query}")).await.problem(400);
    }
    let problem = get(&router, "/api/sagas?after=nobody").await.problem(400);
    assert_eq!(problem["parameter"], "after");
    assert_eq!(problem["detail"], "after is \"nobody\": there is no such saga");
}

#[tokio::test]
async fn a_saga_whose_version_is_not_run_here_says_so_until_it_is_over() {
    let store = MemoryStore::new();
    let console = console(&store, vec![]).sagas(Arc::new(store.clone()));
    create(&store, "trip", "trip-1", "trip-1").await;
    let other_version = vec![(SagaName::from_static("trip"), 2)];
    let obstructed = console.clone().saga_definitions(other_version).router();
    let expected = "version 1 of saga \"trip\" is not registered in this process";
    assert_eq!(status(&obstructed, "trip-1").await["obstacle"], expected);
    let page = get(&obstructed, "/api/sagas").await.json();
    assert_eq!(page["sagas"][0]["obstacle"], expected);
    assert_eq!(ask(&obstructed, "trip-1", "pause").await.json()["obstacle"], expected);

    let same_version = vec![(SagaName::from_static("trip"), 1)];
    for clear in [console.clone(), console.saga_definitions(same_version)] {
        assert!(status(&clear.router(), "trip-1").await.get("obstacle").is_none());
    }
    let saga = claim(&store, "trip").await;
    advance(&store, saga, SagaState::Completed, 2, &[]).await;
    assert!(status(&obstructed, "trip-1").await.get("obstacle").is_none());
}
