//! Installs the clients, once, at the versions of the lock files.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use test_programs::Program;

const SCRIPTS: [(&str, &str); 3] = [
    ("client.mjs", include_str!("client.mjs")),
    ("pysignalr_client.py", include_str!("pysignalr_client.py")),
    ("signalrcore_client.py", include_str!("signalrcore_client.py")),
];

/// The directory with the scripts and what they import.
pub(crate) fn clients() -> &'static Path {
    static CLIENTS: OnceLock<PathBuf> = OnceLock::new();
    CLIENTS.get_or_init(|| {
        let target_tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
        test_programs::clients(target_tmp, &SCRIPTS).unwrap_or_else(|error| panic!("{error}"))
    })
}

/// Where `program` is, which is installed when it is missing.
pub(crate) fn path(program: &'static Program) -> &'static Path {
    program.path().unwrap_or_else(|error| panic!("{error}"))
}
