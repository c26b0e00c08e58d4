//! How far an import has come: a bar on a terminal, else a line now and then.

use std::io::Read;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::output;

const BETWEEN_LINES: Duration = Duration::from_secs(1);

/// Shows the bytes read of an input, and the events imported from it, on standard error.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    events: u64,
    next_line: Instant,
}

impl Progress {
    /// Of an input of `bytes`, when that is known.
    pub(crate) fn new(bytes: Option<u64>) -> Self {
        let (bar, template) = match bytes {
            Some(bytes) => (ProgressBar::new(bytes), "{bar:40} {percent}% {msg} {elapsed}"),
            None => (ProgressBar::no_length(), "{spinner} {bytes} {msg} {elapsed}"),
        };
        let style = ProgressStyle::with_template(template);
        let bar = bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, events: 0, next_line: Instant::now() }
    }

    /// The input, its bytes counted as they are read.
    pub(crate) fn watch<R: Read>(&self, input: R) -> impl Read + use<R> {
        self.bar.wrap_read(input)
    }

    /// Shows that so many more events are in the store.
    pub(crate) fn advance(&mut self, events: u64) {
        self.events += events;
        self.bar.set_message(format!("{} events", self.events));
        if self.bar.is_hidden() && Instant::now() >= self.next_line {
            self.next_line = Instant::now() + BETWEEN_LINES;
            output::tell(&self.line());
        }
    }

    /// Removes the bar, to make place for what was achieved.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn line(&self) -> String {
        let (events, read) = (self.events, self.bar.position());
        match self.bar.length() {
            Some(all) if all > 0 => format!("{events} events, {} %", read * 100 / all),
            _ => format!("{events} events, {read} bytes"),
        }
    }
}
