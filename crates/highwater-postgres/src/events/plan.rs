//! Decides which of the waiting appends can be made in one call, and what became of the others.
//!
//! Nothing here talks to the database: the facts of its answers go in, the next call comes out.

use std::collections::{HashMap, HashSet};

use highwater_core::{
    Appended, AppendedStream, EventId, Offset, StoreError, StreamAppend, StreamName,
};

use super::group::{Done, Group};

/// Facts about the log, as calls of the running commit have told.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// The last offset of each stream that was named, -1 for none.
    pub(crate) heads: HashMap<StreamName, i64>,
    /// Ids that stand for events already.
    pub(crate) known: HashSet<EventId>,
}

/// Plan for the appends that wait.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    /// The events to append, of all appends that are taken.
    pub(crate) group: Group<'a>,
    /// Appends that the call is made for: each one's place among the waiting, and the place of
    /// its first event in the group.
    pub(crate) taken: Vec<(usize, usize)>,
    /// Appends that cannot be made: an id is known, or a stream is not as expected.
    pub(crate) refused: Vec<usize>,
}

/// Place of one append in the group, if it has one.
enum Fit {
    Taken,
    Refused,
    Later,
}

impl<'a> Plan<'a> {
    /// Plans the next call for `waiting`, oldest first.
    ///
    /// An append that is neither taken nor refused depends on what becomes of an earlier one to
    /// its stream, and is planned again after the call.
    pub(crate) fn new(waiting: &[&'a [StreamAppend]], facts: &Facts) -> Self {
        let mut plan = Self { group: Group::default(), taken: Vec::new(), refused: Vec::new() };
        let mut blocked: HashSet<&StreamName> = HashSet::new();
        for (index, batch) in waiting.iter().enumerate() {
            match plan.fit(batch, facts, &blocked) {
                Fit::Taken => {
                    plan.taken.push((index, plan.group.events().len()));
                    plan.take(batch);
                }
                Fit::Refused => plan.refused.push(index),
                Fit::Later => blocked.extend(batch.iter().map(|part| &part.stream)),
            }
        }
        plan
    }

    fn fit(&self, batch: &[StreamAppend], facts: &Facts, blocked: &HashSet<&StreamName>) -> Fit {
        if batch.iter().flat_map(|part| &part.events).any(|e| facts.known.contains(&e.id)) {
            return Fit::Refused;
        }
        if batch.iter().any(|part| blocked.contains(&part.stream)) {
            return Fit::Later;
        }
        let misfit = |part: &&StreamAppend| {
            let required = self.group.required_for(&part.stream, part.expected);
            let head = facts.heads.get(&part.stream);
            required.is_none_or(|required| head.is_some_and(|head| !required.admits(*head)))
        };
        let mut misfits = batch.iter().filter(misfit).peekable();
        if misfits.peek().is_none() {
            Fit::Taken
        } else if misfits.any(|part| !self.group.has(&part.stream)) {
            // Nothing is about to change this stream, and it is known where it is.
            Fit::Refused
        } else {
            Fit::Later
        }
    }

    fn take(&mut self, batch: &'a [StreamAppend]) {
        for part in batch {
            self.group.require(&part.stream, part.expected);
            for event in &part.events {
                self.group.push(&part.stream, event);
            }
        }
    }

    /// Where the events of a taken append have been put; `None` when `done` is of another call.
    pub(crate) fn appended(
        &self,
        batch: &[StreamAppend],
        first_event: usize,
        done: &Done,
    ) -> Option<Appended> {
        let mut streams = Vec::with_capacity(batch.len());
        let mut next = first_event;
        for part in batch {
            let first = self.group.offset(next, done)?;
            next += part.events.len();
            let last = self.group.offset(next - 1, done)?;
            streams.push(AppendedStream { stream: part.stream.clone(), first, last });
        }
        Some(Appended { streams, position: self.group.position(next - 1, done)? })
    }
}

impl Facts {
    /// Keeps where the streams of `group` were before a call that appended nothing.
    pub(crate) fn learn(&mut self, group: &Group<'_>, heads: &[i64]) {
        let names = group.streams().iter().map(|stream| stream.name.clone());
        self.heads.extend(names.zip(heads.iter().copied()));
    }

    /// Keeps where they are after a call that appended the group.
    pub(crate) fn learn_done(&mut self, group: &Group<'_>, done: &Done) {
        let heads = group.streams().iter().zip(&done.heads);
        let heads = heads.map(|(stream, head)| head + i64::from(stream.count));
        self.learn(group, &heads.collect::<Vec<_>>());
    }

    /// Reason why an append that was refused, and none of whose ids is known, was refused.
    pub(crate) fn conflict(&self, batch: &[StreamAppend]) -> StoreError {
        for part in batch {
            let Some(head) = self.heads.get(&part.stream) else { continue };
            match Offset::from_sql(*head) {
                Ok(actual) if part.expected.admits(actual) => {}
                Ok(actual) => {
                    let (stream, expected) = (part.stream.clone(), part.expected);
                    return StoreError::Conflict { stream, expected, actual };
                }
                Err(error) => return error.into(),
            }
        }
        StoreError::Backend("the database refused an append without a reason".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use highwater_core::{EventType, Expected, NewEvent, Payload};

    fn part(stream: &'static str, expected: Expected) -> StreamAppend {
        let data = Payload::parse("1").unwrap();
        let event = NewEvent::new(EventType::from_static("Counted"), data);
        StreamAppend::new(StreamName::from_static(stream), vec![event]).expecting(expected)
    }

    fn at(offset: u64) -> Expected {
        Expected::At(Offset::new(offset))
    }

    /// Which of the appends are taken and which are refused, when `heads` are known.
    fn plan(
        appends: &[Vec<StreamAppend>],
        heads: &[(&'static str, i64)],
    ) -> (Vec<usize>, Vec<usize>) {
        let heads = heads.iter().map(|(name, head)| (StreamName::from_static(name), *head));
        let facts = Facts { heads: heads.collect(), known: HashSet::new() };
        let waiting: Vec<_> = appends.iter().map(Vec::as_slice).collect();
        let plan = Plan::new(&waiting, &facts);
        (plan.taken.iter().map(|(index, _)| *index).collect(), plan.refused)
    }

    #[test]
    fn appends_that_follow_each_other_share_a_call() {
        let appends =
            [vec![part("a", Expected::NoStream)], vec![part("a", at(0))], vec![part("b", at(7))]];
        assert_eq!(plan(&appends, &[]), (vec![0, 1, 2], vec![]));
        let appends = [vec![part("a", Expected::Any)], vec![part("a", Expected::Exists)]];
        assert_eq!(plan(&appends, &[]), (vec![0, 1], vec![]));
    }

    #[test]
    fn of_appends_that_exclude_each_other_the_first_is_tried_alone() {
        let appends = [vec![part("a", at(3))], vec![part("a", at(3))], vec![part("a", at(4))]];
        assert_eq!(plan(&appends, &[]), (vec![0], vec![]));
        assert_eq!(plan(&appends, &[("a", 3)]), (vec![0], vec![]));
        assert_eq!(plan(&appends[1..], &[("a", 4)]), (vec![1], vec![0]));
    }

    #[test]
    fn an_append_that_known_heads_rule_out_holds_up_no_other_stream() {
        let appends = [
            vec![part("a", Expected::Any)],
            vec![part("a", at(5))],
            vec![part("a", Expected::Any)],
            vec![part("b", Expected::NoStream), part("c", Expected::Any)],
            vec![part("d", Expected::Exists)],
        ];
        assert_eq!(plan(&appends, &[]), (vec![0, 1, 2, 3, 4], vec![]));
        let heads = [("a", 0), ("b", 2), ("d", -1)];
        assert_eq!(plan(&appends, &heads), (vec![0], vec![3, 4]));
    }

    #[test]
    fn a_conflict_names_the_stream_that_is_elsewhere() {
        let batch = [part("a", Expected::Any), part("b", at(1))];
        let heads = [("a", 4), ("b", -1)].map(|(n, head)| (StreamName::from_static(n), head));
        let facts = Facts { heads: HashMap::from(heads), known: HashSet::new() };
        match facts.conflict(&batch) {
            StoreError::Conflict { stream, expected, actual } => {
                assert_eq!((stream.as_str(), expected, actual), ("b", at(1), None));
            }
            other => panic!("expected a conflict, got {other:?}"),
        }
    }
}
