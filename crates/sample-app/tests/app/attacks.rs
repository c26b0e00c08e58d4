//! Clients that mean no good: too many, too slow, from elsewhere, or with JSON nobody can decode.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::support::{
    App, Database, PlainEvents, finish, get, import, order, post, send, try_send, wait_for,
    write_file,
};

/// A connection on which these bytes were sent, as far as they are taken.
fn sent(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_write_timeout(Some(Duration::from_millis(50))).unwrap();
    let _taken = stream.write_all(bytes);
    stream
}

/// Sends a request with these headers; the status of its answer.
fn status(address: SocketAddr, request: &str, headers: &str) -> u16 {
    let text = format!(
        "{request} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: 0\r\n\
         {headers}\r\n"
    );
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn silent_connections_beyond_the_limit_on_open_files_end_no_service() {
    let database = Database::sqlite();
    let app = App::start_under(&database, 128);
    let mut silent: Vec<_> = (0..300).map(|_| sent(app.address, b"")).collect();
    get(app.address, "/health").expect(200);
    silent.extend((0..300).map(|_| sent(app.address, b"GET /health HTTP/1.1\r\nhost: lo")));
    for _ in 0..5 {
        get(app.address, "/health").expect(200);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn running_out_of_open_files_is_logged_and_survived() {
    let database = Database::sqlite();
    let (app, log) = App::start_logging(&database);
    wait_for("health", || (get(app.address, "/health").status == 200).then_some(()));
    let open = std::fs::read_dir(format!("/proc/{}/fd", app.id())).unwrap().count();
    let (process, limit) = (app.id().to_string(), format!("--nofile={}:", open + 8));
    let lowered = Command::new("prlimit").args(["--pid", &process, &limit]).status().unwrap();
    assert!(lowered.success());
    let silent: Vec<_> = (0..100).map(|_| sent(app.address, b"")).collect();
    let is_logged = || {
        let log = std::fs::read_to_string(&log).unwrap();
        log.contains("connections cannot be taken in").then_some(())
    };
    wait_for("the log line", is_logged);
    get(app.address, "/api/live").expect(200);
    drop(silent);
    get(app.address, "/health").expect(200);
}

#[test]
#[cfg(target_os = "linux")]
fn unfinished_bodies_hold_bounded_memory_and_others_are_served() {
    let database = Database::sqlite();
    let app = App::start(&database);
    let before = resident_mib(&app);
    let head = "POST /api/streams/a/events HTTP/1.1\r\nhost: localhost\r\n\
                content-type: application/json\r\ncontent-length: 16000000\r\n\r\n[\"";
    let mut body = head.as_bytes().to_vec();
    body.resize(15_000_000, b'x');
    let unfinished: Vec<_> = (0..60).map(|_| sent(app.address, &body)).collect();
    let held = resident_mib(&app).saturating_sub(before);
    assert!(held < 150, "{held} MiB");
    let event = json!([{"type": "Noted", "data": "x".repeat(900_000)}]);
    post(app.address, "/api/streams/b/events", &event).expect(201);
    get(app.address, "/health").expect(200);
    drop(unfinished);
}

#[cfg(target_os = "linux")]
fn resident_mib(app: &App) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", app.id())).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kib: usize = resident.trim().strip_suffix(" kB").unwrap().parse().unwrap();
    kib >> 10
}

#[test]
fn pages_of_other_origins_change_nothing_and_programs_do() {
    let database = Database::sqlite();
    let app = App::start(&database);
    let started = post(app.address, "/api/sagas/order-fulfillment/start", &order("order-1", false));
    let saga = started.expect(202)["sagaId"].as_str().unwrap().to_owned();
    let mut changes = vec![
        "POST /api/projections/user-statistics/rebuild".to_owned(),
        "POST /api/projections/case-progress/rebuild".to_owned(),
        "POST /api/streams/a/events".to_owned(),
        "POST /api/streams/events?stream=a".to_owned(),
        "POST /api/users".to_owned(),
        "DELETE /api/users/ada".to_owned(),
        "POST /api/sagas/order-fulfillment/start".to_owned(),
    ];
    let commands = ["cancel", "pause", "resume", "retry", "skip"];
    changes.extend(commands.map(|command| format!("POST /api/sagas/{saga}/{command}")));
    let form = "content-type: application/x-www-form-urlencoded\r\n";
    for change in &changes {
        for site in ["cross-site", "same-site"] {
            let headers = format!("{form}sec-fetch-site: {site}\r\n");
            assert_eq!(status(app.address, change, &headers), 403, "{change} {site}");
        }
        for origin in ["null", "http://evil.com", "http://localhost:1", "http://127.0.0.1"] {
            let headers = format!("{form}origin: {origin}\r\n");
            assert_eq!(status(app.address, change, &headers), 403, "{change} {origin}");
        }
        let (own, here) = (format!("origin: http://{}\r\n", app.address), app.address);
        for headers in ["", "sec-fetch-site: same-origin\r\n", &own] {
            assert_ne!(status(here, change, headers), 403, "{change} {headers}");
        }
    }
    assert_eq!(status(app.address, "GET /health", "sec-fetch-site: cross-site\r\n"), 200);
}

/// What some reader cannot decode, or takes for something else.
fn undecodable() -> Vec<String> {
    let mut texts = ["1e999", r#"{"a":[-1E400]}"#, r#""\ud800""#, r#"{"\udc00":1}"#]
        .map(str::to_owned)
        .to_vec();
    for key in ["RawValue", "Number", "Other"] {
        texts.push(format!("[{{\"$serde_json::private::{key}\":\"1\"}}]"));
        texts.push(format!("{{\"\\u0024serde_json::private::{key}\":\"1\"}}"));
    }
    // What stands under the key is parsed anew, each time as deep again.
    let mut nested = "1".to_owned();
    for _ in 0..12 {
        let text = serde_json::to_string(&nested).unwrap();
        let key = "$serde_json::private::RawValue";
        nested = format!("{}{{\"{key}\":{text}}}{}", "[".repeat(120), "]".repeat(120));
        texts.push(nested.clone());
    }
    texts.push("[".repeat(128) + &"]".repeat(128));
    texts.push("[".repeat(1_000_000));
    texts
}

/// Tells the hub something by a client that polls, and waits for what comes of it.
fn tell_hub(address: SocketAddr, call: &str) {
    let negotiated = send(address, "POST", "/hubs/events/negotiate?negotiateVersion=1", None);
    let token = negotiated.expect(200)["connectionToken"].as_str().unwrap().to_owned();
    let hub = format!("/hubs/events?id={token}");
    let handshake = "{\"protocol\":\"json\",\"version\":1}\u{1e}";
    get(address, &hub);
    send(address, "POST", &hub, Some(handshake));
    assert_eq!(get(address, &hub).text, "{}\u{1e}");
    // One that is too long is refused before it is read, and its connection goes on.
    if try_send(address, "POST", &hub, Some(call)).is_ok_and(|told| told.status == 200) {
        get(address, &hub);
    }
}

#[test]
fn json_that_some_reader_cannot_decode_is_refused_at_every_entry() {
    let database = Database::sqlite();
    let app = App::start(&database);
    for bad in undecodable() {
        let start = order("order-1", false).to_string();
        let start = start.replace("\"1 Main Street\"", &format!("{{\"street\":{bad}}}"));
        for (path, body) in [
            ("/api/streams/a/events", format!("[{{\"type\":\"T\",\"data\":{bad}}}]")),
            (
                "/api/streams/a/events",
                format!("[{{\"type\":\"T\",\"data\":1,\"metadata\":{{\"a\":{bad}}}}}]"),
            ),
            ("/api/users", format!("{{\"name\":\"A\",\"email\":\"a@b\",\"more\":{bad}}}")),
            ("/api/sagas/order-fulfillment/start", start),
        ] {
            let status = send(app.address, "POST", path, Some(&body)).status;
            assert!((400..500).contains(&status), "{path} {status}: {body:.100}");
        }
        let call =
            format!("{{\"type\":1,\"target\":\"SubscribeToStream\",\"arguments\":[{bad}]}}\x1e");
        tell_hub(app.address, &call);
        let line = format!(
            "{{\"id\":\"1\",\"source\":\"/s\",\"type\":\"T\",\"subject\":\"s\",\"data\":{bad}}}\n"
        );
        let file = write_file(&database, "bad.ndjson", line.as_bytes());
        assert_eq!(import(&database, &file).status.code(), Some(1), "{bad:.100}");
        get(app.address, "/health").expect(200);
    }
    let events = get(app.address, "/api/streams/$all/events").expect(200);
    assert_eq!(events, json!([]), "nothing of it was stored");
}

#[test]
fn json_as_deep_as_anything_may_be_is_taken_and_read_by_everybody() {
    let database = Database::sqlite();
    let app = App::start(&database);
    let deep = "[".repeat(126) + &"]".repeat(126);
    let added = format!("[{{\"type\":\"UserAdded\",\"data\":{{\"userId\":\"1\",\"x\":{deep}}}}}]");
    send(app.address, "POST", "/api/streams/UserWorkflow/events", Some(&added)).expect(201);
    let events = get(app.address, "/api/streams/$all/events");
    assert!(events.status == 200 && events.text.contains(&deep));
    let statistics = "/api/projections/user-statistics";
    let is_counted = || get(app.address, statistics).expect(200)["totalAdded"] == 1;
    wait_for("the statistics", || is_counted().then_some(()));
}

#[test]
fn every_stream_is_reached_whatever_it_is_called() {
    let database = Database::sqlite();
    let app = App::start(&database);
    let long = "ü".repeat(127) + "x";
    let names = [
        "a/b",
        "/",
        "//",
        ".",
        "..",
        "../..",
        "a/../b",
        "%",
        "%2F",
        "%2e%2e",
        "with space",
        "a+b",
        "a?b=c",
        "a#b",
        "a&b",
        "日本語",
        "😀",
        "events",
        "rebuild",
        "dead-letters",
        "a;b",
        "\"<>\\",
        &long,
    ];
    for (at, name) in names.into_iter().enumerate() {
        let encoded: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let event = json!([{"type": "Noted", "data": at}, {"type": "Noted", "data": "more"}]);
        let by_path = format!("/api/streams/{encoded}/events");
        let by_query = format!("/api/streams/events?stream={encoded}");
        let path = if at % 2 == 0 { &by_path } else { &by_query };
        post(app.address, path, &event).expect(201);
        for page in [format!("{by_path}?limit=1"), format!("{by_query}&limit=1")] {
            let first = get(app.address, &page);
            assert_eq!(first.expect(200)[0]["stream"], name);
            let (_, link) = first.head.split_once("link: <?").unwrap();
            let (base, _) = page.split_once('?').unwrap();
            let next = format!("{base}?{}", link.split_once('>').unwrap().0);
            assert_eq!(get(app.address, &next).expect(200)[0]["data"], "more", "{next}");
        }
        for path in [
            format!("/streams/{encoded}/events?from=0"),
            format!("/streams/events?stream={encoded}&from=0"),
        ] {
            let mut events = PlainEvents::open(app.address, &path, "");
            assert_eq!(events.next().unwrap().1["streamName"], name);
        }
        let case = format!("/api/projections/case-progress?stream={encoded}");
        let is_there = || (get(app.address, &case).expect(200)[0]["stream"] == name).then_some(());
        wait_for("the case", is_there);
        let case = format!("/api/projections/case-progress/{encoded}");
        assert_eq!(get(app.address, &case).expect(200)["events"], 2, "{name}");
    }
    assert_eq!(get(app.address, "/api/projections/case-progress/rebuild").expect(200)["events"], 2);
    get(app.address, "/api/streams/events").problem(400);
    get(app.address, "/api/streams/events?stream=a&stream=b").problem(400);
    assert_eq!(get(app.address, "/streams/events").status, 400);
}

#[test]
fn a_good_line_among_the_bad_is_imported() {
    let database = Database::sqlite();
    let line = b"{\"id\":\"1\",\"source\":\"/s\",\"type\":\"T\",\"subject\":\"s\",\"data\":\"\\ud83d\\ude00\"}\n";
    let file = write_file(&database, "good.ndjson", line);
    assert!(finish(&import(&database, &file)).starts_with("1 events appended"));
}
