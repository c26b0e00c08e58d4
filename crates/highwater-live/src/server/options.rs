//! How the server treats its clients.

use std::time::Duration;

/// Times, sizes and limits of the server; the defaults suit most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerOptions {
    /// Connections in total. Default 12,000; fewer where the limit on open files, of which a
    /// quarter is left to others, allows no more. One more takes the place of the connection that
    /// the server has waited for longest; it is refused only when all are busy.
    pub connections: usize,
    /// Connections of one address, of IPv6 of one network of 64 bits. Default 9,000, and at most
    /// three quarters of all; lower it where no proxy makes many clients one address.
    pub connections_per_address: usize,
    /// Time that a client may take to begin and to end the head of a request. Default 10 s.
    pub header_timeout: Duration,
    /// Bytes of the head of a request. Default 64 KiB.
    pub header_bytes: usize,
    /// Time that a connection may be silent between two requests. Default 75 s.
    pub idle_timeout: Duration,
    /// Time that a client may take for the body of a request: so long for each
    /// [`body_step`](Self::body_step) that it has. Default 20 s.
    pub body_timeout: Duration,
    /// Bytes of a body that earn its client another [`body_timeout`](Self::body_timeout). Default
    /// 256 KiB.
    pub body_step: usize,
    /// Bytes of the body of one request, whatever its route allows. Default 16 MiB, as of one
    /// append.
    pub body_bytes: usize,
    /// Bytes of all bodies that are received or worked on. Default 48 MiB, of which a quarter is
    /// kept for bodies of up to 64 KiB. Where there is no room a body waits, and those that take
    /// longest are refused.
    pub bodies_bytes: usize,
    /// Time that a client may take none of what is written to it. Default 30 s.
    pub stall_timeout: Duration,
    /// Names and addresses, in small letters and without a port, that the server answers to beside
    /// loopback ones and the address that was connected to. Default none but these; `None` answers
    /// to every name, for a server behind a proxy that checks them, or one that leaves nothing to
    /// who can reach it.
    pub allowed_hosts: Option<Vec<String>>,
    /// Time that requests may take to end once a stop is asked for. Default 10 s.
    pub drain_timeout: Duration,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            connections: 12_000,
            connections_per_address: 9_000,
            header_timeout: Duration::from_secs(10),
            header_bytes: 64 << 10,
            idle_timeout: Duration::from_secs(75),
            body_timeout: Duration::from_secs(20),
            body_step: 256 << 10,
            body_bytes: 16 << 20,
            bodies_bytes: 48 << 20,
            stall_timeout: Duration::from_secs(30),
            allowed_hosts: Some(Vec::new()),
            drain_timeout: Duration::from_secs(10),
        }
    }
}

/// What the server holds now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerGauges {
    /// Connections that are open, WebSockets included.
    pub connections: usize,
    /// Connections that the server waits for: silent, unfinished or not reading.
    pub waiting_connections: usize,
    /// Bytes of the bodies that are received or worked on.
    pub body_bytes: usize,
}
