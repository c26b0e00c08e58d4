//! Runs commands to their end, or to a deadline.

use std::io::{Read, pipe};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::Error;

const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// Runs `command`, and ends it when it has taken `patience`; its output, told only by the error.
pub(crate) fn run(command: &mut Command, patience: Duration) -> Result<(), Error> {
    let name = shown(command);
    let start = |source| Error::Start { command: name.clone(), source };
    let (output, end) = pipe().map_err(start)?;
    let other_end = end.try_clone().map_err(start)?;
    command.stdin(Stdio::null()).stdout(end).stderr(other_end);
    let child = command.spawn().map_err(start);
    // The ends that the command holds would keep the pipe open.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = child?;
    let reader = read(output);
    match wait(&mut child, patience).map_err(start)? {
        Some(status) if status.success() => Ok(()),
        Some(_) => Err(Error::Failed { command: name, output: said(reader) }),
        None => Err(Error::TooSlow { command: name, patience }),
    }
}

/// The status, or `None` when it took too long and was killed.
fn wait(child: &mut Child, patience: Duration) -> std::io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(BETWEEN_LOOKS);
    }
}

/// Reads in a thread, so that the command never waits for room in the pipe.
fn read(mut output: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut said = Vec::new();
        // What was read before an error is all that there is to tell.
        let _ = output.read_to_end(&mut said);
        said
    })
}

fn said(reader: JoinHandle<Vec<u8>>) -> String {
    String::from_utf8_lossy(&reader.join().unwrap_or_default()).trim().to_owned()
}

/// The command as one would type it.
fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_ends_well_fails_with_its_words_or_is_ended_in_time() {
        let sh = |script: &str, patience| run(Command::new("sh").args(["-c", script]), patience);
        let minute = Duration::from_secs(60);
        sh("echo much; exit 0", minute).unwrap();
        let failed = sh("echo out; echo err >&2; exit 3", minute).unwrap_err().to_string();
        assert!(failed.contains("out") && failed.contains("err"), "{failed}");
        let slow = run(Command::new("sleep").arg("600"), Duration::from_millis(50)).unwrap_err();
        assert!(matches!(slow, Error::TooSlow { .. }), "{slow}");
        let gone = run(&mut Command::new("/no/such/program"), minute).unwrap_err();
        assert!(matches!(gone, Error::Start { .. }), "{gone}");
    }
}
