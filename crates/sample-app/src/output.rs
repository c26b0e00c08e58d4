//! What the program says. Nobody has to listen: a reader that has gone away, is slow or has a
//! full disk costs lines, and never holds anything up or ends it.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Bytes that wait for the reader of standard error; what comes then is lost and counted.
const WAITING_BYTES_MAX: usize = 1 << 20;

/// Longer lines are cut.
const LINE_BYTES_MAX: usize = 64 << 10;

/// How long the end of the program waits for the reader.
const FLUSH: Duration = Duration::from_secs(1);

static ERRORS: Lines = Lines { waiting: Mutex::new(Waiting::new()), changed: Condvar::new() };

/// Lines on their way to standard error, which a thread of its own writes.
struct Lines {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

struct Waiting {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    lost: u64,
    has_writer: bool,
    is_writing: bool,
}

impl Waiting {
    const fn new() -> Self {
        let lines = VecDeque::new();
        Self { lines, bytes: 0, lost: 0, has_writer: false, is_writing: false }
    }

    fn add(&mut self, line: &[u8]) {
        let line = &line[..line.len().min(LINE_BYTES_MAX)];
        if self.bytes + line.len() > WAITING_BYTES_MAX {
            self.lost += 1;
            return;
        }
        let mut line = line.to_vec();
        if !line.ends_with(b"\n") {
            line.push(b'\n');
        }
        self.bytes += line.len();
        self.lines.push_back(line);
    }

    fn next(&mut self) -> Option<Vec<u8>> {
        if let Some(line) = self.lines.pop_front() {
            self.bytes -= line.len();
            return Some(line);
        }
        let lost = std::mem::take(&mut self.lost);
        (lost > 0).then(|| format!("{lost} lines were lost, nobody took them\n").into_bytes())
    }
}

impl Lines {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&'static self, line: &[u8]) {
        let mut waiting = self.lock();
        waiting.add(line);
        if !waiting.has_writer {
            let writer = thread::Builder::new().name("standard error".to_owned());
            // Without a thread, lines are lost until there can be one.
            waiting.has_writer = writer.spawn(|| self.write()).is_ok();
        }
        self.changed.notify_all();
    }

    fn write(&self) {
        let mut waiting = self.lock();
        loop {
            if let Some(line) = waiting.next() {
                waiting.is_writing = true;
                drop(waiting);
                // There is nowhere to tell that it failed.
                let _ = io::stderr().write_all(&line);
                waiting = self.lock();
                waiting.is_writing = false;
            } else {
                self.changed.notify_all();
                waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn flush(&self, patience: Duration) {
        let is_busy = |waiting: &mut Waiting| {
            waiting.has_writer && (waiting.is_writing || !waiting.lines.is_empty())
        };
        let waited = self.changed.wait_timeout_while(self.lock(), patience, is_busy);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

/// A line on standard error, without waiting for who reads it.
pub(crate) fn tell(line: &str) {
    ERRORS.add(line.as_bytes());
}

/// What takes the lines of the log; each write is one.
#[derive(Debug)]
pub(crate) struct Log;

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        ERRORS.add(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Gives the reader of standard error a moment for what waits, before the program ends.
pub(crate) fn flush() {
    ERRORS.flush(FLUSH);
}

/// Has panics told like everything else.
pub(crate) fn tell_of_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let backtrace = Backtrace::capture();
        match backtrace.status() {
            BacktraceStatus::Captured => tell(&format!("{panic}\n{backtrace}")),
            _ => tell(&panic.to_string()),
        }
    }));
}

/// Prints a line on standard output; that nobody wants to read it is no failure.
pub(crate) fn print(line: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    match writeln!(output, "{line}").and_then(|()| output.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(io::Error::new(error.kind(), format!("standard output: {error}"))),
        Ok(()) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_bounded_in_bytes_and_what_is_lost_is_counted() {
        let mut waiting = Waiting::new();
        for _ in 0..1_000 {
            waiting.add(&[b'x'; 2 * LINE_BYTES_MAX]);
        }
        assert!(waiting.bytes <= WAITING_BYTES_MAX + waiting.lines.len());
        let (kept, lost) = (waiting.lines.len() as u64, waiting.lost);
        assert!(kept > 0 && kept + lost == 1_000);
        while waiting.lines.front().is_some() {
            assert!(waiting.next().unwrap().ends_with(b"x\n"));
        }
        let told = String::from_utf8(waiting.next().unwrap()).unwrap();
        assert!(told.starts_with(&format!("{lost} lines were lost")), "{told}");
        assert_eq!((waiting.next(), waiting.bytes), (None, 0));
    }
}
