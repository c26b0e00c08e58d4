//! Who follows what at the end of the log.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use highwater_core::{RecordedEvent, Source};
use tokio::sync::broadcast;

use super::budget::MemoryBudget;
use super::event::LiveEvent;

/// The sources that are followed, each with the last few events for its followers.
#[derive(Debug)]
pub(super) struct Topics {
    live_buffer: usize,
    room: MemoryBudget,
    state: Mutex<State>,
}

/// Event as followers are handed it.
#[derive(Debug, Clone)]
pub(super) enum Live {
    /// The event.
    Event(Arc<LiveEvent>),
    /// There was an event and no room to hold it; it is in the log.
    InLog,
}

#[derive(Debug, Default)]
struct State {
    is_read: bool,
    topics: HashMap<Source, Topic>,
}

#[derive(Debug)]
struct Topic {
    name: Arc<str>,
    events: broadcast::Sender<Live>,
}

/// One follower of a source; the source is forgotten with its last one.
#[derive(Debug)]
pub(super) struct Follower {
    topics: Arc<Topics>,
    source: Source,
    pub(super) name: Arc<str>,
    /// `None` only while it is being dropped.
    events: Option<broadcast::Receiver<Live>>,
}

impl Topics {
    pub(super) fn new(live_buffer: usize, live_bytes: usize) -> Self {
        let room = MemoryBudget::new(live_bytes);
        Self { live_buffer: live_buffer.max(1), room, state: Mutex::default() }
    }

    /// Joins the followers of `source`; `None` when nobody reads the end of the log.
    pub(super) fn join(self: &Arc<Self>, source: &Source) -> Option<Follower> {
        let mut state = self.state();
        state.is_read.then(|| self.follow(&mut state, source))
    }

    /// Joins as the first follower; the caller is about to read the end of the log.
    pub(super) fn open(self: &Arc<Self>, source: &Source) -> Follower {
        let mut state = self.state();
        state.is_read = true;
        self.follow(&mut state, source)
    }

    fn follow(self: &Arc<Self>, state: &mut State, source: &Source) -> Follower {
        let topic = state.topics.entry(source.clone()).or_insert_with(|| Topic {
            name: source.to_string().into(),
            events: broadcast::Sender::new(self.live_buffer),
        });
        Follower {
            topics: Arc::clone(self),
            source: source.clone(),
            name: Arc::clone(&topic.name),
            events: Some(topic.events.subscribe()),
        }
    }

    /// Hands the events to their followers.
    ///
    /// False when there are no followers left: then nobody reads the end of the log any more,
    /// and the caller must stop.
    pub(super) fn publish(&self, events: &[RecordedEvent]) -> bool {
        let mut state = self.state();
        for event in events {
            state.publish(event, &self.room);
        }
        state.is_read = !state.topics.is_empty();
        state.is_read
    }

    /// Bytes of live events that are held.
    pub(super) fn bytes(&self) -> usize {
        self.room.taken()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn publish(&self, event: &RecordedEvent, room: &MemoryBudget) {
        let stream = event.stream.clone();
        for source in [Source::Category(stream.category()), Source::All, Source::Stream(stream)] {
            if let Some(topic) = self.topics.get(&source) {
                let offset = source.offset_of(event);
                let live = room.take(event).map_or(Live::InLog, |held| {
                    let (name, event) = (Arc::clone(&topic.name), event.clone());
                    Live::Event(LiveEvent::of_event(name, offset, event, Some(held)))
                });
                // Fails only when the last follower is about to leave.
                drop(topic.events.send(live));
            }
        }
    }
}

impl Follower {
    /// The buffer of live events, which overflows when it is not read in time.
    pub(super) fn events(&mut self) -> &mut broadcast::Receiver<Live> {
        self.events.as_mut().expect("it is there until the follower is dropped")
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut state = self.topics.state();
        self.events = None;
        if let Entry::Occupied(topic) = state.topics.entry(self.source.clone())
            && topic.get().events.receiver_count() == 0
        {
            topic.remove();
        }
    }
}
