//! Orders are fulfilled, or nothing is left of them.

use serde_json::{Value, json};

use crate::support::{
    App, Database, START, ask, events, get, on_both_databases, order, post, send, start, types,
    wait_for_state,
};

const STATE_CHANGED: &str = "SagaStateChanged";

on_both_databases! {
    fn an_order_is_reserved_paid_for_and_shipped(database: &Database) {
        let app = App::start(database);
        let saga = start(&app, &order("order-1", false));
        let status = wait_for_state(&app, &saga, "Completed");
        for (field, value) in [
            ("sagaId", json!(saga)),
            ("correlationId", json!("order-1")),
            ("sagaName", json!("order-fulfillment")),
            ("progress", json!("3/3")),
            ("currentStep", json!(null)),
            ("totalSteps", json!(3)),
            ("errorMessage", json!(null)),
        ] {
            assert_eq!(status[field], value, "{field}");
        }
        let steps = status["completedSteps"].as_array().unwrap();
        let names: Vec<_> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
        assert_eq!(names, ["reserve-inventory", "authorize-payment", "ship-order"]);
        assert!(steps.iter().all(|step| step["outcome"] == "Completed"), "{status}");
        assert_eq!(status["data"]["amount"], 59.97);

        let reserved = events(&app, "inventory-order-1");
        assert_eq!(reserved.len(), 1, "{reserved:?}");
        assert_eq!(reserved[0]["data"]["key"], format!("{saga}/reserve-inventory/run"));
        assert_eq!(reserved[0]["data"]["items"], json!([{"productId": "p-1", "quantity": 3}]));
        assert_eq!(reserved[0]["eventId"], status["data"]["reservation"]);
        assert_eq!(reserved[0]["metadata"]["correlationId"], "order-1");
        assert_eq!(types(&app, "payment-order-1"), ["PaymentAuthorized"]);
        assert_eq!(types(&app, "shipment-order-1"), ["OrderShipped"]);
        let told = types(&app, &format!("saga-order-fulfillment-{saga}"));
        let steps = told.iter().filter(|told| *told != STATE_CHANGED).collect::<Vec<_>>();
        assert_eq!(steps, ["SagaStarted", "StepCompleted", "StepCompleted", "StepCompleted"]);
    }

    fn an_order_that_cannot_be_paid_for_gives_its_inventory_back(database: &Database) {
        let (app, log) = App::start_logging(database);
        let saga = start(&app, &order("order-1", true));
        let status = wait_for_state(&app, &saga, "Compensated");
        let outcomes: Vec<_> = status["completedSteps"].as_array().unwrap().iter().collect();
        assert_eq!((&outcomes[0]["outcome"], &outcomes[1]["outcome"]), (&json!("Compensated"), &json!("Failed")));
        assert_eq!((&status["progress"], &status["currentStep"]), (&json!("0/3"), &json!(null)));
        assert!(status["errorMessage"].as_str().unwrap().contains("declined"), "{status}");
        assert!(status["completedAt"].is_string(), "{status}");

        assert_eq!(types(&app, "inventory-order-1"), ["InventoryReserved", "InventoryReleased"]);
        assert_eq!(events(&app, "payment-order-1"), Vec::<Value>::new());
        assert_eq!(events(&app, "shipment-order-1"), Vec::<Value>::new());
        assert_eq!(app.stop("TERM").code(), Some(0));
        let log = std::fs::read_to_string(log).unwrap();
        for line in ["inventory reserved", "payment of 59.97 declined", "inventory released"] {
            let is_it = |logged: &&str| logged.contains(line) && logged.contains("order=\"order-1\"");
            assert_eq!(log.lines().filter(is_it).count(), 1, "{line}: {log}");
        }
    }

    fn the_same_order_is_the_same_saga_and_another_under_its_id_a_conflict(database: &Database) {
        let apps = [App::start(database), App::start(database)];
        let sagas: Vec<String> = std::thread::scope(|scope| {
            let one = |n: usize| {
                let app = &apps[n % 2];
                scope.spawn(move || start(app, &order("order-1", false)))
            };
            let threads: Vec<_> = (0..8).map(one).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let saga = &sagas[0];
        assert!(sagas.iter().all(|it| it == saga), "{sagas:?}");
        wait_for_state(&apps[0], saga, "Completed");
        let mut other = order("order-1", false);
        other["amount"] = json!("5997e-2");
        assert_eq!(start(&apps[1], &other), *saga, "the amount is the same");
        other["shippingAddress"] = json!("2 Main Street");
        assert_eq!(post(apps[1].address, START, &other).problem(409)["sagaId"], *saga);
        post(apps[0].address, START, &order("order-1", true)).problem(409);
        assert_eq!(types(&apps[0], "inventory-order-1"), ["InventoryReserved"]);
    }

    fn amounts_are_exact(database: &Database) {
        let app = App::start(database);
        let of = |id: &str, amount: &str, prices: &[&str]| {
            let item = |price| format!(r#"{{"productId":"p","quantity":1,"price":{price}}}"#);
            let items: Vec<_> = prices.iter().map(item).collect();
            let items = items.join(",");
            let order = format!(r#"{{"orderId":"{id}","items":[{items}],"amount":{amount},"shippingAddress":"1 Main Street"}}"#);
            send(app.address, "POST", START, Some(&order))
        };
        let saga = of("cents", "0.30", &["0.1", "\"0.2\""]).expect(202);
        let saga = saga["sagaId"].as_str().unwrap();
        let path = format!("/api/sagas/{saga}/status");
        let text = get(app.address, &path).text;
        assert!(text.contains(r#""amount":0.30"#) && text.contains(r#""price":0.2"#), "{text}");
        of("hundreds", "1e2", &["99.99999999", "0.00000001"]).expect(202);
        of("off", "0.30000000000000004", &["0.1", "0.2"]).problem(422);
        of("close", "0.30000001", &["0.1", "0.2"]).problem(422);
        of("large", "1e300", &["1e300"]).problem(422);
    }

    fn an_order_that_cannot_be_meant_is_refused_and_starts_nothing(database: &Database) {
        let app = App::start(database);
        for (pointer, value, field) in [
            ("/orderId", json!(""), "orderId"),
            ("/orderId", json!("x".repeat(201)), "orderId"),
            ("/items", json!([]), "items"),
            ("/items/0/productId", json!(""), "items[0].productId"),
            ("/items/0/quantity", json!(0), "items[0].quantity"),
            ("/items/0/quantity", json!(-3), "items[0].quantity"),
            ("/items/0/price", json!(-19.99), "items[0].price"),
            ("/amount", json!(-59.97), "amount"),
            ("/amount", json!(59.98), "amount"),
            ("/shippingAddress", json!(""), "shippingAddress"),
        ] {
            let mut order = order("order-1", false);
            *order.pointer_mut(pointer).unwrap() = value;
            assert_eq!(post(app.address, START, &order).problem(422)["field"], field);
        }
        for (field, value) in [
            ("amount", json!("much")),
            ("items", json!({})),
            ("orderId", json!(7)),
            ("shippingAddress", json!(null)),
            ("simulatePaymentFailure", json!("yes")),
        ] {
            let mut order = order("order-1", false);
            order[field] = value;
            post(app.address, START, &order).problem(422);
        }
        post(app.address, START, &json!({"orderId": "order-1"})).problem(422);
        let fields = json!(["order-1", [["p-1", "Pen", 3, 19.99]], 59.97, "1 Main Street"]);
        post(app.address, START, &fields).problem(422);
        send(app.address, "POST", START, Some("{")).problem(400);
        send(app.address, "POST", START, None).problem(415);
        send(app.address, "GET", START, None).problem(405);
        assert_eq!(get(app.address, "/api/sagas").expect(200), json!({"sagas": [], "next": null}));
        assert_eq!(get(app.address, "/api/streams/$all/events").expect(200), json!([]));
    }

    fn any_id_that_names_an_order_will_do(database: &Database) {
        let app = App::start(database);
        for id in ["Bestellung Nr. 5/ä", "$all", "a-b-c", "-", "\"quoted\" \\ back", &"x".repeat(200)] {
            let saga = start(&app, &order(id, true));
            let status = wait_for_state(&app, &saga, "Compensated");
            assert_eq!(status["correlationId"], id);
        }
    }

    fn sagas_are_listed_a_page_at_a_time_on_every_instance(database: &Database) {
        let apps = [App::start(database), App::start(database)];
        let mut sagas: Vec<String> = (0..5)
            .map(|n| start(&apps[n % 2], &order(&format!("order-{n}"), n == 3)))
            .collect();
        for (n, saga) in sagas.iter().enumerate() {
            let state = if n == 3 { "Compensated" } else { "Completed" };
            wait_for_state(&apps[(n + 1) % 2], saga, state);
        }
        let (mut found, mut after) = (Vec::new(), String::new());
        loop {
            let path = format!("/api/sagas?name=order-fulfillment&limit=2&after={after}");
            let page = get(apps[found.len() % 2].address, &path).expect(200);
            let ids = page["sagas"].as_array().unwrap().iter();
            found.extend(ids.map(|saga| saga["sagaId"].as_str().unwrap().to_owned()));
            let Some(next) = page["next"].as_str() else { break };
            next.clone_into(&mut after);
        }
        sagas.reverse();
        assert_eq!(found, sagas);
        for (query, expected) in
            [("correlationId=order-2", &sagas[2]), ("state=Compensated", &sagas[1])]
        {
            let page = get(apps[0].address, &format!("/api/sagas?{query}")).expect(200);
            let ids: Vec<_> = page["sagas"].as_array().unwrap().iter().map(|it| &it["sagaId"]).collect();
            assert_eq!(ids, [expected], "{query}");
        }
        get(apps[0].address, "/api/sagas?state=Unheard-of").problem(400);
        get(apps[0].address, "/api/sagas/nobody/status").problem(404);
        ask(&apps[0], "nobody", "cancel", 404);
        for what in ["cancel", "pause", "resume", "retry", "skip"] {
            ask(&apps[0], &sagas[0], what, 409);
        }
    }
}
