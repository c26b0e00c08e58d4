//! Three instances on one PostgreSQL, each killed and frozen in turn while users come and go.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{App, Database, get, post, send, try_send, wait_for};

const LEASE_SECONDS: u64 = 2;

/// Longer than a lease, so that another instance has taken over when the frozen one wakes.
const FROZEN: Duration = Duration::from_secs(LEASE_SECONDS * 2);

type Instances = [Mutex<App>; 3];

fn start(database: &Database) -> App {
    App::start_with(database, &["--lease", &LEASE_SECONDS.to_string()])
}

fn get_hold_of(app: &Mutex<App>) -> MutexGuard<'_, App> {
    app.lock().unwrap()
}

/// Adds users to a stream of cases and to that of the users, on whichever instance answers; the
/// ids of the events that were acknowledged.
fn load(instances: &Instances, number: usize, stop: &AtomicBool) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for turn in number.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        // An instance that is being killed or frozen is held by whoever does it.
        let Ok(app) = instances[turn % 3].try_lock() else { continue };
        let address = app.address;
        drop(app);
        let id = uuid::Uuid::now_v7().to_string();
        let body = json!([{"id": id, "type": "Noted", "data": {"turn": turn}}]).to_string();
        let path = format!("/api/streams/case-{}/events", turn % 20);
        if try_send(address, "POST", &path, Some(&body)).is_ok_and(|answer| answer.status == 201) {
            acknowledged.push(id);
        }
        let user = json!({"name": "Ada", "email": "ada@example.com"}).to_string();
        let Ok(added) = try_send(address, "POST", "/api/users", Some(&user)) else { continue };
        if added.status == 201 && turn % 3 == 0 {
            let user = added.json()["userId"].as_str().unwrap().to_owned();
            let _may_be_cut_short =
                try_send(address, "DELETE", &format!("/api/users/{user}"), None);
        }
    }
    acknowledged
}

/// Every event of the store, in its order.
fn log(app: &App) -> Vec<Value> {
    let (mut all, mut from) = (Vec::new(), 0);
    loop {
        let path = format!("/api/streams/$all/events?limit=1000&from={from}");
        let page = get(app.address, &path).expect(200);
        let events = page.as_array().unwrap();
        let Some(last) = events.last() else { return all };
        from = last["position"].as_u64().unwrap() + 1;
        all.extend(events.iter().cloned());
    }
}

/// What the statistics must say, by the log.
fn fold_users(log: &[Value]) -> (usize, usize) {
    let count = |kind: &str| log.iter().filter(|event| event["eventType"] == kind).count();
    (count("UserAdded"), count("UserRemoved"))
}

/// How many events each case must have, by the log.
fn fold_cases(log: &[Value]) -> BTreeMap<String, u64> {
    let mut cases = BTreeMap::new();
    for event in log.iter().filter(|event| event["eventType"] == "Noted") {
        *cases.entry(event["stream"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    cases
}

fn cases(app: &App) -> BTreeMap<String, u64> {
    let path = "/api/projections/case-progress?category=case&limit=1000";
    let cases = get(app.address, path).expect(200);
    let count = |case: &Value| {
        (case["stream"].as_str().unwrap().to_owned(), case["events"].as_u64().unwrap())
    };
    cases.as_array().unwrap().iter().map(count).collect()
}

fn has_caught_up(app: &App) -> bool {
    let checkpoints = get(app.address, "/api/projections/checkpoints");
    checkpoints.status == 200
        && checkpoints.json().as_array().unwrap().iter().all(|it| it["lag"] == 0)
}

/// Kills and restarts, then freezes and wakes, each instance in turn.
fn harass(instances: &Instances, database: &Database) {
    for instance in instances {
        let mut app = get_hold_of(instance);
        app.kill();
        *app = start(database);
    }
    for instance in instances {
        let app = get_hold_of(instance);
        app.signal("STOP");
        std::thread::sleep(FROZEN);
        app.signal("CONT");
    }
}

#[test]
fn killed_and_frozen_in_turn_they_lose_nothing_and_count_nothing_twice() {
    let database = Database::postgres();
    let instances: Instances = [(); 3].map(|()| Mutex::new(start(&database)));
    let stop = AtomicBool::new(false);
    let acknowledged: Vec<String> = std::thread::scope(|scope| {
        let load = |number| load(&instances, number, &stop);
        let threads: Vec<_> = (0..4).map(|number| scope.spawn(move || load(number))).collect();
        harass(&instances, &database);
        stop.store(true, Ordering::Relaxed);
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });

    for instance in &instances {
        let app = get_hold_of(instance);
        wait_for("the projections", || has_caught_up(&app).then_some(()));
        let log = log(&app);
        let ids: Vec<&str> = log.iter().map(|event| event["eventId"].as_str().unwrap()).collect();
        let lost = acknowledged.iter().filter(|id| !ids.contains(&id.as_str())).count();
        assert_eq!(lost, 0, "of {} acknowledged events", acknowledged.len());
        assert!(acknowledged.len() > 100, "only {} events got through", acknowledged.len());
        let statistics = get(app.address, "/api/projections/user-statistics").expect(200);
        let (added, removed) = fold_users(&log);
        assert_eq!(statistics["totalAdded"], added, "{statistics}");
        assert_eq!(statistics["totalRemoved"], removed, "{statistics}");
        assert_eq!(cases(&app), fold_cases(&log));
    }
}

#[test]
fn one_that_wakes_after_its_lease_follows_and_is_followed() {
    let database = Database::postgres();
    let first = start(&database);
    let user = json!({"name": "Ada", "email": "ada@example.com"});
    let added = |app: &App| {
        let statistics = get(app.address, "/api/projections/user-statistics").expect(200);
        statistics["totalAdded"].as_u64().unwrap()
    };
    post(first.address, "/api/users", &user).expect(201);
    wait_for("the first", || (added(&first) == 1).then_some(()));
    first.signal("STOP");
    let second = start(&database);
    send(second.address, "POST", "/api/users", Some(&user.to_string())).expect(201);
    wait_for("the take-over", || (added(&second) == 2).then_some(()));
    first.signal("CONT");
    post(first.address, "/api/users", &user).expect(201);
    wait_for("the one that woke", || (added(&first) == 3).then_some(()));
    drop(second);
    post(first.address, "/api/users", &user).expect(201);
    wait_for("the hand-back", || (added(&first) == 4).then_some(()));
}
