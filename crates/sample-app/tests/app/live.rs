//! Streams that are followed live: by programs, by the page, through crashes and stops.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::{Value, json};

use crate::support::{
    App, Database, PlainEvents, SignalR, Told, get, on_both_databases, order, post,
    run_readme_snippet, start, try_send, wait_for, wait_for_state,
};

const USERS: &str = "/streams/UserWorkflow/events";

fn add_users(address: SocketAddr, count: usize) {
    let user = json!({"name": "Ada", "email": "ada@example.com"});
    for _ in 0..count {
        post(address, "/api/users", &user).expect(201);
    }
}

/// Appends events of a kilobyte each: what is under way fills no buffer between the processes.
fn append(address: SocketAddr, stream: &str, count: usize) {
    let event = json!({"type": "Noted", "data": {"text": "x".repeat(1000)}});
    for start in (0..count).step_by(500) {
        let events = vec![&event; 500.min(count - start)];
        post(address, &format!("/api/streams/{stream}/events"), &json!(events)).expect(201);
    }
}

/// Restarts the application where it was, after it was killed.
fn restart(app: &mut App, database: &Database) {
    let port = app.address.port().to_string();
    app.kill();
    *app = App::start_with(database, &["--port", &port]);
}

on_both_databases! {
    fn plain_events_come_as_they_are_appended_and_go_on_behind_the_last(database: &Database) {
        let app = App::start(database);
        add_users(app.address, 3);
        let mut all = PlainEvents::open(app.address, &format!("{USERS}?from=0"), "");
        all.expect(0..3);
        let mut new = PlainEvents::open(app.address, USERS, "");
        add_users(app.address, 2);
        all.expect(3..5);
        new.expect(3..5);
        let again = format!("{USERS}?from=0");
        let mut again = PlainEvents::open(app.address, &again, "last-event-id: 1\r\n");
        again.expect(2..5);
        let mut everything = PlainEvents::open(app.address, "/streams/$all/events?from=0", "");
        let (_, event) = everything.next().unwrap();
        assert_eq!((&event["streamName"], &event["offset"]), (&json!("UserWorkflow"), &json!(0)));
        assert_eq!(event["eventType"], "UserAdded");
    }

    fn the_program_of_the_readme_prints_events(database: &Database) {
        let app = App::start(database);
        add_users(app.address, 2);
        let lines = run_readme_snippet(app.address.port(), 2);
        assert_eq!(lines, ["UserWorkflow 0 UserAdded", "UserWorkflow 1 UserAdded"]);
    }

    fn killed_in_the_middle_of_a_catch_up_it_goes_on_behind_the_last_event(database: &Database) {
        let mut app = App::start(database);
        append(app.address, "notes", 8_000);
        let mut client = SignalR::connect(app.address, "WebSockets");
        client.subscribe("notes", 0);
        let mut plain = PlainEvents::open(app.address, "/streams/notes/events?from=0", "");
        plain.expect(0..500);
        let (mut offset, mut kills) = (0, [500, 4_000].into_iter().peekable());
        while offset < 8_100 {
            match client.next() {
                Told::Event(event) => {
                    assert_eq!(event["offset"], offset);
                    offset += 1;
                }
                Told::Open => client.subscribe("notes", offset),
            }
            if kills.next_if_eq(&offset).is_some() {
                restart(&mut app, database);
            }
            if offset == 8_000 {
                append(app.address, "notes", 100);
            }
        }
        // What was under way to the plain client is read up to the break.
        let mut next = 500;
        while let Some((id, _)) = plain.next() {
            assert_eq!(id, next);
            next += 1;
        }
        assert!(next < 8_000, "it was not in the middle");
        let last = format!("last-event-id: {}\r\n", next - 1);
        PlainEvents::open(app.address, "/streams/notes/events?from=0", &last).expect(next..8_100);
    }

    fn asked_to_stop_it_sends_every_client_elsewhere(database: &Database) {
        let app = App::start_warning(database);
        let mut plain = PlainEvents::open(app.address, USERS, "");
        let mut clients = ["WebSockets", "ServerSentEvents", "LongPolling"]
            .map(|transport| SignalR::connect(app.address, transport));
        clients.iter_mut().for_each(|client| client.subscribe("UserWorkflow", 0));
        add_users(app.address, 1);
        plain.expect(0..1);
        clients.iter_mut().for_each(|client| assert_eq!(client.offset(), 0));
        let port = app.address.port().to_string();
        let (status, warnings) = app.stop_and_tell();
        assert_eq!(status.code(), Some(0));
        // Nobody was left to be dropped after the time that clients are given.
        assert_eq!(warnings, "");
        assert_eq!(plain.next(), None);
        let app = App::start_with(database, &["--port", &port]);
        add_users(app.address, 1);
        for client in &mut clients {
            assert_eq!(client.next(), Told::Open);
            client.subscribe("UserWorkflow", 1);
            assert_eq!(client.offset(), 1);
        }
    }

    fn a_projection_is_followed_to_its_end(database: &Database) {
        let app = App::start(database);
        let path = "/streams/$projection:user-statistics/events";
        let mut projection = PlainEvents::open(app.address, path, "");
        add_users(app.address, 2);
        let last = std::iter::from_fn(|| projection.next()).find(|(id, _)| *id == 1);
        let (_, event) = last.unwrap();
        assert_eq!(event["eventType"], "ProjectionAdvanced");
        let state = &event["data"];
        assert_eq!((&state["checkpoint"], &state["eventsProcessed"]), (&json!(1), &json!(2)));
        assert_eq!(state["streamName"], "UserWorkflow");
    }

    fn a_saga_is_followed_to_its_end(database: &Database) {
        let app = App::start(database);
        let mut sagas = PlainEvents::open(app.address, "/streams/$category:saga/events", "");
        let saga = start(&app, &order("order-1", false));
        let events = std::iter::from_fn(|| sagas.next()).map(|(_, event)| event);
        let steps = events.filter(|event| event["eventType"] == "StepCompleted").take(3);
        for event in steps {
            assert_eq!(event["streamName"], format!("saga-order-fulfillment-{saga}"));
        }
        wait_for_state(&app, &saga, "Completed");
    }

    fn the_hub_shows_what_it_does(database: &Database) {
        let app = App::start(database);
        let numbers = || get(app.address, "/api/live").expect(200);
        let idle = numbers();
        let names = ["connections", "negotiated", "subscriptions", "bufferedBytes", "liveBytes",
            "reads", "slowestLag", "delivered", "evicted"];
        assert!(names.iter().all(|name| idle[*name] == 0), "{idle}");
        add_users(app.address, 1);
        let mut plain = PlainEvents::open(app.address, &format!("{USERS}?from=0"), "");
        plain.expect(0..1);
        wait_for("the count", || (numbers()["delivered"] == 1).then_some(()));
        let busy = numbers();
        assert_eq!((&busy["connections"], &busy["subscriptions"]), (&json!(1), &json!(1)));
        drop(plain);
        wait_for("the end", || (numbers()["connections"] == 0).then_some(()));
    }
}

#[test]
fn what_one_process_appends_arrives_at_the_clients_of_another() {
    let database = Database::postgres();
    let (first, second) = (App::start(&database), App::start(&database));
    let mut client = SignalR::connect(second.address, "WebSockets");
    client.subscribe("UserWorkflow", 0);
    let mut plain = PlainEvents::open(second.address, USERS, "");
    for offset in 0..20 {
        add_users(first.address, 1);
        assert_eq!(client.offset(), offset);
        plain.expect(offset..offset + 1);
    }
}

#[test]
fn what_is_stored_joins_what_two_processes_append_meanwhile() {
    let database = Database::postgres();
    let apps = [App::start(&database), App::start(&database)];
    append(apps[0].address, "notes", 4_000);
    let mut client = SignalR::connect(apps[0].address, "WebSockets");
    let mut notes = PlainEvents::open(apps[1].address, "/streams/notes/events?from=0", "");
    let mut all = PlainEvents::open(apps[0].address, "/streams/$all/events?from=0", "");
    client.subscribe("notes", 0);
    std::thread::scope(|scope| {
        for app in apps.iter().cycle().take(4) {
            scope.spawn(|| (0..50).for_each(|_| append(app.address, "notes", 5)));
        }
        scope.spawn(|| notes.expect(0..5_000));
        scope.spawn(|| {
            let offset = |_| all.next().unwrap().1["offset"].as_i64().unwrap();
            assert!((0..5_000).map(offset).eq(0..5_000), "everything is one stream here");
        });
        (0..5_000).for_each(|offset| assert_eq!(client.offset(), offset));
    });
}

#[test]
fn the_page_runs_its_own_script_alone_and_needs_nothing_from_elsewhere() {
    let database = Database::sqlite();
    let app = App::start(&database);
    let page = get(app.address, "/live");
    assert_eq!(page.status, 200);
    let (_, policy) = page.head.split_once("content-security-policy: default-src 'none'").unwrap();
    let (_, nonce) = policy.split_once("script-src 'nonce-").unwrap();
    let (nonce, _) = nonce.split_once('\'').unwrap();
    assert_eq!(page.text.matches(&format!("nonce=\"{nonce}\"")).count(), 2);
    assert!(!page.text.contains("{nonce}") && !page.text.contains("innerHTML"));
    let links = page.text.matches("http").count();
    assert_eq!(links, page.text.matches("http://www.w3.org/2000/svg").count());
    let other = get(app.address, "/live");
    assert!(!other.text.contains(nonce), "a nonce is used once");
}

#[test]
fn pages_of_other_origins_follow_only_when_they_are_allowed() {
    let database = Database::sqlite();
    let app = App::start_with(&database, &["--allowed-origin", "https://Shop.example/"]);
    let status = |origin: &str| {
        PlainEvents::open(app.address, USERS, &format!("origin: {origin}\r\n")).status
    };
    assert_eq!(status("https://shop.example"), 200);
    assert_eq!(status("https://evil.example"), 403);
    assert_eq!(status(&format!("http://{}", app.address)), 200);
    // What a browser asks before a client negotiates.
    let mut stream = TcpStream::connect(app.address).unwrap();
    let question = "OPTIONS /hubs/events/negotiate HTTP/1.1\r\nhost: localhost\r\n\
                    origin: https://shop.example\r\naccess-control-request-method: POST\r\n\
                    connection: close\r\n\r\n";
    stream.write_all(question.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("access-control-allow-origin: https://shop.example\r\n"), "{answer}");
}

#[test]
fn a_page_that_has_its_own_name_lead_here_is_refused() {
    let database = Database::sqlite();
    let app = App::start_with(&database, &["--allowed-host", "Events.shop.com"]);
    // A target that names a host stands above the header.
    let ask = |address, name: &str| {
        try_send(address, "GET", &format!("http://{name}/api/live"), None).unwrap()
    };
    let refused = ask(app.address, "evil.com").problem(421);
    assert!(refused["detail"].as_str().unwrap().ends_with("--allowed-host evil.com"));
    for name in ["events.shop.com", "localhost:6001", "127.0.0.1"] {
        assert_eq!(ask(app.address, name).status, 200, "{name}");
    }
    let options = ["--host", "0.0.0.0", "--allowed-host", "Events.shop.com"];
    let open = App::start_with(&database, &options);
    let address = SocketAddr::from(([127, 0, 0, 1], open.address.port()));
    for app in [app.address, address] {
        for name in ["evil.com", "test", "ada.local", "a.internal", "a.test", "192.0.2.1"] {
            ask(app, name).problem(421);
        }
        assert_eq!(ask(app, "events.shop.com").status, 200);
    }
}

#[test]
fn a_stream_that_cannot_be_followed_is_refused_with_a_reason() {
    let database = Database::sqlite();
    let app = App::start(&database);
    for path in
        ["/streams/$nothing/events", "/streams/a/events?from=x", "/streams/a/events?from=-1"]
    {
        let refused = get(app.address, path);
        assert_eq!(refused.status, 400, "{path}");
        assert!(!refused.text.is_empty());
    }
    let json: Value = get(app.address, "/streams/a/other").problem(404);
    assert_eq!(json["detail"], "there is no /streams/a/other");
}
