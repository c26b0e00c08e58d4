//! A lock between processes, gone with the process that holds it.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Error;

const BETWEEN_TRIES: Duration = Duration::from_millis(100);

/// A locked file; dropping it, or the end of the process, unlocks it.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "it is held open")] File);

impl Lock {
    /// Waits for the lock at most for `patience`, and says so when it has to wait.
    pub(crate) fn take(path: &Path, patience: Duration) -> Result<Self, Error> {
        let failed = |source| Error::File { path: path.to_owned(), source };
        let file = File::options().create(true).append(true).open(path).map_err(failed)?;
        let deadline = Instant::now() + patience;
        let mut is_told = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::Error(source)) => return Err(failed(source)),
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                    return Err(Error::Locked { path: path.to_owned(), patience });
                }
                Err(TryLockError::WouldBlock) => {
                    if !is_told {
                        eprintln!("waiting for another test process that installs programs");
                        is_told = true;
                    }
                    std::thread::sleep(BETWEEN_TRIES);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_waited_for_no_longer_than_asked_and_is_free_once_it_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = Lock::take(&path, Duration::ZERO).unwrap();
        let refused = Lock::take(&path, Duration::from_millis(1)).unwrap_err();
        assert!(matches!(refused, Error::Locked { .. }), "{refused}");
        let waiting = std::thread::spawn({
            let path = path.clone();
            move || Lock::take(&path, Duration::from_secs(60)).map(drop)
        });
        drop(held);
        waiting.join().unwrap().unwrap();
    }
}
