//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use crate::Result;

const USAGE: &str = "\
usage: bench --date YYYY-MM-DD [--quick] [--output FILE]

DATABASE_URL names a PostgreSQL that waits for the disk; `cargo xtask bench` provides one.";

/// What the program is asked to do.
pub(crate) enum Arguments {
    /// Measure everything and report.
    Measure(Plan),
    /// Catch up in this process and tell how much memory it took.
    CatchUp {
        /// The PostgreSQL that has the log.
        url: String,
    },
}

/// How long and how much to measure.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// The PostgreSQL.
    pub(crate) url: String,
    /// Today, for the report.
    pub(crate) date: String,
    /// Where the report is written besides the standard output.
    pub(crate) output: Option<PathBuf>,
    /// Measured rounds of either side; the warm-up comes on top.
    pub(crate) rounds: usize,
    /// How long a round lasts.
    pub(crate) round: Duration,
    /// The length of the log that is read.
    pub(crate) events: u64,
    /// The length of the log whose catch-up is weighed.
    pub(crate) long_events: u64,
}

impl Arguments {
    /// The argument by which this program asks another process to catch up.
    pub(crate) const CATCH_UP: &str = "catch-up";

    /// Reads the arguments and `DATABASE_URL`.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let url = std::env::var("DATABASE_URL").map_err(|_| USAGE)?;
        let mut plan = Plan {
            url,
            date: String::new(),
            output: None,
            rounds: 5,
            round: Duration::from_millis(1500),
            events: 200_000,
            long_events: 1_000_000,
        };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                Self::CATCH_UP => return Ok(Self::CatchUp { url: plan.url }),
                "--quick" => plan.shorten(),
                "--date" => plan.date = arguments.next().ok_or(USAGE)?,
                "--output" => plan.output = Some(arguments.next().ok_or(USAGE)?.into()),
                _ => return Err(USAGE.into()),
            }
        }
        if plan.date.is_empty() { Err(USAGE.into()) } else { Ok(Self::Measure(plan)) }
    }
}

impl Plan {
    /// Enough to see that everything works; the figures mean little.
    fn shorten(&mut self) {
        (self.rounds, self.round) = (3, Duration::from_millis(300));
        (self.events, self.long_events) = (50_000, 100_000);
    }
}
