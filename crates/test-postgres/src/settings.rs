//! What a test chooses about a server of its own.

/// How a throw-away server is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Whether commits reach the disk before they are confirmed. Default false, for speed; data
    /// survives a crash of the server even so, only not one of the machine. True for benchmarks.
    pub durable: bool,
    /// PostgreSQL's `shared_buffers`. Default 128MB; more for benchmarks.
    pub shared_buffers: String,
    /// PostgreSQL's `max_connections`. Default 300; fewer to test what happens without one.
    pub connections_max: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { durable: false, shared_buffers: "128MB".to_owned(), connections_max: 300 }
    }
}

impl Settings {
    /// As the parameters of PostgreSQL.
    pub(crate) fn parameters(&self) -> Vec<(&'static str, String)> {
        let durable = if self.durable { "on" } else { "off" };
        vec![
            ("fsync", durable.to_owned()),
            ("full_page_writes", durable.to_owned()),
            ("shared_buffers", self.shared_buffers.clone()),
            ("max_connections", self.connections_max.to_string()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_durable_server_waits_for_the_disk() {
        for (durable, fsync) in [(false, "off"), (true, "on")] {
            let settings = Settings { durable, ..Settings::default() };
            assert!(settings.parameters().contains(&("fsync", fsync.to_owned())));
        }
    }
}
