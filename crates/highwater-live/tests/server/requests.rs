//! What a request may be, and whom it may be for.

use highwater_live::server::ServerOptions;

use crate::support::{closing, serve};

#[tokio::test]
async fn a_head_request_gets_the_head_alone_and_the_connection_goes_on() {
    let served = serve(ServerOptions::default()).await;
    for path in ["/hello", "/large", "/events", "/nowhere"] {
        let head = format!("HEAD {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        let answers = served.ask(&format!("{head}{}", closing("GET /hello"))).await;
        let (first, second) = answers.split_once("\r\n\r\n").unwrap();
        let status = if path == "/nowhere" { "HTTP/1.1 404 " } else { "HTTP/1.1 200 " };
        assert!(first.starts_with(status), "{path}: {first}");
        assert!(second.starts_with("HTTP/1.1 200 ") && second.ends_with("hello"), "{path}");
        assert!(path != "/hello" || first.contains("content-length: 5"), "{first}");
    }
}

#[tokio::test]
async fn http_2_is_not_spoken_whatever_else_is_built_with_it() {
    let served = serve(ServerOptions::default()).await;
    let answer = served.ask("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer:?}");
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused() {
    let served = serve(ServerOptions { header_bytes: 8 << 10, ..Default::default() }).await;
    let long = format!("GET /hello HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "x".repeat(9000));
    assert!(served.ask(&long).await.starts_with("HTTP/1.1 431 "));
    served.greet().await;
}

#[tokio::test]
async fn only_for_known_hosts_a_request_is_answered() {
    let allowed_hosts = Some(vec!["shop.example".to_owned()]);
    let served = serve(ServerOptions { allowed_hosts, ..Default::default() }).await;
    let status = async |host: &str| {
        let request = format!("GET /hello HTTP/1.1\r\n{host}connection: close\r\n\r\n");
        served.ask(&request).await[9..12].to_owned()
    };
    for host in ["localhost", "127.0.0.1:6001", "shop.example", "[::1]"] {
        assert_eq!(status(&format!("host: {host}\r\n")).await, "200", "{host}");
    }
    for host in ["evil.com", "ada.local", "app", "host.internal", "a.test", "192.0.2.1"] {
        assert_eq!(status(&format!("host: {host}\r\n")).await, "421", "{host}");
    }
    assert_eq!(status("").await, "400");
    assert_eq!(status("host: localhost\r\nhost: evil.com\r\n").await, "400");
    let open = serve(ServerOptions { allowed_hosts: None, ..Default::default() }).await;
    let request = "GET /hello HTTP/1.1\r\nhost: evil.com\r\nconnection: close\r\n\r\n";
    assert!(open.ask(request).await.starts_with("HTTP/1.1 200 "));
}
