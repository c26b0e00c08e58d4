//! Starting, stopping, crashing, and running beside others.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::support::{
    App, Database, command, get, on_both_databases, post, starting_up, try_send, wait_for,
};

fn statistics(app: &App) -> Value {
    get(app.address, "/api/projections/user-statistics").expect(200)
}

fn wait_until_healthy(app: &App) -> Value {
    wait_for("health", || {
        let health = get(app.address, "/health");
        let body = health.json();
        (health.status == 200 && body["status"] == "healthy").then_some(body)
    })
}

/// Adds users until the server is gone; the ids that it has acknowledged.
fn add_users(server: SocketAddr) -> Vec<String> {
    let user = json!({"name": "Ada", "email": "ada@example.com"}).to_string();
    let mut added = Vec::new();
    while let Ok(answer) = try_send(server, "POST", "/api/users", Some(&user)) {
        added.push(answer.expect(201)["userId"].as_str().unwrap().to_owned());
    }
    added
}

/// The ids of all users in the log.
fn users_in_log(app: &App) -> Vec<String> {
    let (mut all, mut from) = (Vec::new(), 0);
    loop {
        let path = format!("/api/streams/UserWorkflow/events?limit=1000&from={from}");
        let page = get(app.address, &path).expect(200);
        let events = page.as_array().unwrap();
        if events.is_empty() {
            return all;
        }
        from += events.len();
        all.extend(events.iter().map(|it| it["data"]["userId"].as_str().unwrap().to_owned()));
    }
}

on_both_databases! {
    fn killed_under_load_it_loses_nothing_and_counts_nothing_twice(database: &Database) {
        let mut acknowledged = Vec::new();
        for _ in 0..3 {
            let mut app = App::start(database);
            let (server, before) = (app.address, acknowledged.len());
            std::thread::scope(|scope| {
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(move || add_users(server))).collect();
                wait_for("load", || (users_in_log(&app).len() >= before + 50).then_some(()));
                app.kill();
                for thread in threads {
                    acknowledged.extend(thread.join().unwrap());
                }
            });
        }
        let app = App::start(database);
        let log = users_in_log(&app);
        for user in &acknowledged {
            assert!(log.contains(user), "{user} was acknowledged and is lost");
        }
        wait_for("the statistics", || (statistics(&app)["totalAdded"] == log.len()).then_some(()));
        wait_until_healthy(&app);
        assert_eq!(statistics(&app)["totalAdded"], log.len());
    }

    fn asked_to_stop_it_gives_its_leases_back_and_exits_with_0(database: &Database) {
        for signal in ["TERM", "INT"] {
            let app = App::start(database);
            wait_until_healthy(&app);
            assert_eq!(app.stop(signal).code(), Some(0), "{signal}");
        }
        let app = App::start(database);
        let health = wait_until_healthy(&app);
        let leads = |projection: &Value| projection["leaseHolder"].is_string();
        assert!(health["projections"].as_array().unwrap().iter().all(leads), "{health}");
    }

    fn several_instances_share_the_work_and_another_takes_over(database: &Database) {
        let mut first = App::start(database);
        wait_until_healthy(&first);
        let second = App::start(database);
        let user = json!({"name": "Ada", "email": "ada@example.com"});
        for app in [&first, &second] {
            post(app.address, "/api/users", &user).expect(201);
        }
        wait_for("both", || (statistics(&second)["totalAdded"] == 2).then_some(()));
        first.kill();
        post(second.address, "/api/users", &user).expect(201);
        wait_for("the take-over", || (statistics(&second)["totalAdded"] == 3).then_some(()));
        wait_until_healthy(&second);
    }

    fn health_tells_of_dead_letters(database: &Database) {
        let app = App::start(database);
        wait_until_healthy(&app);
        let malformed = json!([{"type": "UserAdded", "data": "x"}, {"type": "UserAdded", "data": 1}]);
        post(app.address, "/api/streams/UserWorkflow/events", &malformed).expect(201);
        let told = wait_for("the dead letters", || {
            let health = get(app.address, "/health").expect(200);
            let projections = health["projections"].as_array()?.clone();
            projections.into_iter().find(|projection| projection["deadLetters"] == 2)
        });
        assert_eq!((&told["projectionName"], &told["status"]), (&json!("user-statistics"), &json!("degraded")));
        post(app.address, "/api/projections/user-statistics/rebuild", &json!({})).expect(202);
    }

    fn health_goes_by_the_thresholds_that_were_given(database: &Database) {
        let app = App::start_with(database, &["--degraded-lag", "0", "--unhealthy-lag", "0"]);
        assert_eq!(get(app.address, "/health").expect(503)["status"], "unhealthy");
    }
}

#[test]
fn it_waits_for_a_database_that_is_not_up_yet() {
    let database = Database::postgres();
    let url = starting_up(&database, 3);
    let app = App::start_with(&database, &["--database-url", &url]);
    wait_until_healthy(&app);
}

#[test]
fn a_port_that_is_taken_ends_it_with_1() {
    let database = Database::sqlite();
    let app = App::start(&database);
    let port = app.address.port().to_string();
    let second = command(&database).args(["--port", &port]).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(said.contains(&app.address.to_string()), "{said}");
}
