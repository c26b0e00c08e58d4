//! The span around each request.

use std::io::Write;
use std::sync::{Arc, Mutex};

use highwater_testkit::MemoryStore;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::support::{console, get, post};

/// What has been logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn each_request_has_a_span_that_tells_nothing_of_query_or_body() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(FmtSpan::CLOSE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let router = console(&MemoryStore::new(), vec![]).router();
    post(&router, "/api/streams/s/events", r#"[{"type":"T","data":"secret"}]"#).await;
    post(&router, "/api/streams/s/events", r#"["secret"]"#).await;
    get(&router, "/nowhere?token=secret").await;

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let closed: Vec<_> = log.lines().filter(|line| line.contains("close")).collect();
    assert_eq!(closed.len(), 3, "{log}");
    for (line, status) in closed.iter().zip([201, 422, 404]) {
        assert!(line.contains(&format!("status={status} duration_ms=")), "{line}");
    }
    assert!(closed[0].contains("method=POST path=\"/api/streams/s/events\""), "{log}");
    assert!(closed[2].contains("method=GET path=\"/nowhere\""), "{log}");
    assert!(!log.contains("secret"), "{log}");
}
