//! Projections over HTTP: how far they are, and what an operator asks of them.

use crate::support::{append_orders, console, definition, get, key, lead, request};
use axum::http::Method;
use highwater_core::{
    Advance, CheckpointStore, EventId, EventType, NewDeadLetter, Offset, Position,
    ProjectionDefinition, StreamName,
};
use highwater_testkit::MemoryStore;
use serde_json::json;

#[tokio::test]
async fn every_checkpoint_is_listed_with_its_lag_whoever_runs_it() {
    let store = MemoryStore::new();
    append_orders(&store, 10).await;
    let lease = lead(&store, "running", 4).await;
    store.record_error(&lease, "it failed").await.unwrap();
    lead(&store, "elsewhere", 9).await;
    let router = console(&store, vec![definition("running"), definition("new")]).router();

    let rows = get(&router, "/api/projections/checkpoints").await.json();
    let row = |name: &str| {
        let rows = rows.as_array().unwrap();
        rows.iter().find(|row| row["projectionName"] == name).unwrap().clone()
    };
    assert_eq!(rows.as_array().unwrap().len(), 3, "{rows}");
    let running = row("running");
    for (field, value) in [
        ("streamName", json!("orders")),
        ("checkpoint", json!(4)),
        ("streamHead", json!(9)),
        ("lag", json!(5)),
        ("percentComplete", json!(50.0)),
        ("eventsProcessed", json!(5)),
        ("lastError", json!("it failed")),
        ("owner", json!(lease.owner)),
        ("rebuildRequested", json!(false)),
    ] {
        assert_eq!(running[field], value, "{field}");
    }
    assert!(running["updatedAt"].as_str().unwrap().ends_with('Z'));
    assert_eq!(
        (&row("elsewhere")["lag"], &row("elsewhere")["lastError"]),
        (&json!(0), &json!(null))
    );
    let new = row("new");
    assert_eq!((&new["checkpoint"], &new["lag"]), (&json!(-1), &json!(10)));
    assert_eq!(new["updatedAt"], json!(null));
}

#[tokio::test]
async fn an_empty_stream_has_its_head_at_minus_one_and_is_complete() {
    let router = console(&MemoryStore::new(), vec![definition("p")]).router();
    let rows = get(&router, "/api/projections/checkpoints").await.json();
    assert_eq!((&rows[0]["streamHead"], &rows[0]["checkpoint"]), (&json!(-1), &json!(-1)));
    assert_eq!((&rows[0]["lag"], &rows[0]["percentComplete"]), (&json!(0), &json!(100.0)));
}

#[tokio::test]
async fn what_is_registered_is_listed_with_its_status() {
    let store = MemoryStore::new();
    append_orders(&store, 1).await;
    lead(&store, "led", 0).await;
    lead(&store, "elsewhere", 0).await;
    let types = Some(vec![EventType::from_static("Placed")]);
    let led = ProjectionDefinition { event_types: types, ..definition("led") };
    let router = console(&store, vec![led, definition("idle")]).router();
    let rows = get(&router, "/api/projections").await.json();
    assert_eq!(rows.as_array().unwrap().len(), 2, "{rows}");
    assert_eq!(
        (&rows[0]["projectionName"], &rows[0]["status"]),
        (&json!("idle"), &json!("degraded"))
    );
    assert_eq!(
        (&rows[1]["projectionName"], &rows[1]["status"]),
        (&json!("led"), &json!("healthy"))
    );
    assert_eq!(rows[1]["eventTypes"], json!(["Placed"]));
    assert_eq!((&rows[1]["kind"], &rows[1]["canRebuild"]), (&json!("view"), &json!(true)));
}

#[tokio::test]
async fn a_rebuild_is_requested_where_it_is_possible() {
    let store = MemoryStore::new();
    lead(&store, "elsewhere", 0).await;
    let fixed = ProjectionDefinition { can_rebuild: false, ..definition("fixed") };
    let router = console(&store, vec![definition("view"), fixed]).router();
    let rebuild = |name: &'static str| {
        let router = router.clone();
        async move { request(&router, Method::POST, &format!("/api/projections/{name}/rebuild")).await }
    };
    for name in ["view", "elsewhere"] {
        let answer = rebuild(name).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        assert_eq!(answer.json(), json!({"projectionName": name, "rebuildRequested": true}));
        assert!(store.checkpoint(&key(name)).await.unwrap().unwrap().rebuild_requested);
    }
    rebuild("fixed").await.problem(409);
    rebuild("unheard-of").await.problem(404);
    rebuild("%20").await.problem(404);
    assert!(store.checkpoint(&key("fixed")).await.unwrap().is_none());
}

#[tokio::test]
async fn dead_letters_are_listed_by_offset() {
    let store = MemoryStore::new();
    append_orders(&store, 3).await;
    let lease = lead(&store, "view", 0).await;
    let letter = |offset| NewDeadLetter {
        offset: Offset::new(offset),
        stream: StreamName::from_static("orders"),
        position: Position::new(offset),
        event_id: EventId::new(),
        event_type: EventType::from_static("Placed"),
        error: "no such product".to_owned(),
        attempts: 5,
    };
    let mut advance = Advance::new(Some(Offset::new(0)), Some(Offset::new(2)), 2);
    advance.dead_letters = vec![letter(1), letter(2)];
    store.save(&lease, &advance).await.unwrap();
    let router = console(&store, vec![definition("view")]).router();

    let path = "/api/projections/view/dead-letters";
    let letters = get(&router, path).await.json();
    assert_eq!(letters.as_array().unwrap().len(), 2, "{letters}");
    assert_eq!((&letters[0]["offset"], &letters[1]["offset"]), (&json!(1), &json!(2)));
    assert_eq!(letters[0]["error"], "no such product");
    assert_eq!(letters[0]["attempts"], 5);
    let behind = get(&router, &format!("{path}?after=1&limit=1&stream=orders")).await.json();
    assert_eq!(behind.as_array().unwrap().len(), 1, "{behind}");
    assert_eq!(behind[0]["offset"], 2);
    get(&router, &format!("{path}?after=-2")).await.problem(400);
    get(&router, &format!("{path}?limit=0")).await.problem(400);
    get(&router, &format!("{path}?behind=1")).await.problem(400);
    get(&router, &format!("{path}?stream=other")).await.problem(404);
    get(&router, "/api/projections/unheard-of/dead-letters").await.problem(404);
}
