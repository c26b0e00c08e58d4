//! Plain server-sent events, read as a program without any library would.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// A response that goes on; dropped, its connection is closed.
pub(crate) struct PlainEvents {
    pub(crate) status: u16,
    lines: std::io::Lines<BufReader<TcpStream>>,
}

/// An event: its id and its content.
pub(crate) type PlainEvent = (i64, Value);

impl PlainEvents {
    /// Asks for `path`, with further headers, each ended by a line break.
    pub(crate) fn open(address: SocketAddr, path: &str, headers: &str) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        // In the older version of HTTP the body is not cut into chunks.
        let request = format!("GET {path} HTTP/1.0\r\nhost: {address}\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut lines = BufReader::new(stream).lines();
        let head = lines.next().unwrap().unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        while !lines.next().unwrap().unwrap().is_empty() {}
        Self { status, lines }
    }

    /// The next event; `None` when the response has ended, in order or by a reset.
    pub(crate) fn next(&mut self) -> Option<PlainEvent> {
        let (mut id, mut kind) = (None, None);
        loop {
            let line = self.lines.next()?.ok()?;
            match line.split_once(": ") {
                Some(("id", text)) => id = text.parse().ok(),
                Some(("event", text)) => kind = Some(text.to_owned()),
                Some(("data", text)) if kind.is_none() => {
                    // A block counts only once its empty line has come.
                    assert_eq!(self.lines.next()?.ok()?, "");
                    return Some((id?, serde_json::from_str(text).unwrap()));
                }
                _ if line.is_empty() => (id, kind) = (None, None),
                _ => {}
            }
        }
    }

    /// Reads events with these offsets, and nothing else.
    pub(crate) fn expect(&mut self, offsets: std::ops::Range<i64>) {
        for offset in offsets {
            let (id, event) = self.next().unwrap_or_else(|| panic!("{offset} does not come"));
            assert_eq!((id, event["offset"].as_i64()), (offset, Some(offset)), "{event}");
        }
    }
}
