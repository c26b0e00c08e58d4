//! The span around each request.
//!
//! A process of its own: whether a span is wanted is remembered for the whole process, and another
//! test that makes the same one at the same moment may have it remembered that it is not.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::Write;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, header};
use highwater_console::Console;
use highwater_testkit::MemoryStore;
use tower::ServiceExt;
use tracing_subscriber::fmt::format::FmtSpan;

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

async fn post(router: &Router, path: &str, json: &'static str) {
    let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
    router.clone().oneshot(request.body(Body::from(json)).unwrap()).await.unwrap();
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
    let store = Arc::new(MemoryStore::new());
    let router = Console::new(Arc::<MemoryStore>::clone(&store), store, vec![]).router();
    post(&router, "/api/streams/s/events", r#"[{"type":"T","data":"secret"}]"#).await;
    post(&router, "/api/streams/s/events", r#"["secret"]"#).await;
    let nowhere = Request::get("/nowhere?token=secret").body(Body::empty()).unwrap();
    router.clone().oneshot(nowhere).await.unwrap();

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
