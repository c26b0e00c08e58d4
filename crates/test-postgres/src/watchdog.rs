//! Cleans up after this process, however it ends.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use crate::Error;

/// A shell that waits for the end of this process and then runs a script.
///
/// It reads from a pipe that only this process holds open, so that a crash and a kill end the
/// wait just as an exit does. It is in a process group of its own, which Ctrl-C does not reach.
/// Dropping the watchdog runs the script too, and waits for it. It keeps the standard error of
/// this process, so that whoever waits for the end of that output waits for the clean-up too.
#[derive(Debug)]
pub(crate) struct Watchdog(Child);

impl Watchdog {
    /// Runs `script` with `argument` as its `$1` at the end.
    pub(crate) fn start(script: &str, argument: &str) -> Result<Self, Error> {
        let script = format!("trap '' HUP INT TERM; cat >/dev/null; {script}");
        let child = Command::new("/bin/sh")
            .args(["-c", &script, "watchdog", argument])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .current_dir("/")
            .process_group(0)
            .spawn();
        let start = |source| Error::Start { program: "/bin/sh".to_owned(), source };
        child.map(Self).map_err(start)
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        // Waiting closes the pipe first. There is nobody to tell when it fails.
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_runs_when_the_pipe_closes_and_not_before() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ended");
        let mut dog = Watchdog::start("echo done > \"$1\"", file.to_str().unwrap()).unwrap();
        assert!(dog.0.try_wait().unwrap().is_none());
        assert!(!file.exists());
        drop(dog);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "done\n");
    }
}
