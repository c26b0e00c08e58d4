//! Tells whether the file that is open is still the one that has its name.

use std::io;
use std::path::PathBuf;

/// A file by its name and by what it is.
///
/// SQLite goes on with a file that was deleted while it was open, and so would confirm appends
/// that nobody will ever find.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    path: PathBuf,
    known: Known,
}

/// Device and number of a file; elsewhere an open file cannot be deleted.
type Known = Option<(u64, u64)>;

impl Identity {
    /// The file that has this name now.
    pub(crate) fn of(path: PathBuf) -> io::Result<Self> {
        let known = look(&path)?;
        Ok(Self { path, known })
    }

    /// Tells whether the same file still has the name.
    pub(crate) fn holds(&self) -> bool {
        look(&self.path).is_ok_and(|now| now == self.known)
    }
}

#[cfg(unix)]
fn look(path: &std::path::Path) -> io::Result<Known> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path)?;
    Ok(Some((metadata.dev(), metadata.ino())))
}

#[cfg(not(unix))]
fn look(path: &std::path::Path) -> io::Result<Known> {
    std::fs::metadata(path).map(|_| None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_replaced_is_another_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.db");
        std::fs::write(&path, "one").unwrap();
        let identity = Identity::of(path.clone()).unwrap();
        assert!(identity.holds());
        std::fs::rename(&path, dir.path().join("elsewhere")).unwrap();
        assert!(!identity.holds());
        std::fs::write(&path, "two").unwrap();
        assert!(!identity.holds());
    }
}
