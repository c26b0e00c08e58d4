//! An imported log is in the store once, however often and from wherever it is imported.

use std::io::Write;
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::support::{
    App, Cloud, Database, command, finish, get, gzip, import, kill, on_both_databases, wait_for,
    write_file,
};

const SUBJECTS: [&str; 3] = ["case-1", "case-2", "other"];

fn event(number: u64) -> Cloud {
    Cloud { subject: SUBJECTS[number as usize % SUBJECTS.len()], number }
}

fn log(events: u64) -> String {
    (0..events).map(|number| event(number).to_string()).collect()
}

/// Every event of the whole log, over HTTP.
fn events(app: &App) -> Vec<Value> {
    let (mut all, mut from) = (Vec::new(), 0);
    loop {
        let page = get(app.address, &format!("/api/streams/$all/events?limit=1000&from={from}"));
        let page = page.expect(200);
        let Some(last) = page.as_array().unwrap().last() else { return all };
        from = last["position"].as_u64().unwrap() + 1;
        all.extend(page.as_array().unwrap().iter().cloned());
    }
}

/// The store has exactly the first `count` events, each stream in its order.
fn assert_is_log(app: &App, count: u64) {
    let mut all = events(app);
    all.sort_by_key(|event| event["data"]["number"].as_u64());
    assert_eq!(all.len() as u64, count);
    for (number, found) in (0..count).zip(all) {
        let expected = event(number);
        assert_eq!(found["metadata"]["id"], expected.id());
        assert_eq!(found["stream"], expected.subject);
        assert_eq!(found["offset"], number / SUBJECTS.len() as u64);
        assert_eq!(found["metadata"]["time"], expected.time());
        assert_eq!(found["metadata"]["source"], "/test");
    }
}

fn import_from_stdin(database: &Database, input: &[u8]) -> Output {
    let mut command = command(database);
    command.args(["import", "-"]).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

/// What is said about an import that failed.
fn failure(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr.clone()).unwrap()
}

on_both_databases! {
    fn a_repeated_import_appends_nothing_whatever_it_is_read_from(database: &Database) {
        let (plain, zipped) = (log(4_500), gzip(&log(4_500)));
        let file = write_file(database, "log.ndjson", &plain);
        let known = "0 events appended, 4500 already known, 3 streams";
        let first = import(database, &file);
        assert_eq!(finish(&first), "4500 events appended, 0 already known, 3 streams");
        assert!(String::from_utf8_lossy(&first.stderr).contains(" events, "), "no progress");
        assert_eq!(finish(&import(database, &file)), known);
        assert_eq!(finish(&import(database, &write_file(database, "log.gz", &zipped))), known);
        assert_eq!(finish(&import_from_stdin(database, plain.as_bytes())), known);
        assert_eq!(finish(&import_from_stdin(database, &zipped)), known);
        assert_is_log(&App::start(database), 4_500);
    }

    fn an_import_killed_in_the_middle_and_repeated_leaves_exactly_the_file(database: &Database) {
        let app = App::start(database);
        let mut command = command(database);
        command.args(["import", "-"]).stdin(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(log(5_000).as_bytes()).unwrap();
        wait_for("the first chunk", || {
            let first = get(app.address, "/api/streams/case-1/events?limit=1").expect(200);
            (first.as_array().unwrap().len() == 1).then_some(())
        });
        kill(&mut child);
        let kept = events(&app).len() as u64;
        assert!((1..5_000).contains(&kept), "{kept} events");

        let file = write_file(database, "log.ndjson", log(6_000));
        let summary = finish(&import(database, &file));
        let appended = 6_000 - kept;
        assert_eq!(summary, format!("{appended} events appended, {kept} already known, 3 streams"));
        assert_is_log(&app, 6_000);
        wait_for("the cases", || {
            let cases = get(app.address, "/api/projections/case-progress").expect(200);
            let cases = cases.as_array().unwrap();
            let is_full = |case: &Value| case["events"] == 2_000;
            (cases.len() == 3 && cases.iter().all(is_full)).then_some(())
        });
    }

    fn a_bad_line_is_named_and_earlier_chunks_stay(database: &Database) {
        let file = write_file(database, "log.ndjson", log(2_500) + "{\"id\":\"x\"}\n" + &log(1));
        let said = failure(&import(database, &file));
        assert!(said.contains("line 2501: no type"), "{said}");
        assert_is_log(&App::start(database), 2_000);
    }

    fn an_id_that_stands_for_another_event_is_named_with_its_line(database: &Database) {
        finish(&import(database, &write_file(database, "one", event(1).to_string())));
        let other = Cloud { subject: "elsewhere", number: 1 };
        let file = write_file(database, "other", format!("\n{}{other}", event(0)));
        let said = failure(&import(database, &file));
        assert!(said.contains("line 3") && said.contains(&other.id()), "{said}");
        let app = App::start(database);
        assert_eq!(events(&app).len(), 1);
    }

    fn an_empty_input_is_an_import_of_nothing(database: &Database) {
        let nothing = "0 events appended, 0 already known, 0 streams";
        assert_eq!(finish(&import_from_stdin(database, b"")), nothing);
        assert_eq!(finish(&import(database, &write_file(database, "empty", "\n \n"))), nothing);
    }
}
