//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use crate::Result;

const USAGE: &str = "\
usage: bench --date YYYY-MM-DD [--quick] [--output FILE] [streams|sagas|live]

DATABASE_URL names a PostgreSQL that waits for the disk; `cargo xtask bench` provides one.
FILE is written when everything is measured, at full length; a part is only printed.";

/// What the program is asked to do.
pub(crate) enum Arguments {
    /// Measure and report.
    Measure(Plan),
    /// Do what another process of this program has asked for.
    Child(Child),
}

/// What this program does in a process of its own.
pub(crate) enum Child {
    /// Catch up, and tell how much memory it took.
    CatchUp { url: String },
    /// Have so many sagas wait, and tell how much memory it took.
    WaitingSagas { url: String, sagas: u64 },
    /// Serve live streams to the other process.
    Serve(Served),
}

/// What a process serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Served {
    /// The hub of Highwater.
    Hub,
    /// A bare broadcast.
    Bare,
}

impl Served {
    /// Reads its name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Hub, Self::Bare].into_iter().find(|served| served.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hub => "hub",
            Self::Bare => "bare",
        }
    }
}

/// How long and how much to measure.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// The PostgreSQL.
    pub(crate) url: String,
    /// Today, for the report.
    pub(crate) date: String,
    /// The part that is measured; everything without.
    pub(crate) part: Option<Part>,
    /// Whether it is only seen to that everything works.
    pub(crate) is_quick: bool,
    /// Where the report is written besides the standard output.
    pub(crate) output: Option<PathBuf>,
    /// Measured rounds of every side; the warm-up comes on top.
    pub(crate) rounds: usize,
    /// How long a round lasts.
    pub(crate) round: Duration,
    /// The length of the log that is read.
    pub(crate) events: u64,
    /// The length of the log whose catch-up is weighed.
    pub(crate) long_events: u64,
    /// Sagas that wait at once while they are weighed.
    pub(crate) waiting_sagas: u64,
}

/// Something that can be measured by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Streams and projections.
    Streams,
    /// Sagas.
    Sagas,
    /// Live streams.
    Live,
}

impl Child {
    /// The arguments by which this program asks for each.
    pub(crate) const CATCH_UP: &str = "catch-up";
    pub(crate) const WAITING_SAGAS: &str = "waiting-sagas";
    pub(crate) const SERVE: &str = "serve";
}

impl Arguments {
    /// Reads the arguments and `DATABASE_URL`.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let url = std::env::var("DATABASE_URL").map_err(|_| USAGE)?;
        let mut plan = Plan::full(url);
        while let Some(argument) = arguments.next() {
            let mut next = || arguments.next().ok_or(USAGE);
            match argument.as_str() {
                Child::CATCH_UP => return Ok(Self::Child(Child::CatchUp { url: plan.url })),
                Child::WAITING_SAGAS => {
                    let sagas = next()?.parse()?;
                    return Ok(Self::Child(Child::WaitingSagas { url: plan.url, sagas }));
                }
                Child::SERVE => {
                    return Ok(Self::Child(Child::Serve(Served::parse(&next()?).ok_or(USAGE)?)));
                }
                "--quick" => plan.shorten(),
                "--date" => plan.date = next()?,
                "--output" => plan.output = Some(next()?.into()),
                "streams" => plan.part = Some(Part::Streams),
                "sagas" => plan.part = Some(Part::Sagas),
                "live" => plan.part = Some(Part::Live),
                _ => return Err(USAGE.into()),
            }
        }
        if plan.date.is_empty() { Err(USAGE.into()) } else { Ok(Self::Measure(plan)) }
    }
}

impl Plan {
    fn full(url: String) -> Self {
        Self {
            url,
            date: String::new(),
            part: None,
            is_quick: false,
            output: None,
            rounds: 5,
            round: Duration::from_millis(1500),
            events: 200_000,
            long_events: 1_000_000,
            waiting_sagas: 100_000,
        }
    }

    /// Enough to see that everything works; the figures mean little.
    fn shorten(&mut self) {
        self.is_quick = true;
        (self.rounds, self.round) = (3, Duration::from_millis(300));
        (self.events, self.long_events) = (50_000, 100_000);
        self.waiting_sagas = 10_000;
    }

    /// Whether `part` is to be measured.
    pub(crate) fn has(&self, part: Part) -> bool {
        self.part.is_none_or(|only| only == part)
    }

    /// Where the report goes, when it is one of everything and worth keeping.
    pub(crate) fn report_file(&self) -> Option<&PathBuf> {
        self.output.as_ref().filter(|_| self.part.is_none() && !self.is_quick)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_full_measurement_of_everything_is_kept() {
        let plan = Plan { output: Some("report".into()), ..Plan::full(String::new()) };
        assert!(plan.report_file().is_some());
        assert!(Plan { part: Some(Part::Live), ..plan.clone() }.report_file().is_none());
        assert!(Plan { is_quick: true, ..plan }.report_file().is_none());
    }
}
