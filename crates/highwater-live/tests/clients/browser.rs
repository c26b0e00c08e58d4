//! The JavaScript client in a browser, on a page of another origin than the hub.

use std::process::Stdio;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::Html;
use axum::routing::{get, post};
use highwater_live::LiveOptions;
use serde_json::{Value, json};
use test_programs::CHROMIUM;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::install;
use crate::server::{append, serve};

const PAGE: &str = include_str!("page.html");

/// Serves the page; what it reports comes out of the channel.
async fn serve_page(listener: TcpListener) -> mpsc::Receiver<String> {
    let home = tokio::task::spawn_blocking(install::clients).await.unwrap();
    let script = async |package: &str, name: &str| {
        let path = home.join(format!("node_modules/@microsoft/{package}/dist/browser/{name}"));
        let text = tokio::fs::read_to_string(path).await.unwrap();
        get(move || async move { ([(header::CONTENT_TYPE, "text/javascript")], text) })
    };
    let (reports, received) = mpsc::channel(1);
    let message_pack = "signalr-protocol-msgpack";
    let app = Router::new()
        .route("/", get(|| async { Html(PAGE) }))
        .route("/signalr.js", script("signalr", "signalr.js").await)
        .route(
            "/signalr-protocol-msgpack.js",
            script(message_pack, "signalr-protocol-msgpack.js").await,
        )
        .route(
            "/report",
            post(|State(reports): State<mpsc::Sender<String>>, report: String| async move {
                reports.send(report).await.unwrap();
            }),
        )
        .with_state(reports);
    tokio::spawn(async move { axum::serve(listener, app).await });
    received
}

/// Opens the page in Chromium, and returns its report.
async fn report_of(hub: &str, listener: TcpListener) -> Value {
    let page = format!("http://{}/?hub={hub}", listener.local_addr().unwrap());
    let mut reports = serve_page(listener).await;
    let profile = tempfile::tempdir().unwrap();
    let browser = tokio::task::spawn_blocking(|| install::path(&CHROMIUM)).await.unwrap();
    let _browser = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(page)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("{} does not start: {error}", browser.display()));
    let report = timeout(Duration::from_secs(120), reports.recv()).await.expect("a report");
    serde_json::from_str(&report.unwrap()).unwrap()
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_follows_over_every_transport() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let options = LiveOptions { allowed_origins: vec![origin], ..Default::default() };
    let served = serve(|live| live.options(options)).await;
    append(&served.store, "orders", 5).await;
    let report = report_of(&format!("http://{}/hubs/events", served.address), listener).await;
    let all = json!([0, 1, 2, 3, 4]);
    let expected = json!({
        "WebSockets json": all, "WebSockets messagepack": all, "ServerSentEvents json": all,
        "LongPolling json": all, "LongPolling messagepack": all, "EventSource": all,
    });
    assert_eq!(report, expected);
}

#[tokio::test]
async fn a_page_of_another_origin_gets_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let served = serve(|live| live).await;
    append(&served.store, "orders", 5).await;
    let report = report_of(&format!("http://{}/hubs/events", served.address), listener).await;
    for (transport, result) in report.as_object().unwrap() {
        assert!(result.is_string(), "{transport} got {result}");
    }
    assert_eq!(served.live.gauges().delivered, 0);
}
