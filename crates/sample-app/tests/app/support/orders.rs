//! Orders, their sagas, and what the services have done for them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{App, get, post, send, wait_for};

/// An order for three pens; its payment fails on request.
pub(crate) fn order(id: &str, is_unpayable: bool) -> Value {
    json!({
        "orderId": id,
        "items": [{"productId": "p-1", "productName": "Pen", "quantity": 3, "price": 19.99}],
        "amount": 59.97,
        "shippingAddress": "1 Main Street",
        "simulatePaymentFailure": is_unpayable,
    })
}

/// Starts the fulfilment of an order; the id of its saga.
pub(crate) fn start(app: &App, order: &Value) -> String {
    let started = post(app.address, START, order).expect(202);
    assert_eq!(started["correlationId"], order["orderId"]);
    started["sagaId"].as_str().unwrap().to_owned()
}

pub(crate) const START: &str = "/api/sagas/order-fulfillment/start";

pub(crate) fn status(app: &App, saga: &str) -> Value {
    get(app.address, &format!("/api/sagas/{saga}/status")).expect(200)
}

/// Asks a saga for something, and checks the status of the answer.
pub(crate) fn ask(app: &App, saga: &str, what: &str, code: u16) -> Value {
    send(app.address, "POST", &format!("/api/sagas/{saga}/{what}"), None).expect(code)
}

/// Waits until the saga is in this state; its status.
pub(crate) fn wait_for_state(app: &App, saga: &str, state: &str) -> Value {
    wait_for_status(app, saga, |status| status["state"] == state)
}

/// Waits until a worker has taken the saga up and come to this step.
pub(crate) fn wait_for_step(app: &App, saga: &str, step: &str) {
    wait_for_status(app, saga, |it| it["currentStep"] == step && it["state"] == "Running");
}

fn wait_for_status(app: &App, saga: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
    wait_for("the saga", || Some(status(app, saga)).filter(&is_wanted))
}

/// Every event of a stream or of the store, in its order.
pub(crate) fn events(app: &App, stream: &str) -> Vec<Value> {
    let place = if stream.starts_with('$') { "position" } else { "offset" };
    let (mut all, mut from) = (Vec::new(), 0);
    loop {
        let path = format!("/api/streams/{stream}/events?limit=1000&from={from}");
        let page = get(app.address, &path).expect(200);
        let events = page.as_array().unwrap();
        let Some(last) = events.last() else { return all };
        from = last[place].as_u64().unwrap() + 1;
        all.extend(events.iter().cloned());
    }
}

/// The types of the events of a stream, in its order.
pub(crate) fn types(app: &App, stream: &str) -> Vec<String> {
    let of = |event: &Value| event["eventType"].as_str().unwrap().to_owned();
    events(app, stream).iter().map(of).collect()
}

/// What a service has done, by the idempotency key of the step that asked for it.
pub(crate) fn effects(app: &App, category: &str) -> BTreeMap<String, Vec<String>> {
    let mut effects = BTreeMap::<_, Vec<_>>::new();
    for event in events(app, &format!("$category:{category}")) {
        let key = event["data"]["key"].as_str().unwrap().to_owned();
        effects.entry(key).or_default().push(event["eventType"].as_str().unwrap().to_owned());
    }
    effects
}
