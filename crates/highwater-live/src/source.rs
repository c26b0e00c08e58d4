//! What clients can follow.

use std::fmt;
use std::str::FromStr;

use highwater_core::{InvalidName, ProjectionName, Source};

/// Source that a client can follow: events, or the progress of a projection.
///
/// As text, which clients name it by: `orders`, `$category:receipt`, `$all` and
/// `$projection:user-statistics`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LiveSource {
    /// A stream, a category of streams, or everything; sagas that append events are among them.
    Events(Source),
    /// The checkpoints of one projection.
    Projection(ProjectionName),
}

const PROJECTION: &str = "$projection:";

impl fmt::Display for LiveSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Events(source) => source.fmt(f),
            Self::Projection(name) => write!(f, "{PROJECTION}{name}"),
        }
    }
}

impl FromStr for LiveSource {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        match text.strip_prefix(PROJECTION) {
            Some(name) => ProjectionName::new(name).map(Self::Projection),
            None => text.parse().map(Self::Events),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_reads_back_from_its_text() {
        for text in ["orders", "$category:receipt", "$all", "$projection:user-statistics"] {
            assert_eq!(text.parse::<LiveSource>().unwrap().to_string(), text);
        }
        for bad in ["", "$projection:", "$projection", "$nothing"] {
            assert!(bad.parse::<LiveSource>().is_err(), "{bad}");
        }
    }
}
