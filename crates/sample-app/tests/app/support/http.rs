//! The smallest HTTP client that will do: one connection for each request.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// A response, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// The body, after checking the status.
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.json()
    }

    /// The body, after checking that it is a problem of this status.
    pub(crate) fn problem(&self, status: u16) -> Value {
        let problem = self.expect(status);
        assert!(self.head.contains("application/problem+json"), "{}", self.head);
        assert_eq!(problem["status"], status);
        problem
    }
}

pub(crate) fn get(address: SocketAddr, path: &str) -> Answer {
    send(address, "GET", path, None)
}

pub(crate) fn post(address: SocketAddr, path: &str, json: &Value) -> Answer {
    send(address, "POST", path, Some(&json.to_string()))
}

pub(crate) fn send(address: SocketAddr, method: &str, path: &str, json: Option<&str>) -> Answer {
    try_send(address, method, path, json).unwrap()
}

/// Sends a request; an error when the server goes away before it has answered.
pub(crate) fn try_send(
    address: SocketAddr,
    method: &str,
    path: &str,
    json: Option<&str>,
) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut request =
        format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
    if let Some(json) = json {
        let length = json.len();
        request += &format!("content-type: application/json\r\ncontent-length: {length}\r\n");
    }
    request += "\r\n";
    request += json.unwrap_or_default();
    stream.write_all(request.as_bytes())?;
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    let cut_short = || std::io::Error::other(format!("cut short: {response:?}"));
    let (head, text) = response.split_once("\r\n\r\n").ok_or_else(cut_short)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(cut_short)?;
    Ok(Answer { status, head: head.to_owned(), text: text.to_owned() })
}
