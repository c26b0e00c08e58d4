//! Why a program is not there, and what to do about it.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::Program;

/// Why a program is not there.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// Programs are missing, and this is not root on Debian, who could install them.
    Missing(Vec<&'static Program>),

    /// A package was installed and did not bring the program, or brought one that does not work.
    StillMissing(Vec<&'static Program>),

    /// A program failed.
    Failed {
        /// What was run.
        command: String,
        /// What it said.
        output: String,
    },

    /// A program did not end in time.
    TooSlow {
        /// What was run.
        command: String,
        /// How long it was waited for.
        patience: Duration,
    },

    /// A program could not be started.
    Start {
        /// What was to be run.
        command: String,
        /// Why it was not.
        source: io::Error,
    },

    /// Another process has been installing for too long.
    Locked {
        /// The file that it has locked.
        path: PathBuf,
        /// How long it was waited for.
        patience: Duration,
    },

    /// A file or a directory could not be read or written.
    File {
        /// Which one.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(programs) => {
                write!(f, "the tests need programs that are not here; install them:")?;
                programs.iter().try_for_each(|program| write!(f, "\n  {}", program.advice()))?;
                write!(f, "\nAs root on Debian the tests install them.")
            }
            Self::StillMissing(programs) => {
                write!(f, "installed without effect, see whether they run by themselves:")?;
                programs.iter().try_for_each(|program| write!(f, "\n  {}", program.advice()))
            }
            Self::Failed { command, output } => write!(f, "{command} failed: {output}"),
            Self::TooSlow { command, patience } => {
                write!(f, "{command} did not end within {patience:?}")
            }
            Self::Start { command, source } => write!(f, "{command} does not start: {source}"),
            Self::Locked { path, patience } => write!(
                f,
                "{} has been locked for {patience:?} by another test process that installs",
                path.display()
            ),
            Self::File { path, source } => write!(f, "{}: {source}", path.display()),
        }
    }
}

impl std::error::Error for Error {}
