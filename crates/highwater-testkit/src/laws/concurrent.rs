//! Concurrency: whoever reads on from where they stopped misses nothing.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use highwater_core::{
    EventId, EventStore, EventType, Expected, Offset, RecordedEvent, Source, StoreError,
    StreamAppend,
};

use super::support::{
    COUNTED, append, assert_gapless, drop_after, event, events, part, patiently, read_to_end,
    source, stream_events, together,
};
use crate::random::Random;

const WRITERS: u64 = 16;
const APPENDS: u64 = 25;

/// The promise that everything else rests on. Most logs on a relational database break it: a
/// later position becomes visible first, the reader passes by, and the earlier event is lost.
pub async fn readers_deliver_exactly_what_was_committed_in_order(store: impl EventStore) {
    let store = Arc::new(store);
    let is_written = Arc::new(AtomicBool::new(false));
    let cases = [
        ("$all", vec![], 7),
        ("$all", vec![COUNTED], 100),
        ("$category:shared", vec![COUNTED], 5),
        ("shared-0", vec![], 3),
    ];
    let readers: Vec<_> = cases
        .into_iter()
        .map(|(name, types, limit)| {
            let reader = Reader { source: source(name), types, limit };
            tokio::spawn(reader.run(Arc::clone(&store), Arc::clone(&is_written)))
        })
        .collect();

    let written = together(WRITERS, |writer| write(Arc::clone(&store), writer)).await;
    is_written.store(true, Ordering::SeqCst);
    let log_at_end = read_to_end(&store, &Source::All).await;
    for reader in readers {
        let delivered = patiently("reading to the end", reader).await.expect("a reader");
        delivered.check(&log_at_end);
    }
    check_log(&log_at_end, &written);
}

/// A request whose caller has gone away, by a time limit for instance, must not be half done.
pub async fn a_dropped_append_was_made_whole_or_not_at_all(store: impl EventStore) {
    for polls in 0..40 {
        let names = [format!("a-{polls}"), format!("b-{polls}")];
        let batch: Vec<StreamAppend> = names
            .iter()
            .map(|name| part(name, events(0..2)).expecting(Expected::NoStream))
            .collect();
        drop_after(polls, store.append(batch.clone())).await.transpose().expect("an append");
        let repeated = store.append(batch).await.expect("the append, or its repetition");
        assert_eq!(repeated.streams.len(), 2);
        for name in &names {
            let recorded = stream_events(&store, name).await;
            assert_eq!(recorded.len(), 2, "{name} has its events once");
            assert_gapless(&recorded);
        }
    }
    append(&store, "after", events(0..1)).await;
}

/// Knowledge of one writer about its own appends.
#[derive(Default)]
struct Written {
    committed: Vec<EventId>,
    refused: Vec<EventId>,
    /// Given up half-way: each is in the log whole, or not at all.
    dropped: Vec<Vec<EventId>>,
}

/// Appends in all the ways there are, as the writer's own seed says.
async fn write(store: Arc<impl EventStore>, writer: u64) -> Written {
    let mut random = Random::new(writer);
    let mut written = Written::default();
    for n in 0..APPENDS {
        let shared = format!("shared-{}", random.below(3));
        let own = format!("own-{writer}");
        let many = events(0..1 + random.below(3));
        let batch = match random.below(3) {
            0 => vec![part(&own, vec![event(n)]), part(&shared, many)],
            _ => vec![part(&shared, many)],
        };
        let ids = batch.iter().flat_map(|part| &part.events).map(|event| event.id).collect();
        match random.below(5) {
            0 => {
                let wrong = Expected::At(Offset::new(1_000_000));
                let batch = batch.into_iter().map(|part| part.expecting(wrong)).collect();
                let result = store.append(batch).await;
                assert!(matches!(result, Err(StoreError::Conflict { .. })), "{result:?}");
                written.refused.extend(ids);
            }
            1 => {
                let first = store.append(batch.clone()).await.expect("an append");
                assert_eq!(store.append(batch).await.expect("its repetition"), first);
                written.committed.extend(ids);
            }
            2 => match drop_after(random.below(30), store.append(batch)).await {
                Some(result) => {
                    result.expect("an append");
                    written.committed.extend(ids);
                }
                None => written.dropped.push(ids),
            },
            _ => {
                store.append(batch).await.expect("an append");
                written.committed.extend(ids);
            }
        }
    }
    written
}

/// A reader that keeps asking for more from where it stopped.
struct Reader {
    source: Source,
    types: Vec<EventType>,
    limit: usize,
}

impl Reader {
    async fn run(self, store: Arc<impl EventStore>, is_written: Arc<AtomicBool>) -> Delivered {
        let (mut events, mut after) = (Vec::new(), None);
        loop {
            let is_last_round = is_written.load(Ordering::SeqCst);
            let page = store.read(&self.source, &self.types, after, self.limit).await;
            let page = page.expect("a read");
            events.extend(page.events);
            after = page.scanned_to;
            if page.is_end && is_last_round {
                return Delivered { reader: self, events, scanned_to: after };
            }
            if page.is_end {
                tokio::task::yield_now().await;
            }
        }
    }
}

struct Delivered {
    reader: Reader,
    events: Vec<RecordedEvent>,
    scanned_to: Option<Offset>,
}

impl Delivered {
    /// Compares with what the log holds up to where both have read.
    ///
    /// Dropped appends may still be committed while readers end, behind what they have scanned.
    fn check(self, log: &[RecordedEvent]) {
        let Self { reader: Reader { source, types, .. }, events, scanned_to } = self;
        let end = log.last().map(|event| source_end(&source, log, event));
        let both = |event: &&RecordedEvent| {
            let place = Some(source.offset_of(event));
            place <= scanned_to && place <= end.flatten()
        };
        let delivered: Vec<_> = events.iter().filter(both).collect();
        let is_wanted = |event: &&RecordedEvent| {
            source.contains(event) && (types.is_empty() || types.contains(&event.event_type))
        };
        let committed: Vec<_> = log.iter().filter(is_wanted).filter(both).collect();
        assert!(!committed.is_empty());
        assert_eq!(delivered, committed, "what a reader of {source} got is what is there");
    }
}

/// The last place of `source` in the log.
fn source_end(source: &Source, log: &[RecordedEvent], last: &RecordedEvent) -> Option<Offset> {
    match source {
        Source::Stream(_) => {
            log.iter().rfind(|event| source.contains(event)).map(|event| event.offset)
        }
        Source::Category(_) | Source::All => Some(source.offset_of(last)),
    }
}

/// Compares the log with what the writers know.
fn check_log(log: &[RecordedEvent], written: &[Written]) {
    assert!(log.is_sorted_by(|one, two| one.position < two.position));
    let ids: HashSet<EventId> = log.iter().map(|event| event.id).collect();
    assert_eq!(ids.len(), log.len(), "no event is there twice");
    for writer in written {
        assert!(writer.committed.iter().all(|id| ids.contains(id)), "a committed event is lost");
        assert!(!writer.refused.iter().any(|id| ids.contains(id)), "a refused event is there");
        for batch in &writer.dropped {
            let found = batch.iter().filter(|id| ids.contains(id)).count();
            assert!(found == 0 || found == batch.len(), "an append is there in part");
        }
    }
    for name in ["shared-0", "shared-1", "shared-2"] {
        let of_stream = log.iter().filter(|event| event.stream == name).cloned();
        assert_gapless(&of_stream.collect::<Vec<_>>());
    }
}
