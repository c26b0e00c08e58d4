//! Requests as they stand on the wire.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{PATIENCE, Served};

impl Served {
    /// Sends a request as it stands on the wire; the answer up to the end of the connection.
    pub(crate) async fn raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.expect("the hub is served");
        stream.write_all(request.as_bytes()).await.expect("the request is taken");
        let mut answer = String::new();
        let reading = timeout(PATIENCE, stream.read_to_string(&mut answer)).await;
        reading.expect("the connection ends").expect("the answer is text");
        answer
    }

    /// Posts nothing with these headers.
    pub(crate) async fn post(&self, path: &str, headers: &str) -> String {
        let host = self.address;
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{headers}content-length: 0\r\n\r\n"
        );
        self.raw(&request).await
    }
}
