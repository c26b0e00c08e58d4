//! How the live hub treats its clients.

use std::time::Duration;

/// Times, sizes and limits of the live hub; the defaults suit most.
///
/// ```
/// use highwater_live::LiveOptions;
/// let options = LiveOptions {
///     allowed_origins: vec!["https://shop.example".to_owned()],
///     ..Default::default()
/// };
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveOptions {
    /// Origins of pages, other than the hub's own, that may connect; each as the browser sends
    /// it, such as `https://shop.example`. Default none. The hub's own are those of the `Host`
    /// that is asked for, and a page can have any name lead anywhere: a hub that relies on who can
    /// reach it, and on no [`Access`](crate::access::Access), has to be behind a check of `Host`.
    pub allowed_origins: Vec<String>,
    /// Live events kept for each source that is followed, rounded up to a power of two; whoever
    /// falls behind further reads the log. Default 64; raise it when bursts cause many reads.
    pub live_buffer: usize,
    /// Bytes of live events, about, that are kept for all sources together; while there are no
    /// more, everybody reads the log. Default 64 MiB; raise it when many large events come at
    /// once.
    pub live_bytes: usize,
    /// Interval at which projections that are followed are looked at. Default 250 ms, one query
    /// for all; raise it to spare the store.
    pub projection_interval: Duration,
    /// Time that a connection may be silent before the hub sends a ping. Default 15 s; clients
    /// give up after 30 s, so lower it only.
    pub keep_alive: Duration,
    /// Time that a client that has begun to send pings may be silent. Default 30 s; raise it for
    /// clients that ping less often than each 15 s. One that never pings and vanishes without a
    /// word is noticed when TCP gives up on it.
    pub client_timeout: Duration,
    /// Time that a client may take for its handshake. Default 15 s; lower it under attack.
    pub handshake_timeout: Duration,
    /// Time that a client may take to connect after negotiate, and to poll again when it polls.
    /// Default 15 s; raise it for very slow networks.
    pub attach_timeout: Duration,
    /// Time that a client may take none of the bytes that wait for it before it is disconnected;
    /// for a message of more than 64 KiB, so long for each 64 KiB. Default 30 s; lower it to free
    /// memory earlier.
    pub stall_timeout: Duration,
    /// Time that a poll waits for something to send. Default 90 s; clients give up at 100 s, and
    /// some proxies earlier.
    pub poll_timeout: Duration,
    /// True when a WebSocket with an unknown connection id is refused instead of treated as a new
    /// connection. Default false, which needs no sticky sessions.
    pub strict_connection_id: bool,
    /// Bounds on what clients may use.
    pub limits: LiveLimits,
}

/// Bounds on what clients may use; what is over one is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveLimits {
    /// Bytes of a message or of the body of a request from a client. Default 32 KiB; no method
    /// needs more.
    pub message_bytes: usize,
    /// Bytes of a message to a client. Default 900 KiB; raise it when no client is pysignalr,
    /// which takes no WebSocket message of 1 MiB or more.
    pub event_bytes: usize,
    /// Subscriptions of one connection. Default 100; a category needs only one.
    pub subscriptions: usize,
    /// Connections in total. Default 10,000; raise it with the limit on open files.
    pub connections: usize,
    /// Connections of one identity. Default 100; none when identities are whole services.
    pub connections_per_identity: Option<usize>,
    /// Connections of one address, and ids that it may have negotiated and not used. Default 500.
    ///
    /// It needs a server that provides `ConnectInfo<SocketAddr>`; without it all are one address
    /// and nothing is counted. Behind a proxy every client has the proxy's address: have a layer
    /// put the address that the proxy tells in place of it, or set none and have the proxy count.
    pub connections_per_address: Option<usize>,
    /// New connections per second, and as many at once. Default 2,000; lower it to protect the
    /// store from everyone coming back at the same time.
    pub connects_per_second: u32,
    /// The same for one address. Default 500; behind a proxy as above.
    pub connects_per_second_per_address: Option<u32>,
    /// Messages of one connection per second, and as many at once. Default 100; what comes faster
    /// is not refused but read later.
    pub calls_per_second: u32,
    /// Reads of the log for clients that are under way at once, one of each connection. Default 2;
    /// keep it below what the store has for readers, so that some is left for everybody else.
    pub reads: usize,
    /// Bytes that are held for clients in total. Default 256 MiB; when more would be needed, those
    /// clients are disconnected that have taken nothing for the longest.
    pub buffered_bytes: usize,
}

impl Default for LiveOptions {
    fn default() -> Self {
        Self {
            allowed_origins: Vec::new(),
            live_buffer: 64,
            live_bytes: 64 << 20,
            projection_interval: Duration::from_millis(250),
            keep_alive: Duration::from_secs(15),
            client_timeout: Duration::from_secs(30),
            handshake_timeout: Duration::from_secs(15),
            attach_timeout: Duration::from_secs(15),
            stall_timeout: Duration::from_secs(30),
            poll_timeout: Duration::from_secs(90),
            strict_connection_id: false,
            limits: LiveLimits::default(),
        }
    }
}

impl Default for LiveLimits {
    fn default() -> Self {
        Self {
            message_bytes: 32 << 10,
            event_bytes: 900 << 10,
            subscriptions: 100,
            connections: 10_000,
            connections_per_identity: Some(100),
            connections_per_address: Some(500),
            connects_per_second: 2_000,
            connects_per_second_per_address: Some(500),
            calls_per_second: 100,
            reads: 2,
            buffered_bytes: 256 << 20,
        }
    }
}
