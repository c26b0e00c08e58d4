//! The methods of the hub, over a WebSocket.

use serde_json::json;

use crate::support::{Socket, append, event, offset_of, serve, until};
use highwater_core::{EventStoreExt, EventType, Expected, NewEvent, Payload, StreamName};
use highwater_live::LiveOptions;
use std::time::Duration;
use tokio::time::timeout;

fn completed(id: &str) -> serde_json::Value {
    json!({ "type": 3, "invocationId": id })
}

#[tokio::test]
async fn a_subscription_starts_at_its_offset_or_at_what_comes_next() {
    let served = serve(|live| live).await;
    append(&served.store, "orders", 5).await;
    for (from, first) in [(json!([0]), 0), (json!([3]), 3), (json!(["4"]), 4), (json!([4.0]), 4)] {
        let mut socket = Socket::connect(served.address).await;
        socket.call("1", "subscribetostream", json!(["orders", from[0]])).await;
        assert_eq!(socket.message().await["target"], "SubscriptionConfirmed");
        assert_eq!(socket.message().await, completed("1"));
        for offset in first..5 {
            assert_eq!(offset_of(&socket.message().await, "orders"), offset);
        }
    }
    let mut sockets = Vec::new();
    for arguments in [json!(["orders"]), json!(["orders", null]), json!(["orders", 5])] {
        let mut socket = Socket::connect(served.address).await;
        socket.call("1", "SubscribeToStream", arguments).await;
        assert_eq!(socket.message().await["target"], "SubscriptionConfirmed");
        assert_eq!(socket.message().await, completed("1"));
        sockets.push(socket);
    }
    append(&served.store, "orders", 2).await;
    for mut socket in sockets {
        assert_eq!(offset_of(&socket.message().await, "orders"), 5);
        assert_eq!(offset_of(&socket.message().await, "orders"), 6);
    }
}

#[tokio::test]
async fn an_event_has_all_its_fields_and_comes_under_the_name_subscribed_to() {
    let served = serve(|live| live).await;
    append(&served.store, "other", 3).await;
    let sent = event(7);
    let stream = StreamName::from_static("receipt-1");
    served.store.append_to(stream, Expected::Any, vec![sent.clone()]).await.unwrap();
    for source in ["receipt-1", "$category:receipt", "$all"] {
        let mut socket = Socket::connect(served.address).await;
        let from = if source == "receipt-1" { 0 } else { 3 };
        socket.subscribe(source, Some(from)).await;
        let message = socket.message().await;
        assert_eq!(message["arguments"][0], source);
        let event = &message["arguments"][1];
        assert_eq!(event["streamName"], "receipt-1");
        assert_eq!(event["offset"], 0);
        assert_eq!(event["position"], 3);
        assert_eq!(event["eventId"], sent.id.to_string());
        assert_eq!(event["eventType"], "Numbered");
        assert_eq!(event["data"], json!({ "n": 7 }));
        assert_eq!(event["metadata"], json!({}));
        assert!(event["timestamp"].as_str().unwrap().ends_with('Z'));
        assert_eq!(event.as_object().unwrap().len(), 8);
    }
}

#[tokio::test]
async fn after_unsubscribing_nothing_comes_and_other_subscriptions_go_on() {
    let served = serve(|live| live).await;
    let mut socket = Socket::connect(served.address).await;
    socket.subscribe("a", Some(0)).await;
    socket.subscribe("b", Some(0)).await;
    append(&served.store, "a", 1).await;
    assert_eq!(offset_of(&socket.message().await, "a"), 0);
    socket.call("u", "UnsubscribeFromStream", json!(["a"])).await;
    assert_eq!(socket.message().await, completed("u"));
    append(&served.store, "a", 3).await;
    append(&served.store, "b", 1).await;
    assert_eq!(offset_of(&socket.message().await, "b"), 0);
    assert_eq!(served.live.gauges().subscriptions, 1);
}

#[tokio::test]
async fn subscribing_again_starts_anew_in_place_of_the_first_subscription() {
    let served = serve(|live| live).await;
    append(&served.store, "a", 2).await;
    let mut socket = Socket::connect(served.address).await;
    socket.subscribe("a", Some(2)).await;
    socket.subscribe("a", Some(1)).await;
    assert_eq!(offset_of(&socket.message().await, "a"), 1);
    append(&served.store, "a", 1).await;
    assert_eq!(offset_of(&socket.message().await, "a"), 2);
    socket.call("u", "UnsubscribeFromStream", json!(["a"])).await;
    assert_eq!(socket.message().await, completed("u"));
}

#[tokio::test]
async fn a_stream_of_items_runs_until_it_is_cancelled() {
    let served = serve(|live| live).await;
    append(&served.store, "a", 2).await;
    let mut socket = Socket::connect(served.address).await;
    let invocation =
        json!({ "type": 4, "invocationId": "9", "target": "StreamEvents", "arguments": ["a", 0] });
    socket.send(&invocation).await;
    for offset in 0..2 {
        let message = socket.message().await;
        assert_eq!((&message["type"], &message["invocationId"]), (&json!(2), &json!("9")));
        assert_eq!(message["item"]["offset"], offset);
    }
    socket.send(&json!({ "type": 5, "invocationId": "nobody" })).await;
    socket.send(&json!({ "type": 5, "invocationId": "9" })).await;
    assert_eq!(socket.message().await, completed("9"));
    append(&served.store, "a", 1).await;
    socket.subscribe("a", Some(2)).await;
    assert_eq!(offset_of(&socket.message().await, "a"), 2);
}

#[tokio::test]
async fn a_wrong_call_fails_alone_and_the_connection_goes_on() {
    let served = serve(|live| live).await;
    let mut socket = Socket::connect(served.address).await;
    for (target, arguments, reason) in [
        ("Nope", json!([]), "Unknown hub method 'Nope'"),
        ("SubscribeToStream", json!([]), "takes a stream name"),
        ("SubscribeToStream", json!([1]), "takes a stream name"),
        ("SubscribeToStream", json!(["a", -1]), "takes a stream name"),
        ("SubscribeToStream", json!(["a", {}]), "takes a stream name"),
        ("SubscribeToStream", json!(["a", 0, 0]), "takes a stream name"),
        ("SubscribeToStream", json!([""]), "is empty"),
        ("UnsubscribeFromStream", json!([null]), "takes a stream name"),
        ("StreamEvents", json!(["a"]), "has to be invoked as one"),
    ] {
        socket.call("7", target, arguments).await;
        let error = socket.message().await;
        assert_eq!(error["target"], "Error");
        let completion = socket.message().await;
        assert_eq!(completion["invocationId"], "7");
        assert!(completion["error"].as_str().unwrap().contains(reason), "{completion}");
        assert_eq!(completion["error"], error["arguments"][0]);
    }
    // Without an id there is no completion.
    socket.send(&json!({ "type": 1, "target": "Nope", "arguments": [] })).await;
    assert_eq!(socket.message().await["target"], "Error");
    socket.subscribe("a", None).await;
}

#[tokio::test]
async fn an_event_that_is_too_long_ends_its_subscription_with_an_error() {
    let mut options = LiveOptions::default();
    options.limits.event_bytes = 400;
    let served = serve(|live| live.options(options)).await;
    let long = NewEvent::new(EventType::from_static("Long"), Payload::from(json!("x".repeat(400))));
    let stream = StreamName::from_static("a");
    served.store.append_to(stream, Expected::Any, vec![event(0), long, event(2)]).await.unwrap();
    let mut socket = Socket::connect(served.address).await;
    socket.subscribe("a", Some(0)).await;
    assert_eq!(offset_of(&socket.message().await, "a"), 0);
    let error = socket.message().await;
    assert_eq!(error["target"], "Error");
    assert!(error["arguments"][0].as_str().unwrap().starts_with("event 1 of stream \"a\""));
    socket.subscribe("a", Some(2)).await;
    assert_eq!(offset_of(&socket.message().await, "a"), 2);
}

#[tokio::test]
async fn draining_lets_clients_come_back_and_nobody_in() {
    let served = serve(|live| live).await;
    let mut socket = Socket::connect(served.address).await;
    socket.subscribe("a", None).await;
    let gauges = served.live.gauges();
    assert_eq!((gauges.connections, gauges.subscriptions), (1, 1));
    let live = served.live.clone();
    let drained = tokio::spawn(async move { live.drain().await });
    let close = json!({ "type": 7, "allowReconnect": true });
    assert_eq!(socket.message().await, close);
    assert_eq!(socket.next().await, None);
    assert_eq!(u16::from(socket.close.unwrap().code), 1001);
    timeout(Duration::from_secs(10), drained).await.unwrap().unwrap();
    // A client that comes back too early is not served, and not refused either: it comes again.
    let mut early = Socket::open(served.address, "").await.unwrap();
    early.send_text("{\"protocol\":\"json\",\"version\":1}\x1e").await;
    assert_eq!(early.next().await, None);
    assert_eq!(u16::from(early.close.unwrap().code), 1001);
    let gauges = served.live.gauges();
    assert_eq!((gauges.connections, gauges.subscriptions), (0, 0));
}

#[tokio::test]
async fn a_client_that_closes_is_answered_with_a_close() {
    let served = serve(|live| live).await;
    let mut socket = Socket::connect(served.address).await;
    socket.subscribe("a", None).await;
    assert!(socket.close_in_order().await);
    until("the connection is gone", || served.live.gauges().connections == 0).await;
}

#[tokio::test]
async fn a_client_that_vanishes_leaves_nothing_behind() {
    let served = serve(|live| live).await;
    let mut socket = Socket::connect(served.address).await;
    socket.subscribe("a", None).await;
    drop(socket);
    until("the connection is gone", || served.live.gauges().connections == 0).await;
    assert_eq!(served.live.gauges().subscriptions, 0);
}

#[tokio::test]
async fn a_silent_hub_sends_pings_and_a_client_that_pings_must_go_on() {
    let options = LiveOptions {
        keep_alive: Duration::from_millis(50),
        client_timeout: Duration::from_millis(300),
        ..Default::default()
    };
    let served = serve(|live| live.options(options)).await;
    let mut quiet = Socket::connect(served.address).await;
    let mut pinging = Socket::connect(served.address).await;
    pinging.send(&json!({ "type": 6 })).await;
    let mut pings = 0;
    loop {
        match pinging.next().await {
            Some(message) if message == json!({ "type": 6 }) => pings += 1,
            Some(message) => {
                assert_eq!(message, json!({ "type": 7, "allowReconnect": true }));
                break;
            }
            None => panic!("it ends with a close"),
        }
    }
    assert!(pings >= 2, "{pings} pings");
    // One that never pinged is not timed.
    quiet.subscribe("a", None).await;
}

#[tokio::test]
async fn events_nested_as_deeply_as_the_store_takes_them_go_over_message_pack() {
    let served = serve(|live| live).await;
    let depth = Payload::DEPTH_MAX;
    let json = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let deep = NewEvent::new(EventType::from_static("Deep"), Payload::parse(&json).unwrap());
    let stream = StreamName::from_static("a");
    served.store.append_to(stream, Expected::Any, vec![deep, event(1)]).await.unwrap();
    let mut socket = Socket::open(served.address, "").await.unwrap();
    socket.send_text("{\"protocol\":\"messagepack\",\"version\":1}\x1e").await;
    assert_eq!(socket.binary().await.unwrap(), b"{}\x1e");
    let subscribe = b"\x1a\x95\x01\x80\xc0\xb1SubscribeToStream\x92\xa1a\x00";
    assert!(socket.send_bytes(subscribe).await);
    let mut received = Vec::new();
    let has = |bytes: &[u8], text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
    while !has(&received, b"Numbered") {
        received.extend(socket.binary().await.expect("the connection goes on"));
    }
    assert!(has(&received, b"Deep") && !has(&received, b"Error"));
}
