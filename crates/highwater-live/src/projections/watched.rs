//! Which projections are followed, and what their followers are told.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use highwater_core::{Checkpoint, ProjectionName};
use tokio::sync::{Notify, watch};

use crate::feed::event::LiveEvent;
use crate::projection_report::{Report, State};

/// The newest event of each checkpoint of a projection.
pub(super) type Newest = Vec<Arc<LiveEvent>>;

/// The projections that are followed.
#[derive(Debug, Default)]
pub(super) struct Watched {
    topics: Mutex<Topics>,
    joined: Notify,
}

#[derive(Debug, Default)]
struct Topics {
    is_watched: bool,
    newest: HashMap<ProjectionName, watch::Sender<Newest>>,
}

/// One follower of a projection; the projection is forgotten with its last one.
#[derive(Debug)]
pub(super) struct Follower {
    watched: Arc<Watched>,
    projection: ProjectionName,
    /// `None` only while it is being dropped.
    newest: Option<watch::Receiver<Newest>>,
}

impl Watched {
    /// Joins the followers of a projection; true when the caller has to begin to watch.
    pub(super) fn follow(self: &Arc<Self>, projection: ProjectionName) -> (Follower, bool) {
        let mut topics = self.topics();
        let is_first = !std::mem::replace(&mut topics.is_watched, true);
        let newest = topics.newest.entry(projection.clone()).or_default().subscribe();
        drop(topics);
        self.joined.notify_one();
        (Follower { watched: Arc::clone(self), projection, newest: Some(newest) }, is_first)
    }

    /// Tells whether there are followers; if not, nobody watches any more, and the caller must
    /// stop.
    pub(super) fn is_needed(&self) -> bool {
        let mut topics = self.topics();
        topics.is_watched = !topics.newest.is_empty();
        topics.is_watched
    }

    pub(super) fn has(&self, projection: &ProjectionName) -> bool {
        self.topics().newest.contains_key(projection)
    }

    /// Returns when somebody has joined since it last returned.
    pub(super) async fn joined(&self) {
        self.joined.notified().await;
    }

    /// Tells followers what has changed; `states` has every checkpoint of what is followed.
    pub(super) fn publish(&self, states: Vec<(Checkpoint, State)>) {
        let mut of_projection: HashMap<ProjectionName, Vec<(Checkpoint, State)>> = HashMap::new();
        for (row, state) in states {
            of_projection.entry(row.key.projection.clone()).or_default().push((row, state));
        }
        for (projection, newest) in &self.topics().newest {
            // Of one that has been deleted there is nothing to tell to those who come later.
            let states = of_projection.remove(projection).unwrap_or_default();
            newest.send_if_modified(|newest| renew(newest, states));
        }
    }

    fn topics(&self) -> MutexGuard<'_, Topics> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts events of `states` in place of `newest`, keeping those that tell the same; true when
/// something has changed.
fn renew(newest: &mut Newest, states: Vec<(Checkpoint, State)>) -> bool {
    let known = std::mem::take(newest);
    for (row, state) in states {
        let same = known.iter().find(|event| event.report().is_some_and(|it| it.tells(&state)));
        newest.push(same.map_or_else(
            || {
                LiveEvent::of_report(
                    &row.key.projection,
                    Report::new(state, row.last_processed_offset),
                )
            },
            Arc::clone,
        ));
    }
    let is_same = |(new, old): (&Arc<LiveEvent>, &Arc<LiveEvent>)| Arc::ptr_eq(new, old);
    newest.len() != known.len() || !newest.iter().zip(&known).all(is_same)
}

impl Follower {
    /// Returns what there is to tell.
    pub(super) fn newest(&mut self) -> &mut watch::Receiver<Newest> {
        self.newest.as_mut().expect("it is there until the follower is dropped")
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut topics = self.watched.topics();
        self.newest = None;
        if let Entry::Occupied(newest) = topics.newest.entry(self.projection.clone())
            && newest.get().receiver_count() == 0
        {
            newest.remove();
        }
    }
}
