//! CloudEvents as others write them: what names one, and that it comes back as it was sent.

use serde_json::{Value, json};

use crate::support::{App, Database, command, events, finish, on_both_databases, write_file};

/// Imports these events with these options; the output of a success, else what was said.
fn import(database: &Database, options: &[&str], events: &[Value]) -> Result<String, String> {
    let lines: String = events.iter().map(|event| format!("{event}\n")).collect();
    import_text(database, options, &lines)
}

fn import_text(database: &Database, options: &[&str], lines: &str) -> Result<String, String> {
    let file = write_file(database, "log.ndjson", lines);
    let mut command = command(database);
    command.env("RUST_LOG", "warn").arg("import").arg(file).args(options);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(finish(&output) + "\n" + &said) } else { Err(said) }
}

fn event(id: &str, source: &str, more: &Value) -> Value {
    let mut event = json!({"specversion": "1.0", "id": id, "source": source, "type": "T"});
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event
}

/// What a client would send again: the attributes that were kept, and those that became others.
fn as_sent(event: &Value) -> Value {
    let mut sent = event["metadata"].clone();
    let attributes = sent.as_object_mut().unwrap();
    attributes.entry("subject").or_insert(event["stream"].clone());
    attributes.insert("type".to_owned(), event["eventType"].clone());
    match event["data"].get("data_base64") {
        Some(base64) => attributes.insert("data_base64".to_owned(), base64.clone()),
        None => attributes.insert("data".to_owned(), event["data"].clone()),
    };
    sent
}

const UUID: &str = "7c9e6679-7425-40de-944b-e07fc1f90ae7";

on_both_databases! {
    fn producers_that_give_the_same_id_have_an_event_each(database: &Database) {
        let beat = |source: &str, beat: u8| {
            event(UUID, source, &json!({"subject": "s", "data": {"beat": beat}}))
        };
        let all = [beat("/sensor/1", 1), beat("/sensor/2", 1), beat("/sensor/3", 2)];
        let first = import(database, &[], &all).unwrap();
        assert!(first.starts_with("3 events appended, 0 already known, 1 streams"), "{first}");
        let again = import(database, &[], &all).unwrap();
        assert!(again.starts_with("0 events appended, 3 already known"), "{again}");
        let app = App::start(database);
        let sent: Vec<Value> = events(&app, "s").iter().map(as_sent).collect();
        assert_eq!(sent, all);
    }

    fn an_event_comes_back_as_it_was_sent(database: &Database) {
        let about = json!({
            "subject": "s", "time": "2024-02-29T23:59:59.123456789+05:45",
            "datacontenttype": "application/xml", "dataschema": "https://a.example/b",
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "retries": 7,
            "isfinal": true,
        });
        let spellings = [
            UUID.to_owned(), UUID.to_uppercase(), format!("{{{UUID}}}"), format!("urn:uuid:{UUID}"),
            UUID.replace('-', ""), "7".to_owned(),
        ];
        let mut all: Vec<_> = spellings.iter().map(|id| event(id, "/a", &about)).collect();
        for (number, event) in all.iter_mut().enumerate() {
            let data = if number % 2 == 0 { "data" } else { "data_base64" };
            event[data] = format!("AQI{number}").into();
        }
        import(database, &[], &all).unwrap();
        let app = App::start(database);
        let sent: Vec<Value> = events(&app, "s").iter().map(as_sent).collect();
        assert_eq!(sent, all);
    }

    fn other_data_under_a_known_id_is_refused_also_when_it_is_binary(database: &Database) {
        let binary = |data: &str| event("1", "/a", &json!({"subject": "s", "data_base64": data}));
        let said = import(database, &[], &[binary("AQ=="), binary("AQ=="), binary("Ag==")]);
        let said = said.unwrap_err();
        let why = "line 3: id \"1\" of source \"/a\" stands for another event in line 1: the data";
        assert!(said.contains(why), "{said}");
        import(database, &[], &[binary("AQ==")]).unwrap();
        let said = import(database, &[], &[event("2", "/a", &json!({})), binary("Ag==")]);
        let said = said.unwrap_err();
        let why = "line 2: id \"1\" of source \"/a\" stands for another event in the database";
        assert!(said.contains(why) && said.contains("--id-prefix"), "{said}");
    }

    fn an_event_without_subject_goes_to_the_stream_that_is_asked_for(database: &Database) {
        let bare = event("1", "/x", &json!({"data": {"n": 1}}));
        import(database, &[], std::slice::from_ref(&bare)).unwrap();
        let full = event("2", "/x", &json!({"subject": "s", "data": 2}));
        import(database, &["--stream", "{type}-all"], std::slice::from_ref(&full)).unwrap();
        import(database, &["--stream", "one"], &[event("3", "/x", &json!({"data": 3}))]).unwrap();
        let said = import(database, &["--stream", "{partition}"], &[bare]).unwrap_err();
        assert!(said.contains("line 1: no partition to name the stream after"), "{said}");
        let app = App::start(database);
        assert_eq!(events(&app, "%2Fx")[0]["data"]["n"], 1);
        assert_eq!(as_sent(&events(&app, "T-all")[0]), full);
        assert_eq!(events(&app, "one")[0]["data"], 3);
    }

    fn two_logs_that_number_alike_are_told_apart_by_a_prefix(database: &Database) {
        let log = |name: &str| -> Vec<Value> {
            let event = |n: u8| event(&n.to_string(), "", &json!({"subject": "1", "data": name}));
            (1..=3).map(event).collect()
        };
        import(database, &[], &log("one")).unwrap();
        assert!(import(database, &[], &log("two")).is_err());
        let other = ["--id-prefix", "two-", "--stream", "two-{subject}"];
        let first = import(database, &other, &log("two")).unwrap();
        assert!(first.starts_with("3 events appended, 0 already known"), "{first}");
        let again = import(database, &other, &log("two")).unwrap();
        assert!(again.starts_with("0 events appended, 3 already known"), "{again}");
        let app = App::start(database);
        let (one, two) = (events(&app, "1"), events(&app, "two-1"));
        assert_eq!((one.len(), two.len()), (3, 3));
        assert_eq!((&one[0]["metadata"]["id"], &two[0]["metadata"]["id"]), (&json!("1"), &json!("1")));
    }

    fn odd_lines_that_do_no_harm_are_told_of_by_number(database: &Database) {
        let line = event("1", "/a", &json!({"data": 1})).to_string();
        let lines = format!("\u{feff}{line}\n\n{line}\n");
        let done = import_text(database, &[], &lines).unwrap();
        assert!(done.starts_with("1 events appended, 1 already known, 1 streams"), "{done}");
        assert!(done.contains("line 1: the byte order mark"), "{done}");
        assert!(done.contains("line 3: the event of line 1 again"), "{done}");
    }
}
