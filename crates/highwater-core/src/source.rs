//! What can be followed: a stream, a category of streams, or the whole log.

use std::fmt;
use std::str::FromStr;

use crate::events::RecordedEvent;
use crate::name::{Category, InvalidName, StreamName};
use crate::offset::Offset;

/// A sequence of events that can be read and followed from any offset.
///
/// Categories and the whole log are streams that the store makes out of others: an event's
/// offset in them is its [`Position`](crate::offset::Position), so their offsets increase but, unlike a
/// plain stream's, need not be gapless. As text they are `$category:receipt` and `$all`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// One stream.
    Stream(StreamName),
    /// Every stream of one category, in the order of the store.
    Category(Category),
    /// Every stream, in the order of the store.
    All,
}

const ALL: &str = "$all";
const CATEGORY: &str = "$category:";

impl Source {
    /// The event's place in this source.
    #[must_use]
    pub fn offset_of<E>(&self, event: &crate::events::Recorded<E>) -> Offset {
        match self {
            Self::Stream(_) => event.offset,
            Self::Category(_) | Self::All => Offset::new(event.position.get()),
        }
    }

    /// Tells whether the event belongs to this source.
    #[must_use]
    pub fn contains(&self, event: &RecordedEvent) -> bool {
        match self {
            Self::Stream(stream) => *stream == event.stream,
            Self::Category(category) => *category == event.stream.category(),
            Self::All => true,
        }
    }
}

impl From<StreamName> for Source {
    fn from(stream: StreamName) -> Self {
        Self::Stream(stream)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stream(stream) => stream.fmt(f),
            Self::Category(category) => write!(f, "{CATEGORY}{category}"),
            Self::All => f.write_str(ALL),
        }
    }
}

impl FromStr for Source {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        match text.strip_prefix(CATEGORY) {
            _ if text == ALL => Ok(Self::All),
            Some(category) => Category::new(category).map(Self::Category),
            None => StreamName::new(text).map(Self::Stream),
        }
    }
}

impl serde::Serialize for Source {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Source {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_reads_back_from_its_text() {
        for text in ["UserWorkflow", "$category:receipt", "$all"] {
            assert_eq!(text.parse::<Source>().unwrap().to_string(), text);
        }
        for bad in ["", "$category:", "$nothing"] {
            assert!(bad.parse::<Source>().is_err(), "{bad}");
        }
    }
}
