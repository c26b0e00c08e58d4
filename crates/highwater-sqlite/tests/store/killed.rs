//! A process that is killed while it appends.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use crate::fixture::{all, one};
use highwater_core::{EventStore, StreamName};
use highwater_sqlite::{SqliteOptions, SqliteStore};

const FILE: &str = "HIGHWATER_TEST_FILE";
const TASKS: usize = 8;
const ACKNOWLEDGED: usize = 300;

/// The process to be killed: appends without end and prints the id of every acknowledged event.
#[tokio::test(flavor = "multi_thread")]
async fn appends_until_it_is_killed() {
    let Ok(file) = std::env::var(FILE) else { return };
    let store = SqliteStore::open(file, SqliteOptions::default()).await.unwrap();
    let tasks = (0..TASKS).map(|task| {
        let store = store.clone();
        tokio::spawn(async move {
            let stream = StreamName::new(format!("account-{task}")).unwrap();
            for n in 0.. {
                let batch = one(&stream, n);
                let id = batch[0].events[0].id;
                store.append(batch).await.unwrap();
                writeln!(std::io::stdout(), "appended {id}").unwrap();
            }
        })
    });
    futures::future::join_all(tasks).await;
}

#[tokio::test]
async fn every_acknowledged_event_outlives_a_killed_process() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("store.db");
    let mut acknowledged = Vec::new();
    for _ in 0..3 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::appends_until_it_is_killed", "--nocapture"])
            .env(FILE, &file)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut lines = lines.map(Result::unwrap);
        let id = |line: String| Some(line.split_once("appended ")?.1.to_owned());
        acknowledged.extend(lines.by_ref().filter_map(id).take(ACKNOWLEDGED));
        child.kill().unwrap();
        child.wait().unwrap();
        // What it acknowledged before it died; its last line may be cut off.
        acknowledged.extend(lines.filter_map(id).filter(|id| id.len() == 36));
    }
    let store = SqliteStore::open(&file, SqliteOptions::default()).await.unwrap();
    let events = all(&store).await;
    let kept: std::collections::HashSet<String> =
        events.iter().map(|event| event.id.to_string()).collect();
    assert!(acknowledged.len() >= 3 * ACKNOWLEDGED);
    for id in acknowledged {
        assert!(kept.contains(&id), "event {id} was acknowledged and is lost");
    }
}
