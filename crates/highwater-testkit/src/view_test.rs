//! Given, when, then for views, without a store.

use std::collections::BTreeMap;

use highwater_core::{BoxError, Document, Payload, RecordedEvent, View};
use serde_json::Value;

use crate::events_of::{Intake, Numbering, with_causes};
use crate::json_diff::assert_same;

/// Tries a view: given these events, when those happen, then a document is so.
///
/// Events go the way that the engine sends them: encoded, chosen by source and type, upcast,
/// decoded. Between any two of them the documents are written as JSON and read again, so that
/// what does not survive it shows.
///
/// ```
/// # use highwater_core::{BoxError, Event, ProjectionName, Recorded, Source, View};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Serialize, Deserialize)]
/// # #[serde(tag = "type", content = "data")]
/// # enum AccountEvent { Opened { owner: String }, Deposited { cents: i64 } }
/// # impl Event for AccountEvent {}
/// # #[derive(Default, Serialize, Deserialize)]
/// # struct Balance { cents: i64 }
/// # struct Balances;
/// # impl View for Balances {
/// #     type Event = AccountEvent;
/// #     type Document = Balance;
/// #     fn name(&self) -> ProjectionName { ProjectionName::from_static("balances") }
/// #     fn source(&self) -> Source { Source::All }
/// #     fn keys(&self, event: &Recorded<AccountEvent>) -> impl IntoIterator<Item = String> {
/// #         Some(event.stream.to_string())
/// #     }
/// #     fn apply(&self, balance: &mut Balance, _: &str, event: &Recorded<AccountEvent>) -> Result<(), BoxError> {
/// #         if let AccountEvent::Deposited { cents } = event.data { balance.cents += cents; }
/// #         Ok(())
/// #     }
/// # }
/// use highwater_testkit::{ViewTest, events_of};
///
/// ViewTest::given(Balances, events_of("account-1", [AccountEvent::Opened { owner: "Ada".into() }]))
///     .when(events_of("account-1", [AccountEvent::Deposited { cents: 500 }]))
///     .then("account-1", &Balance { cents: 500 })
///     .then_nothing("account-2");
/// ```
#[derive(Debug)]
pub struct ViewTest<V> {
    view: V,
    intake: Intake,
    numbering: Numbering,
    documents: BTreeMap<String, Payload>,
    error: Option<String>,
}

impl<V: View> ViewTest<V> {
    /// The view after these events; panics when one of them does not apply.
    #[must_use = "a test without `then` tests nothing"]
    #[track_caller]
    pub fn given(view: V, events: impl IntoIterator<Item = RecordedEvent>) -> Self {
        let intake = Intake { source: view.source(), upcasters: view.upcasters() };
        let (numbering, documents) = (Numbering::default(), BTreeMap::new());
        let mut test = Self { view, intake, numbering, documents, error: None };
        test.apply_all(events);
        test.assert_applied();
        test
    }

    /// Applies the events, up to the first one that does not apply.
    #[must_use = "a test without `then` tests nothing"]
    #[track_caller]
    pub fn when(mut self, events: impl IntoIterator<Item = RecordedEvent>) -> Self {
        self.assert_applied();
        self.apply_all(events);
        self
    }

    /// Panics unless the document under `key` is `expected`.
    #[track_caller]
    pub fn then(self, key: &str, expected: &V::Document) -> Self {
        self.assert_applied();
        let actual = self.documents.get(key).map(value);
        assert_same(&self.what(key), expected, actual.as_ref());
        self
    }

    /// Panics when there is a document under `key`.
    #[track_caller]
    pub fn then_nothing(self, key: &str) -> Self {
        self.assert_applied();
        if let Some(document) = self.documents.get(key) {
            panic!("{} is there, expected nothing\n{:#}", self.what(key), value(document));
        }
        self
    }

    /// Panics unless there are documents under exactly these keys.
    #[track_caller]
    pub fn then_keys(self, expected: &[&str]) -> Self {
        self.assert_applied();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        let actual: Vec<&str> = self.documents.keys().map(String::as_str).collect();
        assert_eq!(actual, expected, "keys of view {:?}", self.view.name());
        self
    }

    /// Panics unless an event did not apply, with `text` in its error or a cause of it.
    #[track_caller]
    pub fn then_error(self, text: &str) -> Self {
        match &self.error {
            Some(error) if error.contains(text) => self,
            Some(error) => panic!("expected an error with {text:?}, got: {error}"),
            None => panic!("expected an error with {text:?}, but every event applied"),
        }
    }

    fn apply_all(&mut self, events: impl IntoIterator<Item = RecordedEvent>) {
        for event in events {
            let event = self.numbering.number(event);
            let what = format!("{:?} at {} of {}", event.event_type, event.offset, event.stream);
            if let Err(error) = self.apply(event) {
                self.error = Some(format!("{what} does not apply: {}", with_causes(&*error)));
                return;
            }
        }
    }

    fn apply(&mut self, event: RecordedEvent) -> Result<(), BoxError> {
        let Some(event) = self.intake.take::<V::Event>(event)? else { return Ok(()) };
        let keys: Vec<String> = self.view.keys(&event).into_iter().collect();
        let mut documents = self.documents.clone();
        for key in keys {
            Document::check_key(&key)?;
            let stored = documents.get(&key).map(Payload::to).transpose()?;
            let mut document: V::Document = stored.unwrap_or_default();
            self.view.apply(&mut document, &key, &event)?;
            if self.view.keep(&document) {
                documents.insert(key, Payload::of(&document)?);
            } else {
                documents.remove(&key);
            }
        }
        self.documents = documents;
        Ok(())
    }

    #[track_caller]
    fn assert_applied(&self) {
        if let Some(error) = &self.error {
            panic!("in view {:?}: {error}", self.view.name());
        }
    }

    fn what(&self, key: &str) -> String {
        format!("document {key:?} of view {:?}", self.view.name())
    }
}

fn value(document: &Payload) -> Value {
    document.to().expect("a document is written as JSON")
}
