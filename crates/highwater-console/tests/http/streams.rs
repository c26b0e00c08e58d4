//! Reading and appending events over HTTP.

use crate::support::{append_orders, console, get, post, send};
use axum::body::Body;
use axum::http::{Request, header};
use highwater_core::{EventStoreExt, EventType, Expected, NewEvent, Payload, StreamName};
use highwater_testkit::MemoryStore;
use serde_json::json;
use tower::ServiceExt;

#[tokio::test]
async fn an_appended_event_reads_back_with_the_text_in_which_it_was_sent() {
    let router = console(&MemoryStore::new(), vec![]).router();
    let id = "0195a5a0-0000-7000-8000-000000000001";
    let body = format!(
        r#"[{{"id":"{id}","type":"Placed","data":{{"b": 1.50, "a":2}},
            "metadata":{{"tenant": "acme" }}}}]"#
    );
    let appended = post(&router, "/api/streams/orders/events", &body).await;
    assert_eq!(appended.status, 201, "{}", appended.text);
    assert_eq!(appended.json(), json!({"firstOffset": 0, "nextOffset": 1}));

    let read = get(&router, "/api/streams/orders/events").await;
    assert_eq!(read.status, 200);
    assert!(read.text.contains(r#""data":{"b": 1.50, "a":2}"#), "{}", read.text);
    assert!(read.text.contains(r#""metadata":{"tenant": "acme" }"#), "{}", read.text);
    let event = &read.json()[0];
    assert_eq!(event["eventId"], id);
    assert_eq!(event["eventType"], "Placed");
    assert_eq!((&event["stream"], &event["offset"]), (&json!("orders"), &json!(0)));
}

#[tokio::test]
async fn events_are_read_from_an_offset_on_and_a_link_leads_to_the_next() {
    let store = MemoryStore::new();
    append_orders(&store, 5).await;
    let router = console(&store, vec![]).router();
    let offsets = |path: &'static str| {
        let router = router.clone();
        async move {
            let answer = get(&router, path).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            let link = answer.headers.get(header::LINK).map(|it| it.to_str().unwrap().to_owned());
            let json = answer.json();
            let events = json.as_array().unwrap();
            (events.iter().map(|e| e["offset"].as_u64().unwrap()).collect::<Vec<_>>(), link)
        }
    };
    let (page, link) = offsets("/api/streams/orders/events?from=1&limit=2").await;
    assert_eq!(page, [1, 2]);
    assert_eq!(link.as_deref(), Some("<?from=3&limit=2>; rel=\"next\""));
    assert_eq!(offsets("/api/streams/orders/events?from=3&limit=2").await, (vec![3, 4], None));
    assert_eq!(offsets("/api/streams/orders/events?from=5").await, (vec![], None));
    assert_eq!(offsets("/api/streams/unknown/events").await, (vec![], None));
    assert_eq!(offsets("/api/streams/$all/events").await.0, [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn a_page_of_large_events_ends_early_and_its_link_leads_on() {
    let store = MemoryStore::new();
    append_large(&store, 11).await;
    let router = console(&store, vec![]).router();
    let (mut offsets, mut query) = (Vec::new(), "?from=0&limit=1000".to_owned());
    loop {
        let answer = get(&router, &format!("/api/streams/large/events{query}")).await;
        assert!(answer.text.len() <= 6 << 20, "{} bytes", answer.text.len());
        let page = answer.json();
        offsets.extend(page.as_array().unwrap().iter().map(|it| it["offset"].as_u64().unwrap()));
        let Some(link) = answer.headers.get(header::LINK) else { break };
        let link = link.to_str().unwrap();
        query = link[1..link.find('>').unwrap()].to_owned();
    }
    assert_eq!(offsets, (0..11).collect::<Vec<_>>());
}

#[tokio::test]
async fn answers_that_nobody_takes_are_bounded_together_and_starve_no_other() {
    let store = MemoryStore::new();
    append_large(&store, 8).await;
    append_orders(&store, 500).await;
    let router = console(&store, vec![]).router();
    let large = || {
        let path = "/api/streams/large/events?limit=1000";
        router.clone().oneshot(Request::get(path).body(Body::empty()).unwrap())
    };
    let mut held = Vec::new();
    for _ in 0..40 {
        let response = large().await.unwrap();
        if response.status() == 503 {
            assert!(response.headers().contains_key(header::RETRY_AFTER));
            break;
        }
        held.push(response);
    }
    assert!((10..=20).contains(&held.len()), "{} answers of 4 MiB are held", held.len());
    let small = get(&router, "/api/streams/orders/events?limit=1000").await;
    assert_eq!(small.status, 200, "{}", small.text);
    assert!(!small.json().as_array().unwrap().is_empty());
    held.clear();
    assert_eq!(large().await.unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_which_nothing_is_taken_is_dropped() {
    let store = MemoryStore::new();
    append_large(&store, 1).await;
    let router = console(&store, vec![]).router();
    let request = Request::get("/api/streams/large/events").body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(61)).await;
    assert!(axum::body::to_bytes(response.into_body(), usize::MAX).await.is_err());
}

/// Appends events of a megabyte to the stream `large`.
async fn append_large(store: &MemoryStore, count: u64) {
    for n in 0..count {
        let data = Payload::of(&format!("{n} {}", "x".repeat(1_000_000))).unwrap();
        let event = NewEvent::new(EventType::from_static("Large"), data);
        let stream = StreamName::from_static("large");
        store.append_to(stream, Expected::Any, vec![event]).await.unwrap();
    }
}

#[tokio::test]
async fn names_with_slashes_and_spaces_work_when_they_are_percent_encoded() {
    let router = console(&MemoryStore::new(), vec![]).router();
    let path = "/api/streams/a%2Fb%20c%C3%A9-1/events";
    assert_eq!(post(&router, path, r#"[{"type":"T","data":null}]"#).await.status, 201);
    assert_eq!(get(&router, path).await.json()[0]["stream"], "a/b cé-1");
    assert_eq!(get(&router, "/api/streams/a/events").await.json(), json!([]));
}

#[tokio::test]
async fn an_append_that_expects_something_else_is_a_conflict_with_both_offsets() {
    let router = console(&MemoryStore::new(), vec![]).router();
    let event = r#"[{"type":"T","data":1}]"#;
    let append = |expected: &'static str| {
        let router = router.clone();
        async move { post(&router, &format!("/api/streams/s/events?expected={expected}"), event).await }
    };
    let problem = append("3").await.problem(409);
    assert_eq!((&problem["expected"], &problem["actual"]), (&json!(3), &json!(-1)));
    let problem = append("exists").await.problem(409);
    assert_eq!((&problem["expected"], &problem["actual"]), (&json!("exists"), &json!(-1)));
    for (expected, offset) in [("none", 0), ("exists", 1), ("1", 2), ("any", 3)] {
        assert_eq!(append(expected).await.json()["firstOffset"], offset, "{expected}");
    }
    let problem = append("none").await.problem(409);
    assert_eq!((&problem["expected"], &problem["actual"]), (&json!("none"), &json!(3)));
    for nonsense in ["", "later", "-2", "1.5"] {
        append(nonsense).await.problem(400);
    }
}

#[tokio::test]
async fn a_misspelt_expectation_is_refused_and_appends_nothing() {
    let router = console(&MemoryStore::new(), vec![]).router();
    for query in ["expect=none", "Expected=none", "expected=none&limit=1"] {
        let path = format!("/api/streams/s/events?{query}");
        post(&router, &path, r#"[{"type":"T","data":1}]"#).await.problem(400);
    }
    assert_eq!(get(&router, "/api/streams/s/events").await.json(), json!([]));
}

#[tokio::test]
async fn a_repeated_append_gives_the_same_answer_and_a_taken_id_is_a_conflict() {
    let router = console(&MemoryStore::new(), vec![]).router();
    let body = |id: u8, data: &str| {
        format!(r#"[{{"id":"0195a5a0-0000-7000-8000-00000000000{id}","type":"T","data":{data}}}]"#)
    };
    let path = "/api/streams/s/events?expected=none";
    let first = post(&router, path, body(1, "1")).await;
    let again = post(&router, path, body(1, "1")).await;
    assert_eq!((again.status, &again.text), (first.status, &first.text));
    assert_eq!(first.json(), json!({"firstOffset": 0, "nextOffset": 1}));
    let problem = post(&router, path, body(1, "2")).await.problem(409);
    assert_eq!(problem["type"], "urn:highwater:event-id-taken");
    assert_eq!(problem["eventId"], "0195a5a0-0000-7000-8000-000000000001");
    let problem = post(&router, path, body(2, "1")).await.problem(409);
    assert_eq!(problem["type"], "urn:highwater:stream-conflict");
}

#[tokio::test]
async fn a_body_that_cannot_be_appended_is_a_problem_and_appends_nothing() {
    let router = console(&MemoryStore::new(), vec![]).router();
    let path = "/api/streams/s/events";
    for (status, body) in [
        (400, "["),
        (422, "{}"),
        (422, "[]"),
        (422, r#"[[null,"T",1,null]]"#),
        (422, r#"[{"data":1}]"#),
        (422, r#"[{"type":"T"}]"#),
        (422, r#"[{"type":"","data":1}]"#),
        (422, r#"[{"type":"T","data":1,"metadata":[]}]"#),
        (422, r#"[{"type":"T","data":1,"metdata":{}}]"#),
        (422, r#"[{"type":"T","data":1,"id":"7"}]"#),
        (422, r#"[{"type":"T","data":1},{"type":" T","data":1}]"#),
    ] {
        post(&router, path, body).await.problem(status);
    }
    let plain = Request::post(path).header(header::CONTENT_TYPE, "text/plain");
    send(&router, plain.body(Body::from("[]")).unwrap()).await.problem(415);
    post(&router, "/api/streams/%20s/events", r#"[{"type":"T","data":1}]"#).await.problem(422);
    post(&router, "/api/streams/$all/events", r#"[{"type":"T","data":1}]"#).await.problem(422);
    assert_eq!(get(&router, "/api/streams/$all/events").await.json(), json!([]));
}

#[tokio::test]
async fn a_body_or_an_event_that_is_too_large_is_refused() {
    let router = console(&MemoryStore::new(), vec![]).router();
    let body = |bytes| format!(r#"[{{"type":"T","data":"{}"}}]"#, "x".repeat(bytes));
    let problem = post(&router, "/api/streams/s/events", body(1 << 20)).await.problem(413);
    assert_eq!(problem["limit"], 1 << 20);
    post(&router, "/api/streams/s/events", body(16 << 20)).await.problem(413);
    assert_eq!(post(&router, "/api/streams/s/events", body(1 << 19)).await.status, 201);
}

#[tokio::test]
async fn a_limit_or_an_offset_that_makes_no_sense_is_refused() {
    let router = console(&MemoryStore::new(), vec![]).router();
    for query in ["limit=0", "limit=1001", "limit=-1", "limit=x", "limit=", "from=-1", "from=x"] {
        get(&router, &format!("/api/streams/s/events?{query}")).await.problem(400);
    }
    for query in ["form=1", "From=1", "from=1&expected=any"] {
        get(&router, &format!("/api/streams/s/events?{query}")).await.problem(400);
    }
    assert_eq!(get(&router, "/api/streams/s/events?limit=1000").await.status, 200);
    get(&router, "/api/streams/%FF/events").await.problem(400);
    get(&router, "/api/streams/$nothing/events").await.problem(422);
}
