//! Which concurrent appends may share one commit.

use std::collections::HashSet;

use crate::events::{EventId, NewEvent, StreamAppend};
use crate::name::StreamName;

/// Events in one group; beyond it the latency of a group grows faster than its throughput.
const GROUP_EVENTS_MAX: usize = 4_096;

/// Bytes of payloads and metadata in one group, which is one message to a database. A larger
/// append goes alone.
const GROUP_BYTES_MAX: usize = 16 << 20;

/// Says of each waiting append whether it belongs to the next group.
///
/// For backends. Within a group no event id occurs twice, so that a repetition finds the first
/// one committed; and an append to several streams shares none of them with another append, so
/// that the outcome of each append depends only on earlier ones to its own stream.
#[must_use]
pub fn choose(waiting: &[&Vec<StreamAppend>]) -> Vec<bool> {
    let mut ids: HashSet<EventId> = HashSet::new();
    let mut single: HashSet<&StreamName> = HashSet::new();
    let mut shared: HashSet<&StreamName> = HashSet::new();
    let (mut events, mut bytes) = (0, 0);
    let mut chosen = Vec::with_capacity(waiting.len());
    for batch in waiting {
        let size: usize = batch.iter().map(|part| part.events.len()).sum();
        let volume: usize = batch.iter().flat_map(|part| &part.events).map(NewEvent::bytes).sum();
        let is_single = batch.len() == 1;
        let is_small = events + size <= GROUP_EVENTS_MAX && bytes + volume <= GROUP_BYTES_MAX;
        let fits = (events == 0 || is_small)
            && batch.iter().all(|part| {
                !shared.contains(&part.stream) && (is_single || !single.contains(&part.stream))
            })
            && batch.iter().flat_map(|part| &part.events).all(|event| !ids.contains(&event.id));
        if fits {
            events += size;
            bytes += volume;
            ids.extend(batch.iter().flat_map(|part| &part.events).map(|event| event.id));
            let streams = if is_single { &mut single } else { &mut shared };
            streams.extend(batch.iter().map(|part| &part.stream));
        }
        chosen.push(fits);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Payload;
    use crate::name::EventType;

    fn batch(streams: &[&'static str], id: Option<EventId>) -> Vec<StreamAppend> {
        let event = || {
            let event = NewEvent::new(EventType::from_static("E"), Payload::parse("1").unwrap());
            NewEvent { id: id.unwrap_or(event.id), ..event }
        };
        let part = |stream: &&'static str| {
            StreamAppend::new(StreamName::from_static(stream), vec![event()])
        };
        streams.iter().map(part).collect()
    }

    #[test]
    fn appends_to_one_stream_share_a_group_but_not_with_an_append_to_several() {
        let batches = [batch(&["a"], None), batch(&["a"], None), batch(&["a", "b"], None)];
        assert_eq!(choose(&batches.iter().collect::<Vec<_>>()), [true, true, false]);
        let batches = [batch(&["a", "b"], None), batch(&["b"], None), batch(&["c"], None)];
        assert_eq!(choose(&batches.iter().collect::<Vec<_>>()), [true, false, true]);
    }

    #[test]
    fn a_repeated_event_id_waits_for_the_next_group() {
        let id = Some(EventId::new());
        let batches = [batch(&["a"], id), batch(&["a"], id), batch(&["b"], None)];
        assert_eq!(choose(&batches.iter().collect::<Vec<_>>()), [true, false, true]);
    }

    #[test]
    fn large_appends_do_not_add_up_to_one_huge_message() {
        let mut large = batch(&["a"], None);
        large[0].events[0].data = Payload::of(&"x".repeat(GROUP_BYTES_MAX)).unwrap();
        let small = batch(&["b"], None);
        assert_eq!(choose(&[&large, &small, &large]), [true, false, false]);
        assert_eq!(choose(&[&small, &large, &batch(&["c"], None)]), [true, false, true]);
    }
}
