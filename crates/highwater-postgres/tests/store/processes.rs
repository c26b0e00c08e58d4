//! Several processes on one log.

use std::sync::Arc;

use highwater_core::{EventStore, Source};
use highwater_postgres::PgStore;
use highwater_testkit::Fixture;

use crate::events::{assert_gapless, log, one, patiently};
use crate::support::fresh;

const WRITERS: u64 = 16;
const APPENDS: u64 = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_polls_misses_nothing_that_two_processes_append() {
    let schema = fresh().await;
    let stores = [Arc::new(schema.reopen().await), Arc::new(schema.reopen().await)];
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(append_all(Arc::clone(&stores[writer as usize % 2]), writer)))
        .collect();

    let (reader, mut seen, mut after) = (schema.store(), Vec::new(), None);
    patiently("the last event", async {
        while (seen.len() as u64) < WRITERS * APPENDS {
            let page = reader.read(&Source::All, &[], after, 7).await.unwrap();
            after = page.scanned_to;
            seen.extend(page.events);
        }
    })
    .await;
    for writer in writers {
        writer.await.unwrap();
    }
    assert_gapless(&seen);
    assert_eq!(seen, log(&reader).await);
    // What one writer appended one after another stands so in the log.
    for writer in 0..WRITERS {
        let own = seen.iter().map(|event| event.data.to::<u64>().unwrap());
        let own: Vec<u64> = own.filter(|n| n / APPENDS == writer).map(|n| n % APPENDS).collect();
        assert_eq!(own, (0..APPENDS).collect::<Vec<_>>());
    }
    for store in stores {
        store.close().await;
    }
    schema.finish().await;
}

async fn append_all(store: Arc<PgStore>, writer: u64) {
    for n in 0..APPENDS {
        let stream = format!("lane-{}", n % 3);
        store.append(vec![one(&stream, writer * APPENDS + n)]).await.unwrap();
    }
}
