//! The progress of cases, and the console's routes beside it.

use serde_json::{Value, json};

use crate::support::{
    App, Cloud, Database, finish, get, import, on_both_databases, post, send, wait_for, write_file,
};

const CASES: &str = "/api/projections/case-progress";

const SUBJECTS: [&str; 8] = [
    "receipt-2",
    "receipt-10",
    "receipt",
    "receiptX-1",
    "receipt 1",
    "a/b c-1",
    "-odd-1",
    "receipt-2",
];

/// Starts the application on a few streams, and waits until all of them are projected.
fn start(database: &Database) -> App {
    let event = |(number, subject): (usize, _)| Cloud { subject, number: number as u64 };
    let log: String = SUBJECTS.into_iter().enumerate().map(event).map(|e| e.to_string()).collect();
    finish(&import(database, &write_file(database, "log", log)));
    let app = App::start(database);
    wait_for("the cases", || (streams(&app, "").len() == SUBJECTS.len() - 1).then_some(()));
    app
}

fn streams(app: &App, query: &str) -> Vec<String> {
    let cases = get(app.address, &format!("{CASES}{query}")).expect(200);
    let stream = |case: &Value| case["stream"].as_str().unwrap().to_owned();
    cases.as_array().unwrap().iter().map(stream).collect()
}

on_both_databases! {
    fn a_case_shows_its_first_and_its_last_event(database: &Database) {
        let app = start(database);
        let (first, last) = (Cloud { subject: "", number: 0 }, Cloud { subject: "", number: 7 });
        let case = json!({
            "stream": "receipt-2",
            "events": 2,
            "firstEventTime": first.time(),
            "lastEventTime": last.time(),
            "lastEventType": "T7 Done",
        });
        assert_eq!(get(app.address, &format!("{CASES}/receipt-2")).expect(200), case);
        let odd = get(app.address, &format!("{CASES}/a%2Fb%20c-1")).expect(200);
        assert_eq!((&odd["stream"], &odd["events"]), (&json!("a/b c-1"), &json!(1)));
        get(app.address, &format!("{CASES}/receipt-3")).problem(404);
        get(app.address, &format!("{CASES}/UserWorkflow")).problem(404);
    }

    fn an_event_without_a_time_of_its_own_has_the_time_it_was_recorded(database: &Database) {
        let app = App::start(database);
        let events = json!([{"type": "Placed", "data": 1, "metadata": {"time": "noon"}}]);
        post(app.address, "/api/streams/orders/events", &events).expect(201);
        let events = get(app.address, "/api/streams/orders/events").expect(200);
        let case = wait_for("the case", || {
            let case = get(app.address, &format!("{CASES}/orders"));
            (case.status == 200).then(|| case.json())
        });
        assert_eq!(case["firstEventTime"], events[0]["timestamp"]);
        assert_eq!(case["lastEventTime"], events[0]["timestamp"]);
    }

    fn cases_are_listed_by_the_bytes_of_their_streams(database: &Database) {
        let app = start(database);
        post(app.address, "/api/users", &json!({"name": "Ada", "email": "a@b"})).expect(201);
        let mut all = SUBJECTS[..7].to_vec();
        all.sort_unstable();
        assert_eq!(streams(&app, ""), all);
        assert_eq!(streams(&app, "?limit=2"), all[..2]);
        assert_eq!(streams(&app, "?limit=2&after=a%2Fb%20c-1"), all[2..4]);
        for nonsense in ["limit=0", "limit=10001", "limit=x", "catgory=receipt"] {
            get(app.address, &format!("{CASES}?{nonsense}")).problem(400);
        }
    }

    fn a_category_has_its_namesake_and_the_streams_behind_its_dash(database: &Database) {
        let app = start(database);
        assert_eq!(streams(&app, "?category=receipt"), ["receipt", "receipt-10", "receipt-2"]);
        assert_eq!(streams(&app, "?category=receipt&limit=1"), ["receipt"]);
        let behind = "?category=receipt&limit=1&after=receipt";
        assert_eq!(streams(&app, behind), ["receipt-10"]);
        assert_eq!(streams(&app, "?category=receipt&after=receipt-10"), ["receipt-2"]);
        assert_eq!(streams(&app, "?category=receiptX"), ["receiptX-1"]);
        assert_eq!(streams(&app, "?category=-odd-1"), ["-odd-1"]);
        for none in ["rec", "receipt-2", "-odd", "unknown"] {
            assert!(streams(&app, &format!("?category={none}")).is_empty(), "{none}");
        }
        get(app.address, &format!("{CASES}?category=")).problem(422);
    }

    fn the_console_s_routes_are_there_even_below_the_cases(database: &Database) {
        let app = start(database);
        let asked = send(app.address, "POST", &format!("{CASES}/rebuild"), None).expect(202);
        assert_eq!(asked["projectionName"], "case-progress");
        assert_eq!(get(app.address, &format!("{CASES}/dead-letters")).expect(200), json!([]));
        send(app.address, "POST", &format!("{CASES}/receipt-2"), None).problem(405);
        let names = |path: &str| -> Vec<Value> {
            let rows = get(app.address, path).expect(200);
            rows.as_array().unwrap().iter().map(|row| row["projectionName"].clone()).collect()
        };
        assert_eq!(names("/api/projections"), ["case-progress", "user-statistics"]);
        let caught_up = wait_for("the rebuild", || {
            let rows = get(app.address, "/api/projections/checkpoints").expect(200);
            let row = rows[0].clone();
            let is_rebuilt = row["lag"] == 0 && row["rebuildRequested"] == false;
            is_rebuilt.then_some(row)
        });
        assert_eq!(caught_up["eventsProcessed"], SUBJECTS.len());
        assert_eq!(streams(&app, "").len(), SUBJECTS.len() - 1);
        get(app.address, "/nowhere").problem(404);
    }
}
