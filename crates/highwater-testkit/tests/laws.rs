//! The laws themselves: all of them are tried, and broken stores break them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use highwater_core::{
    Appended, EventId, EventStore, EventType, Expected, Imported, NewEvent, Offset, Page, Position,
    Source, StoreError, StreamAppend, StreamName, Wake,
};
use highwater_testkit::{Fixture, MemoryStore, laws, prove};

#[test]
fn every_law_stands_in_the_list() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
    let list = std::fs::read_to_string(format!("{folder}/conformance.rs")).expect("the list");
    let listed: Vec<&str> = list.split_whitespace().collect();
    let mut count = 0;
    for file in std::fs::read_dir(format!("{folder}/laws")).expect("the laws") {
        let source = std::fs::read_to_string(file.expect("a file").path()).expect("a group");
        for law in source.lines().filter_map(|line| line.strip_prefix("pub async fn ")) {
            let name = law.split(['(', '<']).next().expect("a name");
            let listed = listed.iter().filter(|word| **word == name).count();
            assert_eq!(listed, 1, "{name} stands in the list once");
            count += 1;
        }
    }
    assert!(count > 80, "only {count} laws were found");
}

/// What is wrong with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Defect {
    /// An append to several streams is made stream by stream.
    Tears,
    /// Now and then a page leaves out an event, as when it becomes visible after a later one.
    Skips,
    /// Ids are not remembered.
    Forgets,
    /// Expectations are not checked.
    Admits,
    /// A page says that it has scanned further than it has.
    Overreaches,
}

#[derive(Debug, Clone)]
struct Broken {
    store: MemoryStore,
    defect: Defect,
    reads: Arc<AtomicU64>,
}

#[async_trait]
impl EventStore for Broken {
    async fn append(&self, mut batch: Vec<StreamAppend>) -> Result<Appended, StoreError> {
        match self.defect {
            Defect::Tears if batch.len() > 1 => {
                let mut streams = Vec::new();
                let mut position = Position::FIRST;
                for part in batch {
                    let appended = self.store.append(vec![part]).await?;
                    streams.extend(appended.streams);
                    position = appended.position;
                }
                return Ok(Appended { streams, position });
            }
            Defect::Forgets => {
                let events = batch.iter_mut().flat_map(|part| &mut part.events);
                events.for_each(|event| event.id = EventId::new());
            }
            Defect::Admits => batch.iter_mut().for_each(|part| part.expected = Expected::Any),
            Defect::Tears | Defect::Skips | Defect::Overreaches => {}
        }
        self.store.append(batch).await
    }

    async fn import(&self, events: Vec<(StreamName, NewEvent)>) -> Result<Imported, StoreError> {
        self.store.import(events).await
    }

    async fn read(
        &self,
        source: &Source,
        types: &[EventType],
        after: Option<Offset>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let mut page = self.store.read(source, types, after, limit).await?;
        let turn = self.reads.fetch_add(1, Ordering::SeqCst);
        if self.defect == Defect::Skips && turn % 10 == 9 && page.events.len() > 1 {
            page.events.remove(0);
        }
        if self.defect == Defect::Overreaches && !page.is_end {
            page.scanned_to = page.scanned_to.map(Offset::next);
        }
        Ok(page)
    }

    async fn head(&self, source: &Source) -> Result<Option<Offset>, StoreError> {
        self.store.head(source).await
    }

    async fn now(&self) -> Result<DateTime<Utc>, StoreError> {
        self.store.now().await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.store.probe().await
    }

    fn wake(&self) -> Wake {
        self.store.wake()
    }
}

struct Fresh {
    broken: Broken,
    is_finished: Arc<AtomicBool>,
}

impl Fixture for Fresh {
    type Store = Broken;

    fn store(&self) -> Broken {
        self.broken.clone()
    }

    async fn reopen(&self) -> Broken {
        self.broken.clone()
    }

    async fn finish(self) {
        self.is_finished.store(true, Ordering::SeqCst);
    }
}

/// Panics unless the law is broken by a store with the defect, which is removed all the same.
fn assert_broken(defect: Defect, law: impl AsyncFnOnce(Broken)) {
    let is_finished = Arc::new(AtomicBool::new(false));
    let fresh = async || {
        let broken = Broken { store: MemoryStore::new(), defect, reads: Arc::default() };
        Fresh { broken, is_finished: Arc::clone(&is_finished) }
    };
    let trial = AssertUnwindSafe(|| prove(fresh, async |fixture| law(fixture.store()).await));
    assert!(catch_unwind(trial).is_err(), "the law holds for a store that {defect:?}");
    assert!(is_finished.load(Ordering::SeqCst), "the fixture is finished after a broken law");
}

#[test]
fn a_store_that_tears_appends_is_found_out() {
    let defect = Defect::Tears;
    assert_broken(defect, laws::append::an_append_to_several_streams_is_all_or_nothing);
    assert_broken(defect, laws::idempotence::an_append_of_which_only_a_part_is_known_is_refused);
}

#[test]
fn a_store_that_skips_events_is_found_out() {
    let defect = Defect::Skips;
    assert_broken(defect, laws::concurrent::readers_deliver_exactly_what_was_committed_in_order);
    assert_broken(defect, laws::read::reading_on_from_scanned_to_visits_every_event_once);
}

#[test]
fn a_store_that_forgets_ids_is_found_out() {
    let defect = Defect::Forgets;
    assert_broken(
        defect,
        laws::idempotence::a_repeated_append_returns_the_first_result_and_stores_nothing,
    );
    assert_broken(defect, laws::idempotence::an_id_that_stands_for_another_event_is_refused);
    assert_broken(defect, laws::concurrent::a_dropped_append_was_made_whole_or_not_at_all);
}

#[test]
fn a_store_that_admits_any_expectation_is_found_out() {
    let defect = Defect::Admits;
    assert_broken(defect, laws::append::every_expectation_is_checked_and_a_conflict_names_the_head);
    assert_broken(defect, laws::append::of_many_writers_who_expect_no_stream_one_succeeds);
}

#[test]
fn a_store_that_scans_too_far_is_found_out() {
    let defect = Defect::Overreaches;
    assert_broken(defect, laws::read::reading_on_from_scanned_to_visits_every_event_once);
}
