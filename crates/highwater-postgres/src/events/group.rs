//! Events that are appended by one call, and what must be true of their streams.

use std::collections::HashMap;

use highwater_core::{Expected, NewEvent, Offset, Position, StreamName};

/// Where a stream must be before the first event of the group is appended to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Required {
    Anywhere,
    NotEmpty,
    /// At this offset, -1 for an empty stream.
    At(i64),
}

impl Required {
    /// Returns what `expected` requires, when `before` events of the group go to the stream first;
    /// `None` when no head can satisfy it.
    fn of(expected: Expected, before: i64) -> Option<Self> {
        match expected {
            Expected::Any => Some(Self::Anywhere),
            Expected::Exists if before > 0 => Some(Self::Anywhere),
            Expected::Exists => Some(Self::NotEmpty),
            Expected::NoStream => (before == 0).then_some(Self::At(-1)),
            Expected::At(offset) => {
                let head = Offset::to_sql(Some(offset)) - before;
                (head >= -1).then_some(Self::At(head))
            }
        }
    }

    /// Returns what satisfies both, if anything can.
    fn and(self, other: Self) -> Option<Self> {
        match (self, other) {
            (one, Self::Anywhere) | (Self::Anywhere, one) => Some(one),
            (Self::NotEmpty, Self::NotEmpty) => Some(Self::NotEmpty),
            (Self::NotEmpty, Self::At(head)) | (Self::At(head), Self::NotEmpty) => {
                (head >= 0).then_some(Self::At(head))
            }
            (Self::At(one), Self::At(other)) => (one == other).then_some(Self::At(one)),
        }
    }

    /// Tells whether a stream at `head` satisfies it.
    pub(crate) fn admits(self, head: i64) -> bool {
        match self {
            Self::Anywhere => true,
            Self::NotEmpty => head >= 0,
            Self::At(required) => head == required,
        }
    }

    /// As the function `append` takes it.
    pub(crate) fn to_sql(self) -> i64 {
        match self {
            Self::Anywhere => -2,
            Self::NotEmpty => -3,
            Self::At(head) => head,
        }
    }
}

/// Answer of the function `append` after it has appended.
#[derive(Debug)]
pub(crate) struct Done {
    /// Where each stream of the group was before.
    pub(crate) heads: Vec<i64>,
    /// The position of the last event.
    pub(crate) last: i64,
}

/// Events in the order in which they will stand in the log.
#[derive(Debug, Default)]
pub(crate) struct Group<'a> {
    streams: Vec<Stream<'a>>,
    subscripts: HashMap<&'a StreamName, usize>,
    events: Vec<Event<'a>>,
}

#[derive(Debug)]
pub(crate) struct Stream<'a> {
    pub(crate) name: &'a StreamName,
    pub(crate) required: Required,
    /// Number of events of the group that it gets.
    pub(crate) count: i32,
}

#[derive(Debug)]
pub(crate) struct Event<'a> {
    pub(crate) event: &'a NewEvent,
    pub(crate) stream: &'a StreamName,
    /// The place of its stream in the group, from 0.
    pub(crate) subscript: usize,
    /// Its place among the events for its stream, from 1.
    pub(crate) nth: i32,
}

impl<'a> Group<'a> {
    /// Where `stream` must be for an append that expects `expected` to join; `None` when it
    /// cannot join.
    pub(crate) fn required_for(&self, stream: &StreamName, expected: Expected) -> Option<Required> {
        match self.subscripts.get(stream).map(|subscript| &self.streams[*subscript]) {
            None => Required::of(expected, 0),
            Some(stream) => Required::of(expected, stream.count.into())?.and(stream.required),
        }
    }

    /// Makes what `expected` requires of `stream` a condition of the whole group.
    pub(crate) fn require(&mut self, stream: &'a StreamName, expected: Expected) {
        if let Some(required) = self.required_for(stream, expected) {
            let subscript = self.subscript(stream);
            self.streams[subscript].required = required;
        }
    }

    /// Adds an event to `stream`.
    pub(crate) fn push(&mut self, stream: &'a StreamName, event: &'a NewEvent) {
        let subscript = self.subscript(stream);
        let count = &mut self.streams[subscript].count;
        *count += 1;
        self.events.push(Event { event, stream, subscript, nth: *count });
    }

    fn subscript(&mut self, name: &'a StreamName) -> usize {
        *self.subscripts.entry(name).or_insert_with(|| {
            self.streams.push(Stream { name, required: Required::Anywhere, count: 0 });
            self.streams.len() - 1
        })
    }

    /// Tells whether events of the group go to `stream`.
    pub(crate) fn has(&self, stream: &StreamName) -> bool {
        self.subscripts.contains_key(stream)
    }

    pub(crate) fn streams(&self) -> &[Stream<'a>] {
        &self.streams
    }

    pub(crate) fn events(&self) -> &[Event<'a>] {
        &self.events
    }

    /// The offset that the event at `index` has got.
    pub(crate) fn offset(&self, index: usize, done: &Done) -> Option<Offset> {
        let event = self.events.get(index)?;
        let head = done.heads.get(event.subscript)?;
        Offset::from_sql(head + i64::from(event.nth)).ok()?
    }

    /// The position that the event at `index` has got.
    pub(crate) fn position(&self, index: usize, done: &Done) -> Option<Position> {
        let behind = i64::try_from(self.events.len().checked_sub(index + 1)?).ok()?;
        Position::from_sql(done.last - behind).ok()?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_expected_behind_other_events_is_required_before_them() {
        let at = |offset| Expected::At(Offset::new(offset));
        assert_eq!(Required::of(at(5), 2), Some(Required::At(3)));
        assert_eq!(Required::of(at(1), 2), Some(Required::At(-1)));
        assert_eq!(Required::of(at(0), 2), None);
        assert_eq!(Required::of(Expected::NoStream, 1), None);
        assert_eq!(Required::of(Expected::Exists, 1), Some(Required::Anywhere));
    }

    #[test]
    fn two_requirements_become_one_or_exclude_each_other() {
        let [any, some, empty, at] =
            [Required::Anywhere, Required::NotEmpty, Required::At(-1), Required::At(4)];
        assert_eq!((any.and(at), at.and(any)), (Some(at), Some(at)));
        assert_eq!((some.and(at), some.and(empty)), (Some(at), None));
        assert_eq!((at.and(at), at.and(empty)), (Some(at), None));
    }
}
