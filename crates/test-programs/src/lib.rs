//! The programs that tests run: found where they are, else installed once.
//!
//! No test is skipped for want of a program. [`Program::path`] finds it or, as root on Debian,
//! installs its package; everywhere else it fails and names what to install. [`install_all()`]
//! does so for all of them at once, before a test run begins. Test processes that need something
//! at the same moment wait for each other, so that the package manager never refuses one of them.

mod apt;
mod clients;
mod command;
mod error;
mod lock;
mod program;

pub use clients::clients;
pub use error::Error;
pub use program::{ALL, CHROMIUM, NODE, NPM, PGBOUNCER, POSTGRESQL, PYTHON, Program, provide};

use std::path::Path;

/// Installs whatever is missing of [`ALL`] and of the SignalR clients below `target_tmp`.
pub fn install_all(target_tmp: &Path) -> Result<(), Error> {
    provide(&ALL)?;
    clients(target_tmp, &[]).map(drop)
}
