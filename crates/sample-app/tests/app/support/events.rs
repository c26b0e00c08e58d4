//! CloudEvents to import.

use std::fmt;
use std::io::Write;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use uuid::Uuid;

use super::Database;

/// The `number`th event of a made-up log, as a line; the same number gives the same line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cloud {
    pub(crate) subject: &'static str,
    pub(crate) number: u64,
}

impl Cloud {
    pub(crate) fn id(self) -> String {
        Uuid::from_u128(u128::from(self.number) + 1).to_string()
    }

    /// Earlier for a higher number, to tell the order of the stream from that of time.
    pub(crate) fn time(self) -> String {
        format!("2020-01-01T00:00:{:02}.5+02:00", 59 - self.number % 60)
    }
}

impl fmt::Display for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, number } = self;
        let (id, time) = (self.id(), self.time());
        writeln!(
            f,
            r#"{{"specversion":"1.0","id":"{id}","source":"/test","type":"T{number} Done","subject":"{subject}","time":"{time}","data":{{"number": {number}}}}}"#
        )
    }
}

/// Writes a file that goes with the database.
pub(crate) fn write_file(database: &Database, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = database.directory.path().join(name);
    std::fs::write(&path, content).unwrap();
    path
}

pub(crate) fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}
