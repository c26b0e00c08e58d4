//! Users come and go, each once.

use serde_json::{Value, json};

use crate::support::{
    App, Database, finish, get, import, on_both_databases, post, send, wait_for, write_file,
};

const STATISTICS: &str = "/api/projections/user-statistics";

fn add(app: &App, name: &str) -> String {
    let user = json!({"name": name, "email": "ada@example.com"});
    let added = post(app.address, "/api/users", &user).expect(201);
    added["userId"].as_str().unwrap().to_owned()
}

fn wait_for_statistics(app: &App, added: u64, removed: u64) -> Value {
    wait_for("the statistics", || {
        let statistics = get(app.address, STATISTICS).expect(200);
        let is_there = statistics["totalAdded"] == added && statistics["totalRemoved"] == removed;
        is_there.then_some(statistics)
    })
}

on_both_databases! {
    fn before_the_first_event_the_statistics_are_zero(database: &Database) {
        let app = App::start(database);
        let zero = json!({
            "totalAdded": 0, "totalRemoved": 0, "activeUsers": 0, "lastUpdated": null,
        });
        assert_eq!(get(app.address, STATISTICS).expect(200), zero);
    }

    fn a_user_is_added_and_removed_and_counted(database: &Database) {
        let app = App::start(database);
        let user = json!({"name": "Ada", "email": "ada@example.com"});
        let added = post(app.address, "/api/users", &user).expect(201);
        assert_eq!(added["offset"], 0);
        let id = added["userId"].as_str().unwrap();
        add(&app, "Grace");

        let path = format!("/api/users/{id}");
        let removed = send(app.address, "DELETE", &path, None).expect(200);
        assert_eq!(removed, json!({"userId": id, "offset": 2}));
        send(app.address, "DELETE", &path, None).problem(404);

        let events = get(app.address, "/api/streams/UserWorkflow/events").expect(200);
        assert_eq!(events.as_array().unwrap().len(), 3, "{events}");
        assert_eq!((&events[0]["eventType"], &events[2]["eventType"]), (&json!("UserAdded"), &json!("UserRemoved")));
        assert_eq!(events[0]["data"], json!({"userId": id, "name": "Ada", "email": "ada@example.com"}));
        assert_eq!(events[2]["data"]["userId"], id);

        let statistics = wait_for_statistics(&app, 2, 1);
        assert_eq!(statistics["activeUsers"], 1);
        assert_eq!(statistics["lastUpdated"], events[2]["timestamp"]);
    }

    fn of_many_concurrent_removals_on_two_instances_one_succeeds(database: &Database) {
        let apps = [App::start(database), App::start(database)];
        for round in 0..5 {
            let path = format!("/api/users/{}", add(&apps[0], "Ada"));
            let removals: Vec<u16> = std::thread::scope(|scope| {
                let removal = |n: usize| {
                    let (address, path) = (apps[n % 2].address, &path);
                    scope.spawn(move || send(address, "DELETE", path, None).status)
                };
                let threads: Vec<_> = (0..8).map(removal).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            let succeeded = removals.iter().filter(|status| **status == 200).count();
            let refused = removals.iter().filter(|status| **status == 404).count();
            assert_eq!((succeeded, refused), (1, 7), "round {round}: {removals:?}");
        }
        for app in &apps {
            wait_for_statistics(app, 5, 5);
        }
    }

    fn only_what_was_added_as_a_user_can_be_removed(database: &Database) {
        let app = App::start(database);
        let unknown = "0195a5a0-0000-7000-8000-000000000001";
        send(app.address, "DELETE", &format!("/api/users/{unknown}"), None).problem(404);
        send(app.address, "DELETE", "/api/users/nobody", None).problem(404);
        let event = json!([{"id": unknown, "type": "Placed", "data": 1}]);
        post(app.address, "/api/streams/orders/events", &event).expect(201);
        send(app.address, "DELETE", &format!("/api/users/{unknown}"), None).problem(404);
        let events = get(app.address, "/api/streams/UserWorkflow/events").expect(200);
        assert_eq!(events, json!([]), "a refused removal leaves nothing behind");
    }

    fn users_that_others_have_added_are_removed_like_own_ones(database: &Database) {
        let line = |id: u32, kind: &str, user: &str| {
            json!({"id": format!("{id}"), "source": "/old", "type": kind, "subject": "UserWorkflow",
                   "data": {"userId": user}}).to_string() + "\n"
        };
        let log = [
            line(1, "UserAdded", "legacy/7 ü"),
            line(2, "UserAdded", "0195A5A0-0000-7000-8000-00000000000A"),
            line(3, "UserAdded", "gone"),
            line(4, "UserRemoved", "gone"),
        ];
        finish(&import(database, &write_file(database, "users.ndjson", log.concat())));
        let app = App::start(database);
        let remove = |user: &str| send(app.address, "DELETE", &format!("/api/users/{user}"), None);
        assert_eq!(remove("legacy%2F7%20%C3%BC").expect(200)["userId"], "legacy/7 ü");
        remove("legacy%2F7%20%C3%BC").problem(404);
        remove("0195A5A0-0000-7000-8000-00000000000A").expect(200);
        remove("gone").problem(404);
        // One that comes back can be removed again, and one that another program removes is gone.
        let own = add(&app, "Ada");
        let event = |kind: &str, user: &str| {
            let event = json!([{"type": kind, "data": {"userId": user}}]);
            post(app.address, "/api/streams/UserWorkflow/events", &event).expect(201);
        };
        event("UserAdded", "gone");
        remove("gone").expect(200);
        remove("gone").problem(404);
        event("UserRemoved", &own);
        remove(&own).problem(404);
        event("UserAdded", &own);
        remove(&own.to_uppercase()).expect(200);
        remove(&own).problem(404);
        remove(&"x".repeat(2_000)).problem(404);
        wait_for_statistics(&app, 6, 6);
    }

    fn a_user_without_a_name_or_a_plausible_address_is_refused(database: &Database) {
        let app = App::start(database);
        for (name, email, field) in [
            ("", "ada@example.com", "name"),
            ("  ", "ada@example.com", "name"),
            (&"x".repeat(201), "ada@example.com", "name"),
            ("Ada", "", "email"),
            ("Ada", "example.com", "email"),
            ("Ada", "a da@example.com", "email"),
        ] {
            let user = json!({"name": name, "email": email});
            assert_eq!(post(app.address, "/api/users", &user).problem(422)["field"], field);
        }
        post(app.address, "/api/users", &json!({"name": "Ada"})).problem(422);
        post(app.address, "/api/users", &json!(["Ada", "ada@example.com"])).problem(422);
        send(app.address, "POST", "/api/users", Some("{")).problem(400);
        send(app.address, "POST", "/api/users", None).problem(415);
        send(app.address, "GET", "/api/users", None).problem(405);
        let events = get(app.address, "/api/streams/UserWorkflow/events").expect(200);
        assert_eq!(events, json!([]));
    }

    fn a_malformed_event_is_set_aside_and_holds_nothing_up(database: &Database) {
        let app = App::start(database);
        let malformed = json!([{"type": "UserAdded", "data": 7}]);
        post(app.address, "/api/streams/UserWorkflow/events", &malformed).expect(201);
        add(&app, "Ada");
        wait_for_statistics(&app, 1, 0);
        let letters = get(app.address, "/api/projections/user-statistics/dead-letters").expect(200);
        assert_eq!((&letters[0]["offset"], &letters[1]), (&json!(0), &json!(null)));
    }
}
