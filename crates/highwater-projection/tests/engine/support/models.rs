//! One read model, written in each of the three ways.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use highwater_core::{
    BoxError, Event, Handler, IdempotencyKey, Payload, Projection, ProjectionName, ProjectionStore,
    ProjectionTx, Recorded, Source, StoreError, View,
};
use highwater_testkit::MemoryTx;
use serde::{Deserialize, Serialize};

use super::{Rigged, SUMS};

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub(crate) enum Tally {
    Added { n: i64 },
    Closed,
}
impl Event for Tally {}

/// What a document keeps: every number it was given, so that a test sees order and doubles.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Total {
    pub(crate) sum: i64,
    pub(crate) seen: Vec<i64>,
    closed: bool,
}

/// Numbers whose events fail, and what happened so far; clones share it.
#[derive(Clone, Default)]
pub(crate) struct Faults(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    plans: HashMap<i64, (Fault, u32)>,
    tried: Vec<i64>,
}

#[derive(Clone, Copy)]
enum Fault {
    Error,
    Panic,
    Unavailable,
}

impl Faults {
    /// Events with number `n` fail this often.
    pub(crate) fn fail(self, n: i64, times: u32) -> Self {
        self.plan(n, Fault::Error, times)
    }

    /// Events with number `n` panic this often.
    pub(crate) fn panic(self, n: i64, times: u32) -> Self {
        self.plan(n, Fault::Panic, times)
    }

    /// Events with number `n` meet a store that is away this often.
    pub(crate) fn unavailable(self, n: i64, times: u32) -> Self {
        self.plan(n, Fault::Unavailable, times)
    }

    /// Nothing fails any more.
    pub(crate) fn repair(&self) {
        self.0.lock().unwrap().plans.clear();
    }

    /// Every number whose event user code was given, failures included.
    pub(crate) fn tried(&self) -> Vec<i64> {
        self.0.lock().unwrap().tried.clone()
    }

    fn plan(self, n: i64, fault: Fault, times: u32) -> Self {
        self.0.lock().unwrap().plans.insert(n, (fault, times));
        self
    }

    fn meet(&self, event: &Tally) -> Result<(), BoxError> {
        let Tally::Added { n } = event else { return Ok(()) };
        let mut state = self.0.lock().unwrap();
        state.tried.push(*n);
        let fault = match state.plans.get_mut(n) {
            Some((fault, times)) if *times > 0 => {
                *times -= 1;
                *fault
            }
            _ => return Ok(()),
        };
        drop(state);
        match fault {
            Fault::Error => Err(format!("{n} does not count").into()),
            Fault::Panic => panic!("{n} is too much"),
            Fault::Unavailable => Err(StoreError::Unavailable("gone away".into()).into()),
        }
    }
}

impl Total {
    fn apply(&mut self, event: &Tally) {
        match event {
            Tally::Added { n } => {
                self.sum += n;
                self.seen.push(*n);
            }
            Tally::Closed => self.closed = true,
        }
    }
}

/// The numbers of each stream, as a view.
#[derive(Clone, Default)]
pub(crate) struct Sums {
    pub(crate) faults: Faults,
}

impl View for Sums {
    type Event = Tally;
    type Document = Total;

    fn name(&self) -> ProjectionName {
        SUMS
    }

    fn source(&self) -> Source {
        Source::All
    }

    fn keys(&self, event: &Recorded<Tally>) -> impl IntoIterator<Item = String> {
        Some(event.stream.as_str().to_owned())
    }

    fn apply(&self, total: &mut Total, _: &str, event: &Recorded<Tally>) -> Result<(), BoxError> {
        self.faults.meet(&event.data)?;
        total.apply(&event.data);
        Ok(())
    }

    fn keep(&self, total: &Total) -> bool {
        !total.closed
    }
}

/// The same in the store's own transaction.
#[derive(Clone, Default)]
pub(crate) struct SumsInTx {
    pub(crate) faults: Faults,
}

impl SumsInTx {
    async fn fold(&self, events: &[Recorded<Tally>], tx: &mut MemoryTx) -> Result<(), BoxError> {
        for event in events {
            self.faults.meet(&event.data)?;
            let key = event.stream.as_str();
            let mut total: Total =
                tx.document(key).map(|data| data.to()).transpose()?.unwrap_or_default();
            total.apply(&event.data);
            tx.write(vec![(key.to_owned(), Some(Payload::of(&total)?))]).await?;
        }
        Ok(())
    }
}

impl Projection<Rigged> for SumsInTx {
    type Event = Tally;

    fn name(&self) -> ProjectionName {
        SUMS
    }

    fn source(&self) -> Source {
        Source::All
    }

    async fn apply(
        &self,
        events: &[Recorded<Tally>],
        tx: &mut <Rigged as ProjectionStore>::Tx,
    ) -> Result<(), BoxError> {
        self.fold(events, tx.inner()).await
    }

    async fn reset(&self, tx: &mut <Rigged as ProjectionStore>::Tx) -> Result<(), BoxError> {
        Ok(tx.clear().await?)
    }
}

/// Effects outside the store: a list of what was sent, with the key of each.
#[derive(Clone, Default)]
pub(crate) struct Mails {
    pub(crate) faults: Faults,
    pub(crate) can_rebuild: bool,
    pub(crate) sent: Arc<Mutex<Vec<(i64, String)>>>,
}

impl Mails {
    pub(crate) fn sent(&self) -> Vec<i64> {
        self.sent.lock().unwrap().iter().map(|(n, _)| *n).collect()
    }
}

impl Handler for Mails {
    type Event = Tally;

    fn name(&self) -> ProjectionName {
        SUMS
    }

    fn source(&self) -> Source {
        Source::All
    }

    async fn handle(&self, event: &Recorded<Tally>, key: &IdempotencyKey) -> Result<(), BoxError> {
        self.faults.meet(&event.data)?;
        if let Tally::Added { n } = event.data {
            self.sent.lock().unwrap().push((n, key.to_string()));
        }
        Ok(())
    }

    fn can_rebuild(&self) -> bool {
        self.can_rebuild
    }
}
